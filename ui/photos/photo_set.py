"""The photos of a page that works on several, and how the core reads them. Knows nothing of Streamlit."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robustiqa_core.checks import MIN_SIDE
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.images.photo import encode_png, read_image
from robustiqa_core.images.photo_file import PhotoFile
from robustiqa_core.images.samples import SamplePhoto
from ui.attacks.recipe import read_count

FOLDER_VARIABLE = "ROBUSTIQA_PHOTOS"
"""Environment variable that names a folder of photos on the server, which every visitor may then use."""
FOLDER_WORD = f'"${FOLDER_VARIABLE}"'
"""That folder in a command line; its name on the server stays private."""

Source = Literal["samples", "uploads", "folder"]


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """A choice of photos.

    Args:
        source: bundled `samples`, a visitor's `uploads`, or the first photos of the `folder` on the server.
        names: of the samples, or of the files.
        digests: sha256 of each uploaded file.
    """

    source: Source
    names: tuple[str, ...]
    digests: tuple[str, ...] = ()

    @property
    def public(self) -> bool:
        """Whether everybody on this server may see the photos."""
        return self.source != "uploads"

    def address(self) -> dict[str, str]:
        """Return the query parameters of these photos; uploads cannot be part of an address."""
        if self.source == "samples":
            return {"photos": ",".join(self.names)}
        return {"folder": str(len(self.names))} if self.source == "folder" else {}


def read_photo_set(
    parameters: Mapping[str, str], samples: Mapping[str, SamplePhoto], *, most: int
) -> tuple[str, ...] | int | None:
    """Return what an address says about photos: names of samples, how many of the folder, or None for nothing.

    Args:
        parameters: of the address.
        samples: by name.
        most: photos that the page takes.

    Raises:
        ConfigurationError: a sample that does not exist, or too many photos.
    """
    if "folder" in parameters:
        return read_count(parameters, "folder", most, low=1, high=most)
    if "photos" not in parameters:
        return None
    names = tuple(dict.fromkeys(filter(None, parameters["photos"].split(","))))
    unknown = [name for name in names if name not in samples]
    if unknown or not 1 <= len(names) <= most:
        raise ConfigurationError(
            f"photos must be 1 to {most} of {', '.join(samples)}, got {', '.join(unknown) or len(names)}; choose others"
        )
    return names


def sample_file(sample: SamplePhoto) -> PhotoFile:
    """Return a bundled photo under the path that it has from the repository's root, which a command needs."""
    return PhotoFile(from_root(sample.path), sample.path, sample.sha256)


def reduced_png(photo: PhotoFile, *, max_side: int) -> bytes:
    """Return a photo as the PNG that a page works on.

    Args:
        photo: the photo.
        max_side: longest side in pixels that is kept.

    Raises:
        InputError: it is no photo that can be decoded, or too small for the models.
    """
    return encode_png(read_image(photo, max_side=max_side, min_side=MIN_SIDE).images)


def from_root(path: Path) -> str:
    """Return a bundled file's path as a command that runs in the repository's root needs it."""
    root = Path(__file__).parents[2]
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
