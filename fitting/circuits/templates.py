"""Cells given as hoc templates, as BluePyOpt, BluePyEModel, the Blue Brain Project and rheobase export them."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import sys
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rheobase.features.errors import ModelError
from rheobase.fitting.cells.compilation import cache_folder
from rheobase.fitting.cells.mechanisms import bundled_mechanisms
from rheobase.fitting.cells.model import SECTION_LISTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rheobase.fitting.cells.mechanisms import Mechanism
    from rheobase.fitting.cells.morphology import Morphology

ARGUMENTS = ("folder", "file", "path", "number")
# Section lists of a template that does not have them, by the names of its sections.
_LIST_OF_NAME = {"soma": "somatic", "dend": "basal", "apic": "apical", "axon": "axonal", "myelin": "myelinated"}

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)

_loaded: dict[str, str] = {}  # template -> its text; hoc cannot exchange one


@dataclass(frozen=True)
class HocTemplate:
    """A cell as a hoc template, self-contained: no paths.

    Attributes:
        name: What follows `begintemplate`.
        text: The whole file.
        morphology: The neuron's shape.
        mechanisms: Those that its text names, NEURON's own left out.
        arguments: What its `init` is given: "folder" and "file" of the morphology, its "path", or the "number" 0.
    """

    name: str
    text: str
    morphology: Morphology
    mechanisms: tuple[Mechanism, ...] = ()
    arguments: tuple[str, ...] = ("folder", "file")


def read_template(
    path: Path,
    morphology: Morphology,
    mechanisms: Mapping[str, Mechanism],
    name: str | None = None,
    arguments: tuple[str, ...] = ("folder", "file"),
) -> HocTemplate:
    """A template from a hoc file.

    Args:
        path: The file.
        morphology: The neuron's shape.
        mechanisms: The user's, by name; those that come with rheobase are known beside them.
        name: Of the template, where the file has several.
        arguments: As `HocTemplate.arguments`.

    Raises:
        ModelError: no such file, no such template in it, or another argument.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"the template {path} cannot be read: {error}") from error
    there = re.findall(r"^\s*begintemplate\s+(\w+)", text, re.MULTILINE)
    chosen = name or (there[0] if len(there) == 1 else None)
    if chosen is None or chosen not in there:
        raise ModelError(
            f"{path}: expected one 'begintemplate NAME', or 'name' to say which one; got "
            f"{', '.join(there) or 'none'}" + (f" and the name '{name}'" if name else "")
        )
    wrong = [argument for argument in arguments if argument not in ARGUMENTS]
    if wrong:
        raise ModelError(f"a template is given some of {', '.join(ARGUMENTS)}, got '{wrong[0]}'")
    words = set(re.findall(r"\w+", _COMMENT.sub(" ", text)))
    known = {**bundled_mechanisms(), **mechanisms}
    used = tuple(mechanism for known_name, mechanism in known.items() if known_name in words)
    return HocTemplate(chosen, text, morphology, used, arguments)


