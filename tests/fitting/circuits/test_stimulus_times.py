"""Click trains and oddball sequences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rheobase.features.errors import ModelError
from rheobase.fitting.circuits.stimulus_times import OddballDesign, click_train_times, oddball_sequence


class TestClickTrain:
    def test_forty_hertz_for_half_a_second(self) -> None:
        times = click_train_times(40.0, 500.0, (1000.0, 2000.0))
        assert len(times) == 40
        np.testing.assert_allclose(times[:20], 1000.0 + 25.0 * np.arange(20))
        assert times[20] == 2000.0

    @pytest.mark.parametrize(("rate_Hz", "train_ms", "clicks"), [(40.0, 501.0, 21), (30.0, 100.0, 3), (7.0, 1000.0, 7)])
    def test_a_click_on_the_end_is_left_out(self, rate_Hz: float, train_ms: float, clicks: int) -> None:
        assert len(click_train_times(rate_Hz, train_ms, (0.0,))) == clicks

    def test_what_cannot_be_is_refused(self) -> None:
        with pytest.raises(ModelError, match="rate and a duration above 0, got 0 Hz and 500 ms"):
            click_train_times(0.0, 500.0, (0.0,))
        with pytest.raises(ModelError, match="trains of 500 ms overlap: two of them begin 400 ms apart"):
            click_train_times(40.0, 500.0, (0.0, 1000.0, 600.0))


class TestOddball:
    @given(
        tones=st.integers(0, 200),
        part=st.floats(0.0, 1.0),
        first=st.integers(0, 10),
        between=st.integers(0, 4),
        seed=st.integers(0, 2**40),
    )
    def test_keeps_to_the_design(self, tones: int, part: float, first: int, between: int, seed: int) -> None:
        design = OddballDesign(tones, part, 300.0, 50.0, first, between)
        deviants = round(part * tones)
        assume(first + deviants + max(deviants - 1, 0) * between <= tones)
        sequence = oddball_sequence(design, seed)
        where = np.flatnonzero(sequence.deviant)
        assert len(where) == deviants
        assert not deviants or where[0] >= first
        assert np.all(np.diff(where) > between)
        assert sequence == oddball_sequence(design, seed)
        assert sequence.times_ms == tuple(50.0 + 300.0 * k for k in range(tones))
        assert sorted(sequence.standard_times_ms + sequence.deviant_times_ms) == list(sequence.times_ms)

    def test_all_places_are_equally_likely(self) -> None:
        design = OddballDesign(9, 2 / 9, standards_first=2, standards_between=2)
        found = [tuple(np.flatnonzero(oddball_sequence(design, seed).deviant)) for seed in range(2000)]
        pairs, counts = np.unique(found, axis=0, return_counts=True)
        assert len(pairs) == 10  # pairs from 2 to 8 that are 3 or more apart
        assert np.all(np.abs(counts - 200) < 60)

    def test_participation_of_fibres_that_are_tuned(self) -> None:
        sequence = oddball_sequence(OddballDesign(10, 0.2), 1)
        parts = sequence.participation(standard=0.1, deviant=0.6)
        assert [part == 0.6 for part in parts] == list(sequence.deviant)
        assert set(parts) == {0.1, 0.6}

    def test_what_cannot_be_is_refused(self) -> None:
        with pytest.raises(
            ModelError, match="5 deviants do not fit into 10 tones with 3 standards first and 2 between"
        ):
            oddball_sequence(OddballDesign(10, 0.5), 1)
        with pytest.raises(ModelError, match="deviants from 0 to 1 and an interval above 0, got 2 and 500 ms"):
            oddball_sequence(OddballDesign(10, 2.0), 1)
