"""Synapses: receptors, short-term plasticity, release."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rheobase.features.errors import ModelError


@dataclass(frozen=True)
class Receptor:
    """A conductance that opens and closes with two exponentials.

    Attributes:
        name: "AMPA", "NMDA", "GABA_A" or "GABA_B"; "NMDA" is blocked by magnesium (Jahr and Stevens 1990).
        rise_ms: Time constant of the rise (ms), shorter than that of the decay.
        decay_ms: Time constant of the decay (ms).
        reversal_mV: Reversal potential (mV).
        share: Its peak conductance as a part of the synapse's, for example 0.7 for NMDA beside AMPA with 1.
    """

    name: str
    rise_ms: float
    decay_ms: float
    reversal_mV: float
    share: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in RECEPTORS:
            raise ModelError(f"there is no receptor '{self.name}'; there are {', '.join(RECEPTORS)}")
        if not 0.0 < self.rise_ms < self.decay_ms or not math.isfinite(self.decay_ms):
            raise ModelError(
                f"{self.name}: the rise must take some time, and less than the decay, got {self.rise_ms:g} ms and "
                f"{self.decay_ms:g} ms"
            )
        if self.share < 0.0:
            raise ModelError(f"{self.name}: the share must not be negative, got {self.share:g}")


RECEPTORS = ("AMPA", "NMDA", "GABA_A", "GABA_B")


@dataclass(frozen=True)
class ShortTermPlasticity:
    """Depression and facilitation (Tsodyks, Pawelzik and Markram 1998, Neural Comput 10:821).

    Attributes:
        use: Part of the resources that a spike uses after a long silence: the part of the contact's conductance that it
            opens.
        recovery_ms: Time constant of the recovery of resources (ms).
        facilitation_ms: Time constant of the return of `use` to rest (ms); 0 for none.
    """

    use: float
    recovery_ms: float
    facilitation_ms: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.use <= 1.0 or self.recovery_ms < 0.0 or self.facilitation_ms < 0.0:
            raise ModelError(
                f"short-term plasticity: expected a use between 0 and 1 and time constants that are not negative, got "
                f"{self.use:g}, {self.recovery_ms:g} ms and {self.facilitation_ms:g} ms"
            )


@dataclass(frozen=True)
class SynapseKind:
    """What the contacts of a projection are like.

    Attributes:
        name: Its name.
        receptors: One or two of them, of the same sign: AMPA and NMDA, or GABA_A and GABA_B.
        plasticity: Short-term plasticity; None for none.
        release_sites: Vesicles that each contact can release, each by chance; 0 for the mean without chance.
    """

    name: str
    receptors: tuple[Receptor, ...]
    plasticity: ShortTermPlasticity | None = None
    release_sites: int = 0

    def __post_init__(self) -> None:
        names = [receptor.name for receptor in self.receptors]
        if len(set(names)) != len(names) or not names or not (set(names) <= _EXCITATORY or set(names) <= _INHIBITORY):
            raise ModelError(
                f"the synapse '{self.name}' needs AMPA, NMDA or both, or GABA_A, GABA_B or both, got "
                f"{', '.join(names) or 'none'}"
            )
        if self.release_sites < 0:
            raise ModelError(f"the synapse '{self.name}' cannot have {self.release_sites} release sites")
        if self.release_sites and self.plasticity is None:
            raise ModelError(
                f"the synapse '{self.name}' has {self.release_sites} release sites but no chance to release: give it "
                "short-term plasticity with a use (recovery_ms 0 for a chance that stays the same)"
            )

    @property
    def is_excitatory(self) -> bool:
        """Whether it excites."""
        return self.receptors[0].name in _EXCITATORY


_EXCITATORY = {"AMPA", "NMDA"}
_INHIBITORY = {"GABA_A", "GABA_B"}
