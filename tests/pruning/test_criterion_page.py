"""The criterion in docs/guide/adding_a_criterion.md does what that page promises."""

import re
from pathlib import Path

import pytest
import torch
from pruning_networks import lively, photos

from robustiqa_core.errors import ConfigurationError
from robustiqa_core.pruning import CRITERIA, Criterion, Evidence, PruningSettings, plan

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "adding_a_criterion.md"


@pytest.fixture
def documented(monkeypatch: pytest.MonkeyPatch) -> Criterion:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, Criterion] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    criterion = names["MEAN_ACTIVATION"]
    monkeypatch.setitem(CRITERIA, criterion.name, criterion)
    return criterion


@pytest.mark.thorough
def test_the_criterion_on_the_page_lets_the_silent_channels_go(documented: Criterion) -> None:
    network = lively("linearity")
    layer = network.get_submodule("features.stem.norm")
    with torch.no_grad():
        for values in (layer.weight, layer.bias):
            values[[3, 8, 21]] = 0.0
        follower = network.get_submodule("features.stage1.0.depthwise.norm")
        for values in (follower.weight, follower.bias):
            values[[3, 8, 21]] = 0.0
    made = plan(network, PruningSettings(documented.name, 0.1, multiple=1), images=[photos(2)])
    assert made.layers[0].removed == (3, 8, 21)


def test_it_asks_for_photos(documented: Criterion) -> None:
    with pytest.raises(ConfigurationError, match="give it photos"):
        documented.importance(Evidence(torch.rand(3, 2), torch.Generator()))
