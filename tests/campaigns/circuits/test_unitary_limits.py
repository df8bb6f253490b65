"""Unitary potentials of paired recordings limit what tuning may do to gains."""

from __future__ import annotations

import csv
import json
import math
import signal
from pathlib import Path

import pytest

from rheobase.campaigns.circuits.building import build_blueprint, build_targets
from rheobase.campaigns.circuits.running import check_circuit
from rheobase.campaigns.circuits.schema_targets import UnitaryKeys
from rheobase.campaigns.circuits.subject import make_subject
from rheobase.campaigns.circuits.trial_record import read_trials
from rheobase.campaigns.circuits.unitary_limits import limits_mV
from rheobase.campaigns.loading import library
from rheobase.features.errors import RheobaseError
from rheobase.fitting.circuits.unitary import PairedRecording, unitary_potentials
from tests.campaigns.circuits.tiny import load_circuit, write_tiny_circuit
from tests.campaigns.processes import Running

MEASURED = Path(__file__).parents[4] / "shared" / "data" / "mouse_v1_rates" / "psp_characterization.csv"
# A to B is .3 nS as described: some tenths of a millivolt; twenty times of that are asked for.
UNITARY = '  tolerance: 40 %\n  unitary: {"L4_A->L4_B": {amplitude: 8 mV, factor: 1.5}, "L4_A->*": {amplitude: 1 mV}}\n'


def test_limits_by_a_factor_or_a_spread(tmp_path: Path) -> None:
    campaign = load_circuit(write_tiny_circuit(tmp_path, ("  tolerance: 40 %\n", UNITARY)))
    assert limits_mV(campaign, make_subject(campaign)) == {"L4_A->L4_B": (8.0 / 1.5, 12.0)}
    lines: list[str] = []
    check_circuit(campaign, lines.append)
    assert any("gains of 1 projections limited by unitary potentials" in line for line in lines)
    spread = UnitaryKeys.model_validate({"amplitude": "1 mV", "std": "0.5 mV"})
    assert spread.allowed_factor == pytest.approx(math.exp(math.sqrt(math.log(1.25))))
    assert UnitaryKeys.model_validate({"amplitude": "1 mV"}).allowed_factor is None


