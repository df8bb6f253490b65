from __future__ import annotations

from pathlib import Path

import morphio
import morphio.mut
import pytest

from rheobase.features.errors import ModelError
from rheobase.fitting.cells.instance import CellInstance
from rheobase.fitting.cells.morphology import read_morphology, section_lists
from tests.fitting.cells import small_cell
from tests.shared_data import shared

SHARED = {
    "C060114A5.asc": {"basal", "apical", "axonal"},
    "rat_ca1_NMO_49821_pyramidal.swc": {"basal", "apical", "axonal"},
    "Nr5a1_471087815_m.swc": {"basal", "apical", "axonal"},
    "Pvalb_469628681_m.swc": {"basal", "axonal"},
    "Pvalb_470522102_m.swc": {"basal", "axonal"},
    "Rorb_325404214_m.swc": {"basal", "apical", "axonal"},
    "Scnn1a_473845048_m.swc": {"basal", "apical", "axonal"},
    "ch150801A1.swc": {"basal", "apical", "axonal"},
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_cell.model()  # its mechanisms stay in the usual cache
    CellInstance(small_cell.model())
    monkeypatch.setenv("RHEOBASE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", SHARED)
def test_shared_morphologies_load_in_neuron(name: str) -> None:
    morphology = read_morphology(shared("morphologies", name))
    lists = section_lists(morphology, replace_axon=True)
    assert lists >= {"all", "somatic", "basal", "axonal"}
    assert lists - {"all", "somatic"} == SHARED[name]
    instance = CellInstance(small_cell.model(morphology=morphology, replace_axon=True, segment_length_um=200.0))
    for place in lists:
        assert len(list(getattr(instance.cell, place))) > 0, place
    instance.close()


def test_file_lies_in_the_cache_by_content() -> None:
    morphology = small_cell.small_morphology()
    path = morphology.file()
    assert path.read_bytes() == morphology.content == small_cell.MORPHOLOGY.read_bytes()
    before = path.stat().st_mtime_ns
    assert morphology.file() == path
    assert path.stat().st_mtime_ns == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("source", ["small_pyramid.swc", "C060114A5.asc"])
def test_hdf5_becomes_swc(source: str, tmp_path: Path) -> None:
    origin = small_cell.MORPHOLOGY if source == "small_pyramid.swc" else shared("morphologies", source)
    path = tmp_path / "cell.h5"
    morphio.mut.Morphology(str(origin)).write(str(path))
    morphology = read_morphology(path)
    assert morphology.name == "cell.swc"
    original = morphio.Morphology(str(origin))
    converted = morphio.Morphology(str(morphology.file()))
    assert len(list(converted.iter())) == len(list(original.iter()))
    assert converted.points.shape == original.points.shape


def test_upper_case_suffix(tmp_path: Path) -> None:
    path = tmp_path / "CELL.SWC"
    path.write_bytes(small_cell.MORPHOLOGY.read_bytes())
    morphology = read_morphology(path)
    assert morphology.name == "CELL.swc"  # the exported hoc tells kinds apart by it
    assert CellInstance(small_cell.model(morphology=morphology)).soma.L > 0


def test_section_lists() -> None:
    morphology = small_cell.small_morphology()
    assert section_lists(morphology, replace_axon=False) == {"all", "somatic", "basal", "apical", "axonal"}


def test_axon_comes_with_its_stub(tmp_path: Path) -> None:
    path = tmp_path / "bare.swc"
    path.write_text("1 1 0 0 0 9 -1\n2 3 10 0 0 1 1\n3 3 100 0 0 1 2\n")
    morphology = read_morphology(path)
    assert section_lists(morphology, replace_axon=False) == {"all", "somatic", "basal"}
    assert section_lists(morphology, replace_axon=True) == {"all", "somatic", "basal", "axonal"}


@pytest.mark.parametrize("name", ["cell.swc", "cell.asc", "cell.h5"])
@pytest.mark.parametrize("content", [b"", b"hello, world", bytes(range(256)) * 8, b"1 1 0 0 0\n"])
def test_garbage(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=rf"{name} (cannot be read as a morphology|has no soma)"):
        read_morphology(tmp_path / name)


def test_no_soma(tmp_path: Path) -> None:
    path = tmp_path / "dendrite.swc"
    path.write_text("1 3 0 0 0 1 -1\n2 3 10 0 0 1 1\n3 3 100 0 0 1 2\n")
    with pytest.raises(ModelError, match=r"dendrite\.swc has no soma; rheobase needs one"):
        read_morphology(path)


def test_missing_and_unknown(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"the morphology .*nowhere\.swc does not exist"):
        read_morphology(tmp_path / "nowhere.swc")
    with pytest.raises(ModelError, match=r"expected a morphology of kind \.swc, \.asc, \.h5, got .*cell\.obj"):
        read_morphology(tmp_path / "cell.obj")
