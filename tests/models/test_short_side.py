"""The size to which a network scales photos can be changed afterwards."""

import copy

import pytest
import torch

from robustiqa_core.models import ARCHITECTURES, build, set_short_side
from robustiqa_core.scorer import ScoreRange


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_a_network_whose_size_was_set_scores_as_one_that_was_made_with_it(model: str) -> None:
    torch.manual_seed(0)
    small = build(model, {"short_side": 64}, ScoreRange(0.0, 1.0)).eval()
    changed = build(model, {"short_side": 96}, ScoreRange(0.0, 1.0)).eval()
    changed.load_state_dict(copy.deepcopy(small.state_dict()))
    images = torch.rand(1, 3, 128, 96)
    with torch.no_grad():
        wanted, before = (network.to(torch.float32)(images) for network in (small, changed))
        set_short_side(changed, 64)
        assert torch.equal(changed(images), wanted)
        assert not torch.equal(before, wanted)
    assert changed.settings == small.settings
