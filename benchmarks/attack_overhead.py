"""What does our PGD cost beyond the gradients that it needs?

Compared in turns in one run (A B C D A B C D ...), so that a change of the machine's pace hits all alike:

- bare: `steps` calls of `torch.autograd.grad` on the model, and nothing else;
- ours: `attacks.complete(PGD(...))`, with the clean, final and rounded image scored and the best image kept;
- torchattacks and foolbox: their PGD round the same model, made a classifier with the logits [0, score].

Prints one table; `--json FILE` keeps all samples. The ratios are medians of the ratios within each turn.
"""

import argparse
import dataclasses
import itertools
import json
import statistics
import time
import warnings
from pathlib import Path

import torch
from timing import EPS, Work, add_model, in_turns, photos, quartiles, ratios, read_model, wait
from torch import Tensor, nn

from robustiqa_core.attacks import PGD, AttackStep, complete, run
from robustiqa_core.attacks.two_classes import TwoClasses


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table: square photos of `size` pixels, `batch` of them, attacked with `steps` steps."""

    size: int
    batch: int
    steps: int


def bare(scorer: nn.Module, images: Tensor, steps: int) -> None:
    """Compute `steps` gradients of the scores."""
    for _ in range(steps):
        leaf = images.detach().requires_grad_()
        torch.autograd.grad(scorer(leaf).sum(), leaf)


def contenders(scorer: nn.Module, images: Tensor, setting: Setting) -> dict[str, Work]:
    """Return what is timed, by name, in the order of the turns."""
    with warnings.catch_warnings():
        # Old syntax in their dependencies.
        warnings.simplefilter("ignore")
        import foolbox
        import torchattacks
    steps = setting.steps
    attack = PGD(EPS, steps=steps, random_start=True)
    classifier, labels = TwoClasses(scorer), torch.zeros(setting.batch, dtype=torch.long, device=images.device)
    their_step = attack.effective_step_size
    ta = torchattacks.PGD(classifier, eps=EPS, alpha=their_step, steps=steps, random_start=True)
    fb = foolbox.attacks.LinfPGD(abs_stepsize=their_step, steps=steps, random_start=True)
    fb_model = foolbox.PyTorchModel(classifier, bounds=(0, 1), device=images.device)
    return {
        "bare": lambda: bare(scorer, images, steps),
        "ours": lambda: complete(attack, scorer, images),
        "torchattacks": lambda: ta(images, labels),
        "foolbox": lambda: fb(fb_model, images, labels, epsilons=EPS),
    }


def step_seconds(scorer: nn.Module, images: Tensor, steps: int) -> list[float]:
    """Return the time of each inner step of our PGD, from one yielded record to the next.

    An inner step is one update, one gradient and the choice of the best. Left out are the start and the last step,
    which score without gradient too.
    """
    wait(images.device)
    times = []
    for record in run(PGD(EPS, steps=steps, random_start=True), scorer, images):
        wait(images.device)
        if isinstance(record, AttackStep):
            times.append(time.perf_counter())
    return [later - earlier for earlier, later in itertools.pairwise(times[:-1])]


def score_without_gradient(scorer: nn.Module, images: Tensor) -> None:
    """Score the images as an attack does outside its gradient steps."""
    with torch.no_grad():
        scorer(images)


def measure(scorer: nn.Module, images: Tensor, setting: Setting, turns: int) -> dict[str, object]:
    """Return all samples and ratios of one row."""
    timed = contenders(scorer, images, setting)
    timed["score"] = lambda: score_without_gradient(scorer, images)
    our_steps: list[float] = []
    timed["our steps"] = lambda: our_steps.append(statistics.median(step_seconds(scorer, images, setting.steps)))
    samples = in_turns(timed, images.device, turns)
    # The first, uncounted turn has measured steps too.
    samples["our step"] = [setting.steps * step for step in our_steps[1:]]
    found = {name: ratios(samples, name, "bare") for name in ("ours", "our step", "torchattacks", "foolbox")}
    found["score/gradient"] = [setting.steps * ratio for ratio in ratios(samples, "score", "bare")]
    return {
        **dataclasses.asdict(setting),
        "bare_step_ms": 1000 * statistics.median(samples["bare"]) / setting.steps,
        "ratio_quartiles": {name: quartiles(values) for name, values in found.items()},
        "seconds": samples,
    }


COLUMNS = ("ours", "our step", "torchattacks", "foolbox", "score/gradient")


def table_row(row: dict[str, object]) -> str:
    """Return one line of the table."""
    cells = [
        f"{low:.2f} [{middle:.3f}] {high:.2f}" for low, middle, high in (row["ratio_quartiles"][c] for c in COLUMNS)
    ]
    head = f"{row['size']:>4} {row['batch']:>5} {row['steps']:>5} {row['bare_step_ms']:>9.1f}"
    return f"{head}  " + "  ".join(f"{cell:>19}" for cell in cells)


def main() -> None:
    """Measure, print the table, and write the samples if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model(parser)
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 384], help="sides in pixels")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--steps", type=int, nargs="+", default=[10, 20], help="at least 3")
    parser.add_argument("--turns", type=int, default=7, help="repetitions of each, at least 2")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the samples")
    options = parser.parse_args()
    scorer, environment = read_model(options)
    environment["turns"] = options.turns
    print(", ".join(f"{name} {value}" for name, value in environment.items()))
    print("Times as multiples of the bare gradients: lower quartile [median] upper quartile")
    heads = "  ".join(f"{name:>19}" for name in COLUMNS)
    print(f"{'size':>4} {'batch':>5} {'steps':>5} {'ms/grad':>9}  {heads}")
    rows = []
    for size in options.sizes:
        for batch in options.batches:
            for steps in options.steps:
                images = photos(batch, size, options)
                rows.append(measure(scorer, images, Setting(size, batch, steps), options.turns))
                print(table_row(rows[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"environment": environment, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