class TemplateCell:
    """A cell built by its template; its mechanisms have been loaded. It leaves NEURON with the last reference to it.

    Args:
        template: What to build.

    Raises:
        ModelError: hoc's complaint, a cell without a soma, or sections that are not connected to it.

    Attributes:
        h: NEURON.
        cell: Section lists by name; empty where the template has neither the list nor sections named as usual.
        soma: The first section of the soma.
    """

    def __init__(self, template: HocTemplate) -> None:
        from neuron import h

        self.h: Any = h
        _load(template)
        file = template.morphology.file()
        given = {"folder": str(file.parent), "file": file.name, "path": str(file), "number": 0}
        arguments = [given[name] for name in template.arguments]
        what = f"the template '{template.name}' cannot be built from {file.name}"
        with _hoc_complaints(f"{what}; init is given {', '.join(template.arguments)} (change: 'arguments')"):
            self._owner = getattr(h, template.name)(*arguments)
        sections = [section for section in h.allsec() if section.cell() == self._owner]
        # Most templates hold a reference to themselves, so that hoc would never let go of the sections.
        self._removal = weakref.finalize(self, _remove, sections)
        self.cell = _SectionLists({name: _list(self._owner, sections, name) for name in SECTION_LISTS})
        if not self.cell.somatic:
            raise ModelError(f"the template '{template.name}' builds no section 'soma'; a circuit records from there")
        self.soma = self.cell.somatic[0]
        roots = [section for section in sections if section.parentseg() is None]
        if roots != [self.soma]:
            names = ", ".join(section.name().rpartition(".")[2] for section in roots)
            raise ModelError(
                f"the template '{template.name}' builds sections that do not hang on its soma: expected the soma as "
                f"the only one without a parent, got {names}; connect them (connect dend(0), soma(1))"
            )

    def close(self) -> None:
        """Take the cell out of NEURON."""
        self._removal()


def _remove(sections: Iterable[Any]) -> None:
    from neuron import h

    for section in sections:
        h.delete_section(sec=section)


class _SectionLists:
    """Sections by the name of their list."""

    def __init__(self, lists: dict[str, list[Any]]) -> None:
        self._lists = lists

    def __getattr__(self, name: str) -> list[Any]:
        try:
            return self._lists[name]
        except KeyError:
            raise AttributeError(name) from None


def _list(owner: Any, sections: list[Any], name: str) -> list[Any]:
    if name == "all":
        return sections
    listed = getattr(owner, name, None)  # None, too, where it is declared but never made
    if listed is not None:
        members = list(listed)
        return [section for section in sections if section in members]
    return list(_named(sections, name))


def _named(sections: list[Any], name: str) -> Iterator[Any]:
    for section in sections:
        base = section.name().rpartition(".")[2].partition("[")[0]
        if _LIST_OF_NAME.get(base) == name:
            yield section


def _load(template: HocTemplate) -> None:
    """Let hoc read the template, once in a process."""
    from neuron import h

    if _loaded.get(template.name) == template.text:
        return
    if template.name in _loaded or hasattr(h, template.name):
        raise ModelError(
            f"this process has another hoc template, or something else, named '{template.name}', which NEURON cannot "
            "exchange: rename one of them"
        )
    path = _file(template)
    with _hoc_complaints(f"hoc cannot read the template '{template.name}'"):
        if not h.load_file(str(path)):
            raise RuntimeError("load_file failed")
    _loaded[template.name] = template.text


def _file(template: HocTemplate) -> Path:
    """Path of the text in the cache folder, keyed by content; whole, whoever else writes it at the same time."""
    digest = hashlib.sha256(template.text.encode()).hexdigest()[:24]
    path = cache_folder() / "templates" / digest / f"{template.name}.hoc"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as temporary:
            temporary.write(template.text.encode())
        Path(temporary.name).replace(path)
    return path


@contextlib.contextmanager
def _hoc_complaints(what: str) -> Iterator[None]:
    """Turn hoc's errors into one message with what it said: it writes that to the streams of Python or of the process.

    Raises:
        ModelError: instead of RuntimeError.
    """
    from neuron import h

    said, before = io.StringIO(), set(h.allsec())
    with tempfile.TemporaryFile() as file:
        sys.stderr.flush()
        saved = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
                yield
        except RuntimeError as error:
            _remove(set(h.allsec()) - before)  # hoc leaves what it had built
            file.seek(0)
            lines = [*said.getvalue().splitlines(), *file.read().decode(errors="replace").splitlines()]
            told = [line.strip() for line in lines if line.strip() and "hocobj_call" not in line][:3]
            raise ModelError(
                f"{what}: {'; '.join(told) or error}. A mechanism that is not there is looked for in 'mechanisms'"
            ) from error
        finally:
            os.dup2(saved, 2)
            os.close(saved)
