"""What does an orthogonal convolution cost, and what a hardened network?

    python benchmarks/robust_block.py [--channels 64 128 256 512] [--grids 8x8 14x14 16x12] [--json FILE]

Two tables, each from one run in which all contenders take turns, so that a change of the machine's pace hits all alike;
ratios are medians of the ratios within a turn.

1. Layers: build of the kernel (once in a folded block) and its application to one map, beside orthogonium's
   legacy Cayley layer, which builds at every call, and a plain 3 x 3 convolution.
2. Networks: a score with a block, as a multiple of the score without, for the three architectures. Weights are those
   of the bundled baseline where there is one, else random, which takes the same time.
"""

import argparse
import functools
import json
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robustiqa_core.blocks import ORTHOGONALIZATIONS, BlockSettings, ConstrainedConvolution, insert, insertion_points
from robustiqa_core.checkpoints.storage import as_scorer, list_cards, load_scorer
from robustiqa_core.device import describe_device, keep_freed_memory
from robustiqa_core.models import ARCHITECTURES, QualityModel, build
from robustiqa_core.scorer import ScoreRange

CPU = torch.device("cpu")
LAYERS = ("cayley", "aoc", "soc", "aol")
PLAIN = "conv 3x3"
LEGACY = "legacy"
# A build that takes longer than this many seconds is timed once.
PATIENCE = 1.0


CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}


class Stopwatch:
    """Times work by one of `CLOCKS`."""

    def __init__(self, clock: str) -> None:
        self.now = CLOCKS[clock]

    def seconds(self, work: Callable[[], object]) -> float:
        """Return how long `work` takes."""
        start = self.now()
        work()
        return self.now() - start


def in_turns(contenders: dict[str, Callable[[], object]], turns: int, watch: Stopwatch) -> dict[str, list[float]]:
    """Return the seconds of each contender in each turn, after one turn to warm up."""
    for work in contenders.values():
        work()
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(turns):
        for name, work in contenders.items():
            samples[name].append(watch.seconds(work))
    return samples


def ratios(samples: dict[str, list[float]], name: str, to: str) -> list[float]:
    """Return the ratio of two contenders in each turn."""
    return [value / reference for value, reference in zip(samples[name], samples[to], strict=True)]


def legacy_cayley(channels: int) -> nn.Module | None:
    """Return orthogonium's legacy Cayley layer, or None where it or einops, which it needs, is not installed."""
    with warnings.catch_warnings():
        # Old syntax in their docstrings.
        warnings.simplefilter("ignore")
        try:
            from orthogonium.legacy.cayley_ortho_conv import Cayley
        except ModuleNotFoundError:
            return None
        layer: nn.Module = Cayley(channels, channels, 3, bias=False).eval().requires_grad_(False)
    return layer


def build_seconds(layer: ConstrainedConvolution, grid: tuple[int, int], turns: int, watch: Stopwatch) -> float:
    """Return the median time of building a kernel."""
    times: list[float] = []
    while len(times) < turns and (not times or times[-1] < PATIENCE):
        times.append(watch.seconds(lambda: layer.kernel(*grid)))
    return statistics.median(times)


def measure_layers(
    channels: int, grid: tuple[int, int], turns: int, limit: int, watch: Stopwatch
) -> list[dict[str, Any]]:
    """Return one row a layer; a layer whose build would take more than `limit` bytes is left out."""
    x = torch.randn(1, channels, *grid, generator=torch.Generator().manual_seed(0))
    layers: dict[str, Callable[[Tensor], Tensor]] = {PLAIN: nn.Conv2d(channels, channels, 3, padding=1, bias=False)}
    builds: dict[str, float] = {}
    for name in LAYERS:
        kind = ORTHOGONALIZATIONS[name]
        if kind.cost(channels, channels, 3, *grid).build_bytes <= limit:
            layer = kind(channels, channels).eval().requires_grad_(False)
            builds[name] = build_seconds(layer, grid, turns, watch)
            layers[name] = functools.partial(layer.convolve, layer.kernel(*grid))
    # It works on square maps only, and takes the memory of ours and more.
    legacy = legacy_cayley(channels) if grid[0] == grid[1] and "cayley" in layers else None
    if legacy is not None:
        layers[LEGACY] = legacy
    samples = in_turns({name: lambda layer=layer: layer(x) for name, layer in layers.items()}, turns, watch)  # type: ignore[misc]
    rows: list[dict[str, Any]] = []
    for name in layers:
        row: dict[str, Any] = {"layer": name, "channels": channels, "grid": list(grid), "samples": samples[name]}
        row["build_ms"] = builds[name] * 1e3 if name in builds else None
        row["apply_ms"] = statistics.median(samples[name]) * 1e3
        row["apply_to_plain"] = statistics.median(ratios(samples, name, PLAIN))
        if legacy is not None:
            row["apply_to_legacy"] = statistics.median(ratios(samples, name, LEGACY))
            first = builds.get(name, 0.0) + statistics.median(samples[name])
            row["build_and_apply_to_legacy"] = first / statistics.median(samples[LEGACY])
        rows.append(row)
    return rows


