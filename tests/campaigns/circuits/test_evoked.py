"""Evoked responses as targets of a campaign: in its file, its stages, its final runs and its report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from rheobase.campaigns.circuits.building import build_blueprint, build_targets
from rheobase.campaigns.circuits.confirming import final_trials
from rheobase.campaigns.circuits.evoked_waves import evoked_waves
from rheobase.campaigns.circuits.running import check_circuit
from rheobase.campaigns.circuits.schema import CircuitCampaign
from rheobase.campaigns.circuits.stages import build_stages
from rheobase.campaigns.circuits.stimuli import onsets, volleys
from rheobase.campaigns.circuits.subject import make_subject
from rheobase.campaigns.circuits.trial_record import read_trials
from rheobase.features.errors import RheobaseError
from rheobase.features.signals.signal import Signal
from rheobase.fitting.circuits.circuit import Trial
from rheobase.fitting.circuits.head import Magnetometer, eeg_lead_field
from rheobase.fitting.circuits.judging import judge
from rheobase.fitting.circuits.neuron_circuit import NeuronCircuit
from tests.campaigns.circuits import evoking
from tests.campaigns.circuits.tiny import load_circuit, write_tiny_circuit
from tests.campaigns.processes import Running

if TYPE_CHECKING:
    from pathlib import Path

STIMULI = """\
  stimuli:
    clicks: {fibres: 20, frequency: 40 Hz, start: 600 ms, train: 300 ms, every: 500 ms, trains: 3, jitter: 1 ms}
    tones: {fibres: 20, start: 600 ms, participation: 80 %, oddball: {tones: 12, deviants: 25 %, interval: 100 ms, standards_first: 2, standards_between: 1, fibres: 10, overlap: 10 %}}
targets:
"""  # noqa: E501
EVOKED = """\
  tolerance: 40 %
  evoked:
    - stimulus: clicks
      window: -50 ms to 300 ms
      scale: 1000
      steady_state: {frequency: 40 Hz, window: 0 ms to 300 ms, coherence: {value: 0.8, tolerance: 0.2}, power_ratio: {value: 10 dB, tolerance: 5 dB}}
    - name: mismatch
      stimulus: tones
      window: -20 ms to 95 ms
      baseline: -20 ms to 0 ms
      components: [{name: MMN, polarity: negative, window: 10 ms to 90 ms, amplitude: {value: -1 uV, tolerance: 0.5 uV}, latency: {value: 40 ms, tolerance: 10 ms}}]
