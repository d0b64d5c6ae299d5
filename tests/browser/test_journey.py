"""What a visitor does, in a real Chromium, from the first page to the numbers on the command line."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from visiting import WAIT, Visit, download, fits, serious_faults

from robustiqa_core.images.samples import list_samples

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
VERDICT = re.compile(r"score (rose|fell) from -?\d\.\d{3} to -?\d\.\d{3}")


def wait_for_result(page: Page) -> str:
    """Wait until a finished run is shown and return its sentence."""
    heading = page.get_by_role("heading", name=VERDICT)
    expect(heading).to_be_visible(timeout=WAIT)
    expect(page.get_by_text("Try next")).to_be_visible(timeout=WAIT)
    return heading.inner_text()


def run(page: Page) -> None:
    page.get_by_role("button", name="Run the attack").click()


def press(slider: Locator, *keys: str) -> None:
    slider.focus()
    for key in keys:
        slider.press(key)


def robustiqa(*words: str, folder: Path) -> Any:
    """Run the command line in `folder` and return the JSON that it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "robustiqa_core", *words],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=WAIT / 1000,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def own_photo(tmp_path: Path) -> Path:
    """Return a JPEG that is not among the samples."""
    path = tmp_path / "my photo.jpg"
    with Image.open(list_samples()[1].path) as photo:
        photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((320, 240)).save(path, quality=92)
    return path


def test_from_the_first_page_to_the_same_numbers_on_the_command_line(
    app: str, visit: Visit, own_photo: Path, tmp_path: Path
) -> None:
    page = visit(f"{app}/attack_lab?against=none")

    # Nothing was chosen, and there is a result; the score changed, and the picture is the stored file, byte by byte.
    first = wait_for_result(page)
    before, after = (page.locator(f".meter .{state} .value") for state in ("clean", "adversarial"))
    report = json.loads(download(page, "Numbers (JSON)", tmp_path).read_text("utf-8"))
    expect(before).to_have_text(f"{report['clean_score']:.3f}")
    expect(after).to_have_text(f"{report['rounded_score']:.3f}")
    assert report["rounded_score"] - report["clean_score"] > 0.05
    stored = download(page, "Adversarial photo (PNG)", tmp_path)
    shown = page.request.get(app + str(page.locator(".compare img.right").get_attribute("src")))
    assert shown.body() == stored.read_bytes()

    # A second run is cancelled, and the first result is still there.
    press(page.get_by_role("slider", name="Steps"), "End")
    run(page)
    expect(page.get_by_text(re.compile(r"Step \d+ of 200"))).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text(re.compile(r"Cancelled (after step \d+|before the attack began)\.")).first).to_be_visible()
    assert wait_for_result(page) == first

    # A photo of one's own.
    page.locator("input[type=file]").set_input_files(own_photo)
    expect(page.get_by_text("In use: my photo.jpg, 320 × 240 px.")).to_be_visible()
    press(page.get_by_role("slider", name="Steps"), "Home", "ArrowRight", "ArrowRight")
    run(page)
    expect(page.get_by_text("my photo.jpg, 320 × 240 px.", exact=True)).to_be_visible(timeout=WAIT)
    wait_for_result(page)
    stored = download(page, "Adversarial photo (PNG)", tmp_path)
    report = json.loads(download(page, "Numbers (JSON)", tmp_path).read_text("utf-8"))
    expect(after).to_have_text(f"{report['rounded_score']:.3f}")

    # The same numbers without a browser: of the file, and of the whole run by the command that the page shows.
    device = ("--device", report["device"])
    (scored,) = robustiqa(
        "score", stored.name, "--model", "linearity", "--variant", "baseline", *device, "--json", folder=tmp_path
    )
    assert scored["score"] == pytest.approx(report["rounded_score"], abs=1e-6)
    command = page.locator("pre", has_text="robustiqa attack").inner_text()
    assert command == report["command"]
    words = command.replace("'my photo.jpg'", "my_photo.jpg").split()[1:]
    own_photo.rename(tmp_path / "my_photo.jpg")
    again = robustiqa(*words, folder=tmp_path)
    for key in ("clean_score", "adversarial_score", "rounded_score", "linf", "l2", "psnr", "ssim"):
        assert again[key] == pytest.approx(report[key], abs=1e-5), key
    assert Path(tmp_path, again["adversarial_path"]).read_bytes() == stored.read_bytes()


def test_two_visitors_attack_at_once_and_each_gets_the_own_result(slow_app: str, visit: Visit) -> None:
    one = visit(f"{slow_app}/attack_lab?attack=pgd&steps=60&direction=up")
    expect(one.get_by_text(re.compile(r"Step \d+ of 60"))).to_be_visible(timeout=WAIT)
    other = visit(f"{slow_app}/attack_lab?attack=pgd&steps=5&direction=down")
    expect(other.get_by_text("Waiting: one attack is ahead of yours.")).to_be_visible(timeout=WAIT)
    assert "rose" in wait_for_result(one)
    assert "fell" in wait_for_result(other)


