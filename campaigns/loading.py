"""Reading campaign files: YAML with line numbers, overrides, and errors that say where and what to do."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rheobase.features.errors import CampaignError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic_core import ErrorDetails

    from rheobase.campaigns.circuits.schema import CircuitCampaign
    from rheobase.campaigns.schema import Campaign, MeasurementKeys
    from rheobase.campaigns.schema_types import Placed
    from rheobase.fitting.ensembles.ensemble import Ensemble

    Keys = TypeVar("Keys", bound=Placed)

LIBRARY_FOLDER = Path(__file__).parent / "library"


def library() -> dict[str, Path]:
    """The ready campaigns that come with rheobase, by name."""
    return {path.stem: path for path in sorted(LIBRARY_FOLDER.glob("*.yaml"))}


def channel_sets() -> dict[str, Path]:
    """The ready sets of channels that come with rheobase, by name."""
    return {path.stem: path for path in sorted((LIBRARY_FOLDER / "channels").glob("*.yaml"))}


def library_ensembles() -> dict[str, Path]:
    """The ensembles that come with rheobase, by the name of the ready campaign that they are the result of."""
    return {path.stem: path for path in sorted((LIBRARY_FOLDER / "ensembles").glob("*.json"))}


def library_ensemble(name: str) -> Ensemble:
    """The ensemble of a ready campaign that comes with rheobase, as `make ensembles` makes it.

    Args:
        name: Name of the campaign, such as "etype_cnac".

    Raises:
        CampaignError: no ensemble of that name comes with rheobase.
    """
    from rheobase.fitting.ensembles.ensemble import read_ensemble

    ready = library_ensembles()
    if name not in ready:
        close = difflib.get_close_matches(name, ready, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(ready) or 'none'}"
        raise CampaignError(f"no ensemble '{name}' comes with rheobase; {hint}")
    return read_ensemble(ready[name])


def find_campaign(name: str) -> Path:
    """Path of a campaign given as a file or by its name in the library.

    Raises:
        CampaignError: neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    ready = library()
    if name in ready:
        return ready[name]
    close = difflib.get_close_matches(name, ready, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"the library has {', '.join(ready)}"
    raise CampaignError(f"there is no campaign file '{name}', and no ready campaign of that name; {hint}")


def load_campaign(path: Path, overrides: Sequence[str] = ()) -> Campaign:
    """Campaign from a YAML file.

    Relative paths are relative to the file, those of overrides to the working folder.

    Args:
        path: The file.
        overrides: "key=value" with dots between nested keys, as of `--set`.

    Raises:
        CampaignError: the file, a key or a value is wrong; one message with file, line and key.
    """
    from rheobase.campaigns.schema import Campaign

    return _validated(Campaign, read_yaml(path), path, overrides)


def load_any_campaign(path: Path, overrides: Sequence[str] = ()) -> Campaign | CircuitCampaign:
    """Campaign of a cell or, where the file has the key `circuit` or `external`, of a circuit; as `load_campaign`."""
    content = read_yaml(path)
    if not {"circuit", "external"}.intersection(content):
        from rheobase.campaigns.schema import Campaign

        return _validated(Campaign, content, path, overrides)
    from rheobase.campaigns.circuits.schema import CircuitCampaign

    return _validated(CircuitCampaign, content, path, overrides)


def load_measurement(
    recordings: Sequence[Path], like: Path | None = None, overrides: Sequence[str] = ()
) -> MeasurementKeys:
    """What to measure in folders of recordings.

    Args:
        recordings: The folders.
        like: A campaign file whose sections `recordings` and `features` hold; None: everything as by default.
        overrides: "key=value" with dots between nested keys, as of `--set`.

    Raises:
        CampaignError: the file, a key or a value is wrong; one message with file, line and key.
    """
    from ruamel.yaml.comments import CommentedMap

    from rheobase.campaigns.schema import MeasurementKeys

    content = CommentedMap() if like is None else read_yaml(like)
    for key in [key for key in content if key not in ("recordings", "features")]:
        del content[key]
    if content.get("recordings") is None:
        content["recordings"] = CommentedMap()
    if isinstance(content["recordings"], dict):  # else validation says what is wrong
        content["recordings"].pop("surrogates", None)
        content["recordings"]["folder"] = [str(folder.absolute()) for folder in recordings]
    return _validated(MeasurementKeys, content, like or recordings[0], overrides)


def _validated(kind: type[Keys], content: Any, path: Path, overrides: Sequence[str]) -> Keys:
    from pydantic import ValidationError

    for place in _PATH_KEYS:
        _make_absolute(content, place, path.parent.resolve())
    _make_starts_absolute(content, path.parent.resolve())
    places = _Places(path, content, frozenset(_override(content, override) for override in overrides))
    for place in _PATH_KEYS:
        _make_absolute(content, place, Path.cwd())
    _make_starts_absolute(content, Path.cwd())
    try:
        keys = kind.model_validate(content)
    except ValidationError as error:
        raise CampaignError("\n".join(_explain(detail, places, kind) for detail in _causes(error.errors()))) from error
    keys.read_from(places.where)
    return keys


@dataclass(frozen=True)
class _Places:
    """Where keys came from.

    Attributes:
        path: The campaign file.
        content: Its content, overrides included.
        overridden: Keys given by `--set`.
    """

    path: Path
    content: Any
    overridden: frozenset[tuple[str, ...]]

    def where(self, location: Sequence[object]) -> str:
        """File, line and key, or the `--set` that gave the key."""
        place = tuple(str(part) for part in location if part != "ParameterEntry")  # pydantic's name for a union's side
        if not place:  # the file as a whole
            return str(self.path)
        key = ".".join(place)
        if any(place[: len(given)] == given for given in self.overridden):
            return f"--set {key}"
        line, depth = _line(self.content, location)
        for given in self.overridden:
            if depth < len(place) and given[: len(place)] == place:  # a group that only `--set` has
                return f"--set {'.'.join(given)}"
        return f"{self.path}, line {line}, {key}" if line else f"{self.path}, {key}"


_PATH_KEYS = (
    ("recordings", "folder"),
    ("targets", "features"),
    ("targets", "protocols"),
    ("model", "morphology"),
    ("model", "mechanisms"),
    ("targets", "spectrum", "file"),
    ("tuning", "recorded", "*", "file"),
    ("circuit", "populations", "*", "template", "file"),
    ("circuit", "populations", "*", "template", "morphology"),
    ("circuit", "populations", "*", "template", "mechanisms"),
    ("targets", "distributions", "*", "file"),
)


_DOTTED = ("parameters", "hidden", "bounds", "leave_out")  # sections whose keys are names that have dots


def read_yaml(path: Path) -> Any:
    """Content of a YAML file, its line numbers kept (ruamel.yaml's round-trip types).

    Raises:
        CampaignError: not YAML, a key given twice, or not a mapping.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import DuplicateKeyError
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        content = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise CampaignError(f"{path}, line {line}: {str(error.problem).splitlines()[0]}; keep one of them") from error
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise CampaignError(f"{path}, line {line}: not valid YAML: {error.problem or error.context}") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise CampaignError(f"{path}: not valid YAML: {error}") from error
    except OSError as error:
        raise CampaignError(f"{path} cannot be read: {error.strerror}") from error
    if not isinstance(content, dict):
        raise CampaignError(f"{path}: expected keys like 'name: ...', got {type(content).__name__}")
    return content


def _make_absolute(content: Any, place: tuple[str, ...], base: Path) -> None:
    section = content
    for depth, key in enumerate(place[:-1]):
        if key == "*" and isinstance(section, dict):
            for inner in section.values():
                _make_absolute(inner, place[depth + 1 :], base)
            return
        section = section.get(key) if isinstance(section, dict) else None
    value = section.get(place[-1]) if isinstance(section, dict) else None
    if isinstance(value, str):
        section[place[-1]] = str(base / Path(value).expanduser())  # an absolute path stays as it is
    elif isinstance(value, list) and all(isinstance(path, str) for path in value):
        value[:] = [str(base / Path(path).expanduser()) for path in value]


def _make_starts_absolute(content: Any, base: Path) -> None:
    """The paths in `start: best 20 of PATH`, of the search and of its stages."""
    from rheobase.campaigns.schema_search import parse_start

    search = content.get("search")
    if not isinstance(search, dict):
        return
    stages = search.get("stages")
    for section in (search, *(stages.values() if isinstance(stages, dict) else ())):
        if isinstance(section, dict) and isinstance(section.get("start"), str):
            with contextlib.suppress(CampaignError):  # the schema says what is wrong with it
                start = parse_start(section["start"])
                if start is not None and start.path is not None:
                    section["start"] = str(dataclasses.replace(start, path=base / start.path))


def _override(content: Any, override: str) -> tuple[str, ...]:
    """Set one key; the names of parameters have dots of their own, so a known whole rest comes first."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    name, equals, text = override.partition("=")
    if not equals or not name:
        raise CampaignError(f"--set {override}: expected KEY=VALUE, such as search.evaluations=500")
    try:
        value = YAML(typ="safe").load(text) if text else None
    except YAMLError:
        raise CampaignError(f"--set {override}: '{text}' is not valid YAML; put quotes around text") from None
    section, rest = content, name
    place: list[str] = []
    while "." in rest and rest not in section:
        head, _, tail = rest.partition(".")
        if head in section and not isinstance(section[head], dict) and section[head] is not None:
            raise CampaignError(f"--set {override}: '{'.'.join([*place, head])}' is a value, not a group of keys")
        if place and place[-1] in _DOTTED:
            break
        if section.get(head) is None:
            section[head] = {}
        section, rest = section[head], tail
        place.append(head)
    if (
        isinstance(section.get(rest), dict)
        and not isinstance(value, dict)
        and value is not None
        and "value" in section[rest]
    ):
        section[rest]["value"] = value
    else:
        section[rest] = value
    return (*place, rest)


def _causes(details: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Errors without those that only follow from another one: a list is too short without its wrong items."""
    places = [detail["loc"] for detail in details]
    return [
        detail
        for detail in details
        if detail["type"] != "too_short"
        or not any(len(place) > len(detail["loc"]) and place[: len(detail["loc"])] == detail["loc"] for place in places)
    ]


def _explain(detail: ErrorDetails, places: _Places, kind: type[Placed]) -> str:
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        known = list(_known_keys(detail["loc"], kind))
        close = difflib.get_close_matches(str(detail["loc"][-1]), known, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"known keys here: {', '.join(sorted(known))}"
        message = f"unknown key; {hint}"
    elif detail["type"] == "missing":
        message = "this key is missing; it has no default"
    elif isinstance(detail["input"], str | int | float | bool):
        said = ", got " in message or repr(detail["input"]) in message
        message = message if said else f"{message}, got {detail['input']!r}"
    return f"{places.where(detail['loc'])}: {message}"


def _line(content: Any, location: Sequence[object]) -> tuple[int | None, int]:
    """Line of the deepest part of a key that the file has, and how deep that is."""
    line, depth = None, 0
    section: Any = content
    for part in location:
        try:
            marks: Any = getattr(section, "lc", None)
            line = (marks.item(part) if isinstance(section, list) else marks.key(part))[0] + 1
            section = section[part]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
        depth += 1
    return line, depth


def _known_keys(location: Sequence[object], kind: type[Placed]) -> Iterator[str]:
    """Keys that the schema knows beside a given one."""
    from pydantic import BaseModel

    models: list[Any] = [kind]
    for part in location[:-1]:
        inner: list[Any] = []
        for model in models:
            field = (
                model.model_fields.get(str(part)) if isinstance(model, type) and issubclass(model, BaseModel) else None
            )
            inner.extend(_models_in(field.annotation) if field is not None else [model])
        models = inner or models
    for model in models:
        yield from model.model_fields


def _models_in(annotation: Any) -> list[Any]:
    from typing import get_args

    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def find_ready(name: str) -> Path:
    """Path of a ready campaign or channel set.

    Raises:
        CampaignError: there is none of that name.
    """
    ready = {**channel_sets(), **library()}
    if name not in ready:
        close = difflib.get_close_matches(name, ready, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(ready)}"
        raise CampaignError(f"the library has no '{name}'; {hint}")
    return ready[name]


def describe(path: Path) -> str:
    """First sentence of what a ready file says of itself."""
    return str(read_yaml(path).get("description", "")).strip().split(". ")[0].replace("\n", " ").rstrip(".")
