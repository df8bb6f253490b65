"""The exported model, run by NEURON without Python or rheobase, against the cell that was fitted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase.fitting.cells.instance import CellInstance
from rheobase.fitting.cells.model import CellModel, Distribution
from rheobase.fitting.cells.morphology import read_morphology
from rheobase.fitting.cells.parameters import ParameterText
from rheobase.fitting.ensembles.hoc import hoc_template, write_hoc
from tests.fitting.cells import small_cell
from tests.shared_data import shared

HOLDING_nA, AMPLITUDE_nA, DURATION_ms = -0.02, 0.3, 200.0
# Both run CVODE over the same equations; formulas evaluated by hoc and by numpy may differ in the last bit.
VOLTAGE_TOLERANCE_mV = 0.05
SPIKE_TIME_TOLERANCE_ms = 0.01

EXPONENTIAL = Distribution("exponential", "(-0.8696 + 2.087*math.exp({distance}*0.0031))*{value}")
DECAY = Distribution("decay", "{value} * math.exp(-{distance} / {length}) + 1e-6")
POWER = Distribution("power", "{value} * (1 + ({distance} / 100)**2 - -0.5**2)")
WINDOW = Distribution("window", "{value} * (1 + ({distance} > 50) * ({distance} <= 200) + {distance} / 500)")
FUNCTIONS = Distribution(
    "functions",
    "{value} * (1 + math.floor({distance} / 50) + math.ceil({distance} / 70) + math.tanh(math.sqrt({distance} / 90))"
    " + math.abs(math.sin({distance}) * math.cos({distance})) + math.log(1 + {distance}) + math.log10(1 + {distance})"
    " + math.floor(-{distance} / 50))",
)
AND = Distribution("and", "{value} * (1 + (({distance} > 50) & ({distance} < 200)))")


def environment() -> dict[str, str]:
    chosen = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for name in ("PYTHONPATH", "NRN_NMODL_PATH"):
        chosen.pop(name, None)
    return chosen


@pytest.fixture(scope="session")
def special(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """NEURON with the mechanisms of an export compiled in; they are the same for all models here."""
    folder = tmp_path_factory.mktemp("export")
    write_hoc(small_cell.model(), small_cell.HIDDEN, "exported", folder, HOLDING_nA, AMPLITUDE_nA, DURATION_ms)
    compiled = subprocess.run(
        ["nrnivmodl", "mechanisms"], cwd=folder, capture_output=True, text=True, env=environment(), check=False
    )
    assert compiled.returncode == 0, compiled.stdout + compiled.stderr
    return next(folder.glob("*/special"))


Run = Callable[[CellModel, dict[str, float]], tuple[NDArray[np.float64], NDArray[np.float64]]]


@pytest.fixture
def exported(special: Path, tmp_path: Path) -> Run:
    """Time (ms) and somatic voltage (mV) of an exported model, run as its run.hoc says."""

    def run(model: CellModel, values: dict[str, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        write_hoc(model, values, "exported", tmp_path, HOLDING_nA, AMPLITUDE_nA, DURATION_ms)
        assert len(list((tmp_path / "mechanisms").glob("*.mod"))) == len(model.mechanisms) == 5
        run = subprocess.run(
            [special, "-nogui", "run.hoc"], cwd=tmp_path, capture_output=True, text=True, env=environment(),
            check=False, stdin=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip
        assert (tmp_path / "trace.txt").is_file(), run.stdout + run.stderr
        assert "error" not in run.stderr.lower(), run.stderr
        time_ms, voltage_mV = np.loadtxt(tmp_path / "trace.txt", unpack=True)
        return time_ms, voltage_mV

    return run


def fitted(model: CellModel, values: dict[str, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same stimulus given to the cell that evaluations use."""
    instance = CellInstance(model)
    instance.set_parameters(values)
    h = instance.h
    h.celsius = model.temperature_degC
    h.cvode_active(1)
    h.CVode().atol(1e-3)
    holding, step = h.IClamp(instance.soma(0.5)), h.IClamp(instance.soma(0.5))
    holding.dur, holding.amp = 1e9, HOLDING_nA
    step.delay, step.dur, step.amp = 1000.0, DURATION_ms, AMPLITUDE_nA
    time, voltage = h.Vector().record(h._ref_t), h.Vector().record(instance.soma(0.5)._ref_v)
    h.finitialize(model.initial_voltage_mV)
    h.continuerun(1000.0 + DURATION_ms + 100.0)
    return np.array(time), np.array(voltage)


