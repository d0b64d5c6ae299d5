"""Files of published checkpoints: read safely whatever program kept them, or refused with the reason."""

import argparse
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from published_checkpoints import (
    CHECKPOINTS,
    photos,
    tensors_of,
)
from torch import Tensor

from robustiqa_core.errors import InputError, MissingWeightsError
from robustiqa_core.models.importers import IMPORTERS
from robustiqa_core.models.published import read_checkpoint

pytestmark = pytest.mark.thorough


class Malicious:
    """Unpickling it would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_would_run_code_is_refused_without_running_it(zipped: bool, tmp_path: Path) -> None:
    file, trace = tmp_path / "evil.pth", tmp_path / "trace"
    state: dict[str, Any] = {"weight": torch.zeros(2), "evil": Malicious(trace)}
    torch.save(state, file, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match="cannot be read safely"):
        read_checkpoint(file)
    assert not trace.exists()
    # The file would have run: only the safe reader kept it from doing so.
    torch.load(file, weights_only=False)
    assert trace.exists()


def test_files_that_are_no_checkpoints_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.pth"
    torch.save({"weight": torch.arange(100.0)}, file)
    whole = file.read_bytes()
    contents = {
        "empty": b"",
        "text": b"not a checkpoint",
        "cut": whole[: len(whole) // 2],
        "zeros": bytes(64),
        "numbers": pickle.dumps([1, 2, 3], protocol=2),
    }
    for content in contents.values():
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"model\.pth, got .*; save the network's state_dict"):
            read_checkpoint(file)


def test_an_exported_program_is_refused(tmp_path: Path) -> None:
    class Double(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + x

    file = tmp_path / "exported.pt2"
    torch.export.save(torch.export.export(Double(), (torch.zeros(2),)), file)
    with pytest.raises(InputError, match="cannot be read safely"):
        read_checkpoint(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match=r"absent\.pth, got no file"):
        read_checkpoint(tmp_path / "absent.pth")


@pytest.mark.parametrize("value", [torch.zeros(3), [1, 2], 5])
def test_a_file_without_a_dictionary_is_refused(value: object, tmp_path: Path) -> None:
    torch.save(value, tmp_path / "other.pth")
    with pytest.raises(InputError, match="expected a dictionary of tensors"):
        read_checkpoint(tmp_path / "other.pth")


def test_a_damaged_safetensors_file_is_refused_as_any_other(tmp_path: Path) -> None:
    file = tmp_path / "damaged.safetensors"
    file.write_bytes(b"\xff" * 64)
    with pytest.raises(InputError, match="cannot be read safely"):
        read_checkpoint(file)


WRAPPINGS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "pyiqa": lambda state: {"params": state},
    "basicsr": lambda state: {"params": None, "params_ema": state},
    "compiled": lambda state: {f"_orig_mod.{name}": value for name, value in state.items()},
    "a compiled part": lambda state: {name.replace(".", "._orig_mod.", 1): value for name, value in state.items()},
    "data parallel": lambda state: {f"module.{name}": value for name, value in state.items()},
    "lightning": lambda state: {"state_dict": {f"model.{k}": v for k, v in state.items()}, "epoch": 3, "loops": {}},
    "lightning, compiled": lambda state: {"state_dict": {f"model._orig_mod.{k}": v for k, v in state.items()}},
    "by hand": lambda state: {"model_state_dict": state, "optimizer_state_dict": {"state": {}}},
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("name", IMPORTERS)
def test_a_checkpoint_is_read_as_other_programs_keep_it(name: str, wrapping: str, tmp_path: Path) -> None:
    checkpoint, wrap = CHECKPOINTS[name](), WRAPPINGS[wrapping]
    expected = IMPORTERS[name](checkpoint, short_side=64)(photos(1, 64, 64))
    forms = [wrap({key: value for key, value in checkpoint.items() if "optimizer" not in key and key != "amp"})]
    if name == "linearity":
        forms.append(checkpoint | {"model": wrap(checkpoint["model"])})
        if wrapping == "pyiqa":
            forms.append({"params": checkpoint["model"], "k": checkpoint["k"], "b": checkpoint["b"]})
    for form in forms:
        torch.save(form, tmp_path / "wrapped.pth")
        network = IMPORTERS[name](read_checkpoint(tmp_path / "wrapped.pth"), short_side=64)
        assert torch.equal(network(photos(1, 64, 64)), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("name", IMPORTERS)
def test_a_checkpoint_is_read_in_any_precision(name: str, dtype: torch.dtype, tmp_path: Path) -> None:
    checkpoint = CHECKPOINTS[name]()
    state = tensors_of(name, checkpoint)
    state |= {key: value.to(dtype) for key, value in state.items() if value.is_floating_point()}
    rounded = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    torch.save(checkpoint, tmp_path / "rounded.pth")
    images = photos(1, 64, 64)
    network = IMPORTERS[name](read_checkpoint(tmp_path / "rounded.pth"), short_side=64)
    whole = checkpoint | {"model": rounded} if name == "linearity" else rounded
    assert torch.equal(network(images), IMPORTERS[name](whole, short_side=64)(images))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
        ({"state_dict": {}, "args": argparse.Namespace(x=1)}, "argparse.Namespace"),
        ({"weight": torch.ones(1), "call": print}, "print"),
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_refused_with_the_kind_of_what_it_holds(
    value: object, kind: str, zipped: bool, tmp_path: Path
) -> None:
    torch.save(value, tmp_path / "whole.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=f"holds a .*{kind}") as caught:
        read_checkpoint(tmp_path / "whole.pth")
    for word in ("\x1b", "\n", "still be loaded", "weights_only", "add_safe_globals"):
        assert word not in str(caught.value)
