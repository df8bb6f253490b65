"""Cells of circuits that come as hoc templates."""

from __future__ import annotations

import dataclasses
import gc
import re
from pathlib import Path

import numpy as np
import pytest

from rheobase.features.errors import ModelError
from rheobase.fitting.cells.ephys import ephys_model
from rheobase.fitting.cells.mechanisms import Mechanism, bundled_mechanisms
from rheobase.fitting.cells.morphology import Morphology
from rheobase.fitting.cells.occupancy import vacate
from rheobase.fitting.circuits import templates
from rheobase.fitting.circuits.blueprint import CellVariant, CircuitBlueprint
from rheobase.fitting.circuits.cell_building import CircuitCell, cell_shape
from rheobase.fitting.circuits.network import plan_circuit
from rheobase.fitting.circuits.neuron_circuit import NeuronCircuit
from rheobase.fitting.circuits.sonata_saving import save_sonata
from rheobase.fitting.circuits.templates import HocTemplate, TemplateCell, read_template
from rheobase.fitting.circuits.unitary import PairedRecording, unitary_potentials
from rheobase.fitting.ensembles.hoc import hoc_template
from tests.fitting.cells.processes import in_new_process
from tests.fitting.circuits.toy_circuit import blueprint, trial, variants

# As people write them by hand: no section lists, its own idea of `init`.
PLAIN = """\
begintemplate PlainCell
public soma, dend
create soma, dend[2]
proc init() { local n
  soma { L = 20 diam = 20 insert hh }
  for n = 0, 1 { connect dend[n](0), soma(n)  dend[n] { L = 100 diam = 2 nseg = 3 insert pas } }
}
endtemplate PlainCell
"""


def exported(variant: CellVariant) -> CellVariant:
    """A model as the template that it is exported as."""
    assert not isinstance(variant.model, HocTemplate)
    name = f"exported_{round(1000 * variant.parameters['gnabar_hh.somatic'])}_{variant.model.name}"
    text = hoc_template(variant.model, variant.parameters, name)
    return CellVariant(HocTemplate(name, text, variant.model.morphology), {}, variant.name)


def with_templates() -> CircuitBlueprint:
    made = blueprint()
    populations = tuple(
        dataclasses.replace(one, variants=tuple(map(exported, one.variants))) for one in made.populations
    )
    return dataclasses.replace(made, populations=populations)


def plain(text: str = PLAIN, name: str = "PlainCell", arguments: tuple[str, ...] = ()) -> HocTemplate:
    return HocTemplate(name, text, Morphology("none.swc", b""), (), arguments)


def spikes(circuit: NeuronCircuit) -> list[tuple[float, int]]:
    found = circuit.simulate(trial()).spikes
    return list(zip(found.times_ms.tolist(), found.unit_of_spike.tolist(), strict=True))


def test_a_circuit_of_exported_models_fires_as_that_of_the_models() -> None:
    """To the last bit: positions, connections, background and all parameters are the same."""
    expected = spikes(NeuronCircuit(blueprint()))
    assert len(expected) > 20
    assert spikes(NeuronCircuit(with_templates())) == expected


def test_a_template_that_bluepyopt_writes_fires_as_the_model() -> None:
    """Its own template of hoc, which is that of the Blue Brain Project's cells; segments of 40 um are built in."""
    fitted = variants("interneuron")[0]
    assert not isinstance(fitted.model, HocTemplate)
    model = dataclasses.replace(fitted.model, segment_length_um=40.0)
    ephys = ephys_model(model)
    ephys.name = "written_by_bluepyopt"
    text = ephys.create_hoc(dict(fitted.parameters), disable_banner=True)
    template = HocTemplate(ephys.name, text, model.morphology)
    found = []
    for variant in (CellVariant(model, fitted.parameters, "model"), CellVariant(template, {}, "template")):
        made = blueprint()
        populations = tuple(
            dataclasses.replace(one, variants=(variant,)) if one.name == "I" else one for one in made.populations
        )
        found.append(spikes(NeuronCircuit(dataclasses.replace(made, populations=populations))))
    assert len(found[0]) > 20
    assert found[0] == found[1]


