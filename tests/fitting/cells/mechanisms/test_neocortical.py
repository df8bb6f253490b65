"""The neocortical mechanisms of fitting/cells/mod against the equations of the papers they come from.

Tolerances. Steady states are read right after finitialize and agree to rounding (1e-9 relative is asked).
Time constants are measured from one exponential step of cnexp, conditioned to about 1e-11 (1e-8 is asked).
Clamp currents carry the electrode's error of some 1e-6 mV (1e-6 of the sweep's largest current is asked).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from tests.fitting.cells.mechanisms.reference_neocortical import (
    CHANNELS,
    Channel,
    FloatArray,
    calcium_in_shell,
    sk_open_fraction,
    transient_sodium,
)
from tests.fitting.cells.mechanisms.voltage_clamp import (
    CLAMPING_CAPACITANCE_uF_per_cm2,
    ClampRecording,
    calcium_steady_state,
    clamp,
    compartment,
    compiled_library,
    run_in_neuron,
    steady_state,
    time_constants,
)

MOD_FOLDER = Path(__file__).parents[4] / "fitting" / "cells" / "mod"
MECHANISMS = (*CHANNELS, "SK_E2", "CaDynamics_E2")
TEMPERATURES_degC = (22.0, 34.0)
SHIFTED = {"vshiftm_NaTg": 5.0, "vshifth_NaTg": -8.0, "slopem_NaTg": 7.5, "slopeh_NaTg": 5.0}
REVERSAL_mV = {"ena": 50.0, "ek": -85.0, "eca": 120.0, "ehcn_Ih": -45.0}
CONDUCTANCE_S_per_cm2 = 2e-3
# Opening, closing (tail) and hyperpolarising steps.
CLAMP_STEPS_mV = ((-80.0, 0.0), (-20.0, -65.0), (-60.0, -110.0))


def swept_voltages(channel: Channel) -> FloatArray:
    """-120 to 60 mV by 1 mV, each removable singularity closely around, and both sides of each jump."""
    near = np.array([0.0, 1e-12, 1e-9, 1e-6, 1e-4, 0.01, 0.0379, 0.0381, 0.0599, 0.0601, 0.1])
    around = [centre + sign * near for centre in channel.singular_mV for sign in (-1.0, 1.0)]
    beside = [jump + np.array([-1e-6, 1e-6]) for jump in channel.jump_mV]
    grid = np.setdiff1d(np.arange(-120.0, 61.0), channel.jump_mV)
    return np.concatenate([grid, *around, *beside])


@pytest.fixture(scope="module")
def library() -> Path:
    return compiled_library(MOD_FOLDER, only=MECHANISMS)


# ------------------------------------------------------------------------- gates against the closed forms


class Sweep(NamedTuple):
    steady: dict[str, FloatArray]
    tau_ms: dict[str, FloatArray]


def sweep_every_channel() -> dict[tuple[str, float], Sweep]:
    sweeps = {}
    for celsius in TEMPERATURES_degC:
        for suffix, channel in CHANNELS.items():
            arguments = (suffix, channel.gate_names, swept_voltages(channel), celsius)
            sweeps[suffix, celsius] = Sweep(steady_state(*arguments), time_constants(*arguments))
        shifted = transient_sodium(5.0, -8.0, 7.5, 5.0)
        arguments = ("NaTg", ("m", "h"), swept_voltages(shifted), celsius)
        sweeps["NaTg shifted", celsius] = Sweep(
            steady_state(*arguments, parameters=SHIFTED), time_constants(*arguments, parameters=SHIFTED)
        )
    return sweeps


@pytest.fixture(scope="module")
def sweeps(library: Path) -> dict[tuple[str, float], Sweep]:
    return run_in_neuron(library, sweep_every_channel)


def channel_of(case: str) -> Channel:
    return transient_sodium(5.0, -8.0, 7.5, 5.0) if case == "NaTg shifted" else CHANNELS[case]


CASES = (*CHANNELS, "NaTg shifted")


@pytest.mark.parametrize("celsius_degC", TEMPERATURES_degC)
@pytest.mark.parametrize("case", CASES)
def test_steady_states(case: str, celsius_degC: float, sweeps: dict[tuple[str, float], Sweep]) -> None:
    channel = channel_of(case)
    voltages = swept_voltages(channel)
    for gate in channel.gates:
        measured = sweeps[case, celsius_degC].steady[gate.name]
        np.testing.assert_allclose(measured, gate.steady_state(voltages), rtol=1e-9, err_msg=gate.name)


@pytest.mark.parametrize("celsius_degC", TEMPERATURES_degC)
@pytest.mark.parametrize("case", CASES)
def test_time_constants(case: str, celsius_degC: float, sweeps: dict[tuple[str, float], Sweep]) -> None:
    channel = channel_of(case)
    voltages = swept_voltages(channel)
    for gate in channel.gates:
        measured = sweeps[case, celsius_degC].tau_ms[gate.name]
        expected = gate.time_constant_at(voltages, celsius_degC)
        np.testing.assert_allclose(measured, expected, rtol=1e-8, err_msg=gate.name)


@pytest.mark.parametrize("suffix", CHANNELS)
def test_q10_follows_celsius_only_where_published(suffix: str, sweeps: dict[tuple[str, float], Sweep]) -> None:
    corrected = {"NaTg", "Nap_Et2", "K_Pst", "K_Tst", "Im", "Ca_LVAst"}
    factor = 2.3**1.2 if suffix in corrected else 1.0
    cold, warm = sweeps[suffix, 22.0], sweeps[suffix, 34.0]
    for name in CHANNELS[suffix].gate_names:
        np.testing.assert_allclose(cold.steady[name], warm.steady[name], rtol=1e-12)
        np.testing.assert_allclose(cold.tau_ms[name], factor * warm.tau_ms[name], rtol=2e-8)


# ------------------------------------------------------------------------- landmarks quoted in the papers

HALF_ACTIVATION_mV = [
    ("NaTg", "h", -66.0),
    ("Nap_Et2", "m", -52.6),
    ("Nap_Et2", "h", -48.8),
    ("K_Pst", "m", -1.0 - 10.0),
    ("K_Pst", "h", -54.0 - 10.0),
    ("K_Tst", "m", 0.0 - 10.0),
    ("K_Tst", "h", -66.0 - 10.0),
    ("SKv3_1", "m", 18.7),
    ("Im", "m", -35.0),
    ("Kd", "m", -43.0),
    ("Kd", "h", -67.0),
    ("Ca_LVAst", "m", -30.0 - 10.0),
    ("Ca_LVAst", "h", -80.0 - 10.0),
]


def steady_states_at(points: list[tuple[str, str, float]]) -> list[float]:
    return [float(steady_state(suffix, [gate], [v], 34.0)[gate][0]) for suffix, gate, v in points]


def test_half_activation_voltages(library: Path) -> None:
    measured = run_in_neuron(library, steady_states_at, HALF_ACTIVATION_mV)
    found = dict(zip(HALF_ACTIVATION_mV, measured, strict=True))
    assert found == {point: pytest.approx(0.5, abs=1e-12) for point in HALF_ACTIVATION_mV}


def slow_inactivation_ms() -> FloatArray:
    return time_constants("Nap_Et2", ["h"], [-80.0, -60.0, -50.0, -30.0, -10.0], 21.0)["h"]


def test_persistent_sodium_inactivates_over_seconds(library: Path) -> None:
    """Magistretti and Alonso 1999 report 2.6 to 6.8 s, depending on the voltage, at room temperature."""
    tau_ms = run_in_neuron(library, slow_inactivation_ms)
    assert tau_ms.min() > 1500.0
    assert tau_ms.max() < 9000.0
    assert tau_ms.max() / tau_ms.min() > 1.5


def test_ih_opens_with_hyperpolarisation(sweeps: dict[tuple[str, float], Sweep]) -> None:
    """The published rates cross at -110.25 mV and are slowest at -102.0 mV (77.55 ms)."""
    voltages = swept_voltages(CHANNELS["Ih"])[:181]
    sweep = sweeps["Ih", 34.0]
    open_fraction, tau_ms = sweep.steady["m"][:181], sweep.tau_ms["m"][:181]
    assert np.all(np.diff(open_fraction) < 0.0)
    assert np.interp(-0.5, -open_fraction, voltages) == pytest.approx(-110.25, abs=0.05)
    assert voltages[tau_ms.argmax()] == -102.0
    assert tau_ms.max() == pytest.approx(77.553, abs=0.001)


# ------------------------------------------------------------------------- currents under voltage clamp


def clamp_every_channel(conductance: float) -> dict[tuple[str, float, float], ClampRecording]:
    recordings = {}
    for celsius in TEMPERATURES_degC:
        for suffix, channel in CHANNELS.items():
            for holding, test in CLAMP_STEPS_mV:
                recordings[suffix, celsius, test] = clamp(
                    suffix,
                    f"g{suffix}bar",
                    holding,
                    test,
                    10.0,
                    celsius,
                    channel.current,
                    {channel.reversal: REVERSAL_mV[channel.reversal]},
                    channel.gate_names,
                    conductance_S_per_cm2=conductance,
                    dt_ms=0.025,
                )
    return recordings


@pytest.fixture(scope="module")
def recordings(library: Path) -> dict[tuple[str, float, float], ClampRecording]:
    return run_in_neuron(library, clamp_every_channel, CONDUCTANCE_S_per_cm2)


@pytest.mark.parametrize(("holding_mV", "test_mV"), CLAMP_STEPS_mV)
@pytest.mark.parametrize("celsius_degC", TEMPERATURES_degC)
@pytest.mark.parametrize("suffix", CHANNELS)
def test_current_under_voltage_clamp(
    suffix: str,
    celsius_degC: float,
    holding_mV: float,
    test_mV: float,
    recordings: dict[tuple[str, float, float], ClampRecording],
) -> None:
    channel = CHANNELS[suffix]
    recorded = recordings[suffix, celsius_degC, test_mV]
    expected = channel.current_after_step(
        recorded.time_ms,
        holding_mV,
        test_mV,
        celsius_degC,
        CONDUCTANCE_S_per_cm2,
        REVERSAL_mV[channel.reversal],
    )
    largest = np.abs(expected).max()
    np.testing.assert_allclose(recorded.current_mA_per_cm2, expected, rtol=0.0, atol=1e-6 * largest)
    for gate in channel.gates:
        assert recorded.states[gate.name][0] == pytest.approx(float(gate.steady_state(np.array(holding_mV))), rel=1e-9)


# ------------------------------------------------------------------------- calcium

CALCIUM_mM = np.concatenate([np.logspace(-6, -1, 51), [0.43e-3]])


def test_sk_opens_with_calcium(library: Path) -> None:
    measured = run_in_neuron(library, calcium_steady_state, "SK_E2", ("z",), CALCIUM_mM, 34.0)["z"]
    np.testing.assert_allclose(measured, sk_open_fraction(CALCIUM_mM), rtol=1e-9)
    assert measured[-1] == pytest.approx(0.5, abs=1e-12)


def test_sk_stays_closed_without_calcium(library: Path) -> None:
    absent_mM = [0.0, -1e-9, 1e-300, 1e-8]
    measured = run_in_neuron(library, calcium_steady_state, "SK_E2", ("z",), absent_mM, 34.0)["z"]
    np.testing.assert_allclose(measured, 0.0, atol=1e-15)


def sk_relaxations() -> list[float]:
    return [
        float(time_constants("SK_E2", ["z"], [-65.0], celsius, cai_mM=cai)["z"][0])
        for celsius in TEMPERATURES_degC
        for cai in (1e-4, 1e-3)
    ]


def test_sk_time_constant_is_one_ms_at_any_calcium_and_temperature(library: Path) -> None:
    np.testing.assert_allclose(run_in_neuron(library, sk_relaxations), 1.0, rtol=1e-8)


def sk_clamp() -> ClampRecording:
    return clamp("SK_E2", "gSK_E2bar", -65.0, -40.0, 1.0, 34.0, "ik", {"ek": -85.0}, ("z",), cai_mM=0.43e-3)


def test_sk_current_is_ohmic(library: Path) -> None:
    np.testing.assert_allclose(run_in_neuron(library, sk_clamp).current_mA_per_cm2, 1e-3 * 0.5 * 45.0, rtol=1e-6)


class ShellRun(NamedTuple):
    ica_mA_per_cm2: FloatArray
    start_mM: float
    cai_mM: FloatArray


SHELL = {"gamma": 5.01e-4, "decay": 460.0, "depth": 0.25, "minCai": 2e-4}


def calcium_shell(parameters: dict[str, float], voltage_mV: float, step_ms: float, n_steps: int) -> ShellRun:
    """Calcium driven by a high-voltage-activated current that stays constant: held voltage, fixed eca."""
    from neuron import h

    values = {f"{name}_CaDynamics_E2": value for name, value in parameters.items()}
    section = compartment(["Ca_HVA", "CaDynamics_E2"], {"gCa_HVAbar_Ca_HVA": 1e-3, **values})
    section.cm = CLAMPING_CAPACITANCE_uF_per_cm2
    h.ion_style("ca_ion", 3, 1, 0, 0, 0, sec=section)
    section.eca = 120.0
    h.dt = step_ms
    h.finitialize(voltage_mV)
    start = section(0.5).cai
    current, calcium = [], []
    for _ in range(n_steps):
        h.fadvance()
        current.append(section(0.5).ica)
        calcium.append(section(0.5).cai)
    return ShellRun(np.array(current), start, np.array(calcium))


@pytest.mark.parametrize("voltage_mV", [-90.0, -20.0, 10.0])
@pytest.mark.parametrize("parameters", [{}, SHELL], ids=["defaults", "fitted"])
def test_calcium_in_the_shell(library: Path, parameters: dict[str, float], voltage_mV: float) -> None:
    run = run_in_neuron(library, calcium_shell, parameters, voltage_mV, 0.5, 400)
    values = {"gamma": 0.05, "decay": 80.0, "depth": 0.1, "minCai": 1e-4} | parameters
    np.testing.assert_allclose(run.ica_mA_per_cm2, run.ica_mA_per_cm2[0], rtol=1e-9)
    gates = {gate.name: gate.steady_state(np.array(voltage_mV)) for gate in CHANNELS["Ca_HVA"].gates}
    ica = 1e-3 * gates["m"] ** 2 * gates["h"] * (voltage_mV - 120.0)
    assert run.ica_mA_per_cm2[0] == pytest.approx(ica, rel=1e-9)
    assert run.start_mM == values["minCai"]
    expected = calcium_in_shell(
        0.5 * np.arange(1, 401, dtype=np.float64),
        values["minCai"],
        float(ica),
        values["gamma"],
        values["decay"],
        values["depth"],
        values["minCai"],
    )
    np.testing.assert_allclose(run.cai_mM, expected, rtol=1e-7)
    assert run.cai_mM[-1] >= values["minCai"]


def sk_beside_shell() -> tuple[float, float]:
    from neuron import h

    h.celsius = 34.0
    section = compartment(["SK_E2", "Ca_HVA", "CaDynamics_E2"], {"minCai_CaDynamics_E2": 0.43e-3})
    h.finitialize(-65.0)
    return section(0.5).z_SK_E2, section(0.5).eca


def test_sk_and_eca_start_from_the_shell_calcium(library: Path) -> None:
    z, eca_mV = run_in_neuron(library, sk_beside_shell)
    assert z == pytest.approx(0.5, abs=1e-12)
    thermal_mV = 1e3 * 8.31446262 * (273.15 + 34.0) / (2.0 * 96485.33212)
    assert eca_mV == pytest.approx(thermal_mV * np.log(2.0 / 0.43e-3), rel=1e-6)


# ------------------------------------------------------------------------- whole cell, solvers, source


def restarts_at_one_voltage() -> list[float]:
    """tau_m of one NaTg instance at -40 mV: cold, warm, then shifted, restarted without any change of v."""
    from neuron import h

    section = compartment(["NaTg"])
    section.cm = CLAMPING_CAPACITANCE_uF_per_cm2
    segment = section(0.5)
    measured = []
    for celsius, shift in ((22.0, 0.0), (34.0, 0.0), (34.0, 10.0)):
        h.celsius, segment.vshiftm_NaTg, h.dt = celsius, shift, 0.05
        h.finitialize(-40.0)
        rest = segment.m_NaTg
        segment.m_NaTg = rest + 0.2
        h.fadvance()
        measured.append(-h.dt / np.log((segment.m_NaTg - rest) / 0.2))
    return measured


def test_remembered_rates_are_renewed_by_finitialize(library: Path) -> None:
    cold, warm, shifted = run_in_neuron(library, restarts_at_one_voltage)
    v = np.array(-40.0)
    standard, moved = CHANNELS["NaTg"].gates[0], transient_sodium(shift_m_mV=10.0).gates[0]
    assert cold == pytest.approx(float(standard.time_constant_at(v, 22.0)), rel=1e-8)
    assert warm == pytest.approx(float(standard.time_constant_at(v, 34.0)), rel=1e-8)
    assert shifted == pytest.approx(float(moved.time_constant_at(v, 34.0)), rel=1e-8)


SPIKING_S_per_cm2 = {
    "gNaTgbar_NaTg": 0.3,
    "gNap_Et2bar_Nap_Et2": 1e-3,
    "gK_Pstbar_K_Pst": 5e-4,
    "gK_Tstbar_K_Tst": 0.01,
    "gSKv3_1bar_SKv3_1": 0.1,
    "gSK_E2bar_SK_E2": 2e-4,
    "gImbar_Im": 5e-5,
    "gKdbar_Kd": 1e-3,
    "gIhbar_Ih": 2e-4,
    "gCa_HVAbar_Ca_HVA": 1e-4,
    "gCa_LVAstbar_Ca_LVAst": 5e-4,
}
SAMPLED_ms = np.arange(1.0, 41.0, 0.1)


def voltage_trace(step_ms: float) -> FloatArray:
    """A cell with every mechanism under a current step, at `SAMPLED_ms`; by CVODE if the step is zero."""
    from neuron import h

    h.celsius = 34.0
    section = compartment(MECHANISMS, SPIKING_S_per_cm2 | {"ena": 50.0, "ek": -85.0})
    section.L = section.diam = 20.0
    section.insert("pas")
    section.g_pas, section.e_pas = 1e-4, -75.0
    stimulus = h.IClamp(section(0.5))
    stimulus.delay, stimulus.dur, stimulus.amp = 2.0, 1e9, 0.15
    solver = h.CVode()
    if step_ms == 0.0:
        solver.active(True)
        solver.atol(1e-8)
    else:
        solver.active(False)
        h.dt, h.steps_per_ms = step_ms, 1.0 / step_ms
    times = h.Vector(SAMPLED_ms)  # NEURON keeps no reference to it
    voltage = h.Vector().record(section(0.5)._ref_v, times)
    h.v_init = -80.0
    h.tstop = SAMPLED_ms[-1] + 1.0
    h.run()
    return np.array(voltage)


def traces_by_step() -> dict[float, FloatArray]:
    return {step_ms: voltage_trace(step_ms) for step_ms in (0.0, 0.004, 0.002, 0.001)}


def test_cvode_agrees_with_the_limit_of_fixed_steps(library: Path) -> None:
    """Four spikes, compared on their flanks too, where 0.1 mV is a quarter of a microsecond."""
    traces = run_in_neuron(library, traces_by_step)
    variable = traces[0.0]
    assert np.count_nonzero(np.diff(np.sign(variable)) > 0) == 4
    limit = (8.0 * traces[0.001] - 6.0 * traces[0.002] + traces[0.004]) / 3.0  # first two orders removed
    errors_mV = [np.abs(traces[step_ms] - limit).max() for step_ms in (0.004, 0.002, 0.001)]
    assert errors_mV[0] > 1.8 * errors_mV[1] > 3.2 * errors_mV[2]  # it does converge, at first order
    assert np.abs(variable - limit).max() < 0.2


DEFAULTS = {f"g{suffix}bar_{suffix}": 1e-5 for suffix in CHANNELS} | {
    "gSK_E2bar_SK_E2": 1e-6,
    "zTau_SK_E2": 1.0,
    "ehcn_Ih": -45.0,
    "vshiftm_NaTg": 0.0,
    "vshifth_NaTg": 0.0,
    "slopem_NaTg": 6.0,
    "slopeh_NaTg": 6.0,
    "gamma_CaDynamics_E2": 0.05,
    "decay_CaDynamics_E2": 80.0,
    "depth_CaDynamics_E2": 0.1,
    "minCai_CaDynamics_E2": 1e-4,
}


def freshly_inserted(names: list[str]) -> dict[str, float]:
    section = compartment(MECHANISMS)
    return {name: getattr(section(0.5), name) for name in names}


def test_names_and_defaults_are_the_published_ones(library: Path) -> None:
    assert run_in_neuron(library, freshly_inserted, list(DEFAULTS)) == DEFAULTS


@pytest.mark.parametrize("name", MECHANISMS)
def test_units_are_consistent(name: str) -> None:
    modlunit = Path(sys.executable).parent / "modlunit"
    if not modlunit.exists():
        pytest.skip("modlunit is not installed beside python")
    checked = subprocess.run([modlunit, f"{name}.mod"], cwd=MOD_FOLDER, capture_output=True, text=True, check=False)
    assert "ERROR" not in checked.stdout + checked.stderr
    assert checked.returncode == 0


@pytest.mark.parametrize("name", MECHANISMS)
def test_ready_for_threads_and_coreneuron(name: str) -> None:
    words = (MOD_FOLDER / f"{name}.mod").read_text().split()
    assert "THREADSAFE" in words
    assert not {"POINTER", "VERBATIM", "GLOBAL", "TABLE"} & set(words)
