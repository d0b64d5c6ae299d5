"""How many photos a second does each attack do, beside its counterparts in torchattacks and foolbox?

Ours and theirs attack the same model with the same number of gradients or queries and take turns in one run
(A B C A B C ...), so that a change of the machine's pace hits all alike. Theirs attack the model as a classifier with
the logits [threshold, score], with a threshold that no score reaches, so that they do not stop early. Ours score the
photo before, the result and the result in 8 bits besides; theirs do not.

The second table fits seconds = start + rate * n by least squares, over batches and over steps: a start near 0 and a
share of explained variance (R2) near 1 mean that the cost grows linearly.

Prints both tables; `--json FILE` keeps all samples.
"""

import argparse
import dataclasses
import json
import statistics
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from timing import EPS, Work, add_model, in_turns, photos, quartiles, ratios, read_model
from torch import Tensor, nn

from robustiqa_core.attacks import ATTACKS, Attack, complete, make_attack
from robustiqa_core.attacks.two_classes import TwoClasses


@dataclasses.dataclass(frozen=True, slots=True)
class Effort:
    """How long an attack goes on: gradient steps, or queries for an attack without gradient."""

    steps: int
    queries: int

    def attack(self, name: str) -> Attack:
        """Return the attack with this effort."""
        fields = {field.name for field in dataclasses.fields(ATTACKS[name])}
        settings = {"eps": EPS, **dataclasses.asdict(self)}
        return make_attack(name, {key: value for key, value in settings.items() if key in fields})


def counterparts(name: str, scorer: nn.Module, images: Tensor, effort: Effort) -> dict[str, Work]:
    """Return what the other toolkits have for our attack `name`."""
    with warnings.catch_warnings():
        # Old syntax in their dependencies.
        warnings.simplefilter("ignore")
        import foolbox
        import torchattacks
    ends = scorer.score_range
    classifier = TwoClasses(scorer, threshold=ends.high + 2 * ends.width)
    labels = torch.zeros(len(images), dtype=torch.long, device=images.device)
    wrapped = foolbox.PyTorchModel(classifier, bounds=(0, 1), device=images.device)
    size, steps = EPS / effort.steps, effort.steps
    fb = foolbox.attacks
    kinds = {
        "fgsm": (torchattacks.FGSM(classifier, eps=EPS), fb.LinfFastGradientAttack()),
        "mi_fgsm": (
            torchattacks.MIFGSM(classifier, eps=EPS, alpha=size, steps=steps),
            fb.LinfMomentumIterativeFastGradientMethod(abs_stepsize=size, steps=steps),
        ),
        "pgd": (
            torchattacks.PGD(classifier, eps=EPS, alpha=2.5 * size, steps=steps, random_start=False),
            fb.LinfPGD(abs_stepsize=2.5 * size, steps=steps, random_start=False),
        ),
        "apgd": (torchattacks.APGD(classifier, eps=EPS, steps=steps), None),
        # Theirs does not count the start.
        "square": (torchattacks.Square(classifier, eps=EPS, n_queries=effort.queries - 2, p_init=0.05), None),
        "noise": (None, fb.LinfAdditiveUniformNoiseAttack()),
    }
    theirs, others = kinds.get(name, (None, None))
    works: dict[str, Work] = {}
    if theirs is not None:
        works["torchattacks"] = lambda: theirs(images, labels)
    if others is not None:
        works["foolbox"] = lambda: others(wrapped, images, labels, epsilons=EPS)
    return works


def measure(name: str, scorer: nn.Module, images: Tensor, effort: Effort, turns: int) -> dict[str, object]:
    """Return all samples of one attack on one batch, photos a second, and the ratios to the others' time."""
    attack = effort.attack(name)
    contenders: dict[str, Work] = {"ours": lambda: complete(attack, scorer, images)}
    contenders |= counterparts(name, scorer, images, effort)
    samples = in_turns(contenders, images.device, turns)
    return {
        "attack": name,
        "batch": len(images),
        **dataclasses.asdict(effort),
        "photos_per_second": {key: len(images) / statistics.median(values) for key, values in samples.items()},
        "time_ratio_quartiles": {key: quartiles(ratios(samples, "ours", key)) for key in samples if key != "ours"},
        "seconds": samples,
    }


