"""What a command says besides its result, on standard error. Imports nothing heavy: no command waits for it."""

import sys


def one_line(text: str) -> str:
    r"""Return a text in one line, without anything that a terminal obeys.

    Example:
        >>> print(one_line("expected a photo,\n  got \x1b[31mred"))
        expected a photo, got \x1b[31mred
    """
    words = " ".join(text.split())
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in words)


def warn(text: str) -> None:
    """Print a text as one line to standard error."""
    print(one_line(text), file=sys.stderr, flush=True)
