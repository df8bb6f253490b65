"""Where the EEG and the MEG of a circuit's campaign are measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rheobase.fitting.circuits.head import DEFAULT_HEAD, Magnetometer

if TYPE_CHECKING:
    from rheobase.campaigns.circuits.schema import CircuitCampaign
    from rheobase.fitting.circuits.head import Sensor


def build_sensor(campaign: CircuitCampaign, signal: Literal["EEG", "MEG"]) -> Sensor:
    """The electrode on top of the head, or the campaign's magnetometer.

    Raises:
        ModelError: a sensor inside the head; the message names the key.
    """
    if signal == "EEG":
        return DEFAULT_HEAD
    keys = campaign.targets.meg
    with campaign.blamed("targets", "meg"):
        return Magnetometer(keys.sensor, keys.tilt, keys.dipole)
