"""What the controls of a page with a set of photos ask for. Knows nothing of Streamlit."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from robustiqa_core.images.photo_file import PhotoFile

RecipeT = TypeVar("RecipeT")


# Without slots: Python cannot make a frozen one with slots by an alias such as PhotoRequest[AuditRecipe].
@dataclass(frozen=True)
class PhotoRequest(Generic[RecipeT]):
    """What the controls ask for.

    Args:
        recipe: what would be run.
        photos: the recipe's photos.
    """

    recipe: RecipeT
    photos: tuple[PhotoFile, ...]
