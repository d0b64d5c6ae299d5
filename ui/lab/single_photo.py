"""Choosing a photo: a sample from the grid, or one of the visitor's own."""

import streamlit as st

from robustiqa_core.errors import InputError
from robustiqa_core.images.kinds import PHOTO_KINDS
from robustiqa_core.images.photo import MAX_SIDE, Photo
from robustiqa_core.images.photo_file import PhotoFile
from ui.attacks.recipe import PhotoChoice
from ui.lab import session
from ui.photos import cache as photo_cache
from ui.photos.controls import MAX_UPLOAD_MB
from ui.photos.photo_set import from_root
from ui.shell import state
from ui.shell.components.photo_picker import Thumbnail, photo_picker
from ui.shell.markdown import plain, sentence

SMALL_SIDE = 128
"""Shorter side in pixels below which a score says little: half of the smallest photos in the training sets, or less."""
SIDE_NAMES = {512: "512 px (fast)", 1024: "1024 px", MAX_SIDE: f"Full size, at most {MAX_SIDE} px"}


def photo_controls() -> tuple[PhotoChoice, Photo] | None:
    """Draw the controls of the photo; return what they choose, or None while that cannot be used."""
    samples = photo_cache.samples()
    uses_upload = st.session_state[state.SOURCE] == "upload"
    photo_picker(
        [Thumbnail(sample.name, sample.title, photo_cache.thumbnail(sample.name)) for sample in samples.values()],
        selected=[] if uses_upload else [st.session_state[state.PHOTO]],
        legend="Choose a sample photo",
        on_pick=pick_sample,
        key="photo_picker",
    )
    file = st.file_uploader(
        "or use your own",
        key=state.UPLOAD,
        max_upload_size=MAX_UPLOAD_MB,
        on_change=_follow_upload,
        help=f"{PHOTO_KINDS}, at most {MAX_UPLOAD_MB} MB. It stays in the memory of the machine that runs this app, "
        "and is dropped soon after you close the page.",
    )
    if uses_upload and file is None:
        st.caption("Your own photo is no longer in memory. Upload it again, or choose a sample.")
        return None
    if not uses_upload or file is None:
        sample = samples[st.session_state[state.PHOTO]]
        st.caption(f"In use: **{plain(sample.title)}**. {plain(sample.author)}, {sample.licence}.")
        return PhotoChoice("sample", sample.name, from_root(sample.path), MAX_SIDE), photo_cache.sample_photo(
            sample.name
        )
    max_side = st.selectbox(
        "Work size",
        list(SIDE_NAMES),
        format_func=SIDE_NAMES.__getitem__,
        key=state.MAX_SIDE,
        persist_state="session",
        help="The longer side of the photo to attack, show and download. Larger photos take longer.",
    )
    choice = PhotoChoice("upload", file.name, file.name, max_side, photo_cache.uploaded(file).digest)
    try:
        photo = photo_of(choice)
    except InputError as error:
        st.error(f"**{plain(file.name)} cannot be used.** {sentence(error)}", icon=":material/broken_image:")
        return None
    width, height = photo.size
    st.caption(f"In use: **{plain(file.name)}**, {width} × {height} px. {' '.join(photo.notes)}")
    if min(width, height) < SMALL_SIDE:
        st.warning(
            f"This photo is very small ({width} × {height} px). The models were trained on far larger ones, so "
            f"their scores say little here. Use a photo with a shorter side of at least {SMALL_SIDE} px."
        )
    return choice, photo


def pick_sample(name: str) -> None:
    """Choose a sample photo."""
    st.session_state[state.PHOTO] = name
    st.session_state[state.SOURCE] = "sample"


def _follow_upload() -> None:
    st.session_state[state.SOURCE] = "sample" if st.session_state[state.UPLOAD] is None else "upload"


def photo_of(choice: PhotoChoice) -> Photo:
    """Return the photo of a choice.

    Raises:
        InputError: it is an upload that is no longer there, or cannot be decoded.
    """
    if choice.source == "sample":
        return photo_cache.sample_photo(choice.name)
    for file in _uploads():
        if file.digest == choice.digest:
            return photo_cache.uploaded_photo(file.digest, file.name, choice.max_side, file)
    raise InputError(f"expected the photo {choice.name}, but it is no longer in memory; upload it again")


def _uploads() -> list[PhotoFile]:
    """Return the files of this visit, of the single photo and of the set."""
    kept = [st.session_state.get(key) for key in (state.UPLOAD, f"{session.LAB_SET}{state.UPLOAD}")]
    files = [file for found in kept if found is not None for file in (found if isinstance(found, list) else [found])]
    return [photo_cache.uploaded(file) for file in files]