@pytest.mark.skipif(not MEASURED.exists(), reason="needs ../shared/data (paired recordings of mouse V1)")
def test_the_spread_of_paired_recordings_is_a_factor_of_some_two() -> None:
    """Campagnola, Seeman et al. 2022: L4 pyramidal cells onto each other and onto PV cells."""
    with MEASURED.open(encoding="utf-8") as file:
        rows = {row["connection"]: row for row in csv.DictReader(file, delimiter=" ")}
    for name, expected in {"l4_pyr__to__l4_pyr": 2.36, "l4_pyr__to__pvalb": 1.89}.items():
        row = rows[name]
        keys = UnitaryKeys.model_validate({"amplitude": f"{row['mean_resting']} mV", "std": f"{row['std_resting']} mV"})
        assert keys.allowed_factor == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("factor: 1.5", "factor: 1.5, std: 1 mV"), "give 'factor' or 'std', not both"),
        (("L4_A->L4_B", "L4_A->L5_B"), r"targets.unitary.L4_A->L5_B: no projection is called so"),
        (("factor: 1.5", "factor: 0.5"), r"targets.unitary.L4_A->L4_B.factor: Input should be greater than 1"),
    ],
)
def test_mistakes_are_said_with_their_place(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    path = write_tiny_circuit(tmp_path, ("  tolerance: 40 %\n", UNITARY.replace(*change)))
    with pytest.raises(RheobaseError, match=expected) as caught:
        check_circuit(load_circuit(path), lambda _: None)
    assert str(path) in str(caught.value)


def test_others_cannot_be_limited(tmp_path: Path) -> None:
    path = tmp_path / "others.yaml"
    path.write_text(
        "rheobase: 1\nname: others\nexternal: {populations: {E: 8, I: 2}, parameters: [background:E, 'weight:E->I'],\n"
        "  layers: {all: {excitatory: [E], inhibitory: [I]}}, command: [ls]}\n"
        "targets: {rates: {E: 2 Hz, I: 6 Hz}, unitary: {'E->I': {amplitude: 1 mV, factor: 2}}}\n",
        encoding="utf-8",
    )
    campaign = load_circuit(path)
    with pytest.raises(RheobaseError, match="unitary potentials of somebody else's circuit cannot be measured"):
        limits_mV(campaign, make_subject(campaign))


def test_what_is_shown_alone_changes_no_record() -> None:
    campaign = load_circuit(library()["cortical_column"])
    essence = campaign.essence()
    assert campaign.targets.unitary
    assert "unitary" not in essence["targets"]
    assert "evoked" not in essence["targets"]
    build_targets(campaign)


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("limited")
    return write_tiny_circuit(folder, ("  tolerance: 40 %\n", UNITARY), ("trials: 16", "trials: 8"))


@pytest.fixture(scope="module")
def whole(limited: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    run = Running("run", limited, "--out", folder, "--workers", 1)
    assert run.wait(300.0) == 0, run.error
    assert "L4_A->L4_B as described has a unitary potential of" in run.error
    return folder


def test_no_trial_goes_beyond_what_data_allow(whole: Path) -> None:
    limits = json.loads((whole / "unitary_limits.json").read_text(encoding="utf-8"))["L4_A->L4_B"]
    assert 1.0 < limits["smallest"] < limits["largest"], "as described it is too weak"
    gains = [one.parameters["weight:L4_A->L4_B"] for one in read_trials(whole / "trials.jsonl")]
    assert all(limits["smallest"] * 0.999999 <= gain <= limits["largest"] * 1.000001 for gain in gains)
    unitary_mV = json.loads((whole / "final" / "unitary.json").read_text(encoding="utf-8"))
    assert 0.95 * 8.0 / 1.5 < unitary_mV["L4_A->L4_B"] < 1.05 * 12.0


def test_killed_at_other_instants_it_is_the_same(limited: Path, whole: Path, tmp_path: Path) -> None:
    """Before anything is tuned, with the last trial just written, and between the final seeds."""
    folder = tmp_path / "run"
    lines = (whole / "trials.jsonl").read_bytes().count(b"\n")
    instants = (
        lambda: (folder / "unitary_limits.json").exists(),
        lambda: (folder / "trials.jsonl").read_bytes().count(b"\n") >= lines,
        lambda: (folder / "final" / "seed-00.npz").exists(),
    )
    for instant in instants:
        run = Running("run", limited, "--out", folder, "--workers", 1)
        run.wait_until(instant)
        run.kill()
        assert run.wait() == -signal.SIGKILL
        assert run.left_behind(20.0, "simulator_process") == []
    run = Running("run", limited, "--out", folder, "--workers", 1)
    assert run.wait(300.0) == 0, run.error
    one, other = (
        [(trial.stage, trial.parameters, trial.seed, trial.told.outcome.values) for trial in read_trials(path)]
        for path in (folder / "trials.jsonl", whole / "trials.jsonl")
    )
    assert one == other
    for name in ("tuned.yaml", "unitary_limits.json", "final/unitary.json"):
        assert (folder / name).read_text(encoding="utf-8") == (whole / name).read_text(encoding="utf-8")
    assert (folder / "report.html").exists()


def test_cells_that_cannot_be_held_are_left_out() -> None:
    """Pyramidal cells stay at -60 mV, whatever the inhibition; of the fast-spiking ones some fire or run away."""
    circuit = build_blueprint(load_circuit(library()["demo_circuit"]))
    recording = PairedRecording(places=1)
    for name, some_are in (("L4_PV->L4_E", False), ("L4_PV->L4_PV", True)):
        (one,) = unitary_potentials(circuit, {}, recording, (name,))
        (tenth,) = unitary_potentials(circuit, {f"weight:{name}": 0.1}, recording, (name,))
        assert (one.left_out > 0, tenth.left_out > 0) == (some_are, some_are)
        if some_are:
            continue
        assert tenth.mean_mV == pytest.approx(0.1 * (one.mean_mV or 0.0), rel=0.25)
