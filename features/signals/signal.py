"""A signal of one or more channels: EEG, MEG, LFP or a current dipole, measured or simulated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import FeatureError
from rheobase.features.units import factor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# Annotations of these names mark samples that are not to be used, or a cut between what lies before and after.
_UNUSABLE = ("bad", "edge", "boundary", "new segment")


@dataclass(frozen=True)
class Event:
    """Something that happened during a recording: a stimulus, a response, or a stretch that is not to be used.

    Attributes:
        name: As the file calls it, for example "Stimulus/S  1".
        onset_ms: Time from the first sample of the recording (ms).
        duration_ms: 0 for an instant (ms).
    """

    name: str
    onset_ms: float
    duration_ms: float = 0.0

    @property
    def unusable(self) -> bool:
        """Whether it marks a bad stretch or a cut ("BAD_...", "EDGE...", "boundary", "New Segment")."""
        return self.name.lower().startswith(_UNUSABLE)


@dataclass(frozen=True, eq=False)
class Signal:
    """Samples of some channels, continuous or cut into epochs.

    Attributes:
        values: Samples, shape (channels, samples) or (epochs, channels, samples).
        sampling_rate_Hz: Samples per second (Hz).
        unit: Unit of the samples, for example "uV", "mV", "nA m".
        channels: Name of each channel; of a laminar probe from the surface downwards.
        start_ms: Time of the first sample (ms); for epochs from the event, so -200 where the baseline is 200 ms.
        events: Of a continuous signal, what happened during it; of epochs, the event of each (or none at all).

    Raises:
        FeatureError: Shapes that do not fit each other, a rate that is not positive, samples that are not numbers,
            no unit.
    """

    values: NDArray[np.float64]
    sampling_rate_Hz: float
    unit: str
    channels: tuple[str, ...]
    start_ms: float = 0.0
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem:
            raise FeatureError(f"not a signal: {problem}")

    @property
    def by_epoch(self) -> NDArray[np.float64]:
        """Samples, shape (epochs, channels, samples); a continuous signal is one epoch."""
        return self.values if self.values.ndim == 3 else self.values[np.newaxis]

    @property
    def epochs(self) -> int:
        """Number of epochs; 1 for a continuous signal."""
        return len(self.values) if self.values.ndim == 3 else 1

    @property
    def samples(self) -> int:
        """Number of samples of each channel and epoch."""
        return int(self.values.shape[-1])

    @property
    def times_ms(self) -> NDArray[np.float64]:
        """Time of each sample (ms), shape (samples,)."""
        return np.asarray(self.start_ms + np.arange(self.samples) * (1000.0 / self.sampling_rate_Hz))

    def pick(self, *channels: str) -> Signal:
        """The same signal with these channels alone, in this order.

        Raises:
            FeatureError: A channel that is not there, or none named.
        """
        if not channels:
            raise FeatureError(f"expected the names of the channels to pick; there are {', '.join(self.channels)}")
        rows = [self._row(channel) for channel in channels]
        return replace(self, values=self.values[..., rows, :], channels=channels)

    def converted(self, unit: str) -> Signal:
        """The same signal in another unit.

        Raises:
            UnitError: A unit of another kind.
        """
        return replace(self, values=self.values * factor(self.unit, unit), unit=unit)

    def each_epoch(self) -> Iterator[Signal]:
        """The epochs one by one, each as an epoched signal of one."""
        for index, epoch in enumerate(self.by_epoch):
            events = self.events[index : index + 1] if self.values.ndim == 3 else self.events
            yield replace(self, values=epoch[np.newaxis] if self.values.ndim == 3 else epoch, events=events)

    def epochs_of(self, event: str) -> Signal:
        """The epochs of one kind of event.

        Raises:
            FeatureError: The signal has no epochs with such an event.
        """
        if self.values.ndim != 3:
            raise FeatureError(f"'{event}': the signal is continuous; cut it into epochs first (cut_epochs)")
        rows = [index for index, found in enumerate(self.events) if found.name == event]
        if not rows:
            raise FeatureError(f"no epoch belongs to an event '{event}'; there are {event_names(self)}")
        return replace(self, values=self.values[rows], events=tuple(self.events[row] for row in rows))

    def _row(self, channel: str) -> int:
        try:
            return self.channels.index(channel)
        except ValueError:
            raise FeatureError(f"there is no channel '{channel}'; there are {', '.join(self.channels)}") from None


def _problem(signal: Signal) -> str | None:
    shape, channels = signal.values.shape, signal.channels
    if len(shape) not in (2, 3):
        return f"expected an array (channels, samples) or (epochs, channels, samples), got the shape {shape}"
    if 0 in shape:
        return f"the array of shape {shape} is empty"
    if len(channels) != shape[-2]:
        return f"expected one name for each of {shape[-2]} channels, got {len(channels)}"
    if len(set(channels)) != len(channels):
        return f"two channels have the same name: {', '.join(sorted(channels))}"
    if not (np.isfinite(signal.sampling_rate_Hz) and signal.sampling_rate_Hz > 0.0):
        return f"the sampling rate is {signal.sampling_rate_Hz} Hz"
    if not signal.unit.strip():
        return "it has no unit; state it, for example 'uV'"
    if len(shape) == 3 and signal.events and len(signal.events) != shape[0]:
        return f"expected one event for each of {shape[0]} epochs, or none, got {len(signal.events)}"
    if not np.all(np.isfinite(signal.values)):
        missing = ~np.isfinite(signal.values)
        *_, channel, sample = (int(index) for index in np.argwhere(missing)[0])
        return (
            f"{int(missing.sum())} samples are not numbers, the first is sample {sample} of channel "
            f"'{channels[channel]}'; cut these samples out or leave the channel out"
        )
    return None


def event_names(signal: Signal) -> str:
    """The kinds of events of a signal with their counts, for messages: "square (80), rt (74)"."""
    if not signal.events:
        return "no events"
    names = [event.name for event in signal.events]
    return ", ".join(f"{name} ({names.count(name)})" for name in dict.fromkeys(names))
