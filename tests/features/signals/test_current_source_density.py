from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from rheobase.features.errors import FeatureError, UnitError
from rheobase.features.signals.current_source_density import (
    DiscSources,
    delta_icsd,
    disc_potentials,
    second_derivative_csd,
)
from rheobase.features.signals.signal import Signal

DEPTHS_UM = np.arange(100.0, 900.0, 100.0)
POTENTIALS_mV = np.array(
    [[0.10, -0.3], [0.25, -0.1], [-0.40, 0.2], [-0.90, 0.6], [-0.35, 0.9], [0.30, 0.1], [0.45, -0.5], [0.20, -0.2]]
)
# elephant 1.2.1, icsd.StandardCSD and icsd.DeltaiCSD (diameter 500 um, conductivity 0.3 S/m) of these potentials; its
# currents per area (A/m^2) over the 100 um between contacts, in uA/mm^3. By the conductivity above the surface.
ELEPHANT_STANDARD = [[24.0, -3.0], [-4.5, -3.0], [-31.5, 3.0], [-3.0, 33.0], [15.0, -6.0], [12.0, -27.0]]
ELEPHANT_ENDS = [[-4.5, -6.0], [-7.5, 9.0]]
ELEPHANT_DELTA = {
    0.3: [
        *([-2.01549, -11.40552], [24.111392, -3.577353], [-7.231689, -1.186355], [-35.936723, 7.257649]),
        *([-5.412057, 37.352736], [16.030014, -4.829559], [14.546946, -28.82592], [-3.253231, 4.403406]),
    ],
    0.0: [
        *([-2.59996, -9.432022], [24.194195, -3.720786], [-7.183383, -1.263564], [-35.89923, 7.191601]),
        *([-5.381137, 37.291816], [16.055967, -4.885973], [14.568797, -28.877607], [-3.213245, 4.292214]),
    ],
    1.654: [
        *([-1.271895, -14.076572], [24.070563, -3.55302], [-7.247545, -1.209576], [-35.949062, 7.243414]),
        *([-5.422895, 37.347651], [16.020648, -4.829526], [14.53903, -28.823246], [-3.267015, 4.415322]),
    ],
}


def laminar(values, unit="mV"):
    return Signal(np.asarray(values), 1000.0, unit, tuple(f"{number}" for number in range(np.shape(values)[-2])))


def test_the_second_derivative_is_elephants():
    density = second_derivative_csd(laminar(POTENTIALS_mV), 100.0)
    assert density.values == pytest.approx(np.array(ELEPHANT_STANDARD))
    assert (density.unit, density.channels) == ("uA/mm^3", ("1", "2", "3", "4", "5", "6"))
    with_ends = second_derivative_csd(laminar(POTENTIALS_mV), 100.0, ends="vaknin")
    assert with_ends.values == pytest.approx(np.array([ELEPHANT_ENDS[0], *ELEPHANT_STANDARD, ELEPHANT_ENDS[1]]))
    assert len(with_ends.channels) == 8


@pytest.mark.parametrize("above", ELEPHANT_DELTA)
def test_delta_icsd_is_elephants(above):
    density = delta_icsd(laminar(POTENTIALS_mV), DEPTHS_UM, DiscSources(500.0, 0.3, above))
    assert density.values == pytest.approx(np.array(ELEPHANT_DELTA[above]), abs=1e-5)
    assert (density.unit, density.channels) == ("uA/mm^3", laminar(POTENTIALS_mV).channels)


def test_a_parabola_has_an_even_density():
    """phi = z^2 (mV, z in mm) is that of -0.3 S/m * 2 mV/mm^2 = -0.6 uA/mm^3 everywhere."""
    potential = laminar((DEPTHS_UM[:, np.newaxis] * 1e-3) ** 2)
    assert second_derivative_csd(potential, 100.0).values == pytest.approx(np.full((6, 1), -0.6))


