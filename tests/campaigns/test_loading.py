"""Bad campaign files: one clear message with file, line and key, exit code 2, and never a traceback."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rheobase.campaigns.building import build_model
from rheobase.campaigns.loading import (
    channel_sets,
    find_campaign,
    find_ready,
    library,
    load_any_campaign,
    load_campaign,
    load_measurement,
)
from rheobase.campaigns.schema import Campaign
from rheobase.campaigns.schema_types import CANONICAL
from rheobase.features.errors import CampaignError, ModelError
from tests.campaigns.refusals import refused
from tests.campaigns.tiny import TINY, write_tiny


def _line_of(text: str, piece: str) -> int:
    return text[: text.index(piece)].count("\n") + 1


# (piece of the campaign, what it becomes, key in the message, message)
_CHANGES = [
    ("seed: 3", "sede: 3", "sede", r"unknown key; did you mean 'seed'\?"),
    ("  population: 6", "  populaton: 6", "search.populaton", r"unknown key; did you mean 'population'\?"),
    ("    cells: 2", "    cell: 2", "recordings.surrogates.cell", r"unknown key; did you mean 'cells'\?"),
    ("  size: 3", "  colour: red", "ensemble.colour", r"unknown key; known keys here: largest_score, size"),
    ("  junction_potential: 14 mV", "  junction_potential: 14", "recordings.junction_potential",
     r"expected a quantity with its unit, such as '1 mV', got 14"),
    ("  junction_potential: 14 mV", "  junction_potential: 14 nA", "recordings.junction_potential",
     r"expected a unit like mV, got 'nA'"),
    ("  junction_potential: 14 mV", "  junction_potential: 14 parrots", "recordings.junction_potential",
     r"'parrots' is not a unit"),
    ("  temperature: 34 degC", "  temperature: 34", "model.temperature", r"such as '34 degC', got 34"),
    ("  temperature: 34 degC", "  temperature: warm degC", "model.temperature", r"such as '34 degC', got 'warm degC'"),
    ("  settle: 300 ms", "  settle: -300 ms", "evaluation.settle", r"greater than 0, got -300"),
    ("  evaluations: 18", "  evaluations: many", "search.evaluations", r"valid integer.*got 'many'"),
    ("  deterministic: true", "  deterministic: true\n  algorithm: ibae", "search.algorithm",
     r"there is no 'ibae'; did you mean 'ibea'\?"),
    ("[mean_frequency, AP_amplitude]", "[mean_frequency, AP_amplitud]", "features.protocols.IDrest.features.1",
     r"AP_amplitud.*AP_amplitude"),
    ("[mean_frequency, AP_amplitude]", "[spike_cunt]", "features.protocols.IDrest.features.0", r"spike_cunt"),
    ("      levels: [200 %]", "      levels: [200]", "features.protocols.IDrest.levels.0", r"such as '1 %', got 200"),
    ("      levels: [200 %]", "      levels: []", "features.protocols.IDrest.levels", r"at least 1 item"),
    ("      levels: [200 %]", "      levels: [200 %]\n      window: 50 to 10 ms", "features.protocols.IDrest.window",
     r"the lower bound must be below the upper one, got '50 to 10 ms'"),
    ("    gNaTgbar_NaTg.somatic: 0.1 to 1 S/cm2", "    gNaTgbar_NaTg.somatic: 1 to 0.1 S/cm2",
     "model.parameters.gNaTgbar_NaTg.somatic", r"the lower bound must be below the upper one, got '1 to 0\.1 S/cm2'"),
    ("    gNaTgbar_NaTg.somatic: 0.1 to 1 S/cm2", "    gNaTgbar_NaTg.somatic: 0.1 to 1",
     "model.parameters.gNaTgbar_NaTg.somatic", r"has no unit: write '0\.1 to 1 S/cm2'"),
    ("    gNaTgbar_NaTg.somatic: 0.1 to 1 S/cm2", "    gNaTgbar_NaTg.somatic: 0.1 to 1 mV",
     "model.parameters.gNaTgbar_NaTg.somatic", r"expected a unit like S/cm2, got 'mV'"),
    ("    gNaTgbar_NaTg.somatic: 0.1 to 1 S/cm2", "    gNaTgbr_NaTg.somatic: 0.1 to 1 S/cm2",
     "model.parameters.gNaTgbr_NaTg.somatic", r"'NaTg' has no parameter 'gNaTgbr_NaTg' \(did you mean 'gNaTgbar_NaTg'"),
    ("    gNaTgbar_NaTg.somatic: 0.1 to 1 S/cm2", "    gbar_NaX.somatic: 0.1 to 1 S/cm2",
     "model.parameters.gbar_NaX.somatic", r"no mechanism declares 'gbar_NaX'.*known mechanisms: .*NaTg"),
    ("    gNaTgbar_NaTg.somatic: 0.1 to 1 S/cm2", "    gNaTgbar_NaTg.somatik: 0.1 to 1 S/cm2",
     "model.parameters.gNaTgbar_NaTg.somatik", r"'somatik' is not a section list \(did you mean 'somatic'\?\)"),
    ("    gNaTgbar_NaTg.somatic: 0.1 to 1 S/cm2", "    gNaTgbar_NaTg: 0.1 to 1 S/cm2",
     "model.parameters.gNaTgbar_NaTg", r"the variable, a dot, the section list"),
    ("{value: 1e-5 to 2e-4 S/cm2, scale: logarithmic}", "{value: 0 to 2e-4 S/cm2, scale: logarithmic}",
     "model.parameters.g_pas.all", r"a logarithmic scale needs a lower bound above zero"),
    ("{value: 1e-5 to 2e-4 S/cm2, scale: logarithmic}", "{value: 1e-5 to 2e-4 S/cm2, scale: log}",
     "model.parameters.g_pas.all.scale", r"'linear' or 'logarithmic', got 'log'"),
    ("{value: 1e-5 to 2e-4 S/cm2, scale: logarithmic}", "{value: 1e-5 to 2e-4 S/cm2, distribution: faraway}",
     "model.parameters.g_pas.all", r"the distribution 'faraway' is not defined.*uniform"),
    ("  axon: keep", "  axon: keep\n  channels: neocortical", "model.channels",
     r"there is no set 'neocortical'; did you mean 'neocortical_pyramidal'\?"),
    ("  axon: keep", "  axon: keep\n  mechanisms: nowhere", "model.mechanisms", r"the mechanisms folder .*nowhere"),
    ("small_pyramid.swc", "small_pyramyd.swc", "model.morphology", r"morphologies/small_pyramyd\.swc does not exist"),
    ("small_pyramid.swc", "small_pyramid.nml", "model.morphology", r"expected a morphology of kind \.swc, \.asc, \.h5"),
    ("      g_pas.all: 4e-5 S/cm2\n", "", "recordings.surrogates.hidden", r"missing: g_pas\.all; not free: none"),
    ("      g_pas.all: 4e-5 S/cm2\n", "      g_pas.all: 4e-5 S/cm2\n      cm.all: 1 uF/cm2\n",
     "recordings.surrogates.hidden", r"missing: none; not free: cm\.all"),
    ("      g_pas.all: 4e-5 S/cm2\n", "      g_pas.all: 4e-3 S/cm2\n", "recordings.surrogates.hidden.g_pas.all",
     r"4e-3 S/cm2 is outside the bounds 1e-05 to 0\.0002 S/cm2"),
    ("      g_pas.all: 4e-5 S/cm2\n", "      g_pas.all: 4e-5 mV\n", "recordings.surrogates.hidden.g_pas.all",
     r"expected a unit like S/cm2, got 'mV'"),
    ("name: tiny", "name: ../tiny", "name", r"should match pattern.*got '\.\./tiny'"),
    ("name: tiny", "name: tiny/two", "name", r"should match pattern"),
    ("rheobase: 1", "rheobase: 2", "rheobase", r"Input should be 1, got 2"),
]  # fmt: skip


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize(
    ("old", "new", "key", "message"), _CHANGES, ids=[f"{c[2]}-{n}" for n, c in enumerate(_CHANGES)]
)
def test_a_wrong_key_is_told_with_file_line_and_key(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    old: str,
    new: str,
    key: str,
    message: str,
) -> None:
    path = write_tiny(tmp_path, (old, new))
    said = refused(capsys, monkeypatch, command, path, *(["--out", tmp_path / "run"] if command == "run" else []))
    found = re.fullmatch(rf"{re.escape(str(path))}, line (\d+), {re.escape(key)}: (.*)", said, re.DOTALL)
    assert found, said
    assert re.search(message, found[2]), said
    assert not (tmp_path / "run" / "state.json").exists()
    changed, fragment = path.read_text(encoding="utf-8"), key.rpartition(".")[2]
    begin = _line_of(changed, new.strip().splitlines()[0]) if new else 1
    nearby = changed.splitlines()[int(found[1]) - 1]
    assert fragment in nearby or abs(int(found[1]) - begin) <= 8, f"line {found[1]} is {nearby!r}"


def test_the_line_is_the_right_one(tmp_path: Path) -> None:
    path = write_tiny(tmp_path, ("  population: 6", "  populaton: 6"))
    expected = _line_of(path.read_text(encoding="utf-8"), "populaton")
    with pytest.raises(CampaignError, match=rf"line {expected}, search\.populaton: unknown key"):
        load_campaign(path)
    path = write_tiny(tmp_path, ("    ek.somatic: -85 mV", "    ek.somatic: -85 nA"))
    expected = _line_of(path.read_text(encoding="utf-8"), "-85 nA")
    with pytest.raises(ModelError, match=rf"line {expected}, model\.parameters\.ek\.somatic: expected a unit like mV"):
        build_model(load_campaign(path))


def test_several_mistakes_are_told_at_once(tmp_path: Path) -> None:
    path = write_tiny(tmp_path, ("seed: 3", "sede: 3"), ("  evaluations: 18", "  evaluations: 0"))
    with pytest.raises(CampaignError) as refused:
        load_campaign(path)
    assert len(str(refused.value).splitlines()) == 2
    assert re.search("(?m)sede: unknown key", str(refused.value))
    assert re.search("(?m)search.evaluations: .* greater than or equal to 1, got 0", str(refused.value))


def test_what_follows_from_a_mistake_is_not_told(tmp_path: Path) -> None:
    levels = "features.protocols.IDrest.levels"
    for wrong in ("150", "150 nAm"):
        with pytest.raises(CampaignError, match=rf"^--set {levels}\.0: ") as refused:
            load_measurement([tmp_path], None, [f"{levels}=[{wrong}]", f"{levels[:-7]}.features=[Spikecount]"])
        assert len(str(refused.value).splitlines()) == 1
        assert str(refused.value).count(" got ") == 1
    with pytest.raises(CampaignError, match=r"levels: .* at least 1 item"):
        load_measurement([tmp_path], None, [f"{levels}=[]", "features.protocols.IDrest.features=[Spikecount]"])


@pytest.mark.parametrize("key", ["rheobase", "name", "model"])
def test_a_missing_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    path = write_tiny(tmp_path)
    text = re.sub(rf"(?m)^{key}:.*\n(?:  .*\n)*", "", TINY)
    path.write_text(text, encoding="utf-8")
    said = refused(capsys, monkeypatch, "check", path)
    assert said == f"{path}, {key}: this key is missing; it has no default"


@pytest.mark.parametrize(
    ("old", "new"), [("recordings:", "recording:"), ("recordings:", "targets: {features: x.json}\nrecordings:")]
)
def test_either_recordings_or_a_table_of_targets(tmp_path: Path, old: str, new: str) -> None:
    path = write_tiny(tmp_path, (old, new))
    if new == "recording:":
        path.write_text(
            re.sub(r"(?m)^recording:.*\n(?:  .*\n)*", "", path.read_text(encoding="utf-8")), encoding="utf-8"
        )
    with pytest.raises(CampaignError, match=r"tiny\.yaml: give either 'recordings', .*, or 'targets', a table"):
        load_campaign(path)


def test_a_missing_nested_key(tmp_path: Path) -> None:
    path = write_tiny(tmp_path, ("  morphology: morphologies/small_pyramid.swc\n", ""))
    with pytest.raises(CampaignError, match=r"tiny\.yaml, line \d+, model\.morphology: this key is missing"):
        load_campaign(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed: 3", "seed: 3\nseed: 4", r"line 4: found duplicate key \"?'?seed.*; keep one of them"),
        ("  population: 6", "  population: 6\n  population: 7", r"line \d+: found duplicate key .*population"),
        ("seed: 3", "seed: [3", r"line \d+: not valid YAML: "),
        ("seed: 3", "\tseed: 3", r"line 3: not valid YAML: .*\\t"),
        ("seed: 3", "seed 3", r"line \d: not valid YAML: "),
        ('name: tiny', 'name: "tiny', r"line \d+: not valid YAML: "),
    ],
)  # fmt: skip
def test_what_is_not_yaml(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    old: str,
    new: str,
    message: str,
) -> None:
    path = write_tiny(tmp_path, (old, new))
    said = refused(capsys, monkeypatch, "check", path)
    assert said.startswith(f"{path}, ")
    assert re.search(message, said), said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected keys like 'name: ...', got NoneType"),
        (b"- a\n- b\n", "expected keys like 'name: ...', got CommentedSeq"),
        (b"just text", "expected keys like 'name: ...', got "),
        (b"\xff\xfe\x00name", "not valid YAML: "),
        (b"name: \x00tiny\n", "not valid YAML: "),
    ],
)
def test_files_of_another_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    path = tmp_path / "odd.yaml"
    path.write_bytes(content)
    said = refused(capsys, monkeypatch, "check", path)
    assert said.startswith(str(path))
    assert message in said


def test_missing_files_and_misspelt_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = refused(capsys, monkeypatch, "run", "mine.yaml")
    assert said.startswith("there is no campaign file 'mine.yaml', and no ready campaign of that name; the library")
    assert "demo" in said
    said = refused(capsys, monkeypatch, "run", "dmeo")
    assert said == "there is no campaign file 'dmeo', and no ready campaign of that name; did you mean 'demo'?"
    (tmp_path / "demo").mkdir()
    assert find_campaign("demo") == library()["demo"], "a folder is no campaign"
    with pytest.raises(CampaignError, match="the library has no 'neocortical_pyramidl'; did you mean 'neocortical_pyr"):
        find_ready("neocortical_pyramidl")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("search.evaluations", "--set search.evaluations: expected KEY=VALUE, such as search.evaluations=500"),
        ("=5", "--set =5: expected KEY=VALUE"),
        ("search.evaluations=[5", "--set search.evaluations=[5: '[5' is not valid YAML"),
        ("search.evaluatons=5", "--set search.evaluatons: unknown key; did you mean 'evaluations'?"),
        ("serach.evaluations=5", "--set serach.evaluations: unknown key; did you mean 'search'?"),
        ("search.evaluations=many", "--set search.evaluations: Input should be a valid integer"),
        ("search.evaluations=", "--set search.evaluations: Input should be a valid integer"),
        ("seed.more=1", "--set seed.more=1: 'seed' is a value, not a group of keys"),
        ("recordings.junction_potential=14", "--set recordings.junction_potential: expected a quantity with its unit"),
        (
            "recordings.surrogates.hidden.gx.all=1 S/cm2",
            "hidden: expected a value for each free parameter; missing:",
        ),
        ("recordings.folder=here", "recordings: give either 'folder', where the recordings lie, or 'surrogates'"),
        (
            "model.parameters.g_pas.all=1 to 2 mV",
            "--set model.parameters.g_pas.all: expected a unit like S/cm2, got 'mV'",
        ),
        ("model.morphology=no.swc", "--set model.morphology: the morphology "),
        ("model.channels=x", "--set model.channels: there is no set 'x'"),
        ("cluster.workers=0", "--set cluster.workers: Input should be greater than or equal to 1, got 0"),
    ],
)
def test_wrong_overrides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, override: str, message: str
) -> None:
    said = refused(capsys, monkeypatch, "check", write_tiny(tmp_path), "--set", override)
    assert message in said, said


def test_overrides_reach_parameters_whose_names_have_dots(tmp_path: Path) -> None:
    path = write_tiny(tmp_path)
    campaign = load_campaign(
        path,
        [
            "model.parameters.g_pas.all=2e-5 to 3e-5 S/cm2",
            "search.stages.only.bounds.g_pas.all=2e-5 to 2.5e-5 S/cm2",
            "model.parameters.gIhbar_Ih.all=1e-5 S/cm2",
            "model.parameters.cm.all={value: 1 to 2 uF/cm2}",
            "model.parameters.gNaTgbar_NaTg.somatic=",
            "recordings.surrogates.hidden.g_pas.all=2.5e-5 S/cm2",
            "features.protocols.IDrest.levels=[150 %]",
            "search.wall_time=2 min",
        ],
    )
    texts = {name: entry and entry.value for name, entry in campaign.model.parameters.items()}
    assert texts["g_pas.all"] == "2e-5 to 3e-5 S/cm2"
    assert campaign.model.parameters["g_pas.all"].scale == "logarithmic", "the rest of the entry stays"  # type: ignore[union-attr]
    assert texts["gIhbar_Ih.all"] == "1e-5 S/cm2"
    assert texts["cm.all"] == "1 to 2 uF/cm2"
    assert texts["gNaTgbar_NaTg.somatic"] is None
    assert campaign.recordings.surrogates is not None
    assert campaign.recordings.surrogates.hidden["g_pas.all"] == "2.5e-5 S/cm2"
    (level,) = campaign.features.protocols["IDrest"].levels
    assert level.amplitude.value == 150.0
    assert campaign.search.wall_time == 120.0
    names = {parameter.name for parameter in build_model(campaign).parameters}
    assert "gIhbar_Ih.all" in names
    assert "gNaTgbar_NaTg.somatic" not in names


def test_relative_paths_are_those_of_the_file_and_overrides_those_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path / "b")
    path = write_tiny(tmp_path / "a")
    assert (
        load_campaign(Path("../a/tiny.yaml")).model.morphology == tmp_path / "a" / "morphologies" / "small_pyramid.swc"
    )
    overridden = load_campaign(path, ["model.morphology=mine.swc", "model.mechanisms=~/mod"])
    assert overridden.model.morphology == tmp_path / "b" / "mine.swc"
    assert overridden.model.mechanisms == Path.home() / "mod"
    assert load_campaign(path, ["model.morphology=/x/y.swc"]).model.morphology == Path("/x/y.swc")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("broken.swc", b"this is no neuron", r"broken\.swc cannot be read as a morphology"),
        ("broken.asc", b"((((", r"broken\.asc cannot be read as a morphology"),
        ("broken.h5", b"\x89HDF", r"broken\.h5 cannot be read as a morphology"),
        ("headless.swc", b"1 3 0 0 0 1 -1\n2 3 9 0 0 1 1\n", r"headless\.swc has no soma"),
        ("empty.swc", b"", r"empty\.swc"),
    ],
)
def test_unreadable_morphologies(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: bytes,
    message: str,
) -> None:
    path = write_tiny(tmp_path, ("small_pyramid.swc", name))
    (tmp_path / "morphologies" / name).write_bytes(content)
    said = refused(capsys, monkeypatch, "check", path)
    assert re.match(rf"{re.escape(str(path))}, line \d+, model\.morphology: ", said), said
    assert re.search(message, said), said


def test_ready_files_can_be_read() -> None:
    for path in library().values():
        load_any_campaign(path)
    assert "neocortical_pyramidal" in channel_sets()


def test_a_time_step_needs_fixed_steps(tmp_path: Path) -> None:
    path = write_tiny(tmp_path)
    step = "evaluation.time_step='0.1 ms'"
    with pytest.raises(CampaignError, match=r"'time_step' needs fixed steps: give 'integrator: fixed'"):
        load_campaign(path, [step])
    with pytest.raises(CampaignError, match=r"evaluation\.time_step: Input should be less than or equal to 1"):
        load_campaign(path, ["evaluation.time_step='2 ms'", "evaluation.integrator=fixed"])
    assert load_campaign(path, [step, "evaluation.integrator=coreneuron"]).evaluation.time_step == 0.1
    plain = load_campaign(path)
    assert Campaign.model_validate(plain.model_dump(mode="json"), context=CANONICAL).evaluation == plain.evaluation