"""  # noqa: E501
CHANGES = (
    ("targets:\n", STIMULI),
    ("  tolerance: 40 %\n", EVOKED),
    ("    probabilities:\n", '      - {source: "clicks", target: "*", synapse: excitation, conductance: 2 nS}\n'
     '      - {source: "tones*", target: "*", synapse: excitation, conductance: 2 nS}\n    probabilities:\n'),
    ("L4_A: {L4_A: 0.3, L4_B: 0.5}", "L4_A: {L4_A: 0.3, L4_B: 0.5, clicks: 0.5, tones: 0.5, tones_deviant: 0.5}"),
)  # fmt: skip
KEYS = [
    "clicks.coherence_40Hz", "clicks.power_ratio_40Hz", "mismatch.MMN_amplitude", "mismatch.MMN_latency",
]  # fmt: skip


@pytest.fixture
def campaign(tmp_path: Path) -> CircuitCampaign:
    return load_circuit(write_tiny_circuit(tmp_path, *CHANGES))


def test_trains_and_oddballs_become_volleys(campaign: CircuitCampaign) -> None:
    found = {one.name: one for one in build_blueprint(campaign).stimuli}
    assert set(found) == {"clicks", "tones", "tones_deviant"}
    expected = [start + 25.0 * click for start in (600.0, 1100.0, 1600.0) for click in range(12)]
    assert found["clicks"].times_ms == pytest.approx(expected)
    tones, deviant = found["tones"], found["tones_deviant"]
    assert tones.times_ms == deviant.times_ms == tuple(600.0 + 100.0 * number for number in range(12))
    assert (tones.fibres, deviant.fibres) == (20, 10)
    is_deviant = np.isclose(tones.participation, 0.08)
    assert is_deviant.sum() == 3
    assert np.allclose(np.array(tones.participation)[~is_deviant], 0.8)
    assert np.allclose(np.array(deviant.participation)[is_deviant], 0.8)
    assert np.allclose(np.array(deviant.participation)[~is_deviant], 0.08)
    times = onsets(campaign.ours.stimuli["tones"])
    assert times.deviants_ms == tuple(np.array(tones.times_ms)[is_deviant])
    assert volleys("tones", campaign.ours.stimuli["tones"]) == (tones, deviant), "the sequence is fixed by its seed"


def test_they_are_targets_of_the_spectrum_stage_with_rates_as_constraints(campaign: CircuitCampaign) -> None:
    targets = build_targets(campaign)
    stages = {stage.name: stage for stage in build_stages(campaign, make_subject(campaign), targets)}
    spectrum = stages["spectrum"]
    assert [one.key for one in spectrum.targets if not one.constraint] == KEYS
    assert {one.key for one in spectrum.targets if one.constraint} == {"rate:L4_A", "rate:L4_B"}
    assert {"clicks->", "tones->", "tones_deviant->"} <= {knob.name for knob in spectrum.free}
    assert set(KEYS) <= {one.key for one in stages["fresh seeds"].targets}
    assert not set(KEYS) & {one.key for one in stages["single projections"].targets}
    # At rest for 100 + 400 ms, then stimuli until the last has been answered.
    assert targets.rest_ms == 500.0
    assert spectrum.simulated.signals
    assert spectrum.simulated.duration_ms == 1910.0
    assert spectrum.simulated.limits is not None
    assert spectrum.simulated.limits.until_ms == 500.0
    assert stages["full circuit"].simulated.duration_ms == 500.0
    assert all(trial.duration_ms == 1910.0 and trial.signals for trial in final_trials(campaign, {}))


def test_check_names_what_is_wanted(campaign: CircuitCampaign) -> None:
    lines: list[str] = []
    check_circuit(campaign, lines.append)
    assert any("clicks: 3 onsets, coherence_40Hz, power_ratio_40Hz" in line for line in lines)
    assert any("mismatch: 3 onsets less 9 standards, MMN_amplitude, MMN_latency" in line for line in lines)


def test_rates_are_those_at_rest_and_responses_are_simulated(campaign: CircuitCampaign) -> None:
    """The clicks drive the cells: counted over the whole trial their rate would be higher."""
    targets, circuit = build_targets(campaign), NeuronCircuit(build_blueprint(campaign))
    response = circuit.simulate(Trial({}, 5, 1910.0, 100.0, signals=True))
    circuit.close()
    judged = {one.key: one.value for one in judge(response, targets)}
    assert set(judged) == {"rate:L4_A", "rate:L4_B", *KEYS}
    spikes = response.spikes.of("L4_A")
    rest_Hz = spikes.between(100.0, 500.0).counts.mean() / 0.4
    assert judged["rate:L4_A"] == pytest.approx(rest_Hz)
    assert spikes.counts.mean() / 1.81 > 1.3 * rest_Hz
    coherence, ratio_dB = judged["clicks.coherence_40Hz"], judged["clicks.power_ratio_40Hz"]
    assert coherence is not None
    assert ratio_dB is not None
    assert coherence > 0.8
    assert ratio_dB > 2.0


MISTAKES = {
    "an unknown stimulus": (
        ("- stimulus: clicks", "- stimulus: clixks"),
        r"targets.evoked.0: there is no stimulus 'clixks' in circuit.stimuli; there are clicks, tones",
    ),
    "a stimulus at rest": (
        ("start: 600 ms, train", "start: 300 ms, train"),
        r"'clicks' comes first at 300 ms, while rates and spectrum are measured at rest until 500 ms",
    ),
    "nothing measured": (
        ("components: [{name: MMN, polarity: negative, window: 10 ms to 90 ms, amplitude: {value: -1 uV, tolerance: "
         "0.5 uV}, latency: {value: 40 ms, tolerance: 10 ms}}]", "components: []"),
        r"give 'components', 'steady_state' or both",
    ),
    "a component beyond the window": (
        ("window: 10 ms to 90 ms", "window: 10 ms to 190 ms"),
        r"MMN, 10 to 190 ms, is not within the window, -20 to 95 ms",
    ),
    "an amplitude without a unit": (("value: -1 uV", "value: -1"), r"expected a quantity with its unit"),
    "an electric amplitude of a field": (
        ("- name: mismatch", "- name: mismatch\n      signal: MEG"),
        r"MMN: expected the 'amplitude' of an EEG \(uV\), or the 'field' of an MEG \(fT\).*; the signal is MEG",
    ),
    "a field of an EEG": (
        ("amplitude: {value: -1 uV, tolerance: 0.5 uV}", "field: {value: -1 fT, tolerance: 0.5 fT}"),
        r"MMN: expected the 'amplitude' of an EEG .*; the signal is EEG",
    ),
    "a field in microvolts": (
        ("amplitude: {value: -1 uV, tolerance: 0.5 uV}", "field: {value: -1 uV, tolerance: 0.5 fT}"),
        r"components.0.field.value: expected a unit like fT, got 'uV'",
    ),
    "a sensor in the head": (
        ("  evoked:\n    - stimulus: clicks",
         "  meg: {sensor: [0 um, 0 um, 70 mm]}\n  evoked:\n    - stimulus: clicks\n      signal: MEG"),
        r"^[^:]*, line \d+, targets.meg: the sensor must lie farther out than the dipole \(78200 um\), got 70000 um",
    ),
    "a ratio without dB": (("value: 10 dB", "value: 10"), r"expected a ratio of powers such as '10 dB'"),
    "deviants of clicks": (
        ("- stimulus: clicks", "- stimulus: clicks\n      response: deviants"),
        r"'clicks' has no deviants: only an oddball sequence",
    ),
    "too few cycles": (
        ("window: 0 ms to 300 ms, coherence", "window: 0 ms to 60 ms, coherence"),
        r"holds 2 cycles of 40 Hz, at least 6 are needed",
    ),
    "one train": (("every: 500 ms, trains: 3", "every: 500 ms, trains: 1"), r"'clicks' comes 1 time in a trial"),
    "overlapping trains": (("every: 500 ms", "every: 200 ms"), r"3 trains of 300 ms need 'every'"),
    "two of one name": (("- name: mismatch", "- name: clicks"), r"two of targets.evoked are called 'clicks'"),
    "too many deviants": (
        ("standards_between: 1", "standards_between: 7"),
        r"3 deviants do not fit into 12 tones",
    ),
    "two kinds of stimulus": (("oddball: {", "times: [3 ms], oddball: {"), r"give either 'times', or 'frequency'"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_said_with_their_place(tmp_path: Path, mistake: str) -> None:
    change, expected = MISTAKES[mistake]
    path = write_tiny_circuit(tmp_path, *CHANGES, change)
    with pytest.raises(RheobaseError, match=expected) as caught:
        build_targets(load_circuit(path))
    assert str(path) in str(caught.value)


OTHERS = f"""\
rheobase: 1
name: evoking
external:
  populations: {{E: 80, I: 20}}
  parameters: ["weight:E->E", "weight:I->E", "weight:clicks->E", "background:E", "background:I"]
  layers: {{all: {{excitatory: [E], inhibitory: [I]}}}}
  function: tests.campaigns.circuits.evoking:simulate