def test_a_closed_circuit_leaves_nothing_in_neuron() -> None:
    """Templates hold a reference to themselves."""
    from neuron import h

    vacate()
    gc.collect()
    before = len(list(h.allsec()))
    circuit = NeuronCircuit(with_templates())
    circuit.simulate(trial())
    assert len(list(h.allsec())) > before
    circuit.close()
    gc.collect()
    assert len(list(h.allsec())) == before


def test_the_shape_is_that_of_the_model() -> None:
    for variant in (*variants(), *variants("interneuron")):
        expected, found = cell_shape(variant.model), cell_shape(exported(variant).model)
        assert [section.lists for section in found.sections] == [section.lists for section in expected.sections]
        for ours, theirs in zip(found.sections, expected.sections, strict=True):
            np.testing.assert_allclose(ours.points_um, theirs.points_um)
            assert (ours.parent, ours.segments, ours.begin_um) == (theirs.parent, theirs.segments, theirs.begin_um)


def test_unitary_potentials_are_those_of_the_models() -> None:
    recording = PairedRecording(variants=1, places=1)
    expected = unitary_potentials(blueprint(), {}, recording)
    found = unitary_potentials(with_templates(), {}, recording)
    assert found == expected
    assert all(one.mean_mV for one in found)


def test_a_circuit_is_saved_with_its_templates(tmp_path: Path) -> None:
    plan = plan_circuit(with_templates())
    save_sonata(plan, {}, tmp_path)
    written = {path.stem: path.read_text() for path in tmp_path.rglob("*.hoc")}
    for population in plan.blueprint.populations:
        for variant in population.variants:
            assert isinstance(variant.model, HocTemplate)
            assert written[variant.model.name] == variant.model.text
            assert any(f"hoc:{variant.model.name}" in path.read_text() for path in tmp_path.rglob("*types.csv"))


def test_morphologies_of_one_name_stay_apart(tmp_path: Path) -> None:
    made = blueprint()
    first = variants("interneuron")[0]
    assert not isinstance(first.model, HocTemplate)
    same_name = dataclasses.replace(first.model, morphology=Morphology("pyramid.swc", first.model.morphology.content))
    populations = tuple(
        dataclasses.replace(one, variants=(dataclasses.replace(first, model=same_name),)) if one.name == "I" else one
        for one in made.populations
    )
    save_sonata(plan_circuit(dataclasses.replace(made, populations=populations)), {}, tmp_path)
    written = {path.name: path.read_bytes() for path in tmp_path.rglob("*.swc")}
    assert written == {
        "pyramid.swc": variants()[0].model.morphology.content,
        "pyramid_2.swc": first.model.morphology.content,
    }
    assert any("pyramid_2" in path.read_text() for path in tmp_path.rglob("*types.csv"))


def test_sections_without_lists_go_by_their_names() -> None:
    from neuron import h

    before = len(list(h.allsec()))
    shape = cell_shape(plain())
    assert [(section.name, sorted(section.lists)) for section in shape.sections] == [
        ("soma", ["all", "somatic"]),
        ("dend[0]", ["all", "basal"]),
        ("dend[1]", ["all", "basal"]),
    ]
    cell = CircuitCell(CellVariant(plain(), {}, "plain"), "unused")
    assert [section.nseg for section in cell.sections] == [1, 3, 3]
    assert cell.soma.L == 20.0
    del cell
    gc.collect()
    assert len(list(h.allsec())) == before


def test_a_template_of_another_text_is_refused() -> None:
    cell_shape(plain())
    with pytest.raises(ModelError, match=r"'PlainCell', which NEURON cannot exchange"):
        TemplateCell(plain(PLAIN + "// changed\n"))


