from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rheobase.features.errors import FeatureError
from rheobase.features.recording import Step
from rheobase.features.stimuli import Piece, Stimulus
from rheobase.features.target_stimuli import ProtocolStimulus, TargetPiece

SAHP = (
    TargetPiece(0.0, 250.0, 40.0, 40.0),
    TargetPiece(250.0, 225.0, 150.0, 150.0),
    TargetPiece(475.0, 500.0, 40.0, 40.0),
)
HYPERDEPOL = (TargetPiece(0.0, 450.0, -120.0, -120.0), TargetPiece(450.0, 270.0, 100.0, 100.0))


class TestStep:
    def test_in_percent(self) -> None:
        stimulus = ProtocolStimulus.step(150.0, 2000.0)
        assert (stimulus.level, stimulus.duration_ms, stimulus.unit, stimulus.is_step) == (
            150.0,
            2000.0,
            "percent",
            True,
        )
        injected = stimulus.injected(100.0, holding_nA=-0.05, threshold_nA=0.2)
        assert injected == Stimulus("step", (Piece(100.0, 2100.0, 0.3, 0.3),), -0.05)
        assert stimulus.measured(injected) == Step(100.0, 2100.0, 0.3, -0.05)

    def test_in_nA(self) -> None:
        stimulus = ProtocolStimulus.step(-0.1, 50.0, "nA")
        injected = stimulus.injected(0.0, 0.01, threshold_nA=None)
        assert injected == Stimulus("pulse", (Piece(0.0, 50.0, -0.1, -0.1),), 0.01)

    def test_of_a_stated_holding_current(self) -> None:
        stimulus = ProtocolStimulus((TargetPiece(0.0, 50.0, 0.1, 0.1),), "nA", holding_nA=-0.3)
        assert stimulus.injected(0.0, 0.01, None).holding_nA == -0.3

    def test_percent_of_nothing(self) -> None:
        with pytest.raises(FeatureError, match="in % of the threshold current needs a threshold current, got none"):
            ProtocolStimulus.step(150.0, 100.0).injected(0.0, 0.0, None)


class TestLevels:
    def test_the_farthest_piece_names_the_amplitude(self) -> None:
        stimulus = ProtocolStimulus(SAHP)
        assert (stimulus.level, stimulus.duration_ms, stimulus.is_step) == (150.0, 975.0, False)
        assert ProtocolStimulus(HYPERDEPOL).level == -120.0
        assert ProtocolStimulus(HYPERDEPOL, main_piece=1).level == 100.0

    def test_injected(self) -> None:
        injected = ProtocolStimulus(SAHP).injected(20.0, -0.1, 0.2)
        assert injected.kind == "levels"
        assert [(piece.onset_ms, piece.offset_ms) for piece in injected.pieces] == [(20, 270), (270, 495), (495, 995)]
        assert [piece.end_nA for piece in injected.pieces] == pytest.approx([0.08, 0.3, 0.08])

    def test_measured_as_a_whole_with_the_amplitude_of_the_main_piece(self) -> None:
        stimulus = ProtocolStimulus(HYPERDEPOL)
        injected = stimulus.injected(20.0, 0.0, 1.0)
        assert stimulus.measured(injected) == Step(20.0, 740.0, -1.2, 0.0)

    def test_measured_within_a_piece_with_its_amplitude(self) -> None:
        stimulus = ProtocolStimulus(HYPERDEPOL, window_ms=(450.0, 720.0))
        injected = stimulus.injected(20.0, 0.0, 1.0)
        assert stimulus.measured(injected) == Step(470.0, 740.0, 1.0, 0.0)
        assert stimulus.measured(injected, (100.0, 200.0)) == Step(120.0, 220.0, -1.2, 0.0)
        assert stimulus.measured(injected, (400.0, 500.0)).amplitude_nA == -1.2  # in neither piece: the main one's

    def test_pulses_and_ramps(self) -> None:
        pulses = tuple(TargetPiece(25.0 * place, 2.5, 600.0, 600.0) for place in range(8))
        assert ProtocolStimulus(pulses).injected(0.0, 0.0, 0.1).kind == "pulses"
        ramp = ProtocolStimulus((TargetPiece(0.0, 500.0, 0.0, 300.0),))
        assert (ramp.level, ramp.is_step) == (300.0, False)
        injected = ramp.injected(5.0, 0.0, 0.1)
        assert injected.kind == "ramp"
        assert injected.pieces == (Piece(5.0, 505.0, 0.0, pytest.approx(0.3)),)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pieces": ()}, "at least one piece, the first with onset 0 ms"),
        ({"pieces": (TargetPiece(1.0, 5.0, 1.0, 1.0),)}, "the first with onset 0 ms"),
        (
            {"pieces": (SAHP[0], TargetPiece(200.0, 5.0, 1.0, 1.0))},
            "follow each other .* from 200 ms for 5 ms after 250",
        ),
        ({"pieces": (TargetPiece(0.0, -5.0, 1.0, 1.0),)}, "last longer than 0 ms"),
        ({"pieces": SAHP, "main_piece": 3}, "main_piece must be 0 to 2, got 3"),
        ({"pieces": SAHP, "window_ms": (5.0, 5.0)}, "the window must end after it starts"),
    ],
)
def test_impossible_stimuli(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(FeatureError, match=message):
        ProtocolStimulus(**arguments)  # type: ignore[arg-type]


@given(
    threshold=st.floats(0.01, 2.0), holding=st.floats(-1.0, 1.0), onset=st.floats(0.0, 1e4), factor=st.floats(0.1, 10.0)
)
def test_percent_scales_with_the_threshold_and_nothing_else_does(
    threshold: float, holding: float, onset: float, factor: float
) -> None:
    stimulus = ProtocolStimulus(SAHP)
    one = stimulus.injected(0.0, 0.0, threshold)
    other = stimulus.injected(onset, holding, factor * threshold)
    assert other.holding_nA == holding
    for here, there in zip(one.pieces, other.pieces, strict=True):
        assert there.end_nA == pytest.approx(factor * here.end_nA)
        assert there.onset_ms - onset == pytest.approx(here.onset_ms, abs=1e-9)
    assert stimulus.measured(other).amplitude_nA == pytest.approx(factor * stimulus.measured(one).amplitude_nA)
