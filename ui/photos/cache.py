"""Caches of photos: bundled ones for everybody, a visitor's own for the visit only."""

from collections.abc import Callable, Mapping

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from robustiqa_core.checks import MIN_SIDE
from robustiqa_core.errors import InputError
from robustiqa_core.images.photo import Photo, decode_image, preview_png, read_image
from robustiqa_core.images.photo_file import PhotoFile, digest_of_file
from robustiqa_core.images.samples import SamplePhoto, list_samples


@st.cache_resource(max_entries=1, show_spinner=False)
def samples() -> Mapping[str, SamplePhoto]:
    """Return the bundled photos by name."""
    return {sample.name: sample for sample in list_samples()}


@st.cache_resource(max_entries=64, show_spinner=False)
def sample_photo(name: str) -> Photo:
    """Return a bundled photo, decoded."""
    return read_image(samples()[name].path)


@st.cache_resource(max_entries=64, show_spinner=False)
def thumbnail(name: str) -> bytes:
    """Return a small PNG of a bundled photo."""
    return preview_png(sample_photo(name).images, 144)


def uploaded(file: UploadedFile) -> PhotoFile:
    """Return a visitor's file as a photo; its digest is computed once."""
    data = file.getvalue()
    return PhotoFile(file.name, data, _digest(file.file_id, data))


@st.cache_data(max_entries=256, show_spinner=False, scope="session")
def _digest(file_id: str, _data: bytes) -> str:
    return digest_of_file(_data)


@st.cache_resource(max_entries=4, show_spinner=False, scope="session")
def uploaded_photo(digest: str, name: str, max_side: int, _file: PhotoFile) -> Photo:
    """Return a visitor's photo, decoded at most once for each size.

    Args:
        digest: of the file, which stands for `_file` in the cache's key.
        name: of the file.
        max_side: longest side in pixels that is kept.
        _file: the file.

    Raises:
        InputError: it is no photo that can be decoded, or too small for the models.
    """
    return decode_image(_file.read(), name=name, max_side=max_side, min_side=MIN_SIDE)


@st.cache_data(max_entries=64, show_spinner=False, scope="session")
def prepared_upload(
    digest: str, purpose: str, _photo: PhotoFile, _prepare: Callable[[PhotoFile], bytes]
) -> tuple[bytes, str]:
    """Return a visitor's photo as the PNG that a page works on, or nothing and why it cannot be used.

    Args:
        digest: of the file, which stands for `_photo` in the cache's key.
        purpose: what it is prepared for, which stands for `_prepare`.
        _photo: the file.
        _prepare: decodes, checks and reduces it.
    """
    try:
        return _prepare(_photo), ""
    except InputError as error:
        # The core begins with the file's name, which is not part of the key: the same file may come under another one.
        return b"", str(error).removeprefix(f"{_photo.name}: ")