def test_cancelling_frees_the_device_within_a_step(slow_app: str, visit: Visit) -> None:
    page = visit(f"{slow_app}/attack_lab?attack=pgd&steps=200")
    expect(page.get_by_text(re.compile(r"Step \d+ of 200"))).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Cancel").click()
    # The page says it, and the region that speaks to screen readers.
    expect(page.get_by_text("Cancelled after step").first).to_be_visible()
    press(page.get_by_role("slider", name="Steps"), "Home")
    run(page)
    wait_for_result(page)


def test_an_address_opens_the_same_view_with_the_same_numbers(slow_app: str, visit: Visit) -> None:
    page = visit(f"{slow_app}/attack_lab?photo={list_samples()[2].name}&attack=fgsm&eps=8/255&direction=down")
    sentence = wait_for_result(page)
    expect(page).to_have_url(re.compile("attack=fgsm.*eps=8%2F255"))
    again = visit(page.url)
    assert wait_for_result(again) == sentence
    expect(again.get_by_role("radio", name=list_samples()[2].title, exact=True)).to_be_checked(timeout=WAIT)


def test_the_slider_works_by_keyboard_and_by_mouse_and_shows_the_change(slow_app: str, visit: Visit) -> None:
    page = visit(f"{slow_app}/attack_lab?attack=fgsm")
    wait_for_result(page)
    divider = page.get_by_role("slider", name="Divider: Clean to the left, Adversarial to the right")
    right = page.locator(".compare img.right")
    divider.focus()
    middle = right.evaluate("image => image.style.clipPath")
    divider.press("End")
    expect(divider).to_have_attribute("aria-valuetext", "100 % Clean, rest Adversarial")
    assert right.evaluate("image => image.style.clipPath") != middle
    box = page.locator(".compare .stage").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    share = float(page.locator(".compare .range").input_value())
    assert 20 < share < 30
    page.get_by_role("radio", name="Change × 20").check(force=True)
    expect(page.get_by_role("slider", name="Divider: Clean to the left, Change × 20 to the right")).to_be_visible()
    page.get_by_role("radio", name="4 ×").check(force=True)
    assert right.evaluate("image => getComputedStyle(image).imageRendering") == "pixelated"
    width = right.evaluate("image => [image.clientWidth, image.naturalWidth]")
    assert width[0] == 4 * width[1]


def test_a_sample_photo_can_be_picked_by_keyboard(slow_app: str, visit: Visit) -> None:
    page = visit(f"{slow_app}/attack_lab?attack=fgsm")
    wait_for_result(page)
    first, second = (page.get_by_role("radio", name=sample.title, exact=True) for sample in list_samples()[:2])
    first.focus()
    page.keyboard.press("ArrowRight")
    expect(second).to_be_checked()
    expect(page.get_by_text("The controls have changed since this run.")).to_be_visible()
    run(page)
    expect(page.get_by_text(f"“{list_samples()[1].title}” by")).to_be_visible(timeout=WAIT)


def test_a_bad_upload_is_refused_and_the_result_stays(slow_app: str, visit: Visit, tmp_path: Path) -> None:
    page = visit(f"{slow_app}/attack_lab?attack=fgsm")
    sentence = wait_for_result(page)
    bad = tmp_path / "holiday.jpg"
    bad.write_bytes(b"this is no photo")
    page.locator("input[type=file]").set_input_files(bad)
    expect(page.get_by_text("holiday.jpg cannot be used.")).to_be_visible()
    expect(page.get_by_role("button", name="Run the attack")).to_be_disabled()
    assert wait_for_result(page) == sentence


@pytest.mark.parametrize("path", ["/attack_lab?attack=fgsm", "/how_it_works"])
def test_nothing_is_wider_than_a_phone(slow_app: str, visit: Visit, path: str) -> None:
    page = visit(slow_app + path, width=390, height=844)
    if "attack" in path:
        wait_for_result(page)
    else:
        expect(page.get_by_role("heading", name="Your photos")).to_be_visible(timeout=WAIT)
    assert fits(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/attack_lab?attack=pgd&steps=3", "/how_it_works"])
def test_axe_finds_nothing_serious(slow_app: str, visit: Visit, path: str, scheme: str) -> None:
    page = visit(slow_app + path, scheme=scheme)
    if "attack" in path:
        wait_for_result(page)
        expect(page.locator(".js-plotly-plot")).to_be_visible(timeout=WAIT)
        page.get_by_text("Fine settings").click()
        expect(page.get_by_role("spinbutton", name="Strength in 255ths")).to_be_visible()
    else:
        expect(page.get_by_role("heading", name="Your photos")).to_be_visible(timeout=WAIT)
    assert serious_faults(page) == []
