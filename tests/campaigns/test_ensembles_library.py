"""The ensembles that come with rheobase: what they promise, and that their scores are those of their models."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

import numpy as np
import pytest

from rheobase.campaigns.building import build_model, build_settings
from rheobase.campaigns.extracting import read_table
from rheobase.campaigns.loading import library, library_ensemble, library_ensembles, load_campaign
from rheobase.campaigns.schema import Campaign
from rheobase.features.errors import CampaignError
from rheobase.features.targets import FeatureTargets
from rheobase.fitting.cells.evaluator import CellEvaluator
from rheobase.fitting.cells.instance import CellInstance
from rheobase.fitting.cells.simulation import Integrator, SomaClamp

ETYPES = sorted(name for name in library() if name.startswith("etype_"))
# Standard deviations. A process of its own gives the same digits; one that has loaded other mechanisms before sums
# currents in another order, as another compiler may, and a train of spikes amplifies the last digits.
TOLERANCE = 0.3


@functools.cache
def _campaign(name: str) -> tuple[Campaign, FeatureTargets]:
    campaign = load_campaign(library()[name])
    return campaign, read_table(campaign)


def test_every_cell_type_has_one() -> None:
    assert sorted(library_ensembles()) == ETYPES


@pytest.mark.parametrize("name", ETYPES)
def test_an_ensemble_holds_what_its_campaign_promises(name: str) -> None:
    campaign, targets = _campaign(name)
    ensemble = library_ensemble(name)
    assert (ensemble.name, ensemble.largest_score) == (name, 3.0)
    assert 10 <= len(ensemble.members) <= 50
    bounds = {p.name: p.dimension for p in build_model(campaign).free_parameters}
    for member in ensemble.members:
        assert set(member.scores) == set(targets.objectives), "the campaign's targets without what is left out"
        assert set(member.features) == set(targets.objectives), "everything could be measured"
        assert member.worst == max(member.scores.values()) < 3.0
        assert member.accepted
        assert member.parameters.keys() == bounds.keys()
        for parameter, value in member.parameters.items():
            assert bounds[parameter].low <= value <= bounds[parameter].high, parameter


@pytest.mark.parametrize("name", ETYPES)
def test_its_models_are_different(name: str) -> None:
    dimensions = [p.dimension for p in build_model(_campaign(name)[0]).free_parameters]
    places = np.array(
        [[d.position(member.parameters[d.name]) for d in dimensions] for member in library_ensemble(name).members]
    )
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)[np.triu_indices(len(places), 1)]
    assert apart.min() > 0.05, "in the unit cube of the free parameters"
    assert np.median(apart) > 0.2


@pytest.mark.parametrize("name", ETYPES)
def test_the_best_model_simulated_again_scores_alike(name: str) -> None:
    campaign, targets = _campaign(name)
    best = library_ensemble(name).members[0]
    evaluation = CellEvaluator(build_model(campaign), targets, build_settings(campaign)).evaluate(best.parameters)
    assert evaluation.failure is None
    assert evaluation.scores == pytest.approx(best.scores, abs=TOLERANCE)


@pytest.mark.parametrize("name", ETYPES)
def test_no_model_fires_without_input(name: str) -> None:
    """As circuits simulate them: a fixed step of 0.1 ms, from the campaign's initial voltage, for a second."""
    instance = CellInstance(build_model(_campaign(name)[0]))
    clamp = SomaClamp(instance, Integrator("fixed", time_step_ms=0.1))
    for member in library_ensemble(name).members:
        instance.set_parameters(member.parameters)
        rest = clamp.settle(0.0, 1000.0).trace
        assert rest.voltage_mV.max() < -40.0, member.number
        assert np.ptp(rest.voltage_mV[rest.time_ms > 900.0]) < 1.0, "at rest"


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(
        CampaignError, match=r"no ensemble 'etype_cnacc' comes with rheobase; did you mean 'etype_cnac'"
    ):
        library_ensemble("etype_cnacc")


def test_the_table_of_the_readme_is_that_of_the_files() -> None:
    readme = (Path(library()["etype_cnac"]).parent / "ensembles" / "README.md").read_text(encoding="utf-8")
    for name in ETYPES:
        members = library_ensemble(name).members
        best = members[0]
        row = re.search(rf"^\| {name} \|(.*)\|$", readme, re.MULTILINE)
        assert row is not None, name
        cells = [cell.strip() for cell in row[1].split("|")]
        scores = list(best.scores.values())
        expected = [len(scores), len(members), f"{sum(scores):.1f}", f"{np.median(scores):.2f}", f"{best.worst:.2f}"]
        assert cells[:5] == [str(value) for value in expected]


def test_files_are_plain_json() -> None:
    for path in library_ensembles().values():
        json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
