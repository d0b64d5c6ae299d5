"""What every architecture promises, on every trunk."""

import pytest
import torch

from robustiqa_core.models import ARCHITECTURES, QualityModel, build
from robustiqa_core.models.backbones import BACKBONES
from robustiqa_core.scorer import ScoreRange


def on_meta(name: str, trunk: str) -> QualityModel:
    with torch.device("meta"):
        return build(name, {"backbone": trunk}, ScoreRange(0, 1)).eval()


@pytest.mark.parametrize("trunk", BACKBONES)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_it_works_on_the_meta_device(name: str, trunk: str) -> None:
    """No tensor is made on another device than the model's, else mixing the two raises."""
    scores = on_meta(name, trunk)(torch.rand(2, 3, 96, 70, device="meta"))
    assert scores.is_meta
    assert scores.shape == (2,)


@pytest.mark.parametrize("trunk", BACKBONES)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_insertion_points_name_modules_and_their_grids(name: str, trunk: str) -> None:
    model = on_meta(name, trunk)
    points = ARCHITECTURES[name].insertion_points({"backbone": trunk})
    assert len(points) >= 4
    seen: dict[str, torch.Size] = {}
    for point in points:
        model.get_submodule(point.module).register_forward_hook(
            lambda _, __, out, name=point.name: seen.update({name: out.shape})
        )
    model(torch.rand(1, 3, 128, 192, device="meta"))
    assert {point.name: (1, point.channels, 128 // point.stride, 192 // point.stride) for point in points} == seen
