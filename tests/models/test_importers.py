"""Import of published checkpoints: strict, and in parity with plain computations of the published formulas."""

import os
from pathlib import Path
from typing import Any

import published_layouts as published
import pytest
import torch
import torch.nn.functional as F
from published_checkpoints import (
    CHECKPOINTS,
    dbcnn_checkpoint,
    linearity_checkpoint,
    photos,
    tensors_of,
    tres_checkpoint,
)

from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.models.importers import IMPORTERS, import_dbcnn, import_linearity, import_scnn, import_tres
from robustiqa_core.models.published import read_checkpoint
from robustiqa_core.scorer import ScoreRange

pytestmark = pytest.mark.thorough

TOLERANCE = 1e-5


def test_every_importer_is_tested_here() -> None:
    assert IMPORTERS.keys() == CHECKPOINTS.keys()


@pytest.mark.parametrize("trunk", ["resnet18", "resnet50"])
def test_linearity_equals_the_published_formula(trunk: str) -> None:
    checkpoint = linearity_checkpoint(trunk)
    network = import_linearity(checkpoint)
    images = photos(2, 96, 130)
    expected = published.linearity(checkpoint["model"], images)
    assert network.settings.backbone == trunk
    assert expected.std() > 0.01
    torch.testing.assert_close(network.predictions(images), expected, atol=TOLERANCE, rtol=TOLERANCE)
    # Of the three pairs the first is that of the whole model.
    torch.testing.assert_close(network(images), 2.5 * expected[:, 0] - 1.0, atol=TOLERANCE, rtol=TOLERANCE)


# At 96 x 128 both grids are 6 x 8; at 100 x 121 S-CNN has 7 x 8 places and VGG16 6 x 7.
@pytest.mark.parametrize("size", [(96, 128), (100, 121)])
def test_dbcnn_equals_the_published_formula(size: tuple[int, int]) -> None:
    checkpoint = dbcnn_checkpoint()
    network = import_dbcnn(checkpoint)
    images = photos(2, *size)
    expected = published.dbcnn(checkpoint, images)
    assert expected.std() > 1e-3
    torch.testing.assert_close(network.predictions(images), expected, atol=TOLERANCE, rtol=TOLERANCE)


# ResNet50's transformer alone takes 500 MB, and the reference as much again.
@pytest.mark.parametrize("trunk", ["resnet18", pytest.param("resnet50", marks=pytest.mark.slow)])
def test_tres_equals_the_published_formula(trunk: str) -> None:
    checkpoint = published.tres_state(trunk)
    network = import_tres(checkpoint)
    images = photos(2, 224, 224)
    expected = published.tres(checkpoint, images)
    assert network.settings.backbone == trunk
    assert expected.std() > 1e-3
    torch.testing.assert_close(network.predictions(images), expected, atol=TOLERANCE, rtol=TOLERANCE)
    wide = photos(1, 224, 300)
    crops = [published.tres(checkpoint, wide[..., left : left + 224]) for left in (0, 38, 76)]
    torch.testing.assert_close(network.predictions(wide), sum(crops) / 3, atol=TOLERANCE, rtol=TOLERANCE)


def test_tres_of_resnet50_is_told_by_its_shapes() -> None:
    shapes = published.tres_shapes("resnet50")
    assert shapes["fc.weight"] == (1, 4096)
    assert shapes["fc2.weight"] == (2048, 3840)
    windows = {name: value for name, value in published.tres_state("resnet18").items() if name.startswith("L2")}
    # A single number seen as a tensor of each shape takes no memory.
    state = windows | {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}
    assert import_tres(state, k=-1.0, b=5.0)(photos(1, 64, 64)).tolist() == [5.0]


def scnn_file() -> Path:
    shared = os.environ.get("ROBUSTIQA_SHARED") or Path(__file__).parents[3] / "shared"
    path = Path(shared) / "data" / "weights" / "scnn.pkl"
    if not path.is_file():
        pytest.skip(f"the published S-CNN weights are not at {path}; set ROBUSTIQA_SHARED to the folder with data/")
    return path


