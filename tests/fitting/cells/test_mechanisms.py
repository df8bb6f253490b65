from __future__ import annotations

from pathlib import Path

import pytest

from rheobase.features.errors import ModelError
from rheobase.fitting.cells.compilation import load_mechanisms
from rheobase.fitting.cells.mechanisms import (
    BUILT_IN_VARIABLES,
    bundled_mechanisms,
    content_hash,
    parse_mechanism,
    read_mechanisms,
)
from tests.fitting.cells.processes import in_new_process
from tests.fitting.cells.test_compilation import leak_text

SAME_UNIT = {"mho/cm2": "S/cm2", "1": ""}


def what_neuron_says() -> dict[str, dict[str, str]]:
    """Parameters per segment of each bundled mechanism, and of the built-in ones, with NEURON's units."""
    from neuron import h

    load_mechanisms(bundled_mechanisms().values())
    found = {}
    for name in [*bundled_mechanisms(), *BUILT_IN_VARIABLES]:
        standard = h.MechanismStandard(name, 1)  # 1: PARAMETER
        text = h.ref("")
        variables = {}
        for place in range(int(standard.count())):
            if standard.name(text, place) == 1:
                unit = h.units(text[0])
                variables[text[0]] = SAME_UNIT.get(unit, unit)
        found[name] = variables
    return found


def test_parameters_and_units_are_those_that_neuron_sees() -> None:
    said = in_new_process(what_neuron_says)
    assert len(said) >= 24
    for name, mechanism in bundled_mechanisms().items():
        assert mechanism.variables == said[name], name
        assert mechanism.variables, name
    assert said["pas"] == BUILT_IN_VARIABLES["pas"]
    assert said["hh"] == BUILT_IN_VARIABLES["hh"]


@pytest.mark.parametrize("name", sorted(bundled_mechanisms()))
def test_bundled_files(name: str) -> None:
    mechanism = bundled_mechanisms()[name]
    assert Path(mechanism.source).is_file()
    assert "THREADSAFE" in mechanism.text
    assert all(variable.endswith(f"_{name}") for variable in mechanism.variables)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("g = 1e-4 (S/cm2)\n e = -70 (mV)", {"g_x": "S/cm2", "e_x": "mV"}),
        ("g = 1e-4 (mho/cm2) e = -70 (mV)", {"g_x": "S/cm2", "e_x": "mV"}),
        ("g = 1e-4 (S/cm2) <0, 1e9> : a comment (with) = 3 (mV)\n e=-70(mV)", {"g_x": "S/cm2", "e_x": "mV"}),
        ("g = .1 (1)\n e = 2", {"g_x": "", "e_x": ""}),
        ("g = 1 ( /ms )\n other = 3 (mV)\n e = 1 (degC)", {"g_x": "/ms", "e_x": "degC"}),
    ],
)
def test_parameter_blocks_as_people_write_them(block: str, expected: dict[str, str]) -> None:
    head = "COMMENT SUFFIX wrong ENDCOMMENT\nNEURON {\n SUFFIX x\n RANGE g,\n   e\n GLOBAL other }"
    text = f"{head}\nPARAMETER {{ {block} }}"
    mechanism = parse_mechanism(text, "x.mod")
    assert mechanism.name == "x"
    assert mechanism.variables == expected


def test_point_process() -> None:
    mechanism = parse_mechanism("NEURON {\n POINT_PROCESS Syn\n RANGE tau\n}\nPARAMETER {\n tau = 2 (ms)\n}", "s.mod")
    assert mechanism.name == "Syn"
    assert mechanism.variables == {"tau": "ms"}


def test_users_folder(tmp_path: Path) -> None:
    (tmp_path / "some_file.mod").write_text(leak_text("Ih"))
    own = read_mechanisms(tmp_path)
    assert own["Ih"].variables == {"g_Ih": "S/cm2", "e_Ih": "mV"}
    assert {**bundled_mechanisms(), **own}["Ih"].source == str(tmp_path / "some_file.mod")
    assert content_hash((own["Ih"],)) != content_hash((bundled_mechanisms()["Ih"],))


def test_complaints(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"the mechanisms folder .*nowhere does not exist"):
        read_mechanisms(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"the mechanisms folder .* has no \.mod file"):
        read_mechanisms(tmp_path)
    (tmp_path / "one.mod").write_text(leak_text())
    (tmp_path / "two.mod").write_text(leak_text())
    with pytest.raises(ModelError, match=r"two\.mod and .*one\.mod both declare the mechanism 'leak'; remove one"):
        read_mechanisms(tmp_path)
    (tmp_path / "one.mod").write_text("PROCEDURE nothing() {}")
    with pytest.raises(ModelError, match=r"one\.mod declares neither SUFFIX nor POINT_PROCESS"):
        read_mechanisms(tmp_path)
