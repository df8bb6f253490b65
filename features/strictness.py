"""How our dataclasses are read from files: unknown keys and numbers that are none are errors."""

from __future__ import annotations

# A dataclass carries it as `__pydantic_config__`; pydantic itself is only imported where files are read.
STRICT = {"extra": "forbid", "allow_inf_nan": False}
