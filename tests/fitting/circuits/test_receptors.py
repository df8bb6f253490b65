"""Receptors, short-term plasticity and release against closed forms and published behaviour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from rheobase.features.errors import ModelError
from rheobase.fitting.circuits.receptors import Contact, ReceptorSite, place_receptors, set_conductance
from rheobase.fitting.circuits.spike_sources import PlayedSpikes
from rheobase.fitting.circuits.synapses import Receptor, ShortTermPlasticity, SynapseKind
from tests.fitting.circuits.compartment import Compartment

FAST = (Receptor("AMPA", 0.2, 1.0, 0.0),)
# Tsodyks, Uziel & Markram 2000, J Neurosci 20:RC50: pyramidal cells onto pyramidal cells, and onto interneurons.
DEPRESSING = ShortTermPlasticity(use=0.5, recovery_ms=800.0)
FACILITATING = ShortTermPlasticity(use=0.04, recovery_ms=100.0, facilitation_ms=1000.0)
USED, AVAILABLE = 6, 7  # places in the weight vector


class Synapse:
    """Contacts on one compartment, all of them driven by the same spikes."""

    def __init__(self, kind: SynapseKind, contacts: Sequence[Contact], voltage_mV: float = -70.0) -> None:
        from neuron import h

        self.compartment = Compartment(voltage_mV)
        self.site = place_receptors(self.compartment.segment, kind)
        self.spikes = PlayedSpikes()
        self.netcons: list[Any] = []
        for contact in contacts:
            netcon = h.NetCon(self.spikes.source, self.site.point_process)
            netcon.delay = 0.5
            self.site.connect(netcon, contact)
            self.netcons.append(netcon)

    def record(self, name: str, spikes_ms: Sequence[float], duration_ms: float, seed: int = 0) -> NDArray[np.float64]:
        self.spikes.set_times(np.array(spikes_ms) - 0.5)  # the delay: they arrive at these times
        self.site.restart(seed)
        return self.compartment.run(duration_ms, [getattr(self.site.point_process, f"_ref_{name}")])[0]


def double_exponential(since_ms: NDArray[np.float64], rise_ms: float, decay_ms: float) -> NDArray[np.float64]:
    peak_ms = np.log(decay_ms / rise_ms) * rise_ms * decay_ms / (decay_ms - rise_ms)
    peak = np.exp(-peak_ms / decay_ms) - np.exp(-peak_ms / rise_ms)
    shape = np.exp(-since_ms / decay_ms) - np.exp(-since_ms / rise_ms)
    return np.where(since_ms > 0.0, shape / peak, 0.0)


class TestConductance:
    @pytest.mark.parametrize("name", ["AMPA", "GABA_A", "GABA_B"])
    @settings(max_examples=15, deadline=None)
    @given(rise_ms=st.floats(0.1, 20.0), ratio=st.floats(1.05, 30.0), share=st.floats(0.1, 2.0))
    def test_is_the_closed_form(self, name: str, rise_ms: float, ratio: float, share: float) -> None:
        kind = SynapseKind("one", (Receptor(name, rise_ms, rise_ms * ratio, -20.0, share),))
        g = Synapse(kind, [Contact(2e-3, 1)]).record("g", [5.0, 12.0], 60.0)
        t = 0.1 * np.arange(len(g))
        shape = double_exponential(t - 5.0, rise_ms, rise_ms * ratio) + double_exponential(
            t - 12.0, rise_ms, rise_ms * ratio
        )
        np.testing.assert_allclose(g, 2e-3 * share * shape, rtol=0, atol=1e-8 * 2e-3 * ratio / (ratio - 1.0))

    def test_peaks_at_the_conductance_of_the_contact(self) -> None:
        kind = SynapseKind("one", (Receptor("AMPA", 0.5, 3.0, 0.0),))
        g = Synapse(kind, [Contact(1e-3, 1)]).record("g", [5.0], 40.0)
        assert g.max() == pytest.approx(1e-3, rel=1e-3)
        assert 0.1 * g.argmax() == pytest.approx(5.0 + 0.6 * np.log(6.0), abs=0.05)

    def test_receptors_add_each_with_its_own_reversal(self) -> None:
        kind = SynapseKind("two", (Receptor("GABA_A", 1.0, 10.0, -75.0), Receptor("GABA_B", 30.0, 90.0, -95.0, 0.25)))
        synapse = Synapse(kind, [Contact(1e-3, 1)], voltage_mV=-60.0)
        point = synapse.site.point_process
        synapse.spikes.set_times([4.5])
        g, first, second, i = synapse.compartment.run(
            200.0, [point._ref_g, point._ref_g_gaba_a, point._ref_g_gaba_b, point._ref_i]
        )
        np.testing.assert_array_equal(g, first + second)
        assert second.max() == pytest.approx(0.25e-3, rel=1e-3)
        # The current is that of the beginning of a step, the conductance that of its end.
        np.testing.assert_allclose(i[1:], (first * 15.0 + second * 35.0)[:-1], rtol=1e-4, atol=1e-9)

    def test_absent_receptors_stay_shut(self) -> None:
        synapse = Synapse(SynapseKind("one", (Receptor("NMDA", 2.0, 65.0, 0.0),)), [Contact(1e-3, 1)])
        assert synapse.record("g_ampa", [5.0], 20.0).max() == 0.0
        assert synapse.record("g_nmda", [5.0], 20.0).max() > 0.0

    # 1 / (1 + exp(-0.062 V) / 3.57): Jahr & Stevens 1990, J Neurosci 10:3178.
    @pytest.mark.parametrize(("voltage_mV", "open_part"), [(-70.0, 0.04447), (-40.0, 0.23015), (0.0, 0.78118)])
    def test_magnesium_blocks_NMDA(self, voltage_mV: float, open_part: float) -> None:
        kind = SynapseKind("slow", (Receptor("NMDA", 2.0, 65.0, 0.0),))
        synapse = Synapse(kind, [Contact(1e-3, 1)], voltage_mV)
        assert synapse.record("g", [5.0], 60.0).max() == pytest.approx(1e-3 * open_part, rel=1e-3)
        synapse.site.point_process.magnesium = 0.0
        assert synapse.record("g", [5.0], 60.0).max() == pytest.approx(1e-3, rel=1e-3)

    def test_moves_the_voltage_as_much_at_any_time_step(self) -> None:
        kind = SynapseKind("both", (Receptor("AMPA", 0.5, 3.0, 0.0), Receptor("NMDA", 2.0, 65.0, 0.0, 0.7)))
        peaks = []
        for time_step_ms in (0.1, 0.0125):
            synapse = Synapse(kind, [Contact(1e-3, 1)])
            synapse.compartment.time_step_ms = time_step_ms
            synapse.compartment.section.g_pas = 1e-4
            synapse.spikes.set_times([4.5])
            peaks.append(synapse.compartment.run(60.0, [synapse.compartment.segment._ref_v]).max())
        assert peaks[0] > -68.0
        assert peaks[0] + 70.0 == pytest.approx(peaks[1] + 70.0, rel=0.01)


def amplitudes(plasticity: ShortTermPlasticity, times_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Used resources of each spike, by integrating the model's two equations in small steps between spikes."""
    step_ms = 0.005
    used, available, now, answer = 0.0, 1.0, times_ms[0], []
    for time in times_ms:
        for _ in range(round((time - now) / step_ms)):
            available += step_ms * (1.0 - available) / plasticity.recovery_ms
            if plasticity.facilitation_ms:
                used -= step_ms * used / plasticity.facilitation_ms
        if not plasticity.facilitation_ms:
            used = 0.0
        used += plasticity.use * (1.0 - used)
        answer.append(used * available)
        available -= used * available
        now = time
    return np.array(answer)