REFUSED = {
    "NoHoc": ("this is no hoc\n", r"hoc cannot read the template 'NoHoc': .*(syntax|parse) error.*'mechanisms'"),
    "NoMechanism": (
        "create soma\nproc init() { soma { insert nosuchthing } }\n",
        r"hoc cannot read the template 'NoMechanism': .*nosuchthing.* is looked for in 'mechanisms'",
    ),
    "OtherInit": (
        "create soma\nproc init() { soma { diam = $1 } }\n",
        r"'OtherInit' cannot be built from none.swc; init is given folder, file \(change: 'arguments'\): .*",
    ),
    "NoSoma": ("create body\n", r"'NoSoma' builds no section 'soma'"),
    "Loose": (
        "public soma, dend\ncreate soma, dend[2]\nproc init() { connect dend[0](0), soma(1) }\n",
        r"'Loose' builds sections that do not hang on its soma: .* got soma, dend\[1\]; connect them",
    ),
    "Upside": (
        "public soma, dend\ncreate soma, dend\nproc init() { connect soma(0), dend(1) }\n",
        r"'Upside' builds sections that do not hang on its soma: .* got dend; connect them",
    ),
}


def refusal(name: str) -> tuple[str, list[str]]:
    """What is said of a template, and the sections that stay in NEURON."""
    from neuron import h

    text, _ = REFUSED[name]
    try:
        cell_shape(plain(f"begintemplate {name}\n{text}endtemplate {name}\n", name, ("folder", "file")))
    except ModelError as error:
        said = str(error)
    gc.collect()
    return said, [section.name() for section in h.allsec()]


@pytest.mark.parametrize("name", REFUSED)
def test_what_hoc_refuses_is_told_with_its_words(name: str) -> None:
    said, left = in_new_process(refusal, name)
    assert re.search(REFUSED[name][1], said), said
    # What hoc gives up while it reads a file cannot be deleted any more; the campaign ends there.
    assert left == (["soma"] if name == "NoMechanism" else [])


def test_a_list_that_is_never_made_is_as_none() -> None:
    text = PLAIN.replace("PlainCell", "HalfListed").replace("create soma", "public basal\nobjref basal\ncreate soma")
    shape = cell_shape(plain(text, "HalfListed"))
    assert [sorted(section.lists) for section in shape.sections][1:] == [["all", "basal"]] * 2


def test_the_file_is_whole_for_whoever_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RHEOBASE_CACHE", str(tmp_path))
    template = plain()
    path = templates._file(template)
    assert path.read_text() == PLAIN
    before = path.stat().st_mtime_ns
    assert templates._file(template) == path
    assert path.stat().st_mtime_ns == before, "it is not written again"
    assert [one.name for one in path.parent.iterdir()] == ["PlainCell.hoc"]


def test_reading(tmp_path: Path) -> None:
    path, morphology = tmp_path / "cells.hoc", Morphology("none.swc", b"")
    own = Mechanism("mine", "NEURON { SUFFIX mine }", "mine.mod", {})
    text = PLAIN.replace("insert pas", "insert Ih insert mine  // it can be that Im and\n  /* cal\n na3 */")
    path.write_text(text)
    found = read_template(path, morphology, {"mine": own, "other": own}, arguments=("path",))
    assert found == HocTemplate("PlainCell", text, morphology, (bundled_mechanisms()["Ih"], own), ("path",))
    path.write_text(text + text.replace("PlainCell", "SecondCell"))
    assert read_template(path, morphology, {}, "SecondCell").name == "SecondCell"
    for name in (None, "Third"):
        with pytest.raises(ModelError, match=r"expected one 'begintemplate NAME', .* got PlainCell, SecondCell"):
            read_template(path, morphology, {}, name)
    with pytest.raises(ModelError, match="a template is given some of folder, file, path, number, got 'gid'"):
        read_template(path, morphology, {}, "PlainCell", ("gid",))
    with pytest.raises(ModelError, match=r"the template .*none\.hoc cannot be read"):
        read_template(tmp_path / "none.hoc", morphology, {})
