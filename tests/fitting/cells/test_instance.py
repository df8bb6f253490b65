from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from bluepyopt import ephys

from rheobase.features.errors import ModelError
from rheobase.fitting.cells.ephys import ephys_model
from rheobase.fitting.cells.instance import CellInstance
from rheobase.fitting.cells.model import CellModel, Distribution
from rheobase.fitting.cells.morphology import read_morphology
from rheobase.fitting.cells.parameters import ParameterText
from tests.fitting.cells import small_cell
from tests.shared_data import shared

SECTION_LISTS = ("all", "somatic", "basal", "apical", "axonal", "myelinated")

EXPONENTIAL = Distribution("exponential", "(-0.8696 + 2.087*math.exp({distance}*0.0031))*{value}")
DECAY = Distribution("decay", "{value} * math.exp(-{distance} / {length}) + {floor}")
STEP = Distribution("step", "{value} * (1 + 9 * (({distance} > 100) & ({distance} < {end})))")

DISTRIBUTED = {
    "gIhbar_Ih.all": None,
    "gIhbar_Ih.apical": ParameterText("5e-6 to 5e-4 S/cm2", distribution="exponential"),
    "gIhbar_Ih.somatic": "2e-5 S/cm2",
    "g_pas.basal": ParameterText("1e-5 to 2e-4 S/cm2", distribution="decay"),
    "length.distribution_decay": "10 to 1000",
    "floor.distribution_decay": "1e-6",
    "gImbar_Im.somatic": None,
    "gImbar_Im.apical": ParameterText("5e-5 to 5e-3 S/cm2", distribution="step"),
    "end.distribution_step": "200",
    "cm.apical": ParameterText("2 uF/cm2", distribution="decay"),
    "Ra.axonal": "80 ohm cm",
}
DISTRIBUTED_VALUES = {
    "g_pas.all": 3e-5,
    "g_pas.basal": 9e-5,
    "gIhbar_Ih.apical": 7e-5,
    "gImbar_Im.apical": 4e-4,
    "length.distribution_decay": 77.0,
    "gNaTgbar_NaTg.somatic": 0.3,
    "gSKv3_1bar_SKv3_1.somatic": 0.3,
    "gK_Pstbar_K_Pst.somatic": 0.01,
}
Snapshot = dict[str, dict[str, float]]


def distributed(**options: Any) -> CellModel:
    return small_cell.model(DISTRIBUTED, (EXPONENTIAL, DECAY, STEP), **options)


def snapshot(cell: Any) -> Snapshot:
    """Every variable of every segment of a cell: of the section, of each mechanism and of each ion."""
    found: Snapshot = {}
    for name in SECTION_LISTS:
        for number, section in enumerate(getattr(cell, name)):
            for segment in section:
                where = f"{name}[{number}]({segment.x:.4f})"
                values = {"Ra": section.Ra, "L": section.L, "nseg": section.nseg}
                values |= {variable: getattr(segment, variable) for variable in ("cm", "diam")}
                for mechanism in segment:
                    for variable in mechanism:
                        values[f"{mechanism.name()}.{variable.name()}"] = variable[0]
                found[where] = values
    return found


def bluepyopts(model: CellModel, values: dict[str, float]) -> Snapshot:
    """The same of the cell that BluePyOpt builds from scratch with the values frozen; removed afterwards."""
    CellInstance(model).close()  # the mechanisms are loaded, NEURON is empty
    simulator = ephys.simulators.NrnSimulator()
    built = ephys_model(model)
    built.freeze(values)
    built.instantiate(sim=simulator)
    assert sum(1 for _ in simulator.neuron.h.allsec()) == sum(1 for _ in built.icell.all)
    simulator.neuron.h.finitialize(-80.0)
    found = snapshot(built.icell)
    for section in list(built.icell.all):
        simulator.neuron.h.delete_section(sec=section)
    built.destroy(sim=simulator)
    return found


def in_place(instance: CellInstance, values: dict[str, float]) -> Snapshot:
    instance.set_parameters(values)
    instance.h.finitialize(-80.0)
    return snapshot(instance.cell)


