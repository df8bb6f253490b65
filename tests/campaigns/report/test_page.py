"""The page is whole, names everything, says the verdict plainly and survives campaigns that went wrong."""

from __future__ import annotations

import dataclasses
import math
import re
import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from rheobase.campaigns.report.data import ReportData
from rheobase.campaigns.report.page import render_report
from rheobase.features.targets import FeatureTargets
from rheobase.fitting.ensembles.ensemble import Ensemble
from rheobase.objectives.scores import FAILURE_SCORE
from tests.campaigns.report.example import MANY_STEPS, STEPS, example_data
from tests.campaigns.report.reading import Page

SMALL = {
    "steps": STEPS[:1] + STEPS[2:4] + STEPS[5:],
    "evaluations": 120,
    "recorded_samples": 1500,
    "simulated_samples": 1500,
}
NOTHING = FeatureTargets(-83.0, 2000.0, (), ())


@pytest.fixture(scope="module")
def accepted() -> ReportData:
    return example_data(**SMALL)


@pytest.fixture(scope="module")
def page(accepted) -> Page:
    return Page(render(accepted))


def render(data: ReportData) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return render_report(data)


def test_html_is_balanced_and_needs_no_network(page):
    assert page.problems == []
    assert not {"script", "link", "iframe"} & {tag for tag, _ in page.tags}
    addresses = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in {"href", "src", "xlink:href"} and value is not None
    ]
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in addresses)


def test_ids_are_unique_and_found(page):
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = {
        value[1:]
        for _, entry in page.tags
        for name, value in entry.items()
        if name.endswith("href") and value[0] == "#"
    }
    clips = {entry["clip-path"][5:-1] for _, entry in page.tags if "clip-path" in entry}
    assert wanted | clips <= set(ids)


def test_every_objective_parameter_cell_and_note_is_named(page, accepted):
    titles = {attributes.get("title") for _, attributes in page.tags}
    assert set(accepted.targets.objectives) <= titles
    assert all(target.feature in page.text for target in accepted.targets.objectives.values())
    assert all(protocol.name in page.text for protocol in accepted.targets.protocols)
    assert all(dimension.name in page.text for dimension in accepted.dimensions)
    assert all(cell.name in page.text for cell in accepted.targets.cells)
    assert all(note in page.text for note in accepted.targets.notes)
    assert all(what in page.text and value in page.text for what, value in accepted.environment)


def test_no_nan_is_shown(page):
    assert not re.search(r"\b(nan|inf|none)\b", page.text, flags=re.IGNORECASE)


def test_verdict_of_an_accepted_campaign(page, accepted):
    count = accepted.ensemble.accepted_in_record
    assert f"{count} of 120 models evaluated reach every target within 5 standard deviations." in page.text
    assert "No model reached" not in page.text
    assert "surrogate" not in page.text


def test_verdict_when_none_is_accepted_comes_first():
    data = example_data(closeness=6.0, **SMALL)
    page = Page(render(data))
    verdict = page.text.index("No model reached every target within 5 standard deviations in 120 evaluations.")
    assert verdict < page.text.index("search time")
    assert "they are not accepted" in page.text
    worst = max(data.ensemble.members[0].scores, key=data.ensemble.members[0].scores.__getitem__)
    first = page.text[page.text.index("worst features:") :][:80]
    assert worst.rpartition(".")[2] in first


def test_surrogates_are_called_so_at_the_top():
    page = Page(render(example_data(surrogates=True, **SMALL)))
    assert page.text.index("The recordings are surrogates") < page.text.index("search time")
    assert "5 virtual cells of a hidden model" in page.text
    assert "true value in a virtual cell" in page.text


def test_hostile_texts_are_escaped(accepted):
    evil = "<script>alert('x')</script> & \"co\" $x_{1}$"
    record = accepted.record.copy()
    record["failure"] = evil
    trace = dataclasses.replace(accepted.recorded["IV_-100"][0], cell=evil)
    data = dataclasses.replace(
        accepted,
        name=evil,
        description=evil,
        record=record,
        recorded={**accepted.recorded, "IV_-100": [trace]},
        targets=dataclasses.replace(
            accepted.targets,
            notes=(evil,),
            protocols=(
                dataclasses.replace(accepted.targets.protocols[1], name=evil),
                *accepted.targets.protocols[:1],
            ),
        ),
        environment=((evil, evil),),
    )
    html = render(data)
    page = Page(html)
    assert "<script" not in html
    assert page.problems == []
    assert page.text.count(evil) >= 6


def test_the_same_data_give_the_same_page_and_matplotlib_is_left_as_it_was(accepted):
    before = dict(matplotlib.rcParams)
    assert render(accepted) == render(accepted)
    assert dict(matplotlib.rcParams) == before


