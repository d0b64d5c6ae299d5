"""`robustiqa train` and `robustiqa train-scnn`, from photos to checkpoints."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from random_checkpoints import save_random
from textures import save_textures

from robustiqa_core import cli
from robustiqa_core.checkpoints.storage import load_network
from robustiqa_core.files import read_json
from robustiqa_core.folders import CHECKPOINTS_VARIABLE
from robustiqa_core.models.card import Training
from robustiqa_core.models.scnn import SCNN
from robustiqa_core.training.scnn import SCNNCard, load_scnn, save_scnn

pytestmark = pytest.mark.thorough

CPU = torch.device("cpu")
SIZES = ["--batch-size", "4", "--resize", "80", "--crop", "64", "--short-side", "80", "--precision", "float32"]
NO_TRAINING = Training("none", 0, "random weights", "none", 0.0, {})


@pytest.fixture(scope="module")
def trunk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of checkpoints with a baseline of random weights."""
    return save_random(tmp_path_factory.mktemp("checkpoints"), side=80)


@pytest.fixture
def koniq(tmp_path: Path, trunk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as KonIQ-10k unpacks, of 24 photos whose MOS rises from 1 to 100 with their contrast."""
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(trunk))
    root = tmp_path / "koniq"
    (root / "512x384").mkdir(parents=True)
    lines = ["image_name,MOS,set"]
    for index, path in enumerate(save_textures(root / "512x384", 24)):
        lines.append(f"{path.name},{1 + 99 * index / 23},{('training', 'training', 'validation', 'test')[index % 4]}")
    (root / "koniq10k_distributions_sets.csv").write_text("\n".join(lines) + "\n")
    return root


def test_dbcnn_is_trained_on_koniq10k_from_another_trunk_and_an_scnn_of_ones_own(
    koniq: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    known = save_scnn(SCNN(5).eval(), SCNNCard(("a",) * 5, 0.2, 0, NO_TRAINING), tmp_path / "own scnn.safetensors")
    words = ["--model", "dbcnn", "--trunk-from", "linearity", "--scnn", str(tmp_path / "own scnn.safetensors")]
    stages = ["--epochs", "3", "--head-epochs", "2", "--stop-after", "2", "--patience", "5", "--balanced"]
    places = ["--run-dir", str(tmp_path / "run"), "--out", str(tmp_path / "out"), "--workers", "0"]
    data = ["--dataset", "koniq10k", "--root", str(koniq)]
    command = ["train", *words, *data, *stages, *SIZES, "--head-rate", "0.01", *places, "--device", "cpu"]
    assert cli.main([*command, "--json"]) == 0
    printed = capsys.readouterr()
    card = json.loads(printed.out)
    assert printed.err.count("validation SROCC") == 2
    assert card["score_unit"] == "predicted MOS of KonIQ-10k, 1 to 100, larger is better"
    baseline = read_json(Path(koniq.parent / "out" / "dbcnn-baseline.json"))
    assert baseline == card
    assert card["training"]["start"].endswith(f"; S-CNN of own scnn.safetensors, sha256 {known.sha256}")
    assert card["training"]["start"].startswith("trunk of linearity-baseline, sha256 ")
    settings = card["training"]["settings"]
    assert (settings["stopped_after_epoch"], settings["best_epoch"] in (1, 2), settings["processes"]) == (2, True, 1)
    assert (settings["balanced"], settings["head_epochs"], settings["patience"]) == (True, 2, 5)
    for part in ("--scnn 'own scnn.safetensors'", "--head-epochs 2", "--balanced", "--patience 5", "--stop-after 2"):
        assert part in card["training"]["command"]
    whole, masked = card["measurements"]
    assert (whole["dataset"], whole["photos"]) == ("KonIQ-10k, test split", 6)
    assert masked["dataset"] == "KonIQ-10k, test split, lower left corner masked"
    assert masked["command"] == f"{whole['command']} --mask-corner"
    # On the scale of the MOS, not on that which the network learnt.
    assert 0 < card["score_range"]["low"] < 50 < card["score_range"]["high"] < 120
    assert 1 < whole["rmse"] < 60
    # Both epochs were of the first stage, so that the branches are those it started from, rounded to half precision.
    network = load_network("dbcnn", "baseline", device=CPU, root=tmp_path / "out")
    start = load_network("linearity", "baseline", device=CPU)
    features = load_scnn(tmp_path / "own scnn.safetensors").features
    for name, value in start.features.state_dict().items():
        assert torch.equal(network.features.state_dict()[name], value), name
    for name, value in features.state_dict().items():
        expected = value.half().float() if value.is_floating_point() else value
        assert torch.equal(network.get_submodule("scnn").state_dict()[name], expected), name


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "dbcnn"], "give --scnn FILE with --model dbcnn"),
        (["--model", "tres", "--scnn", "SCNN"], "for DBCNN only, got tres with them"),
        (["--model", "dbcnn", "--scnn", "missing.pkl"], "robustiqa train-scnn"),
        (["--trunk-from", "linearity", "--backbone", "resnet18"], "give --backbone efficientnet_lite0"),
        (["--trunk-from", "tres"], "linearity baseline"),
        (["--head-epochs", "6"], "head_epochs must be a whole number from 0 to 5"),
        (["--patience", "-1"], "patience must be a whole number"),
    ],
)
def test_faulty_training_options_end_with_one_line(
    words: list[str], message: str, koniq: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "SCNN" in words:
        save_scnn(SCNN(5), SCNNCard((), 0.0, 0, NO_TRAINING), tmp_path / "scnn.safetensors")
    words = [str(tmp_path / "scnn.safetensors") if word == "SCNN" else word for word in words]
    data = ["--dataset", "koniq10k", "--root", str(koniq), "--run-dir", str(tmp_path / "run"), "--device", "cpu"]
    assert cli.main(["train", *words, *data, "--overwrite"]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert message in printed
    assert not (tmp_path / "run").exists()


def test_train_scnn_writes_weights_that_train_accepts(
    textures: tuple[Path, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cli.COMMANDS, "train-scnn", "train DBCNN's distortion branch")
    out, run_dir = tmp_path / "made" / "scnn.safetensors", tmp_path / "run"
    sizes = ["--epochs", "1", "--batch-size", "16", "--versions", "1", "--resize", "64", "--crop", "64"]
    places = ["--photos", str(textures[0].parent), "--run-dir", str(run_dir), "--out", str(out), "--workers", "0"]
    command = ["train-scnn", *sizes, *places, "--precision", "float32", "--device", "cpu"]
    assert cli.main([*command, "--json"]) == 0
    printed = capsys.readouterr()
    card = json.loads(printed.out)
    assert "epoch 1/1" in printed.err
    assert "validation accuracy" in printed.err
    assert card == read_json(out.with_suffix(".json"))
    assert card["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert len(card["classes"]) == 39
    assert card["training"]["command"].endswith("--crop 64 --rate 0.001 --photos FOLDER")
    assert load_scnn(out).classifier.out_features == 39
    assert cli.main(command) == 2
    assert "--overwrite" in capsys.readouterr().err
    # Nothing is left to train, and the same file comes out.
    assert cli.main([*command, "--overwrite"]) == 0
    assert "among 39 distortions" in capsys.readouterr().out
    assert card == read_json(out.with_suffix(".json"))