def assert_equal(found: Snapshot, expected: Snapshot, relative: float) -> None:
    assert found.keys() == expected.keys()
    for where, values in found.items():
        assert values.keys() == expected[where].keys()
        for name, value in values.items():
            assert value == pytest.approx(expected[where][name], rel=relative, abs=0.0), f"{where} {name}"


class TestAgainstBluePyOpt:
    def check(self, model: CellModel, values: dict[str, float]) -> Snapshot:
        expected = bluepyopts(model, values)
        assert len(expected) > 30
        found = in_place(CellInstance(model), values)
        # numpy's exp of an array and the C library's of one number may differ in the last two bits.
        assert_equal(found, expected, relative=1e-15 if model.distributions else 0.0)
        return found

    def test_small_cell(self) -> None:
        found = self.check(small_cell.model(), small_cell.HIDDEN)
        assert found["somatic[0](0.5000)"]["NaTg.gNaTgbar_NaTg"] == 0.35

    def test_distributions_with_parameters_of_their_own(self) -> None:
        found = self.check(distributed(), DISTRIBUTED_VALUES)
        ih = [values["Ih.gIhbar_Ih"] for where, values in found.items() if where.startswith("apical")]
        assert 7e-5 < min(ih) < 1.6e-4
        assert max(ih) > 4e-4
        assert {values["Ra"] for where, values in found.items() if where.startswith("axonal")} == {80.0}
        assert {values["Ra"] for where, values in found.items() if where.startswith("basal")} == {150.0}

    def test_stub_axon(self) -> None:
        found = self.check(distributed(replace_axon=True), DISTRIBUTED_VALUES)
        assert {values["L"] for where, values in found.items() if where.startswith("axonal")} == {30.0}

    @pytest.mark.parametrize("segment_length_um", [10.0, 100.0, 1000.0])
    def test_segment_length(self, segment_length_um: float) -> None:
        model = distributed(segment_length_um=segment_length_um)
        found = self.check(model, DISTRIBUTED_VALUES) if segment_length_um < 1000 else None
        if found is not None:
            assert all(values["L"] / values["nseg"] <= segment_length_um for values in found.values())
        assert all(int(section.nseg) % 2 == 1 for section in CellInstance(model).cell.all)

    @pytest.mark.parametrize("order", list(itertools.permutations(["g_pas.all", "g_pas.basal", "g_pas.apical"])))
    def test_all_is_overridden_by_a_list_whatever_the_order_in_the_campaign(self, order: tuple[str, ...]) -> None:
        model = small_cell.model({"g_pas.basal": "7e-5 S/cm2", "g_pas.apical": "8e-5 S/cm2"}, first=order)
        found = self.check(model, {**small_cell.HIDDEN, "g_pas.all": 3e-5})
        for name, expected in (("basal", 7e-5), ("apical", 8e-5), ("somatic", 3e-5), ("axonal", 3e-5)):
            values = {values["pas.g_pas"] for where, values in found.items() if where.startswith(name)}
            assert values == {expected}, name

    def test_a_list_overrides_a_distribution_over_all(self) -> None:
        changes = {
            "gIhbar_Ih.all": ParameterText("5e-6 to 5e-4 S/cm2", distribution="exponential"),
            "gIhbar_Ih.basal": "1e-5 S/cm2",
        }
        found = self.check(small_cell.model(changes, (EXPONENTIAL,)), small_cell.HIDDEN)
        values = {values["Ih.gIhbar_Ih"] for where, values in found.items() if where.startswith("basal")}
        assert values == {1e-5}

    @pytest.mark.slow
    def test_layer_5_pyramidal_cell(self) -> None:
        morphology = read_morphology(shared("morphologies", "C060114A5.asc"))
        self.check(distributed(morphology=morphology, replace_axon=True), DISTRIBUTED_VALUES)


