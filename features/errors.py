"""The errors a user can meet. Each message says what was expected, what came, where, and what to do."""

from __future__ import annotations


class RheobaseError(Exception):
    """Root of every error that rheobase raises on purpose; the command line turns it into exit code 2."""


class UnitError(RheobaseError):
    """A quantity without a unit, or with one of the wrong kind."""


class RecordingError(RheobaseError):
    """A recording that cannot be read, or that lacks what a recording needs."""


class NothingFoundError(RecordingError):
    """A folder in which there is no recording of what was asked for."""


class FeatureError(RheobaseError):
    """An unknown feature, or targets that cannot be measured from the recordings given."""


class ModelError(RheobaseError):
    """A cell model that cannot be built: morphology, mechanism or parameter."""


class CampaignError(RheobaseError):
    """A campaign file or folder that cannot be used as it is."""
