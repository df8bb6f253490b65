from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rheobase.features.stimuli import Piece, Stimulus
from rheobase.features.stimulus_shapes import are_alike, most_usual


def stimulus(onset_ms: float, lengths_ms: tuple[float, ...], *, ramp: bool = False) -> Stimulus:
    """Pieces one after another."""
    pieces = []
    for place, length_ms in enumerate(lengths_ms):
        pieces.append(Piece(onset_ms, onset_ms + length_ms, 0.0 if ramp else 0.1 * (place + 1), 0.1 * (place + 1)))
        onset_ms += length_ms
    return Stimulus("levels", tuple(pieces), 0.0)


LENGTHS_MS = st.lists(st.sampled_from([99.0, 100.0, 100.9, 102.0, 104.0, 300.0]), min_size=1, max_size=3)
STIMULI = st.builds(
    stimulus, st.sampled_from([0.0, 50.0]), LENGTHS_MS.map(tuple), ramp=st.booleans()
)  # fmt: skip


@given(st.lists(STIMULI, max_size=12))
def test_the_most_usual_is_the_first_of_those_that_most_are_like(stimuli: list[Stimulus]) -> None:
    pair_by_pair = max(stimuli, key=lambda one: sum(are_alike(other, one) for other in stimuli), default=None)
    assert most_usual(stimuli) is pair_by_pair


def test_cost_does_not_grow_with_the_square() -> None:
    stimuli = [stimulus(float(place), (100.0, 200.0)) for place in range(20000)]
    assert most_usual(stimuli) is stimuli[0]  # pair by pair: minutes


def test_single_pieces_may_differ_in_length_and_ramps_are_no_steps() -> None:
    assert are_alike(stimulus(0.0, (100.0,)), stimulus(5.0, (900.0,)))
    assert not are_alike(stimulus(0.0, (100.0,)), stimulus(0.0, (100.0,), ramp=True))
    assert not are_alike(stimulus(0.0, (100.0, 100.0)), stimulus(0.0, (100.0, 300.0)))
