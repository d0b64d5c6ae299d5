"""The attack lab on uploaded photos: at their size, reduced to the chosen one, refused with the reason."""

import pytest
from job_pages import png
from lab_pages import command, finish, headline, outcome
from streamlit.testing.v1 import AppTest

from robustiqa_core.images.photo_file import digest_of_file
from ui.photos import cache as photo_cache
from ui.shell import state

pytestmark = pytest.mark.thorough


def test_an_upload_is_attacked_at_its_size(lab: AppTest) -> None:
    finish(lab)
    lab.file_uploader[0].upload("my *photo*.png", png((96, 80)), "image/png")
    lab.run()
    assert "The controls have changed" in lab.info[0].value
    lab.button(key=state.RUN).click()
    finish(lab)
    result = outcome(lab)
    assert (result.recipe.photo.source, result.size) == ("upload", (96, 80))
    assert "'my *photo*.png'" in command(lab)
    assert "photo" not in lab.query_params, "an address cannot carry an upload"
    assert any("96 × 80 px" in caption.value for caption in lab.caption)


def test_a_large_upload_is_worked_on_at_the_chosen_size_and_the_command_says_so(lab: AppTest) -> None:
    finish(lab)
    lab.file_uploader[0].upload("large.png", png((1000, 500)), "image/png")
    lab.run()
    assert any("Reduced from 1000 x 500 to 512 x 256 px." in caption.value for caption in lab.caption)
    lab.button(key=state.RUN).click()
    finish(lab)
    assert outcome(lab).size == (512, 256)
    assert "--max-side 512" in command(lab)
    lab.selectbox(key=state.MAX_SIDE).set_value(1024)
    lab.button(key=state.RUN).click()
    finish(lab)
    assert outcome(lab).size == (1000, 500)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\x0a a JPEG XL image", png()[:200], b"%PDF-1.7 not a photo", png((60, 90))],
    ids=["empty", "jxl", "truncated", "pdf", "too small"],
)
def test_a_bad_upload_is_refused_with_the_reason_and_the_previous_result_stays(lab: AppTest, data: bytes) -> None:
    finish(lab)
    before = headline(lab)
    lab.file_uploader[0].upload("holiday.png", data, "image/png")
    lab.run()
    assert not lab.exception
    message = lab.error[0].value.replace("\\", "")
    assert message.startswith("**holiday.png cannot be used.** Expected")
    assert headline(lab) == before
    assert lab.button(key=state.RUN).disabled
    lab.file_uploader[0].clear()
    lab.run()
    assert not lab.error
    assert not lab.button(key=state.RUN).disabled


def test_the_digest_of_an_upload_is_computed_once(lab: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[bytes] = []

    def noting(data: bytes) -> str:
        computed.append(data)
        return digest_of_file(data)

    monkeypatch.setattr(photo_cache, "digest_of_file", noting)
    finish(lab)
    photo = png((96, 80))
    lab.file_uploader[0].upload("mine.png", photo, "image/png")
    lab.run()
    lab.button(key=state.RUN).click()
    finish(lab)
    assert outcome(lab).recipe.photo.source == "upload"
    assert computed == [photo]
