"""Cells of circuits behave as the cells that were fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase.features.errors import ModelError
from rheobase.fitting.cells.compilation import load_mechanisms
from rheobase.fitting.cells.instance import CellInstance
from rheobase.fitting.cells.model import CellModel, Distribution
from rheobase.fitting.cells.parameters import ParameterText
from rheobase.fitting.circuits.blueprint import CellVariant
from rheobase.fitting.circuits.cell_building import CircuitCell, cell_shape
from tests.fitting.cells import small_cell
from tests.fitting.circuits import toy_circuit

CHANGES = {
    "gIhbar_Ih.all": None,
    "gIhbar_Ih.apical": ParameterText("5e-6 to 5e-4 S/cm2", distribution="exponential"),
    "cm.apical": "2 uF/cm2",
    "Ra.axonal": "80 ohm cm",
}
EXPONENTIAL = Distribution("exponential", "(-0.8696 + 2.087*math.exp({distance}*0.0031))*{value}")


def step_response(soma: Any, model: CellModel, amplitude_nA: float) -> NDArray[np.float64]:
    """Voltage at the soma with a step of current, NEURON's fixed time step."""
    from neuron import h

    h.CVode().active(0)
    clamp = h.IClamp(soma(0.5))
    clamp.delay, clamp.dur, clamp.amp = 20.0, 60.0, amplitude_nA
    voltage = h.Vector().record(soma(0.5)._ref_v)
    h.celsius, h.dt, h.steps_per_ms = model.temperature_degC, 0.05, 20.0
    h.finitialize(model.initial_voltage_mV)
    h.continuerun(100.0)
    return np.array(voltage)


def both(model: CellModel, values: Mapping[str, float], amplitude_nA: float) -> tuple[NDArray[np.float64], ...]:
    instance = CellInstance(model)
    instance.set_parameters(values)
    expected = step_response(instance.soma, model, amplitude_nA)
    instance.close()
    cell_shape(model)
    # Others beside it change nothing.
    cells = [CircuitCell(CellVariant(model, values, "fitted"), f"cell[{number}]") for number in range(3)]
    return expected, step_response(cells[1].soma, model, amplitude_nA)


class TestAgainstTheFittedCell:
    @pytest.mark.parametrize("replace_axon", [False, True])
    def test_small_cell(self, replace_axon: bool) -> None:
        values = {name: value for name, value in small_cell.HIDDEN.items() if name != "gIhbar_Ih.all"}
        values["gIhbar_Ih.apical"] = 7e-5
        model = small_cell.model(CHANGES, (EXPONENTIAL,), replace_axon=replace_axon)
        expected, found = both(model, values, 0.6)
        assert np.count_nonzero(np.diff(expected > 0.0)) >= 2  # it fires
        np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-9)

    @pytest.mark.parametrize("kind", ["pyramid", "interneuron"])
    def test_toy_cells(self, kind: str) -> None:
        variant = toy_circuit.variants(kind)[0]
        expected, found = both(variant.model, variant.parameters, 0.5)
        assert expected.max() > 0.0
        np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-9)


class TestCircuitCell:
    def test_leaves_neuron_with_its_last_reference(self) -> None:
        from neuron import h

        cell_shape(toy_circuit.model())
        before = len(list(h.allsec()))
        cell = CircuitCell(toy_circuit.variants()[0], "cell")
        assert len(list(h.allsec())) == before + 7
        del cell
        assert len(list(h.allsec())) == before

    def test_missing_parameter(self) -> None:
        variant = toy_circuit.variants()[0]
        with pytest.raises(ModelError, match=r"pyramid 0\.12: .* missing: \['g_pas\.all'\]"):
            CircuitCell(replace(variant, parameters={"gnabar_hh.somatic": 0.1}), "cell")


class TestShape:
    def test_sections(self) -> None:
        shape = cell_shape(toy_circuit.model())
        assert shape.sections[0].lists == {"all", "somatic"}
        assert len(shape.of_list("axonal")) == 2
        assert [shape.sections[place].drawn for place in shape.of_list("axonal")] == [False, False]
        assert all(section.parent is None or section.parent < place for place, section in enumerate(shape.sections))
        tuft = [shape.sections[place] for place in shape.of_list("apical")][1:]
        assert [section.begin_um for section in tuft] == pytest.approx([202.0, 202.0])

    def test_segments_meet(self) -> None:
        shape = cell_shape(toy_circuit.model())
        geometry = shape.segments
        trunk = shape.of_list("apical")[0]
        first, last = shape.first_segments[trunk], shape.first_segments[trunk + 1]
        assert last - first == 3
        np.testing.assert_allclose(geometry.ends_um[first : last - 1], geometry.starts_um[first + 1 : last])
        np.testing.assert_allclose(geometry.ends_um[last - 1], [0.0, 210.0, 0.0])
        np.testing.assert_allclose(geometry.middles_um[0], 0.0)

    def test_mechanisms_of_the_cell_are_needed(self) -> None:
        load_mechanisms(small_cell.model().mechanisms)
        assert len(cell_shape(small_cell.model()).sections) > 5
