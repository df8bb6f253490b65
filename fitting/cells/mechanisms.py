"""Ion-channel mechanisms: our own .mod files, the user's, and what each of them declares."""

from __future__ import annotations

import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from rheobase.features.errors import ModelError

BUNDLED_FOLDER = Path(__file__).parent / "mod"
_RAMP_CLAMP = Path(__file__).parent / "electrodes" / "RampClamp.mod"

# What a section or NEURON's built-in mechanisms offer: variable -> unit.
SECTION_VARIABLES = {"cm": "uF/cm2", "Ra": "ohm cm", "ena": "mV", "ek": "mV", "eca": "mV"}
BUILT_IN_VARIABLES = {
    "pas": {"g_pas": "S/cm2", "e_pas": "mV"},
    "hh": {"gnabar_hh": "S/cm2", "gkbar_hh": "S/cm2", "gl_hh": "S/cm2", "el_hh": "mV"},
}

_SUFFIX = re.compile(r"^\s*SUFFIX\s+(\w+)", re.MULTILINE)
_POINT_PROCESS = re.compile(r"^\s*(?:POINT_PROCESS|ARTIFICIAL_CELL)\s+(\w+)", re.MULTILINE)
_RANGE = re.compile(r"\bRANGE\s+(\w+(?:\s*,\s*\w+)*)")
_COMMENT = re.compile(r"COMMENT.*?ENDCOMMENT|[:?][^\n]*", re.DOTALL)
_PARAMETER_BLOCK = re.compile(r"PARAMETER\s*\{(.*?)\}", re.DOTALL)
_PARAMETER = re.compile(r"\b(\w+)\s*=\s*[-+.\deE]+\s*(?:\(([^)]*)\))?")


@dataclass(frozen=True)
class Mechanism:
    """One .mod file.

    Attributes:
        name: What NEURON calls it: its SUFFIX, or the name of its point process.
        text: The file's whole text.
        source: Where it came from, for messages.
        variables: Parameters that differ between segments, as NEURON spells them ("gbar_hd") -> unit
            ("" for a number without one).
    """

    name: str
    text: str
    source: str
    variables: dict[str, str]


def parse_mechanism(text: str, source: str) -> Mechanism:
    """What a .mod file declares.

    Raises:
        ModelError: neither SUFFIX nor POINT_PROCESS in the text.
    """
    code = _COMMENT.sub("", text)
    suffix = _SUFFIX.search(code)
    name = suffix or _POINT_PROCESS.search(code)
    if name is None:
        raise ModelError(f"{source} declares neither SUFFIX nor POINT_PROCESS; it is not a NEURON mechanism")
    in_range = {word for line in _RANGE.findall(code) for word in re.findall(r"\w+", line)}
    block = _PARAMETER_BLOCK.search(code)
    units = {found[1]: (found[2] or "") for found in _PARAMETER.finditer(block[1] if block else "")}
    ending = f"_{name[1]}" if suffix else ""
    variables = {f"{word}{ending}": _plain_unit(unit) for word, unit in units.items() if word in in_range}
    return Mechanism(name[1], text, source, variables)


def _plain_unit(unit: str) -> str:
    unit = unit.strip()
    return {"1": "", "mho/cm2": "S/cm2", "siemens/cm2": "S/cm2"}.get(unit, unit)


@functools.cache
def bundled_mechanisms() -> dict[str, Mechanism]:
    """The mechanisms that come with rheobase, by name."""
    return read_mechanisms(BUNDLED_FOLDER)


def read_mechanisms(folder: Path) -> dict[str, Mechanism]:
    """The .mod files of a folder, by the mechanism's name.

    Raises:
        ModelError: no such folder, no .mod file in it, or two files that declare one name.
    """
    if not folder.is_dir():
        raise ModelError(f"the mechanisms folder {folder} does not exist; correct the path")
    found: dict[str, Mechanism] = {}
    for path in sorted(folder.glob("*.mod")):
        mechanism = parse_mechanism(path.read_text(encoding="utf-8", errors="replace"), str(path))
        if mechanism.name in found:
            raise ModelError(
                f"{path} and {found[mechanism.name].source} both declare the mechanism '{mechanism.name}'; remove one"
            )
        found[mechanism.name] = mechanism
    if not found:
        raise ModelError(f"the mechanisms folder {folder} has no .mod file")
    return found


def content_hash(mechanisms: tuple[Mechanism, ...]) -> str:
    """Hash of what the mechanisms say, whatever their files are called."""
    digest = hashlib.sha256()
    for mechanism in sorted(mechanisms, key=lambda item: item.name):
        digest.update(mechanism.name.encode() + b"\0" + mechanism.text.encode() + b"\0")
    return digest.hexdigest()


def ramp_clamp() -> Mechanism:
    """The electrode for currents that rise linearly; NEURON's own have none that a variable time step can use."""
    return parse_mechanism(_RAMP_CLAMP.read_text(encoding="utf-8"), _RAMP_CLAMP.name)