def scorer(model: str) -> QualityModel:
    """Return the bundled baseline of an architecture, or one with random weights."""
    if (model, "baseline") in {(card.model, card.variant) for card in list_cards()}:
        return load_scorer(model, "baseline", device=CPU)
    torch.manual_seed(0)
    return as_scorer(build(model, {}, ScoreRange(0.0, 1.0)).eval())


def hardened(baseline: QualityModel) -> dict[str, QualityModel]:
    """Return the baseline with blocks of width 64 on 8 x 8 cells at its trunk's deeper places, by name."""
    trunk = [point.name for point in insertion_points(baseline) if point.module.startswith("features.")]
    middle, last = trunk[-3], trunk[-1]
    choices = {
        f"isometric cayley {middle}": (middle, BlockSettings()),
        f"isometric cayley {last}": (last, BlockSettings()),
        f"isometric aoc {last}": (last, BlockSettings(orthogonalization="aoc")),
        f"paper cayley {last}": (last, BlockSettings("paper")),
    }
    if "before_encoder" in {point.name for point in insertion_points(baseline)}:
        choices["isometric cayley after_encoder_layer1"] = ("after_encoder_layer1", BlockSettings())
    return {name: as_scorer(insert(baseline, place, settings)) for name, (place, settings) in choices.items()}


def measure_networks(model: str, size: tuple[int, int], turns: int, watch: Stopwatch) -> list[dict[str, Any]]:
    """Return one row a hardened network: its time for one photo as a multiple of the baseline's."""
    baseline = scorer(model)
    photo = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    networks = {"baseline": baseline, **hardened(baseline)}
    samples = in_turns({name: lambda net=net: net(photo) for name, net in networks.items()}, turns, watch)  # type: ignore[misc]
    rows: list[dict[str, Any]] = []
    for name, times in samples.items():
        low, middle, high = statistics.quantiles(ratios(samples, name, "baseline"), n=4, method="inclusive")
        row = {"model": model, "size": list(size), "network": name, "ms": statistics.median(times) * 1e3}
        rows.append({**row, "ratio_quartiles": [low, middle, high], "samples": times})
    return rows


def cell(value: float | None, digits: int = 2) -> str:
    """Return a number for a table, or a dash."""
    return f"{'-' if value is None else f'{value:.{digits}f}':>10}"


def pair(text: str) -> tuple[int, int]:
    """Return (height, width) from text such as 16x12."""
    height, _, width = text.partition("x")
    return int(height), int(width)


def main() -> None:
    """Measure, print the tables, and write the samples if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channels", type=int, nargs="*", default=[64, 128, 256, 512])
    parser.add_argument("--grids", type=pair, nargs="+", default=[(8, 8), (14, 14), (16, 12)])
    parser.add_argument("--models", nargs="*", default=list(ARCHITECTURES), choices=list(ARCHITECTURES))
    parser.add_argument("--sizes", type=pair, nargs="+", default=[(299, 299), (384, 512)], help="of photos")
    parser.add_argument("--turns", type=int, default=9, help="repetitions of each, at least 2")
    parser.add_argument("--memory", type=int, default=512, help="MiB that one build may take; larger ones are left out")
    parser.add_argument(
        "--clock",
        choices=list(CLOCKS),
        default="wall",
        help="cpu: of all threads together, on a machine that others use",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the samples")
    options = parser.parse_args()
    keep_freed_memory()
    watch = Stopwatch(options.clock)
    processor = platform.processor() or platform.machine()
    environment = {
        "device": describe_device(CPU),
        "processor": processor,
        "torch": torch.__version__,
        "clock": options.clock,
    }
    print(", ".join(f"{name} {value}" for name, value in environment.items()))
    layers: list[dict[str, Any]] = []
    networks: list[dict[str, Any]] = []
    with torch.no_grad():
        heads = ("build ms", "apply ms", "/ plain", "/ legacy", "both / leg.")
        print(f"{'channels':>8} {'grid':>7} {'layer':<8}" + "".join(f"{head:>12}" for head in heads))
        for channels in options.channels:
            for grid in options.grids:
                for row in measure_layers(channels, grid, options.turns, options.memory << 20, watch):
                    layers.append(row)
                    ratio = (row.get(key) for key in ("apply_to_plain", "apply_to_legacy", "build_and_apply_to_legacy"))
                    cells = [cell(row["build_ms"]), cell(row["apply_ms"], 3), *(cell(value, 3) for value in ratio)]
                    print(
                        f"{channels:>8} {f'{grid[0]}x{grid[1]}':>7} {row['layer']:<8}  " + "  ".join(cells), flush=True
                    )
        for model in options.models:
            for size in options.sizes:
                for row in measure_networks(model, size, options.turns, watch):
                    networks.append(row)
                    low, middle, high = row["ratio_quartiles"]
                    place = f"{model:<10} {f'{size[0]}x{size[1]}':>8}  {row['network']:<40}"
                    print(f"{place} {row['ms']:>8.1f} ms  {low:.3f} [{middle:.3f}] {high:.3f}", flush=True)
    if options.json:
        text = json.dumps({"environment": environment, "layers": layers, "networks": networks}, indent=1)
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