def peaks(g: NDArray[np.float64], times_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    starts = np.round(times_ms / 0.1).astype(int)
    return np.array([g[start : start + 100].max() for start in starts])


class TestShortTermPlasticity:
    TRAIN = np.array([*(10.0 + 50.0 * np.arange(9)), 910.0])  # nine spikes at 20 Hz, and one after 500 ms

    @pytest.mark.parametrize("plasticity", [DEPRESSING, FACILITATING])
    def test_ten_responses_to_a_train(self, plasticity: ShortTermPlasticity) -> None:
        synapse = Synapse(SynapseKind("dynamic", FAST, plasticity), [Contact(1e-3, 1)])
        g = synapse.record("g", self.TRAIN.tolist(), 930.0)
        expected = amplitudes(plasticity, self.TRAIN)
        single = Synapse(SynapseKind("static", FAST), [Contact(1e-3, 1)]).record("g", [10.0], 30.0).max()
        np.testing.assert_allclose(peaks(g, self.TRAIN) / single, expected, rtol=5e-4)
        assert (np.diff(expected[:9]) < 0.0).all() == (plasticity is DEPRESSING)
        assert expected[9] > expected[8] if plasticity is DEPRESSING else expected[9] < expected[8]

    @settings(max_examples=15, deadline=None)
    @given(
        use=st.floats(0.01, 1.0),
        recovery_ms=st.floats(10.0, 1000.0),
        facilitation_ms=st.one_of(st.just(0.0), st.floats(10.0, 1000.0)),
        interval_ms=st.floats(5.0, 200.0),
    )
    def test_settles_as_the_published_formula_says(
        self, use: float, recovery_ms: float, facilitation_ms: float, interval_ms: float
    ) -> None:
        # Tsodyks, Pawelzik & Markram 1998, Neural Comput 10:821: u and R just before the spikes of an endless train.
        kind = SynapseKind("dynamic", FAST, ShortTermPlasticity(use, recovery_ms, facilitation_ms))
        synapse = Synapse(kind, [Contact(1e-3, 1)])
        synapse.compartment.time_step_ms = 25.0
        times = interval_ms * (1 + np.arange(20 + int(15.0 * max(recovery_ms, facilitation_ms) / interval_ms)))
        synapse.record("g", times.tolist(), float(times[-1]) + 50.0)
        kept = np.exp(-interval_ms / facilitation_ms) if facilitation_ms else 0.0
        used = use / (1.0 - (1.0 - use) * kept)
        lost = np.exp(-interval_ms / recovery_ms)
        available = (1.0 - lost) / (1.0 - (1.0 - used) * lost)
        weight = synapse.netcons[0].weight
        assert weight[USED] == pytest.approx(used, rel=1e-4)
        assert weight[AVAILABLE] == pytest.approx(available * (1.0 - used), rel=1e-4, abs=1e-9)

    @pytest.mark.parametrize("release_sites", [0, 5])
    @pytest.mark.parametrize("plasticity", [DEPRESSING, FACILITATING])
    def test_every_run_begins_afresh(self, plasticity: ShortTermPlasticity, release_sites: int) -> None:
        synapse = Synapse(SynapseKind("dynamic", FAST, plasticity, release_sites), [Contact(1e-3, 1)])
        times = np.linspace(10.0, 90.0, 9).tolist()
        first = synapse.record("g", times, 100.0)
        assert first.max() > 0.0
        np.testing.assert_array_equal(synapse.record("g", times, 100.0), first)

    def test_without_it_every_spike_is_the_same(self) -> None:
        synapse = Synapse(SynapseKind("static", FAST), [Contact(1e-3, 1)])
        times = np.array([10.0, 40.0, 70.0])
        found = peaks(synapse.record("g", times.tolist(), 90.0), times)
        np.testing.assert_allclose(found, found[0], rtol=1e-9)

    def test_contacts_that_share_receptors_keep_their_own_plasticity(self) -> None:
        from neuron import h

        synapse = Synapse(SynapseKind("dynamic", FAST, DEPRESSING), [Contact(1e-3, 1)])
        other = ReceptorSite(synapse.site.point_process, SynapseKind("other", FAST, FACILITATING))
        netcon = h.NetCon(synapse.spikes.source, other.point_process)
        netcon.delay = 0.5
        other.connect(netcon, Contact(3e-3, 2))
        together = synapse.record("g", self.TRAIN.tolist(), 930.0)
        apart = [
            Synapse(SynapseKind("dynamic", FAST, plasticity), [contact]).record("g", self.TRAIN.tolist(), 930.0)
            for plasticity, contact in ((DEPRESSING, Contact(1e-3, 1)), (FACILITATING, Contact(3e-3, 2)))
        ]
        np.testing.assert_allclose(together, apart[0] + apart[1], rtol=1e-9, atol=1e-15)

    def test_the_conductance_is_scaled_in_place(self) -> None:
        synapse = Synapse(SynapseKind("dynamic", FAST, DEPRESSING), [Contact(1e-3, 1)])
        before = synapse.record("g", self.TRAIN.tolist(), 930.0)
        set_conductance(synapse.netcons[0], 2.5e-3)
        np.testing.assert_allclose(synapse.record("g", self.TRAIN.tolist(), 930.0), 2.5 * before, rtol=1e-8)


class TestRelease:
    SITES = 5
    KIND = SynapseKind("chance", FAST, ShortTermPlasticity(0.4, 100.0, 50.0), release_sites=SITES)
    TIMES = np.array([10.0, 30.0, 50.0, 120.0])

    def released(self, seed: int, contacts: int) -> NDArray[np.float64]:
        """Released sites of each contact by each spike: (contacts, spikes)."""
        from neuron import h

        synapse = Synapse(self.KIND, [])
        found = []
        for number in range(contacts):  # a point process of its own for each, to see what each releases
            site = place_receptors(synapse.compartment.segment, self.KIND)
            netcon = h.NetCon(synapse.spikes.source, site.point_process)
            netcon.delay = 0.5
            site.connect(netcon, Contact(1.0, number))
            site.restart(seed)
            found.append((site, netcon))
        synapse.spikes.set_times(self.TIMES - 0.5)
        g = synapse.compartment.run(130.0, [site.point_process._ref_g for site, _ in found])
        unit = double_exponential(0.1 * np.arange(100), 0.2, 1.0).max()
        values = np.array([peaks(trace, self.TIMES) for trace in g]) * self.SITES / unit
        np.testing.assert_allclose(values, np.round(values), atol=1e-4)
        return np.round(values)

    def test_is_binomial_with_the_mean_of_the_response_without_chance(self) -> None:
        # Sites are independent, so what a spike releases is binomial with the part that the mean model releases.
        assert self.KIND.plasticity is not None
        contacts = 1500
        counts = self.released(seed=7, contacts=contacts)
        for released, part in zip(counts.T, amplitudes(self.KIND.plasticity, self.TIMES), strict=True):
            expected = contacts * stats.binom.pmf(np.arange(self.SITES + 1), self.SITES, part)
            observed = np.bincount(released.astype(int), minlength=self.SITES + 1)
            keep = expected > 4.0
            statistic = np.sum((observed - expected)[keep] ** 2 / expected[keep])
            assert stats.chi2.sf(statistic, keep.sum() - 1) > 1e-3
            assert released.mean() == pytest.approx(self.SITES * part, abs=4.0 * released.std() / np.sqrt(contacts))

    def test_depends_on_seed_contact_and_spike(self) -> None:
        first = self.released(seed=1, contacts=200)
        np.testing.assert_array_equal(self.released(seed=1, contacts=200), first)
        assert np.mean(self.released(seed=2, contacts=200) != first) > 0.3
        assert np.mean(first[1:, 0] != first[:-1, 0]) > 0.3
        assert abs(np.corrcoef(first[:, 0], first[:, 3])[0, 1]) < 0.3

    def test_draws_are_those_of_NEURONs_Random123(self) -> None:
        # One site that is full at every spike releases where the number drawn for it is below `use`.
        from neuron import h

        kind = SynapseKind("single", FAST, ShortTermPlasticity(0.5, 0.0), release_sites=1)
        synapse = Synapse(kind, [Contact(1.0, 77)])
        times = 10.0 + 10.0 * np.arange(40)
        g = synapse.record("g", times.tolist(), 420.0, seed=3)
        stream = h.Random()
        before = int(stream.Random123_globalindex())
        try:
            stream.Random123_globalindex(synapse.site.point_process.seed)
            expected = []
            for spike in range(40):
                stream.Random123(77, 0, spike)
                stream.uniform(0.0, 1.0)
                stream.seq(4.0)  # draw 1, the first of its four numbers; draw 0 would be for refilling
                expected.append(stream.repick() < 0.5)
        finally:
            stream.Random123_globalindex(before)
        found = peaks(g, times) > 0.5
        assert 8 < found.sum() < 32
        np.testing.assert_array_equal(found, expected)

    def test_more_sites_vary_less(self) -> None:
        traces = []
        for sites in (1, 50):
            kind = SynapseKind("chance", FAST, ShortTermPlasticity(0.4, 100.0), release_sites=sites)
            synapse = Synapse(kind, [Contact(1e-3, 1)])
            traces.append([synapse.record("g", [10.0], 20.0, seed).max() for seed in range(40)])
        assert np.std(traces[1]) < 0.3 * np.std(traces[0])
        assert np.mean(traces[1]) == pytest.approx(0.4e-3, rel=0.1)


class TestOrder:
    KIND = SynapseKind("chance", FAST, ShortTermPlasticity(0.4, 100.0, 50.0), release_sites=3)
    CONTACTS = tuple(Contact(1e-3 * (0.1 + 0.37 * number), number) for number in range(25))
    TIMES = (5.0, 9.0, 13.0)

    @settings(max_examples=10, deadline=None)
    @given(order=st.permutations(range(25)))
    def test_the_order_of_arrival_does_not_change_a_bit(self, order: list[int]) -> None:
        expected = Synapse(self.KIND, self.CONTACTS).record("g", self.TIMES, 30.0, seed=4)
        shuffled = Synapse(self.KIND, [self.CONTACTS[place] for place in order])
        np.testing.assert_array_equal(shuffled.record("g", self.TIMES, 30.0, seed=4), expected)


def test_contacts_are_numbered_with_32_bits() -> None:
    synapse = Synapse(SynapseKind("static", FAST), [])
    with pytest.raises(ValueError, match="from 0 to 2\\^32 - 1, got 4294967296"):
        synapse.site.connect(None, Contact(1e-3, 2**32))


def test_release_by_chance_needs_a_chance() -> None:
    with pytest.raises(ModelError, match=r"'sure'.*5 release sites.*plasticity"):
        SynapseKind("sure", FAST, release_sites=5)
