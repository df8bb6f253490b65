"""Morphologies: read once, carried as bytes, written where NEURON can load them."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rheobase.features.errors import ModelError
from rheobase.fitting.cells.compilation import cache_folder

SUFFIXES = (".swc", ".asc", ".h5")


@dataclass(frozen=True)
class Morphology:
    """A reconstructed (or drawn) neuron, self-contained so that it can travel to any worker.

    Attributes:
        name: File name, ending in .swc or .asc.
        content: The file's bytes.
    """

    name: str
    content: bytes

    def file(self) -> Path:
        """Path of a local copy, in the cache folder and keyed by content."""
        digest = hashlib.sha256(self.content).hexdigest()[:24]
        path = cache_folder() / "morphologies" / digest / self.name
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as temporary:
                temporary.write(self.content)
            Path(temporary.name).replace(path)
        return path


def read_morphology(path: Path) -> Morphology:
    """Morphology from a .swc, .asc (Neurolucida) or .h5 file; HDF5 becomes SWC, which NEURON can load.

    Raises:
        ModelError: no such file, an unknown kind, or a file that is not a neuron with a soma.
    """
    import morphio

    if path.suffix.lower() not in SUFFIXES:
        raise ModelError(f"expected a morphology of kind {', '.join(SUFFIXES)}, got {path}")
    if not path.is_file():
        raise ModelError(f"the morphology {path} does not exist; correct the path")
    morphio.set_maximum_warnings(0)
    try:
        loaded = morphio.Morphology(str(path))
    except (morphio.MorphioError, RuntimeError) as error:
        raise ModelError(f"{path} cannot be read as a morphology: {str(error).strip()}") from error
    if len(loaded.soma.points) == 0:
        raise ModelError(f"the morphology {path} has no soma; rheobase needs one to clamp and record")
    if path.suffix.lower() == ".h5":
        return Morphology(f"{path.stem}.swc", _as_swc(loaded))
    return Morphology(f"{path.stem}{path.suffix.lower()}", path.read_bytes())


def section_lists(morphology: Morphology, replace_axon: bool) -> set[str]:
    """Names of the section lists that the morphology fills, once its axon is replaced."""
    import morphio

    kinds = {section.type for section in morphio.Morphology(str(morphology.file())).iter()}
    names = {
        morphio.SectionType.basal_dendrite: "basal",
        morphio.SectionType.apical_dendrite: "apical",
        morphio.SectionType.axon: "axonal",
    }
    found = {names[kind] for kind in kinds if kind in names} | {"all", "somatic"}
    return found | {"axonal"} if replace_axon else found


def _as_swc(loaded: object) -> bytes:
    import morphio.mut

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "converted.swc"
        morphio.mut.Morphology(loaded).write(str(path))
        return path.read_bytes()
