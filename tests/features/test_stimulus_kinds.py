"""Every kind of stimulus, made up: found where it is, as large as it is, whatever the amplifier adds to it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rheobase.features.stimuli import Piece, Stimulus
from rheobase.features.stimulus import Unrecognised, detect_stimulus
from tests.features.currents import fluctuation, ramp, trace, with_artefacts

TIME_STEPS_MS = (0.5, 0.25, 0.1, 0.05, 0.02, 0.01)


def found(current: NDArray[np.float64], time_step_ms: float = 0.25) -> Stimulus:
    stimulus = detect_stimulus(current, time_step_ms)
    assert isinstance(stimulus, Stimulus), stimulus
    return stimulus


def reason(current: NDArray[np.float64], time_step_ms: float = 0.25) -> str:
    stimulus = detect_stimulus(current, time_step_ms)
    assert isinstance(stimulus, Unrecognised), stimulus
    return stimulus.reason


def edges(stimulus: Stimulus, time_step_ms: float) -> NDArray[np.float64]:
    """Onsets and offsets in samples."""
    return np.array([(piece.onset_ms, piece.offset_ms) for piece in stimulus.pieces]) / time_step_ms


def amplitudes(stimulus: Stimulus) -> NDArray[np.float64]:
    return np.array([piece.end_nA for piece in stimulus.pieces])


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_levels_one_after_another(data: st.DataObject) -> None:
    time_step_ms = data.draw(st.sampled_from(TIME_STEPS_MS))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    sign = data.draw(st.sampled_from([-1.0, 1.0]))
    largest_nA = data.draw(st.floats(0.05, 2.0))
    # In tenths of the largest, neighbours three or more apart, zero being a return to the holding current.
    tenths = data.draw(
        st.lists(st.sampled_from([-10, -6, -3, 0, 3, 6, 10]), min_size=2, max_size=4).filter(
            lambda values: all(np.diff(values)) and values[0] * values[-1] != 0 and len(set(values) - {0}) > 1
        )
    )
    samples = round(data.draw(st.floats(60.0, 300.0)) / time_step_ms) + np.arange(len(tenths)) * 7
    bounds = round(80.0 / time_step_ms) + np.concatenate(([0], np.cumsum(samples)))
    level_nA = sign * largest_nA * np.array(tenths) / 10.0
    total = int(bounds[-1]) + round(100.0 / time_step_ms)
    clean = trace(total, *zip(bounds[:-1], bounds[1:], level_nA, strict=True), holding_nA=-0.05)
    noise_nA = data.draw(st.sampled_from([0.0, 0.01, 0.02])) * largest_nA
    current = clean + random.normal(0.0, noise_nA, total)
    longest = int(np.argmax(level_nA))
    spikes = random.integers(bounds[longest] + 5 / time_step_ms, bounds[longest + 1] - 5 / time_step_ms, 3)
    stimulus = found(with_artefacts(current, spikes, time_step_ms), time_step_ms)

    away = [index for index, level in enumerate(tenths) if level]
    assert stimulus.kind == "levels"
    expected = np.array([(bounds[index], bounds[index + 1]) for index in away])
    np.testing.assert_allclose(edges(stimulus, time_step_ms), expected, atol=2.01)
    np.testing.assert_allclose(amplitudes(stimulus), level_nA[away], atol=1e-12 + 0.5 * noise_nA)
    assert stimulus.holding_nA == pytest.approx(-0.05, abs=1e-12 + 0.5 * noise_nA)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_trains_of_pulses(data: st.DataObject) -> None:
    time_step_ms = data.draw(st.sampled_from(TIME_STEPS_MS))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    amplitude_nA = data.draw(st.sampled_from([-1.0, 1.0])) * data.draw(st.floats(0.1, 2.0))
    width = round(data.draw(st.floats(max(2.5, 6 * time_step_ms), 20.0)) / time_step_ms)
    gap = round(data.draw(st.floats(max(3.0, 6 * time_step_ms), 50.0)) / time_step_ms)
    count = data.draw(st.integers(2, 12))
    starts = round(30.0 / time_step_ms) + np.arange(count) * (width + gap)
    total = int(starts[-1]) + width + round(data.draw(st.floats(20.0, 1000.0)) / time_step_ms)
    noise_nA = data.draw(st.sampled_from([0.0, 0.01, 0.02])) * abs(amplitude_nA)
    clean = trace(total, *((start, start + width, amplitude_nA) for start in starts), holding_nA=0.1)
    stimulus = found(clean + random.normal(0.0, noise_nA, total), time_step_ms)
    assert stimulus.kind == "pulses"
    np.testing.assert_allclose(edges(stimulus, time_step_ms), np.column_stack((starts, starts + width)), atol=1.01)
    np.testing.assert_allclose(amplitudes(stimulus), amplitude_nA, atol=1e-12 + noise_nA)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_ramps(data: st.DataObject) -> None:
    time_step_ms = data.draw(st.sampled_from(TIME_STEPS_MS))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    end_nA = data.draw(st.sampled_from([-1.0, 1.0])) * data.draw(st.floats(0.1, 2.0))
    start_nA = data.draw(st.sampled_from([0.0, 0.0, 0.3, -0.5])) * end_nA
    if data.draw(st.booleans()):
        start_nA, end_nA = end_nA, start_nA
    start = round(data.draw(st.floats(50.0, 300.0)) / time_step_ms)
    stop = start + round(data.draw(st.floats(200.0, 1000.0)) / time_step_ms)
    total = stop + round(data.draw(st.floats(50.0, 300.0)) / time_step_ms)
    noise_nA = data.draw(st.sampled_from([0.0, 0.005, 0.02])) * abs(end_nA - start_nA)
    current = ramp(total, start, stop, start_nA, end_nA) - 0.1 + random.normal(0.0, noise_nA, total)
    spikes = random.integers(start + 2 * (stop - start) // 3, stop - round(20.0 / time_step_ms), 4)
    stimulus = found(with_artefacts(current, spikes, time_step_ms), time_step_ms)
    assert stimulus.kind == "ramp"
    # Where a ramp starts from the baseline its edge drowns in the noise.
    slope_nA = abs(end_nA - start_nA) / (stop - start)
    tolerance = 2.0 + 15.0 * noise_nA / slope_nA / np.sqrt(0.25 / time_step_ms + (stop - start) / 100)
    np.testing.assert_allclose(edges(stimulus, time_step_ms)[0], (start, stop), atol=tolerance)
    (piece,) = stimulus.pieces
    allowed_nA = 0.001 * abs(end_nA - start_nA) + slope_nA * (tolerance + 2.0)
    np.testing.assert_allclose((piece.start_nA, piece.end_nA), (start_nA, end_nA), atol=allowed_nA)
    assert stimulus.holding_nA == pytest.approx(-0.1, abs=1e-9 + 0.5 * noise_nA)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=st.data())
def test_noise(data: st.DataObject) -> None:
    time_step_ms = data.draw(st.sampled_from(TIME_STEPS_MS))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    deviation_nA = data.draw(st.floats(0.02, 1.0))
    mean_nA = data.draw(st.sampled_from([0.0, 0.5, -1.0, 2.0])) * deviation_nA
    correlation_ms = data.draw(st.sampled_from([0.0, 1.0, 3.0]))
    start = round(data.draw(st.floats(100.0, 300.0)) / time_step_ms)
    stop = start + round(data.draw(st.floats(500.0, 1000.0)) / time_step_ms)
    total = stop + round(data.draw(st.floats(100.0, 300.0)) / time_step_ms)
    current = random.normal(0.0, 0.02 * deviation_nA, total) + 0.05
    current[start:stop] += mean_nA
    current[start:stop] += deviation_nA * fluctuation(random, stop - start, correlation_ms / time_step_ms)
    spikes = random.integers(start, stop - round(5.0 / time_step_ms), 10)
    current = with_artefacts(current, spikes, time_step_ms, height_nA=min(1.0, 5.0 * deviation_nA))
    stimulus = found(current, time_step_ms)
    assert stimulus.kind == "noise"
    # It may start near the baseline for some correlation times.
    tolerance = 3.0 + 5.0 * correlation_ms / time_step_ms
    np.testing.assert_allclose(edges(stimulus, time_step_ms)[0], (start, stop), atol=tolerance)
    independent = (stop - start) / (1.0 + 2.0 * correlation_ms / time_step_ms)
    error_nA = 5.0 * deviation_nA / np.sqrt(independent)
    (piece,) = stimulus.pieces
    assert piece.start_nA == piece.end_nA == pytest.approx(mean_nA, abs=error_nA + 0.01)
    assert stimulus.deviation_nA == pytest.approx(deviation_nA, abs=error_nA + 0.05 * deviation_nA)
    assert stimulus.holding_nA == pytest.approx(0.05, abs=0.01 * deviation_nA)


def example(kind: str, random: np.random.Generator) -> NDArray[np.float64]:
    """12000 samples with a stimulus from a fourth to three fourths of them."""
    noisy = random.normal(0.0, 0.002, 12000)
    noisy[3000:9000] += {
        "step": trace(6000, (0, 6000, 0.2)),
        "pulse": trace(6000, (0, 40, 0.2)),
        "levels": trace(6000, (0, 6000, 0.1), (2000, 3000, 0.2)),
        "pulses": trace(6000, *((start, start + 30, 0.5) for start in range(0, 3000, 300))),
        "ramp": ramp(6000, 0, 6000, 0.1, 0.5),
        "noise": 0.1 + 0.1 * fluctuation(random, 6000, 4.0),
    }[kind]
    return noisy


KINDS = ("step", "pulse", "levels", "pulses", "ramp", "noise")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shift=st.integers(-2500, 2500), holding_nA=st.floats(-1.0, 1.0))
def test_shift_and_holding_current_shift_the_stimulus(kind: str, seed: int, shift: int, holding_nA: float) -> None:
    current = example(kind, np.random.default_rng(seed))
    first, second = found(current), found(np.roll(current, shift) + holding_nA)
    assert (first.kind, second.kind) == (kind, kind)
    # Ramps and noise are looked for in blocks, which a shift moves.
    close = {"ramp": 4.0, "noise": 8.0}.get(kind, 0.01)
    np.testing.assert_allclose(edges(second, 0.25), edges(first, 0.25) + shift, atol=close)
    np.testing.assert_allclose(amplitudes(second), amplitudes(first), atol=0.001 if kind in ("ramp", "noise") else 1e-5)
    assert second.holding_nA - first.holding_nA == pytest.approx(holding_nA, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([-1e3, -1.0, -1e-3, 1e-3, 1e3]))
def test_sign_and_unit_change_nothing_but_the_amplitudes(kind: str, seed: int, scale: float) -> None:
    current = example(kind, np.random.default_rng(seed))
    first, second = found(current), found(scale * current)
    assert (first.kind, second.kind) == (kind, kind)
    np.testing.assert_allclose(edges(second, 0.25), edges(first, 0.25), atol=0.01)
    np.testing.assert_allclose(amplitudes(second), scale * amplitudes(first), rtol=1e-6)
    assert second.deviation_nA == pytest.approx(abs(scale) * first.deviation_nA, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factor", [2, 3, 10])
def test_sampled_more_often_the_stimulus_stays(kind: str, factor: int) -> None:
    current = example(kind, np.random.default_rng(factor))
    first, second = found(current, 0.25), found(np.repeat(current, factor), 0.25 / factor)
    assert (first.kind, second.kind) == (kind, kind)
    close = {"ramp": 4.0, "noise": 8.0}.get(kind, 1.01)
    np.testing.assert_allclose(edges(second, 0.25), edges(first, 0.25), atol=close)
    np.testing.assert_allclose(amplitudes(second), amplitudes(first), atol=0.002)


PULSE = (400, 440, -0.05)


@pytest.mark.parametrize("kind", ["step", "levels", "ramp", "noise"])
def test_a_test_pulse_is_no_part_of_the_stimulus(kind: str) -> None:
    current = example(kind, np.random.default_rng(1))
    alone, after_pulse = found(current), found(current + trace(12000, PULSE))
    assert after_pulse.kind == alone.kind
    assert alone.test_pulse is None
    assert after_pulse.test_pulse == Piece(
        100.0, 110.0, pytest.approx(-0.05, abs=0.002), pytest.approx(-0.05, abs=0.002)
    )
    np.testing.assert_allclose(edges(after_pulse, 0.25), edges(alone, 0.25), atol=4.0)
    np.testing.assert_allclose(amplitudes(after_pulse), amplitudes(alone), atol=0.001)


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [
        ([PULSE], "pulse"),
        ([PULSE, (4000, 4040, -0.05)], "pulses"),
        ([PULSE, (4000, 4040, -0.1), (6000, 6040, -0.2)], "levels"),
        ([(400, 440, -0.08), (4000, 8000, 0.2)], "levels"),
        ([(2000, 2040, -0.05), (4000, 8000, 0.2)], "levels"),
        ([(200, 1000, -0.05), (4000, 8000, 0.2)], "levels"),
        ([(400, 440, -0.05), (440, 4000, 0.2)], "levels"),
    ],
    ids=["alone", "repeated", "growing", "large", "late", "long", "no gap"],
)
def test_what_is_no_test_pulse(pieces: list[tuple[int, int, float]], kind: str) -> None:
    stimulus = found(trace(12000, *pieces))
    assert (stimulus.kind, stimulus.test_pulse, len(stimulus.pieces)) == (kind, None, len(pieces))


def test_a_test_pulse_before_a_brief_and_tall_pulse() -> None:
    stimulus = found(trace(12000, PULSE, (4000, 4012, 1.0)))
    assert stimulus.kind == "pulse"
    assert stimulus.pieces == (Piece(1000.0, 1003.0, 1.0, 1.0),)
    assert stimulus.test_pulse is not None


def test_a_step_with_a_slope_is_a_ramp() -> None:
    stimulus = found(ramp(12000, 2000, 10000, 0.2, 0.25) + np.random.default_rng(0).normal(0.0, 0.001, 12000))
    assert stimulus.kind == "ramp"
    assert stimulus.pieces[0].start_nA == pytest.approx(0.2, abs=0.001)


@pytest.mark.parametrize("kind", ["ramp", "noise"])
def test_another_step_beside_a_ramp_or_noise(kind: str) -> None:
    current = example(kind, np.random.default_rng(3))
    assert "is not alone: there is a step before it" in reason(current + trace(12000, (1000, 1120, -0.2)))
    assert "is not alone: there is a step after it" in reason(current + trace(12000, (9500, 9900, -0.2)))
    assert reason(current + trace(12000, (500, 2500, -0.2)))