def test_published_scnn_weights_load_strictly_and_give_the_published_logits() -> None:
    state = read_checkpoint(scnn_file())
    network = import_scnn(state)
    images = photos(2, 224, 224)
    expected = published.scnn(state, published.imagenet(images))
    torch.testing.assert_close(network(images), expected, atol=1e-4, rtol=TOLERANCE)
    assert len(network.state_dict()) == len(state) + 11  # the counts of batches, which old files lack


def test_published_scnn_weights_tell_blur_from_noise() -> None:
    network = import_scnn(read_checkpoint(scnn_file()))
    generator = torch.Generator().manual_seed(0)
    smooth = F.interpolate(torch.rand(4, 3, 14, 14, generator=generator), (224, 224), mode="bicubic").clamp(0, 1)
    noisy = (smooth + 0.2 * torch.randn(smooth.shape, generator=generator)).clamp(0, 1)
    assert not set(network(smooth).argmax(1).tolist()) & set(network(noisy).argmax(1).tolist())


@pytest.mark.parametrize("name", IMPORTERS)
def test_import_gives_a_frozen_scorer_with_the_mapping_and_range_asked_for(name: str) -> None:
    checkpoint = CHECKPOINTS[name]()
    plain = IMPORTERS[name](checkpoint, short_side=64)
    turned = IMPORTERS[name](checkpoint, short_side=64, k=-2.0, b=7.0, score_range=ScoreRange(1.0, 5.0))
    images = photos(2, 80, 64)
    torch.testing.assert_close(turned(images), 7.0 - 2.0 * plain(images))
    assert turned.score_range == ScoreRange(1.0, 5.0)
    assert turned.settings.short_side == 64
    assert not turned.training
    assert not any(parameter.requires_grad for parameter in turned.parameters())
    assert all(value.dtype in (torch.float32, torch.int64) for value in turned.state_dict().values())


@pytest.mark.parametrize("name", IMPORTERS)
def test_the_file_gives_the_same_scores_as_the_dictionary(name: str, tmp_path: Path) -> None:
    checkpoint = CHECKPOINTS[name]()
    torch.save(checkpoint, tmp_path / "published.pkl")
    images = photos(1, 64, 64)
    from_file = IMPORTERS[name](read_checkpoint(tmp_path / "published.pkl"), short_side=64)
    assert torch.equal(from_file(images), IMPORTERS[name](checkpoint, short_side=64)(images))


FIRST = {"linearity": "features.0.weight", "dbcnn": "module.features1.0.weight", "tres": "model.conv1.weight"}


@pytest.mark.parametrize("name", IMPORTERS)
def test_missing_extra_and_misshapen_tensors_are_listed(name: str) -> None:
    checkpoint = CHECKPOINTS[name]()
    state = tensors_of(name, checkpoint)
    first = FIRST[name]
    kept = state.pop(first)
    extra = "module.fc3.weight" if name == "dbcnn" else "fc3.weight"
    state[extra] = torch.zeros(1)
    with pytest.raises(InputError) as caught:
        IMPORTERS[name](checkpoint, short_side=64)
    assert f"missing: {first.removeprefix('module.')}; not known: fc3.weight)" in str(caught.value)
    del state[extra]
    state[first] = kept[:, :2]
    side = kept.shape[-1]
    with pytest.raises(InputError, match=rf"of another shape: \S+ \(64, 2, {side}, {side}\) instead of \(64, 3, "):
        IMPORTERS[name](checkpoint, short_side=64)


@pytest.mark.parametrize("name", IMPORTERS)
def test_a_weight_that_is_not_finite_is_refused(name: str) -> None:
    checkpoint = CHECKPOINTS[name]()
    tensors_of(name, checkpoint)[FIRST[name]][0, 0, 0, 0] = float("nan")
    with pytest.raises(InputError, match=f"NaN or infinity in {FIRST[name].removeprefix('module.')}"):
        IMPORTERS[name](checkpoint, short_side=64)


@pytest.mark.parametrize("name", IMPORTERS)
def test_the_checkpoint_of_another_architecture_is_refused(name: str) -> None:
    for other in CHECKPOINTS.keys() - {name}:
        with pytest.raises(InputError, match=r"expected .* got .*; import "):
            IMPORTERS[name](CHECKPOINTS[other](), short_side=64)


