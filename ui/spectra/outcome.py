"""What the page of spectra keeps of a run: figures, and what is drawn of them. Knows nothing of Streamlit."""

from dataclasses import dataclass

from robustiqa_core.spectra import (
    Arrows,
    DensityMap,
    FlowFigures,
    Growth,
    RadialProfile,
    SensitivityMap,
    SpectrumFigures,
)
from ui.spectra.recipe import SpectraRecipe, View


@dataclass(frozen=True, slots=True)
class SpectraStep:
    """The state of a run at a point where it can be stopped.

    Args:
        share: of the work that is done, 0 to 1.
        doing: what it is about to do, in words.
    """

    share: float
    doing: str


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What an attack on one model changed in one photo, as a PNG file stores it.

    Args:
        model: stem of its card.
        photo: path of the photo, for the command line.
        clean_score: of the photo, in the model's unit.
        rounded_score: of the stored adversarial photo.
        size: (width, height) of the photo in pixels.
        clean_png: the photo.
        adversarial_png: the adversarial photo.
        figures: of the spectrum.
        profile: of the spectrum.
        density: of the spectrum, to be drawn.
        flow: figures of the movement of pixels; None of an attack that leaves them in place.
        arrows: the movement, to be drawn.
    """

    model: str
    photo: str
    clean_score: float
    rounded_score: float
    size: tuple[int, int]
    clean_png: bytes
    adversarial_png: bytes
    figures: SpectrumFigures
    profile: RadialProfile
    density: DensityMap
    flow: FlowFigures | None
    arrows: Arrows | None


@dataclass(frozen=True, slots=True)
class Ran:
    """What is the same for all outcomes.

    Args:
        recipe: what was run.
        photos: paths of the photos, for the command line.
        device: where it ran.
        seconds: wall time.
    """

    recipe: SpectraRecipe
    photos: tuple[str, ...]
    device: str
    seconds: float

    @property
    def command(self) -> str:
        """The command line that gives the same numbers."""
        return self.recipe.command(self.photos, device=self.device)


@dataclass(frozen=True, slots=True, eq=False)
class PerturbationOutcome:
    """The changes of all photos, model by model."""

    ran: Ran
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SensitivityOutcome:
    """The map of each model, by its stem, and (width, height) of the cuts of the photos that it was measured on."""

    ran: Ran
    maps: dict[str, SensitivityMap]
    size: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class LayersOutcome:
    """What was measured at each point and for each photo, by the stem of the model."""

    ran: Ran
    growths: dict[str, tuple[Growth, ...]]


SpectraOutcome = PerturbationOutcome | SensitivityOutcome | LayersOutcome
OUTCOMES: dict[View, type] = {
    "perturbation": PerturbationOutcome,
    "sensitivity": SensitivityOutcome,
    "layers": LayersOutcome,
}
