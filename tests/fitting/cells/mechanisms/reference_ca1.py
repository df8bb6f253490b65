"""Closed forms of the CA1 mechanisms, written from the publications and apart from the .mod files.

Each gate is given by its opening and closing rates or its Boltzmann curve in the form in which it was
published, with `expm1` for the removable singularities: the rearrangements of the .mod files stay out of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

FARADAY_C_per_mol = 96485.33212
CALCIUM_OUT_mM = 2.0
# Calcium-channel papers of the Jaffe and Migliore groups: zF/RT of one charge near 34 degC, in 1/mV.
CHARGE_per_mV = 0.0378


class Gate(NamedTuple):
    """Steady state and time constant (ms) of one gate, as arrays over voltage or calcium."""

    steady_state: FloatArray
    time_constant_ms: FloatArray


Gates = dict[str, Gate]


def kinetics(suffix: str, v_mV: FloatArray, celsius_degC: float, cai_mM: FloatArray | float = 5e-5) -> Gates:
    """Gates of a mechanism at each voltage (mV) and temperature (degC)."""
    return _CHANNELS[suffix](np.asarray(v_mV, dtype=float), celsius_degC, cai_mM)


def ghk_driving_force(
    v_mV: FloatArray, cai_mM: FloatArray | float, celsius_degC: float, cao_mM: float = CALCIUM_OUT_mM
) -> FloatArray:
    """Goldman-Hodgkin-Katz driving force of calcium (mV), with RT/F = 25 mV at 20 degC."""
    scale = 0.5 * 25.0 * (celsius_degC + 273.15) / 293.15
    w = np.asarray(v_mV, dtype=float) / scale
    return -scale * (1.0 - cai_mM / cao_mM * np.exp(w)) * _exprel_inverse(w)


def calcium_inactivation(cai_mM: FloatArray | float) -> FloatArray:
    """Fraction of L and N channels that internal calcium leaves available (Jaffe et al. 1994)."""
    return np.asarray(0.001 / (0.001 + np.asarray(cai_mM)))


def accumulated_calcium(
    time_ms: FloatArray,
    start_mM: float,
    inward_mA_per_cm2: float,
    depth_um: float = 0.1,
    tau_ms: float = 100.0,
    rest_mM: float = 5e-5,
) -> FloatArray:
    """Calcium (mM) in a shell under a constant inward current, decaying to rest with one time constant."""
    ampere_per_m2 = inward_mA_per_cm2 * 10.0
    entry_mM_per_ms = ampere_per_m2 / (2.0 * FARADAY_C_per_mol * depth_um * 1e-6) * 1e-3
    final_mM = rest_mM + entry_mM_per_ms * tau_ms
    return final_mM + (start_mM - final_mM) * np.exp(-np.asarray(time_ms) / tau_ms)


def na3(
    v: FloatArray, celsius: float, _cai: FloatArray | float = 0.0, shift_mV: float = 0.0, spared: float = 1.0
) -> Gates:
    """Migliore et al. 1999; shift of all curves and fraction spared by slow inactivation as arguments."""
    u = v - shift_mV
    q = 2.0 ** ((celsius - 24.0) / 10.0)
    opening, closing = _linoid(u + 30.0, 0.4, 7.2), _linoid(-(u + 30.0), 0.124, 7.2)
    onset, recovery = _linoid(u + 45.0, 0.03, 1.5), _linoid(-(u + 45.0), 0.01, 1.5)
    charge = 12.0 * (u + 60.0) * _f_over_rt(celsius)
    available = _sigmoid(-(u + 58.0) / 2.0)
    slow = np.maximum(np.exp(0.2 * charge) / (0.0003 * (1.0 + np.exp(charge))), 10.0)
    return {
        "m": Gate(opening / (opening + closing), np.maximum(1.0 / (q * (opening + closing)), 0.02)),
        "h": Gate(_sigmoid(-(u + 50.0) / 4.0), np.maximum(1.0 / (q * (onset + recovery)), 0.5)),
        "s": Gate(available + spared * (1.0 - available), slow),
    }


def kdr(v: FloatArray, celsius: float, _cai: FloatArray | float = 0.0) -> Gates:
    """Migliore et al. 1999."""
    return {"n": _borg_graham(-3.0 * (v - 13.0) * _f_over_rt(celsius), 0.7, 0.02, floor_ms=2.0)}


def kap(v: FloatArray, celsius: float, _cai: FloatArray | float = 0.0) -> Gates:
    """Proximal A current, Hoffman et al. 1997 and Migliore et al. 1999."""
    return _a_current(v, celsius, half=11.0, rate=0.05, charge=-1.5, symmetry=0.55, floor_ms=0.1)


def kad(v: FloatArray, celsius: float, _cai: FloatArray | float = 0.0) -> Gates:
    """Distal A current, Hoffman et al. 1997 and Migliore et al. 1999."""
    return _a_current(v, celsius, half=-1.0, rate=0.1, charge=-1.8, symmetry=0.39, floor_ms=0.2)


def kmb(v: FloatArray, _celsius: float, _cai: FloatArray | float = 0.0) -> Gates:
    """Shah et al. 2008."""
    bell = _borg_graham(7.0 * CHARGE_per_mV * (v + 42.0), 0.4, 0.003).time_constant_ms
    return {"m": Gate(_sigmoid((v + 40.0) / 10.0), 60.0 + bell)}


def hd(v: FloatArray, celsius: float, _cai: FloatArray | float = 0.0, half_mV: float = -81.0) -> Gates:
    """Magee 1998."""
    bell = _borg_graham(2.2 * CHARGE_per_mV * (v + 75.0), 0.4, 0.011).time_constant_ms
    return {"l": Gate(_sigmoid(-(v - half_mV) / 8.0), bell / 4.5 ** ((celsius - 33.0) / 10.0))}


def cal(v: FloatArray, celsius: float, _cai: FloatArray | float = 0.0) -> Gates:
    """L channel, Jaffe et al. 1994 and Migliore et al. 2018."""
    opening, closing = 15.69 * 10.0 * _exprel_inverse((81.5 - v) / 10.0), 0.29 * np.exp(-v / 10.86)
    q = 5.0 ** ((celsius - 25.0) / 10.0)
    bell = _borg_graham(2.0 * CHARGE_per_mV * (v - 4.0), 0.1, 0.1 * q, floor_ms=0.2 / q).time_constant_ms
    return {"m": Gate(opening / (opening + closing), bell)}


def can(v: FloatArray, celsius: float, _cai: FloatArray | float = 0.0) -> Gates:
    """N channel, Jaffe et al. 1994 and Migliore et al. 2018."""
    opening, closing = 0.1967 * 10.0 * _exprel_inverse((19.88 - v) / 10.0), 0.046 * np.exp(-v / 20.73)
    q = 5.0 ** ((celsius - 25.0) / 10.0)
    bell = _borg_graham(2.0 * CHARGE_per_mV * (v + 14.0), 0.1, 0.03 * q, floor_ms=0.2 / q).time_constant_ms
    recovery, onset = 1.6e-4 * np.exp(-v / 48.4), 1.0 / (np.exp((39.0 - v) / 10.0) + 1.0)
    return {
        "m": Gate(opening / (opening + closing), bell),
        "h": Gate(recovery / (recovery + onset), np.full_like(v, 80.0)),
    }


def cat(v: FloatArray, celsius: float, _cai: FloatArray | float = 0.0) -> Gates:
    """T channel, Jaffe et al. 1994 and Migliore et al. 2018."""
    opening, closing = 0.2 * 10.0 * _exprel_inverse((19.26 - v) / 10.0), 0.009 * np.exp(-v / 22.03)
    q = 5.0 ** ((celsius - 25.0) / 10.0)
    bell = _borg_graham(2.0 * CHARGE_per_mV * (v + 28.0), 0.1, 0.04 * q, floor_ms=0.2).time_constant_ms
    recovery, onset = 1e-6 * np.exp(-v / 16.26), 1.0 / (np.exp((29.79 - v) / 10.0) + 1.0)
    inactivation = _borg_graham(3.5 * CHARGE_per_mV * (v + 75.0), 0.6, 0.015, floor_ms=10.0)
    return {
        "m": Gate(opening / (opening + closing), bell),
        "h": Gate(recovery / (recovery + onset), inactivation.time_constant_ms),
    }


def cagk(v: FloatArray, celsius: float, cai: FloatArray | float) -> Gates:
    """BK channel, Moczydlowski & Latorre 1983."""
    volt = v * 1e-3
    rt_over_f_V = 8.313424 * (celsius + 273.15) / FARADAY_C_per_mol
    opening = 0.28 / (1.0 + 0.48e-3 * np.exp(-2.0 * 0.84 * volt / rt_over_f_V) / cai)
    closing = 0.48 / (1.0 + cai / (0.13e-6 * np.exp(-2.0 * volt / rt_over_f_V)))
    return {"o": Gate(opening / (opening + closing), 1.0 / (opening + closing))}


def kca(v: FloatArray, celsius: float, cai: FloatArray | float) -> Gates:
    """SK channel, Destexhe et al. 1994 and Migliore et al. 2018."""
    bound = (np.asarray(cai) / 0.35e-3) ** 4 * np.ones_like(v)
    q = 3.0 ** ((celsius - 22.0) / 10.0)
    return {"m": Gate(bound / (1.0 + bound), np.maximum(1.0 / (0.03 * q * (1.0 + bound)), 0.5))}


def _a_current(
    v: FloatArray, celsius: float, half: float, rate: float, charge: float, symmetry: float, floor_ms: float
) -> Gates:
    q = 5.0 ** ((celsius - 24.0) / 10.0)
    gating_charge = charge - _sigmoid(-(v + 40.0) / 5.0)
    activation = _borg_graham(gating_charge * (v - half) * _f_over_rt(celsius), symmetry, rate * q, floor_ms)
    inactivation = _sigmoid(-3.0 * (v + 56.0) * _f_over_rt(celsius))
    return {"n": activation, "l": Gate(inactivation, np.maximum(0.26 * (v + 50.0), 2.0))}


def _borg_graham(exponent: FloatArray, symmetry: float, rate_per_ms: float, floor_ms: float = 0.0) -> Gate:
    """Borg-Graham's thermodynamic gate: closed in proportion to exp(exponent)."""
    closed = np.exp(exponent)
    bell = np.exp(symmetry * exponent) / (rate_per_ms * (1.0 + closed))
    return Gate(1.0 / (1.0 + closed), np.maximum(bell, floor_ms))


def _linoid(x: FloatArray, rate: float, slope: float) -> FloatArray:
    """The rate `rate x / (1 - exp(-x/slope))`, with its limit at 0."""
    return rate * slope * _exprel_inverse(-x / slope)


def _exprel_inverse(z: FloatArray) -> FloatArray:
    return np.where(z == 0.0, 1.0, z / np.where(z == 0.0, 1.0, np.expm1(z)))


def _sigmoid(x: FloatArray) -> FloatArray:
    return 1.0 / (1.0 + np.exp(-x))


def _f_over_rt(celsius: float) -> float:
    """F/RT (1/mV) with the digits of Migliore et al. 1999."""
    return 9.648e4 / (8.315 * (273.16 + celsius)) * 1e-3


_CHANNELS: dict[str, Callable[[FloatArray, float, FloatArray | float], Gates]] = {
    "na3": na3,
    "kdr": kdr,
    "kap": kap,
    "kad": kad,
    "kmb": kmb,
    "hd": hd,
    "cal": cal,
    "can": can,
    "cat": cat,
    "cagk": cagk,
    "kca": kca,
}
