"""Choosing several photos: samples, one's own, or the first ones of a folder on the server."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath

import streamlit as st

from robustiqa_core.errors import RobustIQAError
from robustiqa_core.evaluation.tables.photos import find_photos
from robustiqa_core.images.kinds import PHOTO_KINDS
from robustiqa_core.images.photo_file import PhotoFile
from ui.photos import cache as photo_cache
from ui.photos.photo_set import FOLDER_VARIABLE, PhotoSet, Source, read_photo_set, sample_file
from ui.shell import state
from ui.shell.components.photo_picker import Thumbnail, photo_picker
from ui.shell.markdown import plain, sentence

SOURCE_NAMES: dict[Source, str] = {"samples": "Samples", "uploads": "Your own", "folder": "Folder"}
MOST_UPLOADS = 24
Photos = tuple[PhotoSet, tuple[PhotoFile, ...]]
MAX_UPLOAD_MB = 20
"""Largest photo that can be uploaded, in megabytes."""


def prepare_photo_set(place: str, parameters: Mapping[str, str], *, samples: Sequence[str], most: int) -> None:
    """Give the widgets their first values: those of the address, where it has any.

    Args:
        place: prefix of the page's keys.
        parameters: of the address.
        samples: names of the samples that are chosen without an address.
        most: photos that the page takes.

    Raises:
        ConfigurationError: the address names photos that there are not.
    """
    found = read_photo_set(parameters, photo_cache.samples(), most=most)
    from_folder = isinstance(found, int) and _folder() is not None
    state.prepare(
        {
            f"{place}{state.SOURCE}": "folder" if from_folder else "samples",
            f"{place}{state.SAMPLES}": list(found) if isinstance(found, tuple) else list(samples),
            f"{place}{state.FOLDER_LIMIT}": found if isinstance(found, int) else min(8, most),
        }
    )


def photo_set_controls(
    place: str, *, most: int, purpose: str, prepare: Callable[[PhotoFile], bytes], with_folder: bool = False
) -> Photos | None:
    """Draw the controls; return what they choose, or None while that is nothing.

    Args:
        place: prefix of the page's keys.
        most: photos that the page takes.
        purpose: what an upload is prepared for; another one is prepared anew.
        prepare: returns an upload as the PNG that the page works on, or raises InputError.
        with_folder: whether the page can work on a folder on the server, where there is one.
    """
    sources = [name for name in SOURCE_NAMES if name != "folder" or (with_folder and _folder() is not None)]
    st.segmented_control(
        "Photos",
        sources,
        format_func=SOURCE_NAMES.__getitem__,
        key=f"{place}{state.SOURCE}",
        required=True,
        width="stretch",
        persist_state="session",
    )
    source: Source = st.session_state[f"{place}{state.SOURCE}"]
    if source == "uploads":
        return _uploads(place, min(most, MOST_UPLOADS), purpose, prepare)
    return _samples(place, most) if source == "samples" else _first_of_folder(place, most)


def work_size(key: str, names: Mapping[int, str], *, text: str) -> None:
    """Draw the choice of the size that photos are reduced to.

    Args:
        key: of the widget.
        names: of the sizes, by the longest side in pixels.
        text: help.
    """
    st.selectbox("Work size", list(names), format_func=names.__getitem__, key=key, persist_state="session", help=text)


def pixels_of(photos: PhotoSet, max_side: int) -> int:
    """Return how many pixels the photos have together; 3 : 4 is assumed where they were not read yet."""
    if photos.source != "samples":
        return len(photos.names) * max_side**2 * 3 // 4
    sizes = [photo_cache.sample_photo(name).size for name in photos.names]
    return sum(int(width * height * min(1.0, max_side / max(width, height)) ** 2) for width, height in sizes)


def _samples(place: str, most: int) -> Photos | None:
    samples, key = photo_cache.samples(), f"{place}{state.SAMPLES}"
    names: list[str] = st.session_state[key]

    def toggle(name: str) -> None:
        chosen = {*names} ^ {name}
        st.session_state[key] = [sample for sample in samples if sample in chosen]

    photo_picker(
        [Thumbnail(sample.name, sample.title, photo_cache.thumbnail(sample.name)) for sample in samples.values()],
        selected=names,
        legend=f"Sample photos: {len(names)} of {len(samples)} chosen",
        on_pick=toggle,
        key=f"{place}picker",
        several=True,
    )
    if not 1 <= len(names) <= most:
        st.error(f"Choose one photo or more, at most {most}.")
        return None
    return PhotoSet("samples", tuple(names)), tuple(sample_file(samples[name]) for name in names)


def _uploads(place: str, most: int, purpose: str, prepare: Callable[[PhotoFile], bytes]) -> Photos | None:
    files = st.file_uploader(
        "Several at once",
        accept_multiple_files=True,
        key=f"{place}{state.UPLOAD}",
        max_upload_size=MAX_UPLOAD_MB,
        help="They stay in the memory of the machine that runs this app, and are dropped when you close or reload the "
        f"page. At most {most} photos of {MAX_UPLOAD_MB} MB each: {PHOTO_KINDS}.",
    )
    photos: dict[str, PhotoFile] = {}
    for file in files[:most]:
        photo = photo_cache.uploaded(file)
        png, problem = photo_cache.prepared_upload(photo.digest, purpose, photo, prepare)
        if problem:
            st.error(f"**{plain(file.name)} is left out.** {sentence(problem)}", icon=":material/broken_image:")
        else:
            name = _unused(file.name, [other.name for other in photos.values()])
            photos[photo.digest] = PhotoFile(name, png, photo.digest)
    if len(files) > most:
        st.error(
            f"Only the first {most} photos are used; {len(files) - most} are left out. The command line takes more."
        )
    if not photos:
        st.caption("Choose photos of your own. They are neither kept nor written to disk.")
        return None
    st.caption(f"In use: {len(photos)} of your photos.")
    names = tuple(photo.name for photo in photos.values())
    return PhotoSet("uploads", names, tuple(photos)), tuple(photos.values())


def _first_of_folder(place: str, most: int) -> Photos | None:
    limit = st.number_input(
        "How many of them",
        min_value=1,
        max_value=most,
        step=1,
        key=f"{place}{state.FOLDER_LIMIT}",
        persist_state="session",
        help="The first photos, by name, in the folder that the operator of this app has set up.",
    )
    try:
        found = find_photos([str(_folder())], limit=limit)
    except RobustIQAError:
        # The message of the core names the folder, which only concerns the operator of the server.
        st.error(f"The folder that {plain(FOLDER_VARIABLE)} names has no photos or does not exist.")
        return None
    paths = found.paths
    st.caption(f"In use: {len(paths)} photos of the folder.")
    if found.left_out:
        with st.expander(f"Left out: {len(found.left_out)} of the folder"):
            for file in found.left_out:
                st.caption(f"**{plain(file.path.name)}**: {file.reason}.")
    return PhotoSet("folder", tuple(path.name for path in paths)), tuple(PhotoFile(path.name, path) for path in paths)


def _folder() -> Path | None:
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else None


def _unused(name: str, taken: Sequence[str]) -> str:
    """Return the name, with a number where another photo has it.

    Example:
        >>> _unused("cat.png", ["cat.png"])
        'cat (2).png'
    """
    path, number, found = PurePath(name), 1, name
    while found in taken:
        number += 1
        found = f"{path.stem} ({number}){path.suffix}"
    return found
