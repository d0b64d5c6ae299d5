"""The commands of the spectra: one set of numbers by every way, and figures that say how they were made."""

import io
import json
import math
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from random_checkpoints import save_random

from robustiqa_core import cli
from robustiqa_core.attacks import ATTACKS
from robustiqa_core.attacks.projections import size
from robustiqa_core.blocks import BlockSettings, insert
from robustiqa_core.cli.spectra_options import without_nan
from robustiqa_core.folders import CHECKPOINTS_VARIABLE
from robustiqa_core.models.linearity import Linearity, LinearitySettings
from robustiqa_core.plots.sensitivity import SensitivityPanel, sensitivity_png
from robustiqa_core.spectra import SensitivityMap
from robustiqa_core.spectra.probes import measuring_points, middles, noise_of_size

pytestmark = pytest.mark.thorough

ATTACK = ["--steps", "2", "--eps", "4/255"]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Linearity network with random weights, and the same with a block, for the plumbing of the commands."""
    root = tmp_path_factory.mktemp("checkpoints")
    torch.manual_seed(0)
    network = Linearity(LinearitySettings(short_side=64)).eval()
    hardened = insert(network, "after_stage5", BlockSettings(width=8, grid=2))
    save_random(root, side=64, network=network)
    return save_random(root, side=64, variant="hardened", network=hardened)


@pytest.fixture(autouse=True)
def commands(checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(checkpoints))
    monkeypatch.chdir(tmp_path)
    for name in ("spectrum", "sensitivity", "amplification"):
        monkeypatch.setitem(cli.COMMANDS, name, cli.COMMANDS.get(name, "for tests"))
    generator = np.random.default_rng(0)
    for name, width, height in (("a.png", 64, 66), ("b.png", 70, 65)):
        pixels = generator.integers(30, 220, (10, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC).save(tmp_path / name)


def run_json(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    assert cli.main([*words, "--device", "cpu", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def check_command(capsys: pytest.CaptureFixture[str], found: dict[str, object]) -> None:
    """The reported command gives the same numbers; the figure, which takes time, is drawn once."""
    program, *words = shlex.split(str(found["command"]))
    assert program == "robustiqa"
    if "--png" in words:
        place = words.index("--png")
        del words[place : place + 2]
    again = run_json(capsys, *words)
    assert again.pop("command") == shlex.join([program, *words])
    assert again == {key: value for key, value in found.items() if key != "command"}


def check_figure(path: Path, command: object) -> None:
    with Image.open(io.BytesIO(path.read_bytes())) as figure:
        assert figure.info["Description"] == command
        assert min(figure.size) >= 700
        colours = figure.convert("RGB").getcolors(1 << 24)
    assert colours is not None
    assert len(colours) > 100


def test_spectrum_gives_the_same_numbers_by_an_attack_by_its_files_and_by_its_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run_json(capsys, "spectrum", "a.png", *ATTACK, "--png", str(tmp_path / "s.png"))
    check_figure(tmp_path / "s.png", found["command"])
    check_command(capsys, found)
    photo = found["runs"][0]["photos"][0]  # type: ignore[index]
    assert sum(photo["band_shares"].values()) == pytest.approx(1.0)
    assert photo["rounded_score"] > photo["clean_score"]
    assert len(found["runs"][0]["profile_radius"]) == len(photo["profile"]) == 46  # type: ignore[index]
    report = run_json(capsys, "attack", "a.png", *ATTACK, "--out", str(tmp_path / "out"))
    pair = run_json(capsys, "spectrum", "--clean", "a.png", "--adversarial", str(report["adversarial_path"]))
    check_command(capsys, pair)
    other = pair["runs"][0]["photos"][0]  # type: ignore[index]
    assert other["energy"] == pytest.approx(report["rounded_l2"] ** 2, rel=1e-5)  # type: ignore[operator]
    for key in ("energy", "luma_share", "constant_share"):
        assert other[key] == pytest.approx(photo[key], rel=1e-5)
    assert other["band_shares"] == pytest.approx(photo["band_shares"], rel=1e-5)
    assert pair["runs"][0]["model"] is other["clean_score"] is None  # type: ignore[index]


def test_models_stand_side_by_side_in_all_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = ["a.png", "b.png", "--compare", "linearity-hardened"]
    for command, *options in (
        ("spectrum", *ATTACK, "--window", "hann"),
        ("sensitivity", "--grid", "3"),
        ("amplification", *ATTACK, "--norms", "none"),
    ):
        path = tmp_path / f"{command}.png"
        found = run_json(capsys, command, *both, *options, "--png", str(path))
        assert [run["variant"] for run in found["runs"]] == ["baseline", "hardened"]  # type: ignore[attr-defined]
        check_figure(path, found["command"])
        check_command(capsys, found)


def test_sensitivity_is_of_the_middles_of_the_photos(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, "sensitivity", "a.png", "b.png", "--grid", "3", "--eps", "2/255")
    assert (found["width"], found["height"]) == (64, 65)
    run = found["runs"][0]  # type: ignore[index]
    changes = np.array(run["changes"])
    assert changes.shape == (3, 3)
    assert np.array_equal(changes, changes[::-1, ::-1])
    assert changes.min() > 0
    assert 0.9 < run["kept"] <= 1.0


def test_amplification_follows_attack_and_noise_through_stages_and_block(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, "amplification", "a.png", "--variant", "hardened", *ATTACK, "--norms", "stage")
    points = {point["point"]: point for point in found["runs"][0]["points"]}  # type: ignore[index]
    assert list(points)[4:8] == ["after_stage4", "after_stage5", "block_after_stage5", "after_stage6"]
    assert points["input"]["relative"]["pgd"]["mean"] == 1.0
    for point in points.values():
        assert set(point["relative"]) == {"pgd", "noise"}
        if point["stage_norm"] is not None:
            assert point["stage"]["noise"]["mean"] < 1.1 * point["stage_norm"]["mean"]
    # An isometric block keeps every length.
    assert points["block_after_stage5"]["stage_norm"]["mean"] == pytest.approx(1.0, abs=1e-3)
    assert points["block_after_stage5"]["relative"] == points["after_stage5"]["relative"]


def test_the_noise_attack_needs_no_control(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, "amplification", "a.png", "--attack", "noise", "--norms", "none")
    assert set(found["runs"][0]["points"][0]["relative"]) == {"noise"}  # type: ignore[index]


def test_tables_are_printed_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    for words, expected in (
        (["spectrum", "a.png", "b.png", *ATTACK], "white noise"),
        (["sensitivity", "a.png", "--grid", "3"], "linearity baseline"),
        (["amplification", "a.png", *ATTACK, "--norms", "none"], "after_stage7"),
    ):
        assert cli.main([*words, "--device", "cpu"]) == 0
        assert expected in capsys.readouterr().out


def test_a_warp_is_reported_and_drawn_with_its_flow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if "stadv" not in ATTACKS:
        pytest.skip("no attack here moves pixels")
    words = ["spectrum", "a.png", "--attack", "stadv", "--steps", "2", "--png", str(tmp_path / "flow.png")]
    found = run_json(capsys, *words)
    flow = found["runs"][0]["photos"][0]["flow"]  # type: ignore[index]
    assert 0 < flow["mean"] <= flow["rms"] <= flow["maximum"] <= 1.0 + 1e-6
    check_figure(tmp_path / "flow.png", found["command"])


def test_an_attack_that_changed_nothing_has_no_shares_and_can_be_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["spectrum", "--clean", "a.png", "--adversarial", "a.png", "--png", str(tmp_path / "nothing.png")]
    found = run_json(capsys, *words)
    photo = found["runs"][0]["photos"][0]  # type: ignore[index]
    assert photo["energy"] == 0.0
    assert photo["luma_share"] is None
    check_figure(tmp_path / "nothing.png", found["command"])


def test_a_model_that_no_wave_moves_can_be_drawn(tmp_path: Path) -> None:
    axis = torch.tensor([-0.4, 0.0, 0.4], dtype=torch.float64)
    still = SensitivityMap(axis, axis, torch.zeros(1, 3, 3), torch.ones(1, 3, 3))
    path = tmp_path / "still.png"
    path.write_bytes(sensitivity_png([SensitivityPanel("still", still)], title="t", note="n", command="c"))
    check_figure(path, "c")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["spectrum"], "--clean and --adversarial"),
        (["spectrum", "a.png", "--clean", "a.png", "--adversarial", "b.png"], "give one of them"),
        (["spectrum", "--clean", "a.png"], "give one of them"),
        (["spectrum", "--clean", "a.png", "--adversarial", "b.png"], "one size"),
        (["spectrum", "missing.png"], "missing.png"),
        (["spectrum", "a.png", "--compare", "linearity-other"], "linearity hardened"),
        (["sensitivity", "a.png", "--grid", "4"], "odd"),
        (["amplification", "a.png", "--attack", "noise", "--steps", "3"], "noise"),
    ],
)
def test_bad_input_ends_with_one_line_and_status_2(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words, "--device", "cpu"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert message in printed.err


def test_noise_has_the_size_of_the_perturbation_of_each_photo() -> None:
    images = 0.4 + 0.2 * torch.rand(2, 3, 20, 30, generator=torch.Generator().manual_seed(0))
    adversarial = images.clone()
    adversarial[0] += 0.03
    adversarial[1, :, 5] -= 0.1
    noisy = noise_of_size(images, adversarial, seed=1)
    assert torch.allclose(size(noisy - images, "l2"), size(adversarial - images, "l2"), rtol=2e-3)
    assert torch.equal(noise_of_size(images[1:], adversarial[1:], seed=1), noisy[1:])
    assert not torch.equal(noise_of_size(images, adversarial, seed=2), noisy)


def test_middles_are_cut_and_not_scaled() -> None:
    photos = [torch.arange(3.0 * 5 * 7).view(1, 3, 5, 7), torch.zeros(1, 3, 9, 4)]
    found = middles(photos)
    assert found.shape == (2, 3, 5, 4)
    assert torch.equal(found[:1], photos[0][:, :, :, 1:5])


def test_measuring_points_of_a_network_without_blocks_are_its_insertion_points() -> None:
    network = Linearity(LinearitySettings(short_side=64))
    assert measuring_points(network) == network.insertion_points(network.settings)


def test_numbers_that_json_lacks_become_none() -> None:
    assert without_nan([math.nan, math.inf, 1.5, {"a": -math.inf}]) == [None, None, 1.5, {"a": None}]