@pytest.mark.parametrize("name", IMPORTERS)
@pytest.mark.parametrize("mapping", [{"k": 0.0}, {"k": float("nan")}, {"b": float("inf")}])
def test_a_mapping_that_orders_nothing_is_refused(name: str, mapping: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="score mapping"):
        IMPORTERS[name](CHECKPOINTS[name](), short_side=64, **mapping)


@pytest.mark.parametrize("name", IMPORTERS)
def test_import_leaves_the_checkpoint_alone(name: str) -> None:
    checkpoint = CHECKPOINTS[name]()
    before = {key: value.clone() for key, value in tensors_of(name, checkpoint).items()}
    network = IMPORTERS[name](checkpoint, short_side=64)
    for parameter in network.parameters():
        parameter.fill_(3.0)
    after = tensors_of(name, checkpoint)
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], value) for key, value in before.items())


def test_dbcnn_of_an_old_torch_without_counts_and_without_prefix_gives_the_same_scores() -> None:
    checkpoint = dbcnn_checkpoint()
    old = {key.removeprefix("module."): value for key, value in checkpoint.items() if "num_batches" not in key}
    assert len(checkpoint) - len(old) == 9
    images = photos(1, 64, 64)
    assert torch.equal(import_dbcnn(old)(images), import_dbcnn(checkpoint)(images))


def test_tres_with_another_pooling_window_is_refused() -> None:
    checkpoint = tres_checkpoint()
    checkpoint["L2pooling_l2.filter"] = torch.full((128, 1, 3, 3), 1 / 9)
    with pytest.raises(InputError, match=r"Hanning window .* at L2pooling_l2.filter, got another one"):
        import_tres(checkpoint)


@pytest.mark.parametrize("form", [3.0, 3, torch.tensor(3.0), torch.tensor([3.0, 9.0, 9.0]), (3.0, 9.0, 9.0)])
def test_linearity_reads_k_as_a_number_or_as_the_first_of_three(form: object) -> None:
    checkpoint = linearity_checkpoint() | {"k": form}
    assert import_linearity(checkpoint).k.item() == 3.0


@pytest.mark.parametrize("form", ["3", None, [], [None], float("nan"), 0.0, [0, 1, 1], torch.zeros(0)])
def test_linearity_refuses_a_k_that_is_no_usable_number(form: object) -> None:
    with pytest.raises(InputError, match="expected a finite number at 'k'"):
        import_linearity(linearity_checkpoint() | {"k": form})


def test_linearity_without_its_mapping_or_with_unknown_parts_is_refused() -> None:
    checkpoint = linearity_checkpoint()
    with pytest.raises(InputError, match="with model, k and b, got one with amp, epoch, model, optimizer;"):
        import_linearity({key: value for key, value in checkpoint.items() if key not in ("k", "b")} | {"epoch": 3})


@pytest.mark.parametrize(
    "value",
    [torch.zeros(2).to_sparse(), torch.zeros(2, dtype=torch.complex64), torch.zeros(2, device="meta"), "text", 3],
)
def test_values_that_are_no_plain_tensors_are_refused(value: object) -> None:
    checkpoint = dbcnn_checkpoint() | {"module.fc.bias": value}
    with pytest.raises(InputError, match=r"fc\.bias"):
        import_dbcnn(checkpoint)


def test_linearity_as_a_state_dict_alone_has_the_scale_of_its_output() -> None:
    checkpoint = linearity_checkpoint()
    images = photos(1, 64, 64)
    alone = import_linearity({"params": checkpoint["model"]}, short_side=64)
    torch.testing.assert_close(2.5 * alone(images) - 1.0, import_linearity(checkpoint, short_side=64)(images))


def test_a_checkpoint_that_holds_itself_is_refused() -> None:
    checkpoint: dict[str, Any] = {}
    checkpoint["params"] = checkpoint
    for importer in IMPORTERS.values():
        with pytest.raises(InputError, match="expected"):
            importer(checkpoint)
