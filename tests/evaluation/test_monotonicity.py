"""Degradation series: what counts as ordered, on scorers whose answer is known; the command and its figure."""

import argparse
import io
import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from robustiqa_core.cli import series as command
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.evaluation.monotonicity import (
    ORDERED_TAU,
    SERIES_KINDS,
    Series,
    clean_samples,
    run_series,
    summarise,
)
from robustiqa_core.images.degradations import DEGRADATIONS
from robustiqa_core.images.photo import Photo, encode_png, read_image
from robustiqa_core.images.samples import list_samples, sample_path
from robustiqa_core.scorer import ScoreRange

CPU = torch.device("cpu")


class Sharpness:
    """Scores the mean difference of neighbours: blur and contrast loss lower it, noise raises it."""

    score_range = ScoreRange(0.0, 1.0)

    def __call__(self, images: Tensor) -> Tensor:
        return images.diff(dim=3).abs().mean((1, 2, 3))


@pytest.fixture(scope="module")
def photo() -> Photo:
    whole = read_image(sample_path("cat"))
    return Photo(whole.images[..., 90:190, 120:250].clone(), "cat.png", "PNG", (130, 100), (), "0" * 64)


def one(*scores: float) -> Series:
    return Series("a photo", "blur", scores)


def test_tau_counts_the_pairs_that_stand_right_and_wrong() -> None:
    assert one(9, 8, 7, 6, 5, 4).tau == 1
    assert one(4, 5, 6, 7, 8, 9).tau == -1
    assert one(9, 8, 7, 6, 4, 5).tau == pytest.approx(13 / 15)
    assert one(9, 8, 7, 6, 4, 5).ordered
    assert one(9, 8, 6, 7, 4, 5).tau == pytest.approx(11 / 15)
    assert not one(9, 8, 6, 7, 4, 5).ordered
    assert not one(3, 3, 3, 3, 3, 3).ordered
    assert 11 / 15 < ORDERED_TAU <= 13 / 15


def test_a_scorer_of_sharpness_orders_blur_and_takes_noise_for_an_improvement(photo: Photo) -> None:
    found = {series.kind: series for series in run_series(Sharpness(), [photo], device=CPU)}
    assert tuple(found) == SERIES_KINDS
    assert found["blur"].tau == found["contrast"].tau == 1
    assert found["noise"].tau == -1
    clean = Sharpness()(photo.images).item()
    assert {series.scores[0] for series in found.values()} == {clean}
    assert found["contrast"].scores[2] == pytest.approx(clean * DEGRADATIONS["contrast"].strengths[1], rel=0.03)


def test_what_is_scored_is_what_a_file_would_hold(photo: Photo) -> None:
    levels: list[Tensor] = []

    class Spy(Sharpness):
        def __call__(self, images: Tensor) -> Tensor:
            levels.append(images * 255)
            return super().__call__(images)

    list(run_series(Spy(), [photo], ["noise", "contrast"], device=CPU))
    assert len(levels) == 11
    for images in levels:
        torch.testing.assert_close(images, images.round(), atol=1e-4, rtol=0)


def test_a_summary_counts_the_ordered_photos_of_each_kind() -> None:
    other = Series("another", "noise", (1, 2, 3, 4, 5, 6))
    blur, noise = summarise([one(9, 8, 7, 6, 5, 4), other, one(9, 8, 6, 7, 4, 5)])
    assert (blur.kind, blur.photos, blur.ordered) == ("blur", 2, 1)
    assert blur.mean_tau == pytest.approx((1 + 11 / 15) / 2)
    assert (noise.photos, noise.ordered, noise.mean_tau) == (1, 0, -1)
    with pytest.raises(InputError, match="got none"):
        summarise([])


def test_an_unknown_kind_lists_the_known_ones(photo: Photo) -> None:
    with pytest.raises(ConfigurationError, match="blur, noise, jpeg"):
        next(run_series(Sharpness(), [photo], ["rain"], device=CPU))


def test_the_clean_samples_are_all_but_the_one_that_was_blurred_on_purpose() -> None:
    left_out = {sample.name for sample in list_samples()} - {sample.name for sample in clean_samples()}
    assert left_out == {"mountain_path_out_of_focus"}


@pytest.mark.thorough
def test_the_command_prints_saves_a_figure_and_names_itself(
    photo: Photo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image, net, figure = tmp_path / "photo.png", tmp_path / "net.py", tmp_path / "series.png"
    image.write_bytes(encode_png(photo.images))
    net.write_text("def make(): return lambda images: images.diff(dim=3).abs().mean((1, 2, 3))\n")
    (tmp_path / "models.toml").write_text(f"[mine]\nsource = '{net}:make'\nscore_range = [0, 1]\nunit = 'sharpness'\n")
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    words = [str(image), "--kinds", "blur", "noise", "--png", str(figure), "--device", "cpu", "--model", "mine"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROBUSTIQA_MODELS", str(tmp_path / "models.toml"))
        assert command.run(parser.parse_args([*words, "--json"])) == 0
        report = json.loads(capsys.readouterr().out)
        assert command.run(parser.parse_args([*words, "--overwrite"])) == 0
    printed = capsys.readouterr().out
    assert [(kind["kind"], kind["ordered"]) for kind in report["kinds"]] == [("blur", 1), ("noise", 0)]
    assert report["kinds"][0]["strengths"] == list(DEGRADATIONS["blur"].strengths)
    assert [len(series["scores"]) for series in report["series"]] == [6, 6]
    assert "1 of 1" in printed
    assert "photo -1.00" in printed
    picture = Image.open(io.BytesIO(figure.read_bytes()))
    assert picture.text["Description"] == report["command"]
    assert report["command"].startswith(f"robustiqa series {image}")
    assert report["command"].endswith(
        "--model mine --variant baseline --kinds blur noise --device cpu --png series.png"
    )
    # A panel each, and something drawn in both.
    left, right = (picture.convert("L").crop((x, 150, x + 300, 450)).getextrema() for x in (120, 620))
    assert left[0] < 100
    assert right[0] < 100
