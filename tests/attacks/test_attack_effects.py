"""No attack has effects on what it is given, on the caller's modes and random numbers, or on another device."""

from typing import Any

import pytest
import torch
from attack_scorers import Quadratic, SmallNet, photos
from every_attack import ALL, EACH, vars_of
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from robustiqa_core.attacks import Attack, complete, run


def snapshot(scorer: SmallNet) -> dict[str, Tensor]:
    """Return a copy of the model's state."""
    return {name: value.clone() for name, value in scorer.state_dict().items()}


@EACH
def test_nothing_that_is_passed_in_is_changed(attack: Attack) -> None:
    scorer, images = SmallNet(frozen=False), photos().requires_grad_()
    before, state, random_state = images.detach().clone(), snapshot(scorer), torch.get_rng_state()
    complete(attack, scorer, images)
    assert torch.equal(images, before)
    assert images.grad is None
    assert images.requires_grad
    assert images.is_leaf
    assert all(p.grad is None and p.requires_grad for p in scorer.parameters())
    assert not scorer.training
    assert all(torch.equal(value, state[name]) for name, value in scorer.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)


@EACH
def test_the_callers_modes_are_its_own_between_the_records(attack: Attack) -> None:
    for _ in run(attack, SmallNet(), photos()):
        assert torch.is_grad_enabled()
    with torch.no_grad():
        for _ in run(attack, SmallNet(), photos()):
            assert not torch.is_grad_enabled()
            assert not torch.is_inference_mode_enabled()


@EACH
@pytest.mark.parametrize("records", [0, 1])
def test_closing_early_leaves_nothing_behind(attack: Attack, records: int) -> None:
    scorer, random_state = SmallNet(frozen=False), torch.get_rng_state()
    steps = run(attack, scorer, photos())
    for _ in range(records):
        next(steps)
    steps.close()
    assert next(steps, None) is None
    assert torch.is_grad_enabled()
    assert all(p.grad is None and p.requires_grad for p in scorer.parameters())
    assert torch.equal(torch.get_rng_state(), random_state)


class Devices(TorchDispatchMode):
    """Notes each operation whose result is not on the `meta` device."""

    def __init__(self) -> None:
        super().__init__()
        self.elsewhere: set[str] = set()
        self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.operations += 1
        for value in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(value, Tensor) and not value.is_meta:
                self.elsewhere.add(func.overloadpacket.__name__)
        return out


@ALL
def test_no_value_is_read_and_no_tensor_made_on_another_device_but_a_random_draw_or_a_file(attack: Attack) -> None:
    images = torch.empty((2, 3, 12, 20), device="meta")
    scorer = Quadratic(torch.empty((3, 12, 20), device="meta"), -1.0)
    with Devices() as devices:
        records = list(run(attack, scorer, images))
    tensors = [v for record in records for v in vars_of(record).values() if isinstance(v, Tensor)]
    assert all(tensor.is_meta for tensor in tensors)
    assert devices.operations > 20
    drawn = {"rand", "randn"} if hasattr(attack, "seed") else set()
    stored = {"lift_fresh"} if hasattr(attack, "perturbation") else set()
    assert devices.elsewhere <= drawn | stored
