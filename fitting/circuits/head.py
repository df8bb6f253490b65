"""From the current dipole of a column to EEG and MEG, with a head of spheres.

Naess S, Chintaluri C, Ness TV, Dale AM, Einevoll GT, Wojcik DK (2017) Corrected four-sphere head model for EEG signals.
Frontiers in Human Neuroscience 11:490. Sarvas J (1987) Basic mathematical and electromagnetic concepts of the
biomagnetic inverse problem. Physics in Medicine and Biology 32:11. Both are those of lfpykit, called here alone.

The column lies below the top of the head: its z axis is that of the head, from the centre outwards.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rheobase.features.errors import ModelError
from rheobase.fitting.circuits.dipole import CHANNELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rheobase.features.signals.signal import Signal

_MAGNETIC_CONSTANT_T_M_PER_A = 4.0e-7 * math.pi
# A field of 1 nA/um is 1e-3 A/m, and 1 T is 1e15 fT.
_SMALLEST_FIELD = 0.01  # of a sensor, as a part of that at the default angles
_FT_PER_nA_UM = 1e12 * _MAGNETIC_CONSTANT_T_M_PER_A


@dataclass(frozen=True)
class FourSphereHead:
    """Brain, cerebrospinal fluid, skull and scalp as spheres around one centre, air outside.

    Attributes:
        dipole_z_um: Distance of the dipole from the centre (um).
        electrode_um: Position of the electrode from the centre, x, y and z (um); on top of the scalp if left out.
        radii_um: Outer radii of brain, fluid, skull and scalp (um).
        conductivities_S_per_m: Of the same (S/m).

    Raises:
        ModelError: Radii that do not grow, a dipole outside the brain, or an electrode above the scalp or no farther
            out than the dipole.
    """

    dipole_z_um: float = 78_200.0
    electrode_um: tuple[float, float, float] = (0.0, 0.0, 90_000.0)
    radii_um: tuple[float, float, float, float] = (79_000.0, 80_000.0, 85_000.0, 90_000.0)
    conductivities_S_per_m: tuple[float, float, float, float] = (0.3, 1.5, 0.015, 0.3)

    def __post_init__(self) -> None:
        brain, fluid, skull, scalp = self.radii_um
        if not 0.0 < brain < fluid < skull < scalp or not min(self.conductivities_S_per_m) > 0.0:
            raise ModelError(
                "a head needs radii that grow from brain to scalp and conductivities above zero, got "
                f"{self.radii_um} um and {self.conductivities_S_per_m} S/m"
            )
        if not 0.0 < self.dipole_z_um < brain:
            raise ModelError(f"the dipole must lie within the brain, 0 to {brain:g} um, got {self.dipole_z_um:g} um")
        distance = math.hypot(*self.electrode_um)
        if not self.dipole_z_um < distance <= scalp * (1.0 + 1e-9):
            raise ModelError(
                f"the electrode must lie farther out than the dipole ({self.dipole_z_um:g} um) and not above the scalp "
                f"({scalp:g} um), got {distance:g} um from the centre"
            )

    unit: ClassVar[str] = "uV"  # in which amplitudes are told

    def signal(self, dipole: Signal) -> Signal:
        """What the electrode sees of a dipole; see `eeg`."""
        return eeg(dipole, self)


@dataclass(frozen=True)
class Magnetometer:
    """A sensor of the radial magnetic field outside of a head that is a sphere (Sarvas 1987).

    A radial dipole has no field outside: the column lies in the wall of a sulcus, with its axis tilted towards x.

    Attributes:
        sensor_um: Position of the sensor from the centre of the head (um). By default 12 cm out and 30 degrees to the
            side of the dipole, near the extremum of the field of one in the wall.
        tilt_deg: Angle between the axis of the column and the radius of the head: 90 in the wall of a sulcus, 0 on the
            crown of a gyrus (degrees).
        dipole_z_um: Distance of the dipole from the centre (um).

    Raises:
        ModelError: A sensor no farther out than the dipole, or where a current along the column has no field to speak
            of (less than a hundredth of that at the default angles).
    """

    sensor_um: tuple[float, float, float] = (0.0, 60_000.0, 104_000.0)
    tilt_deg: float = 90.0
    dipole_z_um: float = 78_200.0
    unit: ClassVar[str] = "fT"

    def __post_init__(self) -> None:
        _check_sensor(self.sensor_um, self.dipole_z_um)
        radius = math.hypot(*self.sensor_um)
        usual = _axial_field((0.0, 0.5 * radius, math.sqrt(0.75) * radius), 90.0, self.dipole_z_um)
        if abs(_axial_field(self.sensor_um, self.tilt_deg, self.dipole_z_um)) < _SMALLEST_FIELD * abs(usual):
            raise ModelError(
                "the magnetic field of the column's currents vanishes there: expected a sensor beside the plane that "
                "the column is tilted in (y not 0), and a tilt towards 90 degrees (a radial dipole has no field), "
                f"got the sensor {self.sensor_um} um and a tilt of {self.tilt_deg:g} degrees"
            )

    def signal(self, dipole: Signal) -> Signal:
        """The radial field of a dipole (fT), one channel called "MEG".

        Args:
            dipole: Channels x, y and z of the column, z along its axis.

        Raises:
            ModelError: Other channels.
            UnitError: Another kind of unit.
        """
        moment, turned = _moment(dipole), _tilted(self.tilt_deg)
        field = meg(
            replace(moment, values=np.einsum("ij,...jt->...it", turned, moment.values)),
            self.sensor_um,
            self.dipole_z_um,
        )
        outwards = np.array(self.sensor_um) / math.hypot(*self.sensor_um)
        values = np.einsum("k,...kt->...t", outwards, field.values)[..., np.newaxis, :]
        return replace(field, values=values, channels=("MEG",))


Sensor = FourSphereHead | Magnetometer
DEFAULT_HEAD = FourSphereHead()


@functools.lru_cache(maxsize=32)
def _lead_field(head: FourSphereHead) -> tuple[float, float, float]:
    from lfpykit.eegmegcalc import FourSphereVolumeConductor

    model = FourSphereVolumeConductor(
        np.array([head.electrode_um]), list(head.radii_um), list(head.conductivities_S_per_m)
    )
    x, y, z = model.get_transformation_matrix(np.array([0.0, 0.0, head.dipole_z_um]))[0]
    return float(x), float(y), float(z)


def eeg_lead_field(head: FourSphereHead = DEFAULT_HEAD) -> NDArray[np.float64]:
    """Potential at the electrode for 1 nA um along x, y and z (mV), shape (3,)."""
    return np.array(_lead_field(head))


def eeg(dipole: Signal, head: FourSphereHead = DEFAULT_HEAD) -> Signal:
    """Potential at an electrode (mV), one channel called "EEG".

    Args:
        dipole: Channels x, y and z, in a unit of current times length; continuous or in epochs.
        head: The head.

    Raises:
        ModelError: Other channels.
        UnitError: Another kind of unit.
    """
    moment = _moment(dipole)
    values = np.einsum("i,...ij->...j", eeg_lead_field(head), moment.values)[..., np.newaxis, :]
    return replace(moment, values=values, unit="mV", channels=("EEG",))


def meg(dipole: Signal, sensor_um: tuple[float, float, float], dipole_z_um: float = 78_200.0) -> Signal:
    """Magnetic field at a sensor (fT), channels "Bx", "By" and "Bz"; a radial dipole gives none.

    Args:
        dipole: As of `eeg`.
        sensor_um: Position of the sensor from the centre of the head (um).
        dipole_z_um: Distance of the dipole from the centre (um).

    Raises:
        ModelError: Other channels, or a sensor no farther out than the dipole.
        UnitError: Another kind of unit.
    """
    from lfpykit.eegmegcalc import SphericallySymmetricVolCondMEG

    _check_sensor(sensor_um, dipole_z_um)
    moment = _moment(dipole)
    model = SphericallySymmetricVolCondMEG(np.array([sensor_um], dtype=float))
    matrix = model.get_transformation_matrix(np.array([0.0, 0.0, dipole_z_um]))[0]
    values = _FT_PER_nA_UM * np.einsum("ki,...ij->...kj", matrix, moment.values)
    return replace(moment, values=values, unit="fT", channels=("Bx", "By", "Bz"))


def _tilted(tilt_deg: float) -> NDArray[np.float64]:
    """Turns the column's axis from the radius of the head, z, towards x."""
    cosine, sine = math.cos(math.radians(tilt_deg)), math.sin(math.radians(tilt_deg))
    return np.array([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]])


def _axial_field(sensor_um: tuple[float, float, float], tilt_deg: float, dipole_z_um: float) -> float:
    """Radial field of a dipole along the column, up to a factor: Biot and Savart's, as the sphere adds none."""
    sensor, moment = np.array(sensor_um), _tilted(tilt_deg)[:, 2]
    away = sensor - np.array([0.0, 0.0, dipole_z_um])
    return float(np.cross(moment, away) @ sensor / np.linalg.norm(sensor) / np.linalg.norm(away) ** 3)


def _check_sensor(sensor_um: tuple[float, float, float], dipole_z_um: float) -> None:
    if not 0.0 < dipole_z_um < math.hypot(*sensor_um):
        raise ModelError(
            f"the sensor must lie farther out than the dipole ({dipole_z_um:g} um), got {math.hypot(*sensor_um):g} um "
            "from the centre"
        )


def _moment(dipole: Signal) -> Signal:
    if dipole.channels != CHANNELS:
        raise ModelError(f"a dipole has the channels {', '.join(CHANNELS)}, got {', '.join(dipole.channels)}")
    return dipole.converted("nA um")
