"""How long do the bundled architectures take for a photo, and how much memory?

    python benchmarks/models.py [--sizes 224 384 512] [--batches 1 8] [--devices cpu cuda] [--json FILE]

Each row is measured in a fresh process, so that its peak of memory is its own. The weights are random, which changes
neither time nor memory. The networks work at the size of the photos here, while as bundled they scale a photo down to
384 px. Model and bare trunk take turns, so that a change of the machine's pace hits both; the ratios are medians of the
ratios within a turn.
"""

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from robustiqa_core.checkpoints.storage import as_scorer
from robustiqa_core.device import choose_device, describe_device, keep_freed_memory
from robustiqa_core.models import ARCHITECTURES, build
from robustiqa_core.scorer import ScoreRange

# ru_maxrss is in KiB on Linux, in bytes on macOS.
_RSS_UNIT = 1 if platform.system() == "Darwin" else 1024
MIB = 1024**2


def wait(device: torch.device) -> None:
    """Return when the device has done all its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_mib(device: torch.device) -> float:
    """Return the most memory that this process has had so far: on a GPU in tensors, else all that was resident."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT / MIB


def forward(network: nn.Module, images: Tensor) -> None:
    """Compute the output alone."""
    with torch.inference_mode():
        network(images)


def gradient(network: nn.Module, images: Tensor) -> None:
    """Compute the output and its gradient with respect to the images, as one step of an attack does."""
    leaf = images.detach().requires_grad_()
    torch.autograd.grad(network(leaf).sum(), leaf)


def milliseconds(work: Callable[[], None], device: torch.device) -> float:
    """Return how long `work` takes."""
    wait(device)
    start = time.perf_counter()
    work()
    wait(device)
    return 1000 * (time.perf_counter() - start)


def measure(model: str, backbone: str, size: int, batch: int, device: torch.device, turns: int) -> dict[str, object]:
    """Return one row: times of a photo, ratios to the bare trunk, peaks of memory of the whole batch."""
    torch.manual_seed(0)
    with device:
        network = as_scorer(build(model, {"backbone": backbone, "short_side": size}, ScoreRange(0.0, 1.0)).eval())
        images = torch.rand(batch, 3, size, size).to(memory_format=torch.channels_last)
    start = peak_mib(device)
    forward(network, images)
    wait(device)
    after_forward = peak_mib(device)
    gradient(network, images)
    wait(device)
    after_gradient = peak_mib(device)
    forward(network.features, images)
    works: dict[str, Callable[[], None]] = {
        "backbone": lambda: forward(network.features, images),
        "forward": lambda: forward(network, images),
        "gradient": lambda: gradient(network, images),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(turns):
        for name, work in works.items():
            times[name].append(milliseconds(work, device) / batch)
    ratios = {
        name: statistics.median(a / b for a, b in zip(times[name], times["backbone"], strict=True))
        for name in ("forward", "gradient")
    }
    return {
        "model": model,
        "size": size,
        "batch": batch,
        "device": device.type,
        "ms_per_photo": {name: statistics.median(values) for name, values in times.items()},
        "ratio_to_backbone": ratios,
        "peak_mib": {"start": start, "forward": after_forward, "gradient": after_gradient},
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "samples": times,
    }


def in_a_process_of_its_own(words: list[str]) -> dict[str, object]:
    """Return the row that a fresh process measures."""
    done = subprocess.run([sys.executable, __file__, *words], check=True, capture_output=True, text=True)
    row: dict[str, object] = json.loads(done.stdout)
    return row


def table_row(row: dict[str, object]) -> str:
    """Return one line of the table; memory is what was added to that of the program with the network loaded."""
    times, ratios, peaks = row["ms_per_photo"], row["ratio_to_backbone"], row["peak_mib"]
    return (
        f"{row['model']:<11}{row['device']:<6}{row['size']:>5}{row['batch']:>6}{times['backbone']:>10.1f}"
        f"{times['forward']:>10.1f}{ratios['forward']:>7.2f}{times['gradient']:>10.1f}{ratios['gradient']:>7.2f}"
        f"{peaks['start']:>8.0f}{peaks['forward'] - peaks['start']:>9.0f}{peaks['gradient'] - peaks['start']:>9.0f}"
    )


def main() -> None:
    """Measure, print the table, and write the samples if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(ARCHITECTURES), choices=ARCHITECTURES)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 384, 512], help="sides in pixels")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--devices", nargs="+", default=["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"])
    parser.add_argument("--turns", type=int, default=5, help="repetitions of each")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the samples")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        keep_freed_memory()
        (model,), (size,), (batch,), (device,) = options.models, options.sizes, options.batches, options.devices
        print(json.dumps(measure(model, options.backbone, size, batch, choose_device(device), options.turns)))
        return
    environment = {
        "devices": [describe_device(choose_device(device)) for device in options.devices],
        "processor": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "backbone": options.backbone,
        "weights": "random",
        "turns": options.turns,
    }
    print(", ".join(f"{name} {value}" for name, value in environment.items()))
    print(
        "ms a photo, with multiples of the bare trunk's forward pass; MiB of the whole batch, above those at the start"
    )
    heads = ("trunk ms", "forward", "x", "gradient", "x", "MiB", "forward", "gradient")
    widths = (10, 10, 7, 10, 7, 8, 9, 9)
    columns = "".join(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True))
    print(f"{'model':<11}{'':<6}{'size':>5}{'batch':>6}{columns}")
    rows = []
    common = ["--one", "--backbone", options.backbone, "--turns", str(options.turns)]
    for device in options.devices:
        for model in options.models:
            for size in options.sizes:
                for batch in options.batches:
                    words = ["--models", model, "--sizes", str(size), "--batches", str(batch), "--devices", device]
                    rows.append(in_a_process_of_its_own([*common, *words]))
                    print(table_row(rows[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"environment": environment, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