def failing(data: ReportData) -> ReportData:
    """No evaluation reached a score."""
    record = data.record.copy()
    for column in record.columns:
        if column.startswith("score."):
            record[column] = FAILURE_SCORE
        if column.startswith("feature."):
            record[column] = math.nan
    record["failure"] = "holding: the cell fires when held at -83.0 mV"
    members = tuple(
        dataclasses.replace(
            member,
            features={},
            scores=dict.fromkeys(member.scores, FAILURE_SCORE),
            worst=FAILURE_SCORE,
            accepted=False,
        )
        for member in data.ensemble.members
    )
    return dataclasses.replace(data, record=record, ensemble=Ensemble("failing", 5.0, 0, members), simulated={})


ODD = {
    "empty ensemble": lambda data: dataclasses.replace(
        data, ensemble=Ensemble("empty", 5.0, 0, ()), simulated={}, hidden={}
    ),
    "no evaluations": lambda data: dataclasses.replace(
        data,
        record=data.record.iloc[:0],
        ensemble=Ensemble("empty", 5.0, 0, ()),
        simulated={},
        wall_seconds=0.0,
    ),
    "no columns": lambda data: dataclasses.replace(
        data, record=data.record.iloc[:0, :0], ensemble=Ensemble("empty", 5.0, 0, ()), simulated={}
    ),
    "one evaluation": lambda data: dataclasses.replace(data, record=data.record.iloc[:1]),
    "one member": lambda data: dataclasses.replace(
        data, ensemble=dataclasses.replace(data.ensemble, members=data.ensemble.members[:1])
    ),
    "no recordings": lambda data: dataclasses.replace(data, recorded={}),
    "no traces": lambda data: dataclasses.replace(data, recorded={}, simulated={}),
    "one protocol recorded": lambda data: dataclasses.replace(
        data, recorded={"IDrest_150": data.recorded["IDrest_150"]}
    ),
    "everything failed": failing,
    "no objectives": lambda data: dataclasses.replace(data, targets=NOTHING),
    "no parameters": lambda data: dataclasses.replace(data, dimensions=(), units={}),
    "objectives without values": lambda data: dataclasses.replace(
        data,
        record=data.record.drop(columns=[name for name in data.record.columns if name.startswith("feature.")]),
    ),
    "zero scores": lambda data: dataclasses.replace(
        data,
        record=data.record.assign(**{name: 0.0 for name in data.record.columns if name.startswith("score.")}),
    ),
    "a pause of a day": lambda data: dataclasses.replace(
        data,
        record=data.record.assign(ended=data.record["ended"] + 86400.0 * (np.arange(len(data.record)) > 50)),
    ),
    "no cells, notes or environment": lambda data: dataclasses.replace(
        data, targets=dataclasses.replace(data.targets, cells=(), notes=()), environment=()
    ),
    "empty traces": lambda data: dataclasses.replace(
        data,
        recorded={
            name: [dataclasses.replace(trace, time_ms=np.zeros(0), voltage_mV=np.zeros(0)) for trace in traces]
            for name, traces in data.recorded.items()
        },
    ),
}


@pytest.fixture(scope="module")
def smaller() -> ReportData:
    return example_data(**{**SMALL, "steps": (STEPS[0], STEPS[2], STEPS[5])})


@pytest.mark.parametrize("case", ODD)
def test_odd_campaigns_are_shown(smaller, case):
    page = Page(render(ODD[case](smaller)))
    assert page.problems == []
    assert not re.search(r"\b(nan|inf|none)\b", page.text, flags=re.IGNORECASE)


def test_nothing_evaluated_and_everything_failed_are_said(accepted):
    assert "No model was evaluated" in Page(render(ODD["no evaluations"](accepted))).text
    text = Page(render(failing(accepted))).text
    assert "No model reached every target" in text
    assert "could not be measured in the model" in text


def test_a_large_campaign_stays_below_three_megabytes():
    data = example_data(
        MANY_STEPS,
        evaluations=1200,
        members=10,
        simulated_samples=20000,
        recorded_samples=8000,
        surrogates=True,
    )
    assert len(render(data).encode()) < 3e6


def test_imports_stay_light_and_no_display_is_needed():
    code = (
        "import sys; import rheobase.campaigns.report.page; "
        "assert not {'matplotlib', 'pandas', 'jinja2', 'neuron'} & set(sys.modules); "
        "from tests.campaigns.report.example import example_data; "
        "rendered = rheobase.campaigns.report.page.render_report("
        "example_data(evaluations=5, members=1, recorded_samples=300, simulated_samples=300)); "
        "assert 'matplotlib.pyplot' not in sys.modules; print(len(rendered))"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{root / '.dev'}:{root}", "PATH": ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50_000
