"""The CA1 mechanisms against their closed forms, in NEURON.

One fresh process with NEURON makes nearly all measurements (`measure_everything`); the tests compare them
with `reference_ca1`. Voltages are -120 to 60 mV in steps of 1 mV, with the removable singularities and points
close to them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fitting.cells.mechanisms import reference_ca1 as reference
from tests.fitting.cells.mechanisms.voltage_clamp import (
    ClampRecording,
    calcium_steady_state,
    clamp,
    compartment,
    compiled_library,
    run_in_neuron,
    steady_state,
    time_constants,
)

FloatArray = NDArray[np.float64]
Measurements = dict[Any, Any]  # by kind, mechanism and temperature

MOD_FOLDER = Path(__file__).parents[4] / "fitting" / "cells" / "mod"
TEMPERATURES_degC = (24.0, 34.0)
RESTING_CALCIUM_mM = 5e-5
ACTIVE_CALCIUM_mM = 3e-4


@dataclass(frozen=True)
class Channel:
    """What the users of a mechanism know of it, and how it is measured."""

    conductance: str
    current: str
    reversal_mV: dict[str, float]
    exponents: dict[str, int]
    rates: dict[str, tuple[str, str]]  # gate -> names of its steady state and time constant
    holding_mV: float
    test_mV: float
    duration_ms: float


CHANNELS = {
    "na3": Channel(
        "gbar",
        "ina",
        {"ena": 50.0},
        {"m": 3, "h": 1, "s": 1},
        {"m": ("minf", "mtau"), "h": ("hinf", "htau"), "s": ("sinf", "taus")},
        -90.0,
        -10.0,
        4.0,
    ),
    "kdr": Channel("gkdrbar", "ik", {"ek": -90.0}, {"n": 1}, {"n": ("ninf", "taun")}, -80.0, 20.0, 20.0),
    "kap": Channel(
        "gkabar",
        "ik",
        {"ek": -90.0},
        {"n": 1, "l": 1},
        {"n": ("ninf", "taun"), "l": ("linf", "taul")},
        -90.0,
        20.0,
        20.0,
    ),
    "kad": Channel(
        "gkabar",
        "ik",
        {"ek": -90.0},
        {"n": 1, "l": 1},
        {"n": ("ninf", "taun"), "l": ("linf", "taul")},
        -90.0,
        20.0,
        20.0,
    ),
    "kmb": Channel("gbar", "ik", {"ek": -90.0}, {"m": 1}, {"m": ("inf", "tau")}, -80.0, -20.0, 200.0),
    "hd": Channel("ghdbar", "i_hd", {}, {"l": 1}, {"l": ("linf", "taul")}, -50.0, -110.0, 200.0),
    "cal": Channel("gcalbar", "ica", {}, {"m": 2}, {"m": ("minf", "tau")}, -80.0, 0.0, 10.0),
    "can": Channel(
        "gcanbar",
        "ica",
        {},
        {"m": 2, "h": 1},
        {"m": ("minf", "taum"), "h": ("hinf", "tauh")},
        -80.0,
        10.0,
        50.0,
    ),
    "cat": Channel(
        "gcatbar",
        "ica",
        {},
        {"m": 2, "h": 1},
        {"m": ("minf", "mtau"), "h": ("hinf", "htau")},
        -100.0,
        -20.0,
        50.0,
    ),
    "cagk": Channel("gbar", "ik", {"ek": -90.0}, {"o": 1}, {"o": ("oinf", "tau")}, -80.0, 20.0, 10.0),
    "kca": Channel("gbar", "ik", {"ek": -90.0}, {"m": 3}, {"m": ("m_inf", "tau_m")}, -80.0, 0.0, 10.0),
}
CALCIUM_CHANNELS = ("cal", "can", "cat")
CALCIUM_ACTIVATED = ("cagk", "kca")
ALL_FILES = (*CHANNELS, "cacum")

SINGULAR_mV = (-45.0, -30.0, 0.0, 19.26, 19.88, 81.5)
VOLTAGES_mV = np.unique(
    np.concatenate(
        [
            np.arange(-120.0, 61.0),
            [v + d for v in SINGULAR_mV for d in (0.0, -1e-9, 1e-9, -1e-6, 1e-6, -7e-3, 7e-3, -0.011, 0.011)],
        ]
    )
)
CALCIUM_mM = np.logspace(-6.0, 0.0, 61)
CALCIUM_PULSE = {"depth": 0.25, "tau": 20.0, "cai0": 1e-4, "irest": 2e-3}


# ---------------------------------------------------------------------------- in the NEURON process


def measure_everything() -> Measurements:
    """Every measurement of this file except the spiking cell."""
    found: Measurements = {}
    for suffix, channel in CHANNELS.items():
        calcium = _calcium_for(suffix)
        gates = tuple(channel.exponents)
        names = (*gates, *(name for pair in channel.rates.values() for name in pair))
        for celsius in TEMPERATURES_degC:
            found["read", suffix, celsius] = steady_state(suffix, names, VOLTAGES_mV, celsius, calcium)
            found["tau", suffix, celsius] = time_constants(
                suffix, gates, VOLTAGES_mV, celsius, calcium, {f"{channel.conductance}_{suffix}": 1e-6}
            )
            found["clamp", suffix, celsius] = clamp(
                suffix,
                channel.conductance,
                channel.holding_mV,
                channel.test_mV,
                channel.duration_ms,
                celsius,
                channel.current,
                channel.reversal_mV,
                gates,
                cai_mM=calcium,
                dt_ms=channel.duration_ms / 400.0,
            )
    for celsius in TEMPERATURES_degC:
        found["shifted", celsius] = steady_state(
            "na3",
            ("m", "h", "s", "mtau", "htau", "taus"),
            VOLTAGES_mV,
            celsius,
            parameters={"sh_na3": 8.0, "ar_na3": 0.3},
        )
        found["slow tau", celsius] = time_constants(
            "na3",
            ("s",),
            np.arange(-120.0, 61.0, 5.0),
            celsius,
            parameters={"ar_na3": 0.3, "gbar_na3": 1e-6},
        )
        found["proximal", celsius] = steady_state("hd", ("l",), VOLTAGES_mV, celsius, parameters={"vhalfl_hd": -73.0})
        for suffix in CALCIUM_ACTIVATED:
            gate, (inf, tau) = next(iter(CHANNELS[suffix].rates.items()))
            found["calcium", suffix, celsius] = calcium_steady_state(
                suffix, (gate, inf, tau), CALCIUM_mM, celsius, voltage_mV=-20.0
            )
        for suffix in CALCIUM_CHANNELS:
            found["ghk", suffix, celsius] = _open_channel_currents(suffix, celsius)
            found["step", suffix, celsius] = _one_unclamped_step(suffix, celsius)
    found["constant entry"] = _calcium_under_constant_entry()
    found["entry"] = _calcium_under_clamped_entry()
    found["initial calcium"] = _initial_calcium()
    return found


def spiking_cell() -> dict[str, Any]:
    """A compartment with every mechanism, under a current step: fixed steps of decreasing size, and CVODE."""
    from neuron import h

    section = _full_compartment()
    stimulus = h.IClamp(section(0.5))
    stimulus.delay, stimulus.dur, stimulus.amp = 1.0, 1e9, 0.06
    spikes = h.Vector()
    detector = h.NetCon(section(0.5)._ref_v, None, sec=section)
    detector.threshold = -20.0
    detector.record(spikes)
    before_mV: list[float] = []
    h.celsius = 34.0

    def run(stop_ms: float) -> FloatArray:
        h.finitialize(-70.0)
        h.fcurrent()
        if h.cvode.active():
            h.cvode.solve(5.0)
        else:
            while h.t < 5.0 - 1e-9:
                h.fadvance()
        before_mV.append(section(0.5).v)
        if h.cvode.active():
            h.cvode.solve(stop_ms)
        else:
            while h.t < stop_ms - 1e-9:
                h.fadvance()
        return np.array(spikes)

    found: dict[str, Any] = {}
    for step_ms in (0.0125, 0.00625, 0.003125):
        h.dt = step_ms
        found[f"{step_ms}"] = run(60.0)
    h.cvode.active(True)
    h.cvode.atol(1e-7)
    found["cvode"] = run(60.0)
    found["before"] = np.array(before_mV)
    return found


def threaded_cells(n_threads: int) -> FloatArray:
    """Membrane potentials of four different cells after 20 ms, with NEURON on that many threads."""
    from neuron import h

    sections = [_full_compartment(f"cell_{index}") for index in range(4)]
    stimuli = []
    for index, section in enumerate(sections):
        stimulus = h.IClamp(section(0.5))
        stimulus.delay, stimulus.dur, stimulus.amp = 1.0, 1e9, 0.01 * (index + 1)
        stimuli.append(stimulus)
    h.ParallelContext().nthread(n_threads)
    h.celsius, h.dt = 34.0, 0.025
    h.finitialize(-70.0)
    for _ in range(800):
        h.fadvance()
    return np.array([section(0.5).v for section in sections])


def _full_compartment(name: str = "cell") -> Any:
    """A soma of about the densities of the models of Migliore et al. (2018)."""
    densities = {
        "gbar_na3": 0.04,
        "gkdrbar_kdr": 0.006,
        "gkabar_kap": 0.02,
        "gkabar_kad": 0.02,
        "gbar_kmb": 0.002,
        "ghdbar_hd": 2e-5,
        "gcalbar_cal": 1e-5,
        "gcanbar_can": 1e-5,
        "gcatbar_cat": 1e-5,
        "gbar_cagk": 1e-4,
        "gbar_kca": 1e-4,
    }
    section = compartment(ALL_FILES, densities, name)
    section.insert("pas")
    section(0.5).g_pas, section(0.5).e_pas = 1e-4, -70.0
    section.ena, section.ek = 50.0, -90.0
    return section


def _calcium_for(suffix: str) -> float:
    return ACTIVE_CALCIUM_mM if suffix in CALCIUM_ACTIVATED else RESTING_CALCIUM_mM


def _open_channel_currents(suffix: str, celsius: float) -> FloatArray:
    """Calcium current per open conductance (mV) at each voltage, for three internal concentrations."""
    from neuron import h

    h.celsius = celsius
    channel = CHANNELS[suffix]
    conductance = f"{channel.conductance[:-3]}_{suffix}"
    section = compartment([suffix], {f"{channel.conductance}_{suffix}": 1.0})
    forces = np.empty((3, VOLTAGES_mV.size))
    for row, calcium in enumerate((RESTING_CALCIUM_mM, 1e-3, 0.5)):
        section.cai = calcium
        for column, voltage in enumerate(VOLTAGES_mV):
            h.finitialize(float(voltage))
            h.fcurrent()
            forces[row, column] = section(0.5).ica / getattr(section(0.5), conductance)
    return forces


def _one_unclamped_step(suffix: str, celsius: float) -> FloatArray:
    """Columns: potential, current, open conductance, change of potential (mV) in one step of 0.1 ms."""
    from neuron import h

    h.celsius, h.dt = celsius, 0.1
    channel = CHANNELS[suffix]
    section = compartment([suffix], {f"{channel.conductance}_{suffix}": 0.1})
    section.cm = 1.0
    rows = []
    for voltage in np.concatenate([np.arange(-70.0, 61.0, 10.0), [-1e-9, 1e-3, 0.02]]):
        h.finitialize(float(voltage))
        h.fcurrent()
        current = section(0.5).ica
        opened = getattr(section(0.5), f"{channel.conductance[:-3]}_{suffix}")
        h.fadvance()
        rows.append([voltage, current, opened, section(0.5).v - voltage])
    return np.array(rows)


def _calcium_under_constant_entry() -> FloatArray:
    """Calcium (mM) every 0.5 ms while irest stands for a constant inward current."""
    from neuron import h

    section = compartment(["cacum"], {f"{name}_cacum": value for name, value in CALCIUM_PULSE.items()})
    h.dt = 0.5
    h.finitialize(-65.0)
    calcium = [section(0.5).cai]
    for _ in range(200):
        h.fadvance()
        calcium.append(section(0.5).cai)
    return np.array(calcium)


def _calcium_under_clamped_entry() -> FloatArray:
    """Calcium before (mM) and after each step of 0.1 ms, and the T current (mA/cm2) in it."""
    from neuron import h

    h.celsius = 34.0
    section = compartment(["cacum", "cat"], {"gcatbar_cat": 1e-3})
    electrode = h.SEClamp(section(0.5))
    electrode.rs, electrode.dur1, electrode.amp1 = 1e-6, 1e9, -30.0
    h.dt = 0.1
    h.finitialize(-90.0)
    rows = []
    for _ in range(300):
        before = section(0.5).cai
        h.fadvance()
        rows.append([before, section(0.5).cai, section(0.5).ica])
    return np.array(rows)


def _initial_calcium() -> float:
    from neuron import h

    section = compartment(["cacum"], {"cai0_cacum": 1.25e-4})
    h.cai0_ca_ion = 7e-4
    h.finitialize(-65.0)
    h.cai0_ca_ion = RESTING_CALCIUM_mM
    return float(section(0.5).cai)


# ---------------------------------------------------------------------------- in the test process


@pytest.fixture(scope="module")
def library() -> Path:
    return compiled_library(MOD_FOLDER, only=ALL_FILES)


@pytest.fixture(scope="module")
def measurements(library: Path) -> Measurements:
    return run_in_neuron(library, measure_everything)


each_channel = pytest.mark.parametrize("suffix", CHANNELS)
each_temperature = pytest.mark.parametrize("celsius", TEMPERATURES_degC)


@each_temperature
@each_channel
def test_steady_states_and_time_constants_as_published(measurements: Measurements, suffix: str, celsius: float) -> None:
    read = measurements["read", suffix, celsius]
    gates = reference.kinetics(suffix, VOLTAGES_mV, celsius, _calcium_for(suffix))
    for gate, (inf, tau) in CHANNELS[suffix].rates.items():
        np.testing.assert_allclose(read[inf], gates[gate].steady_state, rtol=1e-9, err_msg=inf)
        np.testing.assert_array_equal(read[gate], read[inf], err_msg=f"{gate} does not start in steady state")
        if gate != "s":  # na3 leaves the time constant of an absent slow inactivation at its floor
            np.testing.assert_allclose(read[tau], gates[gate].time_constant_ms, rtol=1e-9, err_msg=tau)


@each_temperature
@each_channel
def test_gates_relax_with_the_published_time_constants(measurements: Measurements, suffix: str, celsius: float) -> None:
    measured = measurements["tau", suffix, celsius]
    gates = reference.kinetics(suffix, VOLTAGES_mV, celsius, _calcium_for(suffix))
    for gate in set(CHANNELS[suffix].exponents) - {"s"}:
        # measured from one cnexp step: rounding of states near 0 or 1 leaves about 1e-8
        np.testing.assert_allclose(measured[gate], gates[gate].time_constant_ms, rtol=1e-7, err_msg=gate)


@each_temperature
@each_channel
def test_voltage_clamp_current_is_the_analytical_one(measurements: Measurements, suffix: str, celsius: float) -> None:
    channel = CHANNELS[suffix]
    sweep: ClampRecording = measurements["clamp", suffix, celsius]
    calcium = _calcium_for(suffix)
    start = reference.kinetics(suffix, np.array(channel.holding_mV), celsius, calcium)
    end = reference.kinetics(suffix, np.array(channel.test_mV), celsius, calcium)
    conductance = np.full_like(sweep.time_ms, 1e-3)
    for gate, exponent in channel.exponents.items():
        final = end[gate].steady_state
        relaxing = np.exp(-sweep.time_ms / end[gate].time_constant_ms)
        expected = final + (start[gate].steady_state - final) * relaxing
        np.testing.assert_allclose(sweep.states[gate], expected, rtol=1e-6, atol=1e-12, err_msg=gate)
        conductance *= expected**exponent
    np.testing.assert_allclose(
        sweep.current_mA_per_cm2, conductance * _driving_force(suffix, celsius), rtol=2e-6, atol=1e-15
    )
    assert np.ptp(sweep.current_mA_per_cm2) > 1e-9 or suffix == "kca"  # the clamp moved the gates


def _driving_force(suffix: str, celsius: float) -> float:
    channel = CHANNELS[suffix]
    if suffix in CALCIUM_CHANNELS:
        force = reference.ghk_driving_force(np.array(channel.test_mV), RESTING_CALCIUM_mM, celsius)
        blocked = 1.0 if suffix == "cat" else reference.calcium_inactivation(RESTING_CALCIUM_mM)
        return float(force * blocked)
    reversal = -30.0 if suffix == "hd" else next(iter(channel.reversal_mV.values()))
    return channel.test_mV - reversal


@each_temperature
def test_sodium_shift_and_slow_inactivation(measurements: Measurements, celsius: float) -> None:
    read = measurements["shifted", celsius]
    gates = reference.na3(VOLTAGES_mV, celsius, shift_mV=8.0, spared=0.3)
    for gate, tau in (("m", "mtau"), ("h", "htau"), ("s", "taus")):
        np.testing.assert_allclose(read[gate], gates[gate].steady_state, rtol=1e-9, err_msg=gate)
        np.testing.assert_allclose(read[tau], gates[gate].time_constant_ms, rtol=1e-9, err_msg=tau)
    slow = reference.na3(np.arange(-120.0, 61.0, 5.0), celsius, spared=0.3)["s"].time_constant_ms
    np.testing.assert_allclose(measurements["slow tau", celsius]["s"], slow, rtol=1e-7)


@each_temperature
def test_proximal_ih_is_the_distal_one_shifted(measurements: Measurements, celsius: float) -> None:
    gates = reference.hd(VOLTAGES_mV, celsius, half_mV=-73.0)
    np.testing.assert_allclose(measurements["proximal", celsius]["l"], gates["l"].steady_state, rtol=1e-9)


@each_temperature
@pytest.mark.parametrize("suffix", CALCIUM_ACTIVATED)
def test_potassium_channels_follow_calcium(measurements: Measurements, suffix: str, celsius: float) -> None:
    read = measurements["calcium", suffix, celsius]
    gates = reference.kinetics(suffix, np.full_like(CALCIUM_mM, -20.0), celsius, CALCIUM_mM)
    gate, (inf, tau) = next(iter(CHANNELS[suffix].rates.items()))
    np.testing.assert_allclose(read[inf], gates[gate].steady_state, rtol=1e-9)
    np.testing.assert_allclose(read[gate], gates[gate].steady_state, rtol=1e-9)
    np.testing.assert_allclose(read[tau], gates[gate].time_constant_ms, rtol=1e-9)
    assert np.all(np.diff(read[gate]) >= 0.0)
    assert read[gate][0] < 0.01 < 0.99 < read[gate][-1] / read[gate].max()


@each_temperature
@pytest.mark.parametrize("suffix", CALCIUM_CHANNELS)
def test_calcium_currents_are_goldman_hodgkin_katz(measurements: Measurements, suffix: str, celsius: float) -> None:
    # gcal and gcan already hold the calcium-dependent inactivation
    for row, calcium in enumerate((RESTING_CALCIUM_mM, 1e-3, 0.5)):
        measured = measurements["ghk", suffix, celsius][row]
        expected = reference.ghk_driving_force(VOLTAGES_mV, calcium, celsius)
        np.testing.assert_allclose(measured, expected, rtol=1e-9, atol=1e-9)
    # at 0.5 mM against 2 mM the current reverses at the Nernst potential
    nernst_mV = 0.5 * 25.0 * (celsius + 273.15) / 293.15 * np.log(2.0 / 0.5)
    reversing = measurements["ghk", suffix, celsius][2]
    assert np.interp(nernst_mV, VOLTAGES_mV, reversing) == pytest.approx(0.0, abs=0.01)
    assert reversing[0] < 0.0 < reversing[-1]


@each_temperature
@pytest.mark.parametrize("suffix", CALCIUM_CHANNELS)
def test_implicit_step_uses_the_slope_of_the_calcium_current(
    measurements: Measurements, suffix: str, celsius: float
) -> None:
    voltage, current, opened, change = measurements["step", suffix, celsius].T
    delta = 1e-3
    slope = (
        reference.ghk_driving_force(voltage + delta, RESTING_CALCIUM_mM, celsius)
        - reference.ghk_driving_force(voltage - delta, RESTING_CALCIUM_mM, celsius)
    ) / (2.0 * delta)
    capacitance_per_step = 1e-3 / 0.1  # 1 uF/cm2 over 0.1 ms, in mA/cm2/mV
    expected = -current / (capacitance_per_step + opened * slope)
    np.testing.assert_allclose(change, expected, rtol=1e-6)
    assert np.max(opened * slope) > 0.01 * capacitance_per_step  # the slope is felt


def test_calcium_accumulates_exponentially(measurements: Measurements) -> None:
    measured = measurements["constant entry"]
    expected = reference.accumulated_calcium(
        np.arange(measured.size) * 0.5,
        start_mM=CALCIUM_PULSE["cai0"],
        inward_mA_per_cm2=CALCIUM_PULSE["irest"],
        depth_um=CALCIUM_PULSE["depth"],
        tau_ms=CALCIUM_PULSE["tau"],
        rest_mM=CALCIUM_PULSE["cai0"],
    )
    np.testing.assert_allclose(measured, expected, rtol=1e-7)
    assert measured[-1] > 5.0 * measured[0]


def test_inward_calcium_current_raises_calcium(measurements: Measurements) -> None:
    before, after, current = measurements["entry"].T
    expected = [
        reference.accumulated_calcium(np.array(0.1), start, -inflow)
        for start, inflow in zip(before, current, strict=True)
    ]
    np.testing.assert_allclose(after, expected, rtol=1e-7)
    assert current.min() < 0.0
    assert after.max() > 2.0 * before[0]


def test_initial_calcium_is_the_mechanism_s_own(measurements: Measurements) -> None:
    assert measurements["initial calcium"] == 1.25e-4


# Published landmarks: mechanism, gate, temperature, half-activation (mV), slope (mV) and its tolerance
LANDMARKS = [
    ("kap", "n", 24.0, 11.0, 18.0, 1.0),  # Hoffman et al. 1997, proximal activation 11 mV, k 18 mV
    ("kad", "n", 24.0, -1.0, -1.0, np.inf),  # Hoffman et al. 1997: distal activation 12 mV more negative
    ("kap", "l", 24.0, -56.0, -8.0, 1.0),  # Hoffman et al. 1997: inactivation -56 mV, k 8 mV
    ("kad", "l", 24.0, -56.0, -8.0, 1.0),
    ("kdr", "n", 24.0, 13.0, 8.54, 0.1),  # Migliore et al. 1999: 13 mV, 3 charges: RT/3F
    ("kmb", "m", 34.0, -40.0, 10.0, 1e-3),  # Shah et al. 2008, as in Migliore et al. 2018
    ("hd", "l", 34.0, -81.0, -8.0, 1e-3),  # Magee 1998, distal, as in Migliore et al. 2018
    ("na3", "h", 24.0, -50.0, -4.0, 1e-3),  # Migliore et al. 1999
]


@pytest.mark.parametrize(("suffix", "gate", "celsius", "half_mV", "slope_mV", "tolerance_mV"), LANDMARKS)
def test_published_half_activations_and_slopes(
    measurements: Measurements,
    suffix: str,
    gate: str,
    celsius: float,
    half_mV: float,
    slope_mV: float,
    tolerance_mV: float,
) -> None:
    curve = measurements["read", suffix, celsius][gate]
    half = int(np.flatnonzero(half_mV == VOLTAGES_mV)[0])
    assert curve[half] == pytest.approx(0.5, abs=1e-12)
    above, below = (int(np.flatnonzero(half_mV + side == VOLTAGES_mV)[0]) for side in (1.0, -1.0))
    measured_slope_mV = 0.5 / (curve[above] - curve[below])
    assert measured_slope_mV == pytest.approx(slope_mV, abs=tolerance_mV + 0.02)


@pytest.mark.parametrize(
    ("suffix", "gate", "voltage_mV", "ratio"),
    [("na3", "m", -40.0, 2.0), ("hd", "l", -90.0, 4.5), ("cal", "m", -40.0, 5.0), ("kmb", "m", -40.0, 1.0)],
)
def test_ten_degrees_speed_gates_up_by_their_q10(
    measurements: Measurements, suffix: str, gate: str, voltage_mV: float, ratio: float
) -> None:
    where = int(np.flatnonzero(voltage_mV == VOLTAGES_mV)[0])
    cold, warm = (measurements["tau", suffix, celsius][gate][where] for celsius in TEMPERATURES_degC)
    assert cold / warm == pytest.approx(ratio, rel=1e-6)


def test_sk_is_half_open_at_a_third_of_a_micromolar(measurements: Measurements) -> None:
    curve = measurements["calcium", "kca", 34.0]["m"]
    half_mM = float(np.exp(np.interp(0.5, curve, np.log(CALCIUM_mM))))
    assert half_mM == pytest.approx(0.35e-3, rel=0.02)


def test_cvode_gives_the_trace_of_vanishing_steps(library: Path) -> None:
    found = run_in_neuron(library, spiking_cell)
    coarse, middle, fine, cvode = (found[key] for key in ("0.0125", "0.00625", "0.003125", "cvode"))
    assert len(cvode) == len(fine) == len(middle) == len(coarse) >= 3
    limit_ms = 2.0 * fine - middle  # backward Euler is of first order
    np.testing.assert_allclose(limit_ms, cvode, atol=0.02)
    assert np.abs(fine - cvode).max() < 0.7 * np.abs(middle - cvode).max() + 1e-3
    _, middle_mV, fine_mV, cvode_mV = found["before"]
    assert 2.0 * fine_mV - middle_mV == pytest.approx(cvode_mV, abs=2e-3)


def test_threads_do_not_change_the_trace(library: Path) -> None:
    alone, together = (run_in_neuron(library, threaded_cells, n_threads) for n_threads in (1, 2))
    np.testing.assert_array_equal(alone, together)
    assert np.ptp(alone) > 1.0


@pytest.mark.parametrize("suffix", ALL_FILES)
def test_file_suits_threads_and_coreneuron(suffix: str) -> None:
    source = (MOD_FOLDER / f"{suffix}.mod").read_text()
    code = re.sub(r"COMMENT.*?ENDCOMMENT|^TITLE.*?$|:.*?$", "", source, flags=re.DOTALL | re.MULTILINE)
    assert re.search(rf"\bSUFFIX {suffix}\b", code)
    assert "THREADSAFE" in code
    assert not re.search(r"\b(VERBATIM|POINTER|GLOBAL|TABLE|derivimplicit|euler)\b", code)
    assert "METHOD cnexp" in code
