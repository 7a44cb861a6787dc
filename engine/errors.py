"""The errors of the engine; every message says what to do.

EngineError
  ConfigError     a setting is wrong; the message names it, its value and what is valid
  ModelRefused    this model cannot stream, and why; or it could not be loaded
  GrammarError    no text can be held to this grammar
  NoFreeRow       as many sessions are open as may be: close one, or configure more
  SessionLost     a parked session could not be kept, or not be read again: open another
  SnapshotError   a saved session cannot be continued here, and why
"""


class EngineError(Exception):
    """Base of all errors that the engine raises on purpose."""


class ConfigError(EngineError):
    """A setting is wrong: its name, its value and what would be valid."""


class ModelRefused(EngineError):
    """A model that cannot be loaded, or that the engine could not stream exactly."""


class NotStreamable(Exception):
    """Why a model cannot stream, and nothing else; whoever loads it makes a ModelRefused of it."""


class GrammarError(EngineError):
    """A grammar that cannot be read, or is too large to be followed."""


class NoFreeRow(EngineError):
    """As many sessions are open as there may be: one a row, or `num_sessions`."""


class SessionLost(EngineError):
    """What a parked session had computed is gone; other sessions never notice."""


class SnapshotError(EngineError):
    """A snapshot is torn, or belongs to another model or window."""
