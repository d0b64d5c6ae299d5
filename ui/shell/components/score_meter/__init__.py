"""The score meter: the scores before and after as numbers and as dots on the model's scale."""

from dataclasses import asdict, dataclass
from pathlib import Path

from ui.shell.components.assets import component_from

_mount = component_from(Path(__file__).parent)


@dataclass(frozen=True, slots=True)
class MeterText:
    """What the meter shows; all texts are ready to be read.

    Args:
        clean: score of the clean photo.
        adversarial: score of the adversarial photo as its file stores it.
        adversarial_name: what that photo is called.
        unrounded: the same before rounding to 8 bits.
        change: difference, with its sign.
        share: difference as a share of the scale.
        caption: what a score is, and what the band is.
    """

    clean: str
    adversarial: str
    adversarial_name: str
    unrounded: str
    change: str
    share: str
    caption: str


@dataclass(frozen=True, slots=True)
class MeterScale:
    """The scores that the meter draws, in the model's unit.

    Args:
        low: lower end of the band of ordinary scores.
        high: its upper end.
        clean: score of the clean photo.
        adversarial: score of the adversarial photo.
    """

    low: float
    high: float
    clean: float
    adversarial: float

    def places(self) -> dict[str, float]:
        """Return where each of the four lies on an axis from 0 to 1 that has room for all.

        Example:
            >>> MeterScale(low=0.2, high=0.6, clean=0.4, adversarial=1.0).places()
            {'low': 0.0, 'high': 0.5, 'clean': 0.25, 'adversarial': 1.0}
        """
        scores = asdict(self)
        start, end = min(scores.values()), max(scores.values())
        return {name: round((score - start) / (end - start), 4) for name, score in scores.items()}


def score_meter(text: MeterText, scale: MeterScale, *, key: str) -> None:
    """Draw the meter.

    Args:
        text: numbers and labels, ready to be read.
        scale: what the dots and the band show.
        key: name of the widget.
    """
    ends = {"lowLabel": f"{scale.low:.3f}", "highLabel": f"{scale.high:.3f}"}
    _mount(key=key, data={**asdict(text), **ends, "places": scale.places()})
