"""The command that a result prints repeats every option that decides its figures, one that is added later included."""

import argparse
import shlex
from collections.abc import Callable
from typing import Any

import pytest
import torch

from robustiqa_core.cli import (
    amplification,
    attack,
    audit,
    evaluate,
    evaluate_mos,
    evaluate_order,
    prune_plan,
    sensitivity,
    series,
    spectrum,
)
from robustiqa_core.cli.options import read_attack
from robustiqa_core.evaluation.report import attack_command
from robustiqa_core.pruning import PruningSettings

CPU = torch.device("cpu")
OUTPUTS = {"json", "out", "overwrite", "csv", "png"}
"""What a command writes, and where: no figure depends on it."""
PGD = (
    "--attack pgd --eps 2/255 --norm l2 --direction towards --target=-1e-05 --step-size 0.25/255 --steps 3 "
    "--random-start --seed 7"
)
OTHER_ATTACKS = {
    *("decay", "restarts", "queries", "samples", "sigma", "cell", "spacing", "area", "max_flow", "smoothness"),
    *("min_ssim", "perturbation"),
}
"""Settings that PGD lacks; `test_settings.py` has every attack."""
PHOTOS = "./-1.png --names ./-list.txt --limit 3"
MODEL = "--model dbcnn --variant hardened --device cpu"
SPECTRA = f"{PHOTOS} {MODEL} --compare tres-baseline --max-side 300"


def _attack(told: argparse.Namespace) -> str:
    return attack_command(
        read_attack(told),
        image=str(told.image),
        model=told.model,
        variant=told.variant,
        max_side=told.max_side,
        device=told.device,
    )


def _audit(told: argparse.Namespace) -> str:
    facts = {name: getattr(told, name) for name in ("reference", "attack", "device")}
    return audit._command(told, {**facts, "defences": told.defence})


def _prune_plan(told: argparse.Namespace) -> str:
    return prune_plan._command(told, PruningSettings(told.criterion, told.ratio, told.scope, told.multiple, told.seed))


def _sensitivity(told: argparse.Namespace) -> str:
    made = sensitivity.SensitivitySettings(told.eps, grid=told.grid, batch_size=told.batch_size)
    return sensitivity._command(told, made)


# The command of evaluate-mos stands in cards, which are for every machine: it names no device.
COMMANDS: dict[str, tuple[Any, Callable[[argparse.Namespace], str], str, set[str]]] = {
    "attack": (attack, _attack, f"./-1.png {MODEL} {PGD} --max-side 300", OTHER_ATTACKS),
    "evaluate": (
        evaluate,
        lambda told: evaluate._command(told, CPU, figures=True),
        "./-1.png --model tres-baseline --model dbcnn-baseline --attack pgd --attack fgsm --eps 1/255 0.123456789 "
        "--out t.csv --limit 3 --names ./-list.txt --transfer --mos ./-mos.csv --dmos --batch-size 2 --max-side 300 "
        "--convention fixed --fixed-range -0.00001 1.5 --baseline tres-baseline --resamples 10 --device cpu",
        set(),
    ),
    "audit": (
        audit,
        _audit,
        f"./-1.png {MODEL} --reference tres-baseline --defence jpeg:quality=50 --defence median_blur "
        "--attack pgd:eps=2/255 --queries 70 --seed 3 --side 100",
        set(),
    ),
    "spectrum": (
        spectrum,
        lambda told: spectrum._command(told, read_attack(told)),
        f"{SPECTRA} {PGD} --window hann",
        {*OTHER_ATTACKS, "clean", "adversarial"},
    ),
    "amplification": (
        amplification,
        lambda told: amplification._command(told, read_attack(told)),
        f"{SPECTRA} {PGD} --norms none",
        OTHER_ATTACKS,
    ),
    "sensitivity": (sensitivity, _sensitivity, f"{SPECTRA} --eps 2/255 --grid 5 --batch-size 3", set()),
    "prune-plan": (
        prune_plan,
        _prune_plan,
        f"{PHOTOS} {MODEL} --criterion pls_vip --ratio 0.123456789 --scope global --multiple 4 --seed 2",
        set(),
    ),
    "series": (series, series._command, f"./-1.png {MODEL} --kinds blur jpeg", set()),
    "evaluate-order": (
        evaluate_order,
        evaluate_order._command,
        "./-1.png --mos ./-mos.csv --dmos --model tres-baseline --dataset csv --root FOLDER --scores ./-scores.csv "
        "--split train --photos 7 --eps 1/255 3/255 --gradients 4 --doublings 3 --both --apart 0.123456789 "
        "--batch-size 3 --resamples 10 --seed 5 --out order.csv --device cpu",
        set(),
    ),
    "evaluate-mos of photos": (
        evaluate_mos,
        evaluate_mos._command,
        f"./-1.png --mos ./-mos.csv --dmos {MODEL} --mask-corner",
        {"dataset", "root", "scores", "split", "seed", "device"},
    ),
    "evaluate-mos of a data set": (
        evaluate_mos,
        evaluate_mos._command,
        f"{MODEL} --dataset csv --root FOLDER --scores ./-scores.csv --split validation --seed 4 --mask-corner --dmos",
        {"images", "mos", "device"},
    ),
}


def parse(command: Any, words: list[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(exit_on_error=False)
    command.add_arguments(parser)
    return vars(parser.parse_args(words))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_printed_command_repeats_every_option_that_decides(name: str) -> None:
    command, spell, words, others = COMMANDS[name]
    told = parse(command, words.split())
    program, called, *printed = shlex.split(spell(argparse.Namespace(**told)))
    assert (program, called) == ("robustiqa", name.partition(" ")[0])
    again = parse(command, printed)
    deciding = told.keys() - OUTPUTS - others
    assert {key: again[key] for key in deciding} == {key: told[key] for key in deciding}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_is_left_at_its_default_here(name: str) -> None:
    command, _, words, others = COMMANDS[name]
    parser = argparse.ArgumentParser(exit_on_error=False)
    command.add_arguments(parser)
    told = vars(parser.parse_args(words.split()))
    same = {key for key, value in told.items() if value == parser.get_default(key)}
    assert not same - OUTPUTS - others - {"attack"}
