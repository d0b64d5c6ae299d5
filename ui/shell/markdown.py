"""Text of unknown origin inside markdown. Knows nothing of Streamlit."""

import re


def plain(text: str) -> str:
    r"""Return markdown that shows `text` literally: no emphasis, links, images, formulas or icons.

    Example:
        >>> print(plain("*my* photo_1.jpg"))
        \*my\* photo\_1\.jpg
    """
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))


def sentence(error: object) -> str:
    r"""Return markdown that shows an error of the core as a sentence of its own.

    Example:
        >>> print(sentence("expected a photo, got a poem"))
        Expected a photo\, got a poem.
    """
    text = str(error)
    ending = "" if text.endswith((".", "!", "?")) else "."
    return plain(text[:1].upper() + text[1:]) + ending
