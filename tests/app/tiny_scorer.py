"""A tiny scorer for the app's tests: exact, instant, or as slow as a test wants it."""

import dataclasses
import threading
import uuid
from collections.abc import Callable

import torch
from torch import Tensor

from robustiqa_core.models.card import Measurement, ModelCard, Training
from robustiqa_core.scorer import ScoreRange

SLOPE = 20.0
"""An l_inf attack of size eps moves the score by SLOPE * eps, as long as no pixel is clipped."""

CARD = ModelCard(
    model="linearity",
    variant="baseline",
    settings={"backbone": "none"},
    score_range=ScoreRange(0.0, 1.0),
    score_unit="predicted MOS of nothing, 0 to 1, larger is better",
    training=Training("none", 0, "fixed weights", "none", 0.0, {}),
    measurements=(Measurement("none", 0, 0.8, 0.7, 0.6, 0.1, "none"),),
    sha256="0" * 64,
    licence="MIT",
    limits="A checkerboard.",
    versions={},
)


def card_of_its_own(card: ModelCard = CARD) -> ModelCard:
    """Return the card with weights that no other test has: what the server keeps of one test is not for the next."""
    return dataclasses.replace(card, sha256=uuid.uuid4().hex * 2)


class TinyScorer:
    """score = 0.5 + slope * mean(sign * (image - 0.5)), with the signs of a checkerboard.

    Args:
        slope: factor of the score's change.
        before_call: called before each evaluation; a test lets it wait or fail.
    """

    score_range = ScoreRange(0.0, 1.0)

    def __init__(self, *, slope: float = SLOPE, before_call: Callable[[], object] = lambda: None) -> None:
        self.slope = slope
        self.before_call = before_call

    def __call__(self, images: Tensor) -> Tensor:
        self.before_call()
        rows, columns = (torch.arange(size) for size in images.shape[-2:])
        signs = 1.0 - 2.0 * ((rows[:, None] + columns[None, :]) % 2)
        return 0.5 + self.slope * ((images - 0.5) * signs).mean((1, 2, 3))


class Gate:
    """Lets through as many calls as it was opened for, and tells when the next one waits.

    Used as a scorer's `before_call`, it stops an attack at an exact step.
    """

    def __init__(self, calls: int) -> None:
        self._open = threading.Semaphore(calls)
        self.waiting = threading.Event()

    def __call__(self) -> None:
        if not self._open.acquire(blocking=False):
            self.waiting.set()
            assert self._open.acquire(timeout=30)

    def open(self) -> None:
        """Let all further calls through."""
        self._open.release(1_000_000)
