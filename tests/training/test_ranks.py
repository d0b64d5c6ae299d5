"""Two processes under torch's launcher, on the CPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from train_as_rank import LOSSES, outcomes, photos

from robustiqa_core.errors import ConfigurationError
from robustiqa_core.files import read_tensors
from robustiqa_core.training import ranks

pytestmark = pytest.mark.thorough

# Sums of the same numbers in another order, over eight steps of Adam, which divides by small gradients.
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def of_ranks(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What two processes that share every batch came to."""
    folder = tmp_path_factory.mktemp("ranks")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    meeting = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", "--local-addr", "localhost"]
    result = subprocess.run(
        [*launcher, *meeting, str(Path(__file__).with_name("train_as_rank.py")), str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    first, second = (read_tensors(folder / f"rank{rank}.safetensors")[0] for rank in (0, 1))
    return first, second


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    return outcomes(tmp_path_factory.mktemp("alone"))


def test_all_ranks_end_with_the_same_bits(of_ranks: tuple[dict[str, Tensor], dict[str, Tensor]]) -> None:
    first, second = of_ranks
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.mark.parametrize("case", LOSSES)
def test_two_processes_train_as_one_does(
    of_ranks: tuple[dict[str, Tensor], dict[str, Tensor]], alone: dict[str, Tensor], case: str
) -> None:
    names = [name for name in alone if name.startswith(f"{case}/")]
    assert len(names) == 5
    for name in names:
        assert torch.allclose(of_ranks[0][name], alone[name], rtol=0.0, atol=TOLERANCE), name


@pytest.mark.parametrize("loss", LOSSES)
def test_the_gradient_is_that_of_the_whole_batch(
    of_ranks: tuple[dict[str, Tensor], dict[str, Tensor]], alone: dict[str, Tensor], loss: str
) -> None:
    expected = alone[f"gradients/{loss}"]
    assert expected.abs().max() > 0.01
    assert torch.allclose(of_ranks[0][f"gradients/{loss}"], expected, rtol=0.0, atol=1e-6)


def test_statistics_of_normalisations_are_those_of_all_parts(
    of_ranks: tuple[dict[str, Tensor], dict[str, Tensor]],
) -> None:
    # From 0 and 1, with torch's momentum of 0.1; the parts are every other photo.
    x, dims = photos(), (0, 2, 3)
    variance = (x[::2].var(dims) + x[1::2].var(dims)) / 2
    assert torch.allclose(of_ranks[0]["statistics/mean"], 0.1 * x.mean(dims), rtol=0.0, atol=1e-6)
    assert torch.allclose(of_ranks[0]["statistics/variance"], 0.9 + 0.1 * variance, rtol=0.0, atol=1e-6)


def test_a_shared_training_resumes_to_the_same_bits(of_ranks: tuple[dict[str, Tensor], dict[str, Tensor]]) -> None:
    first, _ = of_ranks
    for name in [name for name in first if name.startswith("normalised/")]:
        resumed = first[name.replace("normalised/", "resumed/")]
        if name == "normalised/losses":
            # It was killed after the third step, which had not been saved.
            assert torch.equal(resumed, first[name][2:])
        elif name != "normalised/figures":
            assert torch.equal(resumed, first[name]), name


def test_a_process_alone_has_everything_and_waits_for_nobody() -> None:
    with ranks.joined():
        assert (ranks.rank(), ranks.count(), ranks.is_first()) == (0, 1, True)
        assert ranks.part([1, 2, 3]) == [1, 2, 3]
        x = torch.rand(3)
        assert ranks.gather(x) is x
        assert ranks.from_first(0.3, x.device) == 0.3
    assert ranks.choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("size", [2, 7])
def test_a_batch_that_cannot_be_shared_evenly_is_refused(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "count", lambda: 2)
    assert ranks.check_batch_size(4) == 4
    with pytest.raises(ConfigurationError, match="--batch-size such as 4, 6 or 8"):
        ranks.check_batch_size(size)


@pytest.mark.parametrize(
    ("device", "rank", "message"), [("cuda:0", "0", "its own GPU"), ("auto", "2", "2 GPUs; lower --nproc-per-node")]
)
def test_each_rank_gets_a_gpu_of_its_own_or_an_error(
    device: str, rank: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks, "launched", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    chosen: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert ranks.choose_device("auto") == torch.device("cuda", 1)
    assert chosen == [torch.device("cuda", 1)]
    monkeypatch.setenv("LOCAL_RANK", rank)
    with pytest.raises(ConfigurationError, match=message):
        ranks.choose_device(device)
    assert ranks.choose_device("cpu") == torch.device("cpu")
