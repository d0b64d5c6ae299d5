"""What the benchmarks of attacks share: the model, the clock, and contenders that take turns. No benchmark itself."""

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Mapping

import torch
import torchvision
from torch import Tensor, nn

from robustiqa_core.checkpoints.storage import load_scorer
from robustiqa_core.device import choose_device, describe_device, keep_freed_memory
from robustiqa_core.scorer import ScoreRange

EPS = 4 / 255

Work = Callable[[], object]


class MobileNetScorer(nn.Module):
    """MobileNetV2 with random weights and one output: for machines without our checkpoints."""

    score_range = ScoreRange(0.0, 1.0)

    def __init__(self) -> None:
        super().__init__()
        self.net = torchvision.models.mobilenet_v2(weights=None, num_classes=1)
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Return scores (N,)."""
        return self.net(images)[:, 0]


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the options that `read_model` needs."""
    parser.add_argument("--model", default="linearity", help="architecture of a checkpoint, or mobilenet_v2")
    parser.add_argument("--variant", default="baseline")
    parser.add_argument("--device", default="auto")


def read_model(options: argparse.Namespace) -> tuple[nn.Module, dict[str, object]]:
    """Return the model of the options, on its device, and what is to be known of it and of the machine."""
    # As the app and the command line do; without it the pace of all contenders wavers.
    keep_freed_memory()
    device = choose_device(options.device)
    if options.model == "mobilenet_v2":
        scorer: nn.Module = MobileNetScorer().to(device)
    else:
        scorer = load_scorer(options.model, options.variant, device=device)
    environment = {
        "model": options.model,
        "variant": options.variant,
        "device": describe_device(device),
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    return scorer, environment


def photos(count: int, size: int, options: argparse.Namespace) -> Tensor:
    """Return `count` square images of noise with `size` pixels a side, on the device of the options."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand((count, 3, size, size), generator=generator).to(choose_device(options.device))


def wait(device: torch.device) -> None:
    """Return when the device has done all its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(work: Work, device: torch.device) -> float:
    """Return how long `work` takes."""
    wait(device)
    start = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - start


def in_turns(contenders: Mapping[str, Work], device: torch.device, turns: int) -> dict[str, list[float]]:
    """Return the seconds of each contender in each turn, after one turn that is not counted."""
    for work in contenders.values():
        work()
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(turns):
        for name, work in contenders.items():
            samples[name].append(seconds(work, device))
    return samples


def ratios(samples: Mapping[str, list[float]], name: str, to: str) -> list[float]:
    """Return the ratios of two contenders within each turn."""
    return [mine / theirs for mine, theirs in zip(samples[name], samples[to], strict=True)]


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """Return the lower quartile, the median and the upper quartile."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high
