"""What hardened models are tuned on: the labelled set that the server names, or the bundled photos.

Knows nothing of Streamlit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from robustiqa_core.checks import check_choice
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.hardening import DISTILLATION, HardeningRecipe, TuningData, distillation_data, labelled_data
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.training.datasets import LabelledPhoto
from robustiqa_core.training.tables import DATASETS, read_table

DATASET_VARIABLE = "ROBUSTIQA_DATASET"
"""Environment variable that names the labelled set: a public one, or csv."""
ROOT_VARIABLE = "ROBUSTIQA_DATASET_ROOT"
"""Environment variable that names its folder."""
CSV = "csv"
"""Any photos, listed with their ratings in scores.csv in that folder."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledSet:
    """Photos with human ratings.

    Args:
        name: as the command line knows it.
        title: for people.
        photos: of all splits.
        mos_range: nominal range of the ratings; None where it is not known.
    """

    name: str
    title: str
    photos: tuple[LabelledPhoto, ...]
    mos_range: ScoreRange | None


def labelled_set(environment: Mapping[str, str]) -> LabelledSet | None:
    """Return the labelled set that the server's environment names, None where it names none.

    Raises:
        ConfigurationError: an unknown set, or no folder.
        InputError: the set is not in its folder.
    """
    name = environment.get(DATASET_VARIABLE)
    if not name:
        return None
    check_choice(DATASET_VARIABLE, name, [*DATASETS, CSV])
    folder = environment.get(ROOT_VARIABLE)
    if not folder:
        raise ConfigurationError(f"expected the folder of {name} in {ROOT_VARIABLE}, got none; set it on the server")
    root = Path(folder)
    if name == CSV:
        return LabelledSet(name, "photos of the server with ratings", read_table(root / "scores.csv", root), None)
    public = DATASETS[name]
    return LabelledSet(name, public.title, public.read(root), public.mos_range)


def data_name(labelled: LabelledSet | None) -> str:
    """Return what recipes call the data."""
    return DISTILLATION if labelled is None else labelled.name


def tuning_data(recipe: HardeningRecipe, labelled: LabelledSet | None) -> TuningData:
    """Return what a recipe is tuned on.

    Raises:
        ConfigurationError: the recipe names a labelled set that the server does not have.
        InputError: too few photos.
    """
    if recipe.is_distillation:
        return distillation_data(recipe)
    if labelled is None or labelled.name != recipe.data:
        raise ConfigurationError(
            f"expected the labelled set {recipe.data} on the server, got "
            f"{'none' if labelled is None else labelled.name}; set {DATASET_VARIABLE} there"
        )
    return labelled_data(recipe, labelled.photos, title=labelled.title, mos_range=labelled.mos_range)
