"""Commands that must be refused."""

from __future__ import annotations

import sys

import pytest

from rheobase.campaigns import cli


def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object) -> str:
    """Message of a command that must end with exit code 2."""
    monkeypatch.setattr(sys, "argv", ["rheobase", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    error = capsys.readouterr().err
    assert ended.value.code == 2, error
    assert "Traceback" not in error
    _, _, message = error.rpartition("\nrheobase: ") if not error.startswith("rheobase: ") else error.partition(": ")
    assert message, error
    return message.strip()
