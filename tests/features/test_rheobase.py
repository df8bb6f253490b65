from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rheobase.features.errors import FeatureError
from rheobase.features.rheobase import Rheobase, RheobaseSettings, find_rheobase
from tests.features.made_up_sweeps import pieces, step

LOWEST = RheobaseSettings()
MAJORITY = RheobaseSettings(method="majority")
INTERPOLATED = RheobaseSettings(method="interpolated")


def steps(*given: tuple[float, int]) -> list[object]:
    return [step(amplitude, spikes, str(place)) for place, (amplitude, spikes) in enumerate(given)]


class TestLowest:
    def test_bracketed(self) -> None:
        found = find_rheobase(steps((0.1, 0), (0.2, 0), (0.25, 2), (0.3, 5)), LOWEST)
        assert found == Rheobase(0.25, 0.2)
        assert found.bracketed

    def test_not_bracketed(self) -> None:
        found = find_rheobase(steps((0.25, 2), (0.3, 0), (-0.1, 0)), LOWEST)
        assert found == Rheobase(0.25, None)
        assert not found.bracketed

    def test_silent_at_the_same_amplitude_is_no_bracket(self) -> None:
        assert find_rheobase(steps((0.25, 0), (0.25, 1)), LOWEST) == Rheobase(0.25, None)

    def test_never(self) -> None:
        assert find_rheobase(steps((0.25, 0), (0.3, 0)), LOWEST) is None
        assert find_rheobase([], LOWEST) is None

    def test_spikes_after_hyperpolarisation_do_not_count(self) -> None:
        assert find_rheobase(steps((-0.2, 3), (0.0, 1), (0.3, 1)), LOWEST) == Rheobase(0.3, None)


class TestMajority:
    def test_a_single_spike_below_silent_steps_does_not_count(self) -> None:
        sweeps = steps((0.05, 1), (0.1, 0), (0.15, 0), (0.2, 1), (0.25, 3))
        assert find_rheobase(sweeps, LOWEST) == Rheobase(0.05, None)
        assert find_rheobase(sweeps, MAJORITY) == Rheobase(0.2, 0.15)

    def test_repeats_of_an_amplitude_are_one(self) -> None:
        """Two of three at 0.2 nA, measured at 0.2, 0.203 and 0.206 nA; one of three at 0.15 nA."""
        sweeps = steps((0.15, 1), (0.152, 0), (0.151, 0), (0.206, 0), (0.2, 1), (0.203, 2), (0.25, 4))
        found = find_rheobase(sweeps, MAJORITY)
        assert found is not None
        assert found.value_nA == pytest.approx(0.203)
        assert found.highest_silent_nA == 0.152

    def test_half_is_no_majority(self) -> None:
        assert find_rheobase(steps((0.1, 0), (0.2, 1), (0.2, 0), (0.3, 1)), MAJORITY) == Rheobase(0.3, 0.2)

    def test_depolarisation_block_above_does_not_matter(self) -> None:
        sweeps = steps((0.1, 0), (0.2, 1), (0.3, 5), (0.4, 8), (0.5, 0), (0.6, 0))
        assert find_rheobase(sweeps, MAJORITY) == Rheobase(0.2, 0.1)

    def test_width_of_an_amplitude(self) -> None:
        sweeps = steps((0.020, 1), (0.025, 0), (0.030, 0), (0.035, 1))
        assert find_rheobase(sweeps, RheobaseSettings(method="majority", same_amplitude_nA=0.001)) == Rheobase(
            0.035, 0.03
        )

    def test_never(self) -> None:
        assert find_rheobase(steps((0.1, 1), (0.2, 0), (0.3, 0)), MAJORITY) is None


class TestInterpolated:
    @pytest.mark.parametrize(("spikes", "expected"), [(1, 0.3), (2, 0.25), (5, 0.22)])
    def test_at_one_spike(self, spikes: int, expected: float) -> None:
        found = find_rheobase(steps((0.1, 0), (0.2, 0), (0.3, spikes), (0.4, 20)), INTERPOLATED)
        assert found is not None
        assert found.value_nA == pytest.approx(expected)
        assert found.highest_silent_nA == 0.2

    def test_without_a_bracket_it_is_the_lowest(self) -> None:
        assert find_rheobase(steps((0.3, 5)), INTERPOLATED) == Rheobase(0.3, None)


class TestWhichSteps:
    def test_short_ones_only_when_named(self) -> None:
        sweeps = [step(0.1, 1, protocol="APWaveform", duration_ms=50.0), step(0.3, 1, protocol="IDrest")]
        assert find_rheobase(sweeps, LOWEST) == Rheobase(0.3, None)
        assert find_rheobase(sweeps, RheobaseSettings(("apwaveform",))) == Rheobase(0.1, None)

    def test_only_the_named_protocols(self) -> None:
        sweeps = [step(0.1, 1, protocol="IDrest"), step(0.3, 1, protocol="IDthresh")]
        assert find_rheobase(sweeps, RheobaseSettings(("IDTHRESH",))) == Rheobase(0.3, None)

    def test_stimuli_of_several_pieces_say_nothing(self) -> None:
        sweeps = [pieces((-0.1, 0.05), spikes=3), step(0.3, 1)]
        assert find_rheobase(sweeps, LOWEST) == Rheobase(0.3, None)
        assert find_rheobase(sweeps, RheobaseSettings(("HyperDepol", "IDrest"))) == Rheobase(0.3, None)


def test_unknown_method() -> None:
    with pytest.raises(FeatureError, match="'lowest', 'majority' or 'interpolated', got 'middle'"):
        RheobaseSettings(method="middle")  # type: ignore[arg-type]


@given(
    st.lists(st.tuples(st.integers(-20, 60), st.integers(0, 4)), min_size=1, max_size=12),
    st.sampled_from([LOWEST, MAJORITY, INTERPOLATED]),
    st.randoms(),
)
def test_order_and_bounds(given: list[tuple[int, int]], settings: RheobaseSettings, random: object) -> None:
    made = [(amplitude / 100.0, spikes) for amplitude, spikes in given]
    found = find_rheobase(steps(*made), settings)
    shuffled = list(made)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert find_rheobase(steps(*shuffled), settings) == found
    firing = [amplitude for amplitude, spikes in made if spikes and amplitude > 0]
    if found is None:
        assert not firing or settings.method == "majority"
        return
    assert 0 < found.value_nA <= max(firing)
    if found.highest_silent_nA is not None:
        assert found.highest_silent_nA < found.value_nA
    if settings.method == "lowest":
        assert found.value_nA == min(firing)