def test_wide_sheets_are_found_by_the_second_derivative():
    """A sheet of current per area I gives -I |z| / (2 conductivity): all of it is at the contact of the sheet."""
    planar = 2.0  # uA/mm^2
    potential_mV = -planar * np.abs(DEPTHS_UM[:, np.newaxis] - 400.0) * 1e-3 / (2 * 0.3)
    expected = np.where(DEPTHS_UM[1:-1, np.newaxis] == 400.0, planar / 0.1, 0.0)
    assert second_derivative_csd(laminar(potential_mV), 100.0).values == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("above", [0.3, 0.0, 1.7])
def test_the_potential_of_a_disc_is_the_integral_over_its_area(above):
    """Point sources and their images, phi = I / (4 pi conductivity distance), over a disc of radius 250 um."""
    sources = DiscSources(500.0, 0.3, above)
    depth, disc = 350.0, 200.0
    image = (0.3 - above) / (0.3 + above)

    def ring(radius):
        distances = np.hypot(radius, depth - disc), np.hypot(radius, depth + disc)
        return 2.0 * np.pi * radius * (1.0 / distances[0] + image / distances[1]) / (4.0 * np.pi * 0.3)

    expected = quad(ring, 0.0, 250.0)[0]
    assert disc_potentials(np.array([depth]), np.array([disc]), sources) == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(
    currents=st.lists(st.floats(-50.0, 50.0), min_size=8, max_size=8),
    diameter_um=st.floats(100.0, 1000.0),
    above=st.floats(0.0, 2.0),
)
def test_discs_are_found_again(currents, diameter_um, above):
    """The potentials of known discs at the contacts give these discs (uA/mm^3 times 100 um between contacts)."""
    sources = DiscSources(diameter_um, 0.3, above)
    planar = np.array(currents)[:, np.newaxis] * 0.1  # uA/mm^2
    potential_mV = 1e-3 * disc_potentials(DEPTHS_UM, DEPTHS_UM, sources) @ planar
    assert delta_icsd(laminar(potential_mV), DEPTHS_UM, sources).values == pytest.approx(
        np.array(currents)[:, np.newaxis], abs=1e-6
    )


def test_epochs_and_units():
    epochs = np.stack([POTENTIALS_mV, -2.0 * POTENTIALS_mV])
    for method in (
        lambda signal: second_derivative_csd(signal, 100.0),
        lambda signal: second_derivative_csd(signal, 100.0, ends="vaknin"),
        lambda signal: delta_icsd(signal, DEPTHS_UM),
    ):
        single = method(laminar(POTENTIALS_mV)).values
        both = method(laminar(epochs * 1e3, "uV"))
        assert both.values == pytest.approx(np.stack([single, -2.0 * single]))
        with pytest.raises(UnitError, match="expected a unit like mV, got 'nA'"):
            method(dataclasses.replace(both, unit="nA", values=epochs, channels=laminar(POTENTIALS_mV).channels))


@pytest.mark.parametrize(
    ("depths_um", "message"),
    [
        (DEPTHS_UM[:-1], r"the depth of each of 8 contacts \(two or more\), got an array of shape \(7,\)"),
        (DEPTHS_UM[::-1], "that increase; order the channels by depth"),
        (DEPTHS_UM - 200.0, "at least 0 um"),
        (DEPTHS_UM**1.2, "evenly spaced, they differ between"),
    ],
)
def test_depths_that_do_not_fit(depths_um, message):
    with pytest.raises(FeatureError, match=message):
        delta_icsd(laminar(POTENTIALS_mV), depths_um)


def test_what_has_no_density():
    with pytest.raises(FeatureError, match="at least three contacts, got 2"):
        second_derivative_csd(laminar(POTENTIALS_mV[:2]), 100.0)
    with pytest.raises(FeatureError, match="a spacing and a conductivity above zero, got 0"):
        second_derivative_csd(laminar(POTENTIALS_mV), 0.0)
    with pytest.raises(FeatureError, match="to 'omit' or to treat as 'vaknin', got 'zero'"):
        second_derivative_csd(laminar(POTENTIALS_mV), 100.0, ends="zero")
    with pytest.raises(FeatureError, match="discs of a diameter and a tissue of a conductivity above zero"):
        DiscSources(diameter_um=0.0)
