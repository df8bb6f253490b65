"""The neocortical channels' published equations in numpy, written apart from the .mod files they check.

Voltages in mV, times in ms, calcium in mM. Equations as in Hay et al. 2011 (doi:10.1371/journal.pcbi.1002107)
and the papers named at each channel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Curve = Callable[[FloatArray], FloatArray]

FARADAY_C_per_mol = 96485.33212  # CODATA 2018


@dataclass(frozen=True)
class Gate:
    """A first-order gate: dx/dt = (steady_state(v) - x) / (time_constant(v) / q10^((celsius - 21)/10))."""

    name: str
    exponent: int
    steady_state: Curve
    time_constant_ms: Curve
    q10: float = 2.3

    def time_constant_at(self, v: ArrayLike, celsius_degC: float) -> FloatArray:
        speed: float = self.q10 ** ((celsius_degC - 21.0) / 10.0)
        return self.time_constant_ms(np.asarray(v, dtype=float)) / speed


@dataclass(frozen=True)
class Channel:
    """An ohmic channel: current = conductance * product of gate^exponent * (v - reversal)."""

    suffix: str
    current: str
    reversal: str
    gates: tuple[Gate, ...]
    singular_mV: tuple[float, ...] = ()  # where a rate is 0/0
    jump_mV: tuple[float, ...] = ()  # where a published time constant jumps

    @property
    def gate_names(self) -> tuple[str, ...]:
        return tuple(gate.name for gate in self.gates)

    def current_after_step(
        self,
        time_ms: FloatArray,
        holding_mV: float,
        test_mV: float,
        celsius_degC: float,
        conductance_S_per_cm2: float,
        reversal_mV: float,
    ) -> FloatArray:
        """Current density (mA/cm2) after a step from the steady state at the holding potential."""
        open_fraction = np.ones_like(time_ms)
        for gate in self.gates:
            start, end = gate.steady_state(np.array([holding_mV, test_mV]))
            tau = gate.time_constant_at(test_mV, celsius_degC)
            open_fraction *= (end + (start - end) * np.exp(-time_ms / tau)) ** gate.exponent
        return conductance_S_per_cm2 * open_fraction * (test_mV - reversal_mV)


def boltzmann(half_mV: float, slope_mV: float) -> Curve:
    """Rises with voltage for a positive slope, falls for a negative one."""
    return lambda v: 1.0 / (1.0 + np.exp(-(v - half_mV) / slope_mV))


def bell(half_mV: float, width_mV: float) -> Curve:
    return lambda v: np.exp(-(((v - half_mV) / width_mV) ** 2))


def linoid(rate_per_mV: float, half_mV: float, slope_mV: float) -> Curve:
    """rate * (v - half) / (1 - exp(-(v - half)/slope)); a negative slope with a negative rate mirrors it."""

    def curve(v: FloatArray) -> FloatArray:
        x = (v - half_mV) / slope_mV
        at_limit = x == 0.0
        shape = np.where(at_limit, 1.0, x / -np.expm1(-np.where(at_limit, 1.0, x)))
        return rate_per_mV * slope_mV * shape

    return curve


def exponential(rate_per_ms: float, half_mV: float, slope_mV: float) -> Curve:
    return lambda v: rate_per_ms * np.exp((v - half_mV) / slope_mV)


def from_rates(name: str, exponent: int, opening: Curve, closing: Curve, q10: float) -> Gate:
    return Gate(
        name,
        exponent,
        lambda v: opening(v) / (opening(v) + closing(v)),
        lambda v: 1.0 / (opening(v) + closing(v)),
        q10,
    )


def transient_sodium(
    shift_m_mV: float = 0.0, shift_h_mV: float = 0.0, slope_m_mV: float = 6.0, slope_h_mV: float = 6.0
) -> Channel:
    """Colbert and Pan 2002; NaTa_t of Hay et al. 2011 for the defaults."""
    half_m, half_h = -38.0 + shift_m_mV, -66.0 + shift_h_mV
    return Channel(
        "NaTg",
        "ina",
        "ena",
        (
            from_rates("m", 3, linoid(0.182, half_m, slope_m_mV), linoid(-0.124, half_m, -slope_m_mV), 2.3),
            from_rates("h", 1, linoid(-0.015, half_h, -slope_h_mV), linoid(0.015, half_h, slope_h_mV), 2.3),
        ),
        (half_m, half_h),
    )


def _persistent_sodium() -> Channel:
    """Magistretti and Alonso 1999; activation time constant six times the transient one."""
    transient_m = transient_sodium().gates[0]
    slow_opening, slow_closing = linoid(-2.88e-6, -17.0, -4.63), linoid(6.94e-6, -64.4, 2.63)
    return Channel(
        "Nap_Et2",
        "ina",
        "ena",
        (
            Gate("m", 3, boltzmann(-52.6, 4.6), lambda v: 6.0 * transient_m.time_constant_ms(v)),
            Gate("h", 1, boltzmann(-48.8, -10.0), lambda v: 1.0 / (slow_opening(v) + slow_closing(v))),
        ),
        (-38.0, -17.0, -64.4),
    )


def _slow_potassium() -> Channel:
    """Korngreen and Sakmann 2000, moved by -10 mV."""

    def tau_m(v: FloatArray) -> FloatArray:
        return 1.25 + np.where(v < -60.0, 175.03 * np.exp(0.026 * (v + 10.0)), 13.0 * np.exp(-0.026 * (v + 10.0)))

    def tau_h(v: FloatArray) -> FloatArray:
        return 360.0 + (1010.0 + 24.0 * (v + 65.0)) * bell(-85.0, 48.0)(v)

    return Channel(
        "K_Pst",
        "ik",
        "ek",
        (
            Gate("m", 2, boltzmann(-11.0, 12.0), tau_m),
            Gate("h", 1, boltzmann(-64.0, -11.0), tau_h),
        ),
        jump_mV=(-60.0,),
    )


CHANNELS: dict[str, Channel] = {
    channel.suffix: channel
    for channel in (
        transient_sodium(),
        _persistent_sodium(),
        _slow_potassium(),
        Channel(  # Korngreen and Sakmann 2000, moved by -10 mV
            "K_Tst",
            "ik",
            "ek",
            (
                Gate("m", 4, boltzmann(-10.0, 19.0), lambda v: 0.34 + 0.92 * bell(-81.0, 59.0)(v)),
                Gate("h", 1, boltzmann(-76.0, -10.0), lambda v: 8.0 + 49.0 * bell(-83.0, 23.0)(v)),
            ),
        ),
        Channel(  # Rettig et al. 1992
            "SKv3_1",
            "ik",
            "ek",
            (
                Gate(
                    "m",
                    1,
                    boltzmann(18.7, 9.7),
                    lambda v: 0.2 * 20.0 * boltzmann(-46.56, 44.14)(v),
                    q10=1.0,
                ),
            ),
        ),
        Channel(  # Adams, Brown and Constanti 1982
            "Im",
            "ik",
            "ek",
            (from_rates("m", 1, exponential(3.3e-3, -35.0, 10.0), exponential(3.3e-3, -35.0, -10.0), 2.3),),
        ),
        Channel(  # Shu, Yu, Yang and McCormick 2007
            "Kd",
            "ik",
            "ek",
            (
                Gate("m", 1, boltzmann(-43.0, 8.0), lambda v: np.full_like(v, 0.6), q10=1.0),
                Gate("h", 1, boltzmann(-67.0, -7.3), lambda v: np.full_like(v, 1500.0), q10=1.0),
            ),
        ),
        Channel(  # Kole, Hallermann and Stuart 2006
            "Ih",
            "ihcn_Ih",
            "ehcn_Ih",
            (from_rates("m", 1, linoid(-6.43e-3, -154.9, -11.9), exponential(0.193, 0.0, 33.1), 1.0),),
            (-154.9,),
        ),
        Channel(  # Reuveni et al. 1993
            "Ca_HVA",
            "ica",
            "eca",
            (
                from_rates("m", 2, linoid(0.055, -27.0, 3.8), exponential(0.94, -75.0, -17.0), 1.0),
                from_rates(
                    "h",
                    1,
                    exponential(4.57e-4, -13.0, -50.0),
                    lambda v: 0.0065 * boltzmann(-15.0, 28.0)(v),
                    1.0,
                ),
            ),
            (-27.0,),
        ),
        Channel(  # Avery and Johnston 1996, Randall and Tsien 1997, moved by -10 mV
            "Ca_LVAst",
            "ica",
            "eca",
            (
                Gate("m", 2, boltzmann(-40.0, 6.0), lambda v: 5.0 + 20.0 * boltzmann(-35.0, -5.0)(v)),
                Gate("h", 1, boltzmann(-90.0, -6.4), lambda v: 20.0 + 50.0 * boltzmann(-50.0, -7.0)(v)),
            ),
        ),
    )
}


def sk_open_fraction(cai_mM: ArrayLike) -> FloatArray:
    """Kohler et al. 1996: half open at 0.43 uM, Hill coefficient 4.8."""
    return 1.0 / (1.0 + (0.43e-3 / np.asarray(cai_mM, dtype=float)) ** 4.8)


def calcium_in_shell(
    time_ms: FloatArray,
    start_mM: float,
    ica_mA_per_cm2: float,
    gamma: float,
    decay_ms: float,
    depth_um: float,
    resting_mM: float,
) -> FloatArray:
    """Destexhe et al. 1994 for a constant current, in SI units inside: mol/(m3 s) is mM/s."""
    current_density_A_per_m2 = 10.0 * ica_mA_per_cm2
    influx_mM_per_s = -gamma * current_density_A_per_m2 / (2.0 * FARADAY_C_per_mol * depth_um * 1e-6)
    plateau = resting_mM + influx_mM_per_s * 1e-3 * decay_ms
    return plateau + (start_mM - plateau) * np.exp(-time_ms / decay_ms)
