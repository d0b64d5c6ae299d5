"""What a field of a recipe says of itself: how it is called and written outside Python."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from robustiqa_core.schema.codecs import Codec

_KEY = "robustiqa"
"""Under which a field's metadata has its `Setting`."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a field is called and written on the command line, in an address and in JSON.

    Args:
        help: a sentence or less.
        codec: how a value is written; None: as its type says.
        option: name on the command line; None: the field's.
        metavar: stands for the value in the help of the command line.
        usually: what the help says of the default, where that depends on other settings.
        parameter: name in an address; None: the field's; empty: an address leaves it out, since the server decides it.
        shown: whether an address has it in any case, since the page has a control for it; others are only in an
            address where they are not as usual.
        later: whether JSON leaves it out where it is the default, so that the keys of recipes from before there was
            such a field stay as they are.
        needs: of a field that holds another recipe: the field without which (None) there is none.
    """

    help: str = ""
    codec: Codec | None = None
    option: str | None = None
    metavar: str | None = None
    usually: str | None = None
    parameter: str | None = None
    shown: bool = False
    later: bool = False
    needs: str | None = None


def setting(default: Any = dataclasses.MISSING, *, make: Any = dataclasses.MISSING, **how: Any) -> Any:
    """Return a dataclass field that says how it is written.

    Args:
        default: of the field; none: it must be given.
        make: makes the default, instead.
        how: the arguments of `Setting`.

    Example:
        >>> @dataclass(frozen=True)
        ... class Blur:
        ...     radius: float = setting(1.5, help="of the blur, in pixels")
    """
    return field(default=default, default_factory=make, metadata={_KEY: Setting(**how)})


def setting_of(known: "dataclasses.Field[Any]") -> Setting:
    """Return what a field says of itself; a field that says nothing goes by its name and type."""
    found: Setting = known.metadata.get(_KEY, Setting())
    return found
