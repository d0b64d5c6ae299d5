"""The one error tree of the core: a root and four kinds, one of them with a kind of its own.

Every message has three parts: what was expected, what came, and what to do.
"""


class RobustIQAError(Exception):
    """Root of all errors that the core raises on purpose."""


class InputError(RobustIQAError, ValueError):
    """An image, tensor, file or table is not what was expected."""


class ConfigurationError(RobustIQAError, ValueError):
    """A setting is out of its range, or a name is not known."""


class UnknownSettingError(ConfigurationError, TypeError):
    """An unknown keyword argument; a TypeError too, which Python raises for these."""


class MissingWeightsError(RobustIQAError, FileNotFoundError):
    """Weights are not where they were looked for; the message says how to get them."""


class NumericalError(RobustIQAError, ArithmeticError):
    """A computation gave a value that is not finite, or missed its tolerance."""