class TestSetting:
    def test_a_b_a(self) -> None:
        instance = CellInstance(distributed())
        first = in_place(instance, DISTRIBUTED_VALUES)
        other = {name: value * 1.5 for name, value in DISTRIBUTED_VALUES.items()}
        assert in_place(instance, other) != first
        assert in_place(instance, DISTRIBUTED_VALUES) == first

    def test_what_somebody_changed_in_between_is_set_again(self) -> None:
        instance = CellInstance(distributed())
        first = in_place(instance, DISTRIBUTED_VALUES)
        for section in instance.cell.all:
            section.Ra, section.cm = 999.0, 9.0
            for segment in section:
                segment.pas.g, segment.pas.e = 0.5, 10.0
        assert in_place(instance, DISTRIBUTED_VALUES) == first

    def test_axial_resistance_reaches_the_solver(self) -> None:
        """NEURON keeps a copy of what follows from Ra: written past its bookkeeping, it would change nothing."""
        model = small_cell.model({"Ra.all": "50 to 500 ohm cm"})
        instance = CellInstance(model)
        resistances = []
        for value in (50.0, 500.0, 50.0):
            instance.set_parameters({**small_cell.HIDDEN, "Ra.all": value})
            instance.h.finitialize(-80.0)
            instance.h.fcurrent()
            resistances.append([segment.ri() for section in instance.cell.apical for segment in section])
        assert resistances[0] == resistances[2]
        np.testing.assert_allclose(np.divide(resistances[1], resistances[0]), 10.0, rtol=1e-9)

    @pytest.mark.parametrize("missing", sorted(small_cell.HIDDEN))
    def test_missing_value(self, missing: str) -> None:
        values = {name: value for name, value in small_cell.HIDDEN.items() if name != missing}
        with pytest.raises(
            ModelError, match=rf"a value for each free parameter; missing: \['{missing}'\], unknown: \[\]"
        ):
            CellInstance(small_cell.model()).set_parameters(values)

    @pytest.mark.parametrize("unknown", ["cm.all", "nonsense.all"])  # cm is frozen
    def test_value_that_is_not_free(self, unknown: str) -> None:
        with pytest.raises(ModelError, match=rf"missing: \[\], unknown: \['{unknown}'\]"):
            CellInstance(small_cell.model()).set_parameters({**small_cell.HIDDEN, unknown: 1.0})

    def test_nothing_is_set_when_a_name_is_wrong(self) -> None:
        instance = CellInstance(small_cell.model())
        before = in_place(instance, small_cell.HIDDEN)
        with pytest.raises(ModelError, match="unknown"):
            instance.set_parameters({**small_cell.OTHER, "nonsense": 1.0})
        assert snapshot(instance.cell) == before


class TestBuilding:
    def test_ion_where_no_channel_uses_it(self) -> None:
        with pytest.raises(ModelError, match=r"ena\.basal: not every basal section has 'ena'; insert a channel"):
            CellInstance(small_cell.model({"ena.basal": "50 mV"}))

    def test_ion_of_all_sections_when_only_some_have_it(self) -> None:
        with pytest.raises(ModelError, match=r"ena\.all: not every all section has 'ena'"):
            CellInstance(small_cell.model({"ena.somatic": None, "ena.all": "50 mV"}))

    def test_section_list_that_the_cell_lacks(self) -> None:
        model = small_cell.model({"gImbar_Im.myelinated": "1e-3 S/cm2"})
        with pytest.raises(ModelError, match=r"'Im' is to be inserted in the myelinated .*small_pyramid.swc has none"):
            CellInstance(model)

    def test_the_next_cell_takes_the_place_of_the_last(self) -> None:
        first = CellInstance(small_cell.model())
        sections = sum(1 for _ in first.h.allsec())
        second = CellInstance(small_cell.model())
        assert sum(1 for _ in second.h.allsec()) == sections == 9
        with pytest.raises(ModelError, match=r"'small' is no longer in NEURON.*one cell per process"):
            first.set_parameters(small_cell.HIDDEN)
        second.set_parameters(small_cell.HIDDEN)

    def test_a_cell_that_could_not_be_built_is_cleared_away(self) -> None:
        with pytest.raises(ModelError, match="not every"):
            CellInstance(small_cell.model({"ena.basal": "50 mV"}))
        instance = CellInstance(small_cell.model())
        assert sum(1 for _ in instance.h.allsec()) == 9

    def test_close(self) -> None:
        instance = CellInstance(small_cell.model())
        instance.close()
        assert sum(1 for _ in instance.h.allsec()) == 0
        instance.close()  # twice is no error
        with pytest.raises(ModelError, match="it was closed"):
            instance.set_parameters(small_cell.HIDDEN)
