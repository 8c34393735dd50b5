"""What can go wrong, in one line that a musician can act on.

A message says what, the value, what was expected and what to do: lower case,
no full stop. ``cli.py`` prints it as one line and exits with code 1.
"""


class JackcompError(Exception):
    """Anything that jackcomp reports to its user in one line."""


class ConfigError(JackcompError):
    """A setting, file or style that cannot be used as it is."""


class LabelError(JackcompError, ValueError):
    """A chord label that is not Harte syntax."""


class ModelError(JackcompError):
    """A model or table that is missing or does not match its card."""


class EngineError(JackcompError):
    """The JACK server, the synth or a SoundFont refuses."""
