"""EEG and MEG against values of lfpykit's own documentation, of public repositories, and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rheobase.features.errors import ModelError, UnitError
from rheobase.features.signals.signal import Signal
from rheobase.fitting.circuits.head import FourSphereHead, Magnetometer, eeg, eeg_lead_field, meg

OTHER_CONDUCTIVITIES = (0.47, 1.71, 0.02, 0.41)


def dipole(x: float, y: float, z: float) -> Signal:
    return Signal(np.array([[x, x], [y, y], [z, z]]), 1000.0, "nA um", ("x", "y", "z"))


@pytest.mark.parametrize(
    ("head", "potential_mV"),
    [
        (FourSphereHead(78_200.0), 1.08291e-9),
        (FourSphereHead(78_000.0), 1.06248e-9),
        (FourSphereHead(78_200.0, conductivities_S_per_m=OTHER_CONDUCTIVITIES), 7.51957e-10),
        (FourSphereHead(78_000.0, conductivities_S_per_m=OTHER_CONDUCTIVITIES), 7.37255e-10),
    ],
)
def test_a_radial_dipole_of_1_nA_um(head: FourSphereHead, potential_mV: float) -> None:
    signal = eeg(dipole(0.0, 0.0, 1.0), head)
    assert signal.values[0].tolist() == pytest.approx([potential_mV] * 2, rel=1e-5)
    assert (signal.unit, signal.channels) == ("mV", ("EEG",))


def test_a_tangential_dipole_gives_nothing_on_top() -> None:
    assert eeg_lead_field()[:2].tolist() == [0.0, 0.0]
    assert eeg(dipole(5.0, -3.0, 0.0)).values.tolist() == [[0.0, 0.0]]


def test_a_tangential_dipole_shows_at_the_side_with_its_sign() -> None:
    side = FourSphereHead(electrode_um=(90_000.0 * math.sin(0.3), 0.0, 90_000.0 * math.cos(0.3)))
    along = eeg(dipole(1.0, 0.0, 0.0), side).values[0, 0]
    assert along > 1e-10
    assert eeg(dipole(-1.0, 0.0, 0.0), side).values[0, 0] == pytest.approx(-along)
    assert eeg(dipole(0.0, 1.0, 0.0), side).values[0, 0] == pytest.approx(0.0, abs=1e-15)


def test_epochs_and_other_units_are_taken() -> None:
    values = np.random.default_rng(1).normal(size=(4, 3, 10))
    signal = Signal(values, 1000.0, "nA m", ("x", "y", "z"), -2.0)
    potential = eeg(signal)
    assert potential.values.shape == (4, 1, 10)
    assert potential.start_ms == -2.0
    assert potential.values[:, 0] == pytest.approx(values[:, 2] * 1e6 * eeg_lead_field()[2])


def test_field_of_a_tangential_dipole_below_the_sensor() -> None:
    """mu0 p r_p / (8 pi r (r - r_p)^2): what is left of Sarvas' formula on the axis; and lfpykit's documented value."""
    field = meg(dipole(0.0, 1.0, 0.0), (0.0, 0.0, 92_000.0), 90_000.0)
    closed_T = 4e-7 * math.pi * 1e-15 * 90e-3 / (8.0 * math.pi * 92e-3 * 2e-3**2)
    assert field.values[:, 0].tolist() == pytest.approx([closed_T * 1e15, 0.0, 0.0], rel=1e-9)
    assert field.values[0, 0] == pytest.approx(9.73094081e-09 * 4e-7 * math.pi * 1e12, rel=1e-8)
    assert field.unit == "fT"


@pytest.mark.parametrize("tilt_deg", [90.0, 60.0, -90.0])
def test_radial_field_of_a_column_in_the_wall_of_a_sulcus(tilt_deg: float) -> None:
    """Return currents in a sphere have no radial field: what is left is Biot and Savart's of the dipole alone."""
    sensor = Magnetometer(tilt_deg=tilt_deg)
    field = sensor.signal(dipole(0.3, -0.2, 1.0))
    angle = math.radians(tilt_deg)
    moment = np.array(
        [0.3 * math.cos(angle) + math.sin(angle), -0.2, math.cos(angle) - 0.3 * math.sin(angle)]
    )  # nA um = 1e-15 A m
    place_m = 1e-6 * np.array(sensor.sensor_um)
    away_m = place_m - np.array([0.0, 0.0, 78_200e-6])
    closed_T = 1e-7 * np.cross(1e-15 * moment, away_m) @ place_m / np.linalg.norm(place_m)
    closed_fT = 1e15 * closed_T / np.linalg.norm(away_m) ** 3
    assert field.values[0].tolist() == pytest.approx([closed_fT] * 2, rel=1e-9)
    assert abs(closed_fT) > 1e-6
    assert (field.unit, field.channels) == ("fT", ("MEG",))


@pytest.mark.parametrize(
    ("sensor_um", "tilt_deg"),
    [
        ((0.0, 60_000.0, 104_000.0), 0.0),
        ((0.0, 60_000.0, 104_000.0), 180.0),
        ((60_000.0, 0.0, 104_000.0), 90.0),
        ((0.0, 0.0, 120_000.0), 90.0),
    ],
)
def test_refuses_magnetometers_that_would_see_nothing(sensor_um: tuple[float, float, float], tilt_deg: float) -> None:
    with pytest.raises(
        ModelError, match=r"field of the column's currents vanishes there: .* got the sensor .* tilt of"
    ):
        Magnetometer(sensor_um, tilt_deg)


def test_refuses_magnetometers_in_the_head() -> None:
    with pytest.raises(ModelError, match=r"the sensor must lie farther out than the dipole"):
        Magnetometer((0.0, 0.0, 70_000.0))


def test_a_radial_dipole_has_no_magnetic_field_outside() -> None:
    field = meg(dipole(0.0, 0.0, 1.0), (30_000.0, 0.0, 100_000.0))
    assert np.abs(field.values).max() < 1e-18


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dipole_z_um": 79_500.0}, "within the brain"),
        ({"electrode_um": (0.0, 0.0, 91_000.0)}, "not above the scalp"),
        ({"electrode_um": (0.0, 0.0, 70_000.0)}, "farther out than the dipole"),
        ({"radii_um": (79_000.0, 78_000.0, 85_000.0, 90_000.0)}, "grow from brain to scalp"),
        ({"conductivities_S_per_m": (0.3, 0.0, 0.015, 0.3)}, "conductivities above zero"),
    ],
)
def test_refuses_heads_that_cannot_be(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        FourSphereHead(**arguments)  # type: ignore[arg-type]


def test_refuses_other_signals() -> None:
    with pytest.raises(ModelError, match="channels x, y, z, got a"):
        eeg(Signal(np.zeros((1, 2)), 1000.0, "nA um", ("a",)))
    with pytest.raises(UnitError):
        eeg(Signal(np.zeros((3, 2)), 1000.0, "mV", ("x", "y", "z")))
    with pytest.raises(ModelError, match="sensor must lie farther out"):
        meg(dipole(0.0, 1.0, 0.0), (0.0, 0.0, 70_000.0))