targets:
  rates: {{E: 2 Hz, I: 6 Hz}}
  evoked:
    - name: click
      onsets: [{", ".join(f"{one:g} ms" for one in evoking.ONSETS_MS)}]
      components:
        - {{name: N1, polarity: negative, window: 60 ms to 150 ms, amplitude: {{value: -5 uV, tolerance: 0.5 uV}}, latency: {{value: 100 ms, tolerance: 15 ms}}}}
tuning:
  duration: 2 s
  transient: 100 ms
  trials: 40
  spectrum_knobs: {{clicks: {{parameters: ["weight:clicks->E"]}}}}
"""  # noqa: E501


def test_a_campaign_is_tuned_to_an_evoked_response(tmp_path: Path) -> None:
    """The N1 is -2 uV at first; -5 uV are wanted, which a weight of 2.5 gives."""
    path = tmp_path / "evoking.yaml"
    path.write_text(OTHERS, encoding="utf-8")
    run = Running("run", path, "--out", tmp_path / "run", "--workers", 1)
    assert run.wait(300.0) == 0, run.error
    assert "All 4 targets are met, as means over 5 seeds that the tuning has not seen" in run.error
    trials = list(read_trials(tmp_path / "run" / "trials.jsonl"))
    first = next(trial for trial in trials if trial.stage == "spectrum")
    assert first.told.outcome.values["click.N1_amplitude"] == pytest.approx(evoking.MICROVOLTS, abs=0.7)
    tuned = (tmp_path / "run" / "tuned.yaml").read_text(encoding="utf-8")
    weight = float(next(line for line in tuned.splitlines() if "weight:clicks->E" in line).rpartition(":")[2])
    assert weight == pytest.approx(2.5, abs=0.4)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Responses to stimuli" in page
    assert "click N1 amplitude" in page


def test_fields_are_targets_as_potentials_are(tmp_path: Path) -> None:
    """The same dipole, seen by a magnetometer beside it: the N1 in fT, and its coherence as in the EEG."""
    path = tmp_path / "evoking.yaml"
    sensor = Magnetometer(tilt_deg=60.0)
    one_uV = Signal(np.array([[0.0], [0.0], [1e-3 / eeg_lead_field()[2]]]), 1.0, "nA um", ("x", "y", "z"))
    fT_per_uV = float(sensor.signal(one_uV).values[0, 0])
    field = OTHERS.replace("    - name: click", "    - name: click\n      signal: MEG")
    field = field.replace("amplitude: {value: -5 uV, tolerance: 0.5 uV}", "field: {value: 10 fT, tolerance: 1 fT}")
    path.write_text(field.replace("  evoked:", "  meg: {tilt: 60 deg}\n  evoked:"), encoding="utf-8")
    magnetic = build_targets(load_circuit(path))
    path.write_text(OTHERS, encoding="utf-8")
    response = evoking.simulate(Trial({}, seed=1, duration_ms=4200.0, dropped_ms=100.0, signals=True))
    seen, potential = (
        {one.name: one.value for one in judge(response, targets)}
        for targets in (magnetic, build_targets(load_circuit(path)))
    )
    assert 5.0 < fT_per_uV < 30.0
    assert potential["click.N1_amplitude"] == pytest.approx(evoking.MICROVOLTS, abs=0.7)
    assert seen["click.N1_amplitude"] == pytest.approx(fT_per_uV * potential["click.N1_amplitude"])
    assert [one.unit for one in judge(response, magnetic) if one.name == "click.N1_amplitude"] == ["fT"]
    (wave,) = evoked_waves([response], magnetic)
    assert wave.unit == "fT"


def test_a_file_without_fields_is_the_same_as_before(campaign: CircuitCampaign) -> None:
    """Folders that older versions began can be resumed."""
    text = str(campaign.essence()["targets"])
    assert not any(word in text for word in ("'meg'", "'signal'", "'field'"))


VOLLEYS = ", ".join(f"{600 + 150 * number} ms" for number in range(10))
CLICKS = (
    ("targets:\n", f"  stimuli:\n    clicks: {{fibres: 40, times: [{VOLLEYS}], jitter: 1 ms}}\ntargets:\n"),
    (
        "  tolerance: 40 %\n",
        "  tolerance: 40 %\n  evoked:\n    - stimulus: clicks\n      window: -20 ms to 120 ms\n"
        "      baseline: -20 ms to 0 ms\n      scale: 100000\n"
        "      components: [{name: P20, polarity: positive, window: 3 ms to 60 ms, "
        "amplitude: {value: 2.4 uV, tolerance: 0.4 uV}}]\n",
    ),
    (
        "    probabilities:\n",
        '      - {source: "clicks", target: "*", synapse: excitation, conductance: 1.5 nS}\n    probabilities:\n',
    ),
    ("L4_A: {L4_A: 0.3, L4_B: 0.5}", "L4_A: {L4_A: 0.3, L4_B: 0.5, clicks: 0.5}"),
    ("trials: 16", 'trials: 24, spectrum_knobs: {clicks: {parameters: ["weight:clicks->L4_A"]}}'),
)


def test_a_circuit_of_neuron_is_tuned_to_an_evoked_response(tmp_path: Path) -> None:
    """Too small at first: the thalamic weight must grow two- to threefold, while rates at rest stay."""
    run = Running("run", write_tiny_circuit(tmp_path, *CLICKS), "--out", tmp_path / "run", "--workers", 2)
    assert run.wait(600.0) == 0, run.error
    assert "All 3 targets are met, as means over 2 seeds that the tuning has not seen" in run.error
    trials = list(read_trials(tmp_path / "run" / "trials.jsonl"))
    first = next(trial for trial in trials if trial.stage == "spectrum")
    assert first.told.outcome.values["clicks.P20_amplitude"] < 1.5
    tuned = (tmp_path / "run" / "tuned.yaml").read_text(encoding="utf-8")
    weight = float(next(line for line in tuned.splitlines() if "weight:clicks->L4_A" in line).rpartition(":")[2])
    assert 1.5 < weight < 5.0