def table_row(row: Mapping[str, object]) -> str:
    """Return one line of the first table."""
    speeds, found = row["photos_per_second"], row["time_ratio_quartiles"]
    cells = [f"{speeds[key]:>12.2f}" if key in speeds else f"{'-':>12}" for key in ("ours", "torchattacks", "foolbox")]
    for key in ("torchattacks", "foolbox"):
        low, middle, high = found.get(key, (0.0, 0.0, 0.0))
        cells.append(f"{f'{low:.2f} [{middle:.2f}] {high:.2f}':>19}" if key in found else f"{'-':>19}")
    return f"{row['attack']:>10} {row['batch']:>5}  " + "  ".join(cells)


def fit(numbers: list[int], times: list[float]) -> dict[str, float]:
    """Return the line through times over numbers, and the share of the variance that it explains."""
    rate, start = np.polyfit(numbers, times, 1)
    rest = np.asarray(times) - (start + rate * np.asarray(numbers))
    return {"start": float(start), "rate": float(rate), "r2": 1.0 - float(np.var(rest) / np.var(times))}


def growth(name: str, scorer: nn.Module, images: Tensor, effort: Effort, turns: int) -> list[dict[str, object]]:
    """Return the fits of our attack's time over the number of photos, and over its steps or queries."""
    counts = [count for count in (1, 2, 4, 8, 16, 32) if count <= len(images)]
    unit = "queries" if "queries" in {field.name for field in dataclasses.fields(ATTACKS[name])} else "steps"
    multiples = (1, 2, 3, 4)
    works: dict[str, Work] = {
        f"photos {count}": lambda count=count: complete(effort.attack(name), scorer, images[:count]) for count in counts
    }
    for multiple in multiples:
        longer = dataclasses.replace(effort, **{unit: multiple * getattr(effort, unit)}).attack(name)
        works[f"{unit} {multiple}"] = lambda longer=longer: complete(longer, scorer, images[:1])
    times = {key: statistics.median(values) for key, values in in_turns(works, images.device, turns).items()}
    lines = (
        ("photos", counts, [times[f"photos {count}"] for count in counts]),
        (unit, [multiple * getattr(effort, unit) for multiple in multiples], [times[f"{unit} {m}"] for m in multiples]),
    )
    return [{"attack": name, "over": over, "numbers": n, "seconds": t, **fit(n, t)} for over, n, t in lines]


def main() -> None:
    """Measure, print the tables, and write the samples if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model(parser)
    parser.add_argument("--attacks", nargs="+", choices=ATTACKS, default=list(ATTACKS))
    parser.add_argument("--size", type=int, default=224, help="side in pixels (default: %(default)s)")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--steps", type=int, default=10, help="of attacks by gradient (default: %(default)s)")
    parser.add_argument("--queries", type=int, default=100, help="of attacks without (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=5, help="repetitions of each, at least 2")
    parser.add_argument("--growth", nargs="*", choices=ATTACKS, default=["pgd", "square"], help="attacks to fit")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the samples")
    options = parser.parse_args()
    scorer, environment = read_model(options)
    effort = Effort(options.steps, options.queries)
    environment |= {"size": options.size, **dataclasses.asdict(effort), "turns": options.turns}
    print(", ".join(f"{name} {value}" for name, value in environment.items()))

    print("Photos a second, and our time as a multiple of theirs: lower quartile [median] upper quartile")
    heads = [f"{name:>12}" for name in ("ours", "torchattacks", "foolbox")]
    heads += [f"{f'ours/{name}':>19}" for name in ("torchattacks", "foolbox")]
    print(f"{'attack':>10} {'batch':>5}  " + "  ".join(heads))
    rows = []
    for name in options.attacks:
        for batch in options.batches:
            rows.append(measure(name, scorer, photos(batch, options.size, options), effort, options.turns))
            print(table_row(rows[-1]), flush=True)

    fits = []
    images = photos(max(options.batches), options.size, options)
    print("Seconds = start + rate * n")
    for name in options.growth:
        for found in growth(name, scorer, images, effort, options.turns):
            fits.append(found)
            line = f"start {found['start']:.3f}  rate {found['rate']:.4f}  R2 {found['r2']:.4f}"
            print(f"{name:>10} over {found['over']:>7}: {line}", flush=True)
    if options.json:
        content = {"environment": environment, "rows": rows, "growth": fits}
        options.json.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