def spike_times(time_ms: NDArray[np.float64], voltage_mV: NDArray[np.float64]) -> NDArray[np.float64]:
    rising = np.flatnonzero((voltage_mV[:-1] <= -20.0) & (voltage_mV[1:] > -20.0))
    share = (-20.0 - voltage_mV[rising]) / (voltage_mV[rising + 1] - voltage_mV[rising])
    return np.asarray(time_ms[rising] + share * (time_ms[rising + 1] - time_ms[rising]))


def check(exported: Run, model: CellModel, values: dict[str, float], spikes: int = 3) -> None:
    hoc_time, hoc_voltage = exported(model, values)
    time_ms, voltage_mV = fitted(model, values)
    expected, found = spike_times(time_ms, voltage_mV), spike_times(hoc_time, hoc_voltage)
    assert len(expected) >= spikes
    assert len(found) == len(expected)
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=SPIKE_TIME_TOLERANCE_ms)
    quiet = np.arange(0.0, 1000.0, 0.5)
    np.testing.assert_allclose(
        np.interp(quiet, hoc_time, hoc_voltage),
        np.interp(quiet, time_ms, voltage_mV),
        rtol=0.0,
        atol=VOLTAGE_TOLERANCE_mV,
    )
    assert abs(hoc_voltage.max() - voltage_mV.max()) < 0.5


@pytest.mark.parametrize("replace_axon", [False, True], ids=["axon kept", "stub axon"])
@pytest.mark.parametrize("segment_length_um", [40.0, 100.0])
def test_same_trace(replace_axon: bool, segment_length_um: float, exported: Run) -> None:
    changes: dict[str, str | ParameterText | None] = {"Ra.axonal": "80 ohm cm", "cm.apical": "2 uF/cm2"}
    model = small_cell.model(changes, replace_axon=replace_axon, segment_length_um=segment_length_um)
    check(exported, model, small_cell.HIDDEN)


@pytest.mark.parametrize("distribution", [EXPONENTIAL, POWER, WINDOW, FUNCTIONS, AND], ids=lambda item: item.name)
def test_same_trace_with_a_distance_distribution(distribution: Distribution, exported: Run) -> None:
    spread = ParameterText("5e-6 to 5e-4 S/cm2", distribution=distribution.name)
    model = small_cell.model({"gIhbar_Ih.all": spread}, (distribution,))
    check(exported, model, {**small_cell.HIDDEN, "gIhbar_Ih.all": 3e-5})


def test_same_trace_with_a_distributions_own_parameters_and_lists_that_override_it(exported: Run) -> None:
    changes = {
        "gIhbar_Ih.all": ParameterText("5e-6 to 5e-4 S/cm2", distribution="decay"),
        "gIhbar_Ih.somatic": "2e-3 S/cm2",  # counts: the distribution over all comes first
        "length.distribution_decay": "10 to 1000",
    }
    model = small_cell.model(changes, (DECAY,))
    check(exported, model, {**small_cell.HIDDEN, "gIhbar_Ih.all": 4e-4, "length.distribution_decay": 60.0})


def test_layer_5_morphology_with_a_stub(exported: Run) -> None:
    """Neurolucida, a contour soma, an axon whose stub takes two diameters."""
    morphology = read_morphology(shared("morphologies", "C060114A5.asc"))
    changes = {"gNaTgbar_NaTg.axonal": "1.5 S/cm2", "ena.axonal": "50 mV"}
    model = small_cell.model(changes, morphology=morphology, replace_axon=True, segment_length_um=100.0)
    values = {**small_cell.HIDDEN, "g_pas.all": 1e-5, "gIhbar_Ih.all": 5e-6, "gNaTgbar_NaTg.somatic": 1.0}
    check(exported, model, values, spikes=1)


def test_template_holds_all_values_to_the_last_digit() -> None:
    values = {**small_cell.HIDDEN, "gNaTgbar_NaTg.somatic": 0.1234567890123456}
    text = hoc_template(small_cell.model(), values, "some_cell")
    assert [float(line.split("=")[1]) for line in text.splitlines() if "gNaTgbar_NaTg =" in line] == [
        0.1234567890123456
    ]
    assert "begintemplate some_cell" in text
    assert "SEGMENT_LENGTH" not in text
