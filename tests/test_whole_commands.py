"""The command that is told with a result gives the same result: it has every option on which a figure depends."""

import argparse
import shlex
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import torch

from robustiqa_core.attacks.settings import SETTINGS
from robustiqa_core.cli import audit, evaluate, evaluate_mos, prune_plan, sensitivity, series, spectrum
from robustiqa_core.cli.options import read_attack
from robustiqa_core.pruning import PruningSettings
from robustiqa_core.spectra import SensitivitySettings

NO_FIGURE = {"help", "json", "overwrite", "device"}
"""Where and how results are told; the device decides no more than the last digits."""


class Case(NamedTuple):
    """A command, a way to call it with as many options as go together, and what spells it again."""

    module: ModuleType
    words: str
    spell: Callable[[argparse.Namespace], str]
    aside: frozenset[str] = frozenset()
    """Options that decide no figure of this command."""


def _audited(arguments: argparse.Namespace) -> str:
    names = {"reference": arguments.reference, "defences": arguments.defence, "attack": arguments.attack}
    return audit._command(arguments, {**names, "device": "cpu"})


def _pruned(arguments: argparse.Namespace) -> str:
    chosen = (arguments.criterion, arguments.ratio, arguments.scope, arguments.multiple, arguments.seed)
    return prune_plan._command(arguments, PruningSettings(*chosen))


def _sensitivity(arguments: argparse.Namespace) -> str:
    return sensitivity._command(arguments, SensitivitySettings(arguments.eps, arguments.grid, arguments.batch_size))


PHOTOS = "./-1.png 'a b.png' --limit 2 --names nips2017_200"
MODEL = "--model dbcnn --variant hardened"
CASES = {
    "evaluate": [
        Case(
            evaluate,
            f"{PHOTOS} --model dbcnn-baseline --model mine-own --attack fgsm --attack pgd:steps=3 "
            "--eps 1/255 0.123456789 --out ./-t.csv --transfer --mos ./-m.csv --dmos --batch-size 3 --max-side 300 "
            "--convention fixed --fixed-range -0.00001 0.30000000000000004 --baseline mine-own --resamples 77",
            lambda arguments: evaluate._command(arguments, torch.device("cpu"), figures=True),
        )
    ],
    "audit": [
        Case(
            audit,
            f"./-1.png b.png {MODEL} --reference tres-baseline --defence jpeg:quality=50 --defence jpeg:quality=20 "
            "--attack fgsm:eps=1/255 --queries 7 --seed 3 --side 100",
            _audited,
        )
    ],
    "spectrum": [
        Case(
            spectrum,
            f"{PHOTOS} {MODEL} --compare tres-baseline --window hann --max-side 100 --png f.png --attack mi_fgsm "
            "--eps 0.123456789 --decay 0.5 --direction towards --target=-1e-05",
            lambda arguments: spectrum._command(arguments, read_attack(arguments)),
            frozenset(SETTINGS),
        ),
        Case(
            spectrum,
            "--clean ./-1.png --adversarial ./-2.png --window hann",
            lambda arguments: spectrum._command(arguments, None),
        ),
    ],
    "sensitivity": [
        Case(
            sensitivity,
            f"{PHOTOS} {MODEL} --compare tres-baseline --eps 0.123456789 --grid 11 --max-side 100 --png f.png",
            _sensitivity,
            frozenset({"batch_size"}),
        )
    ],
    "evaluate-mos": [
        Case(evaluate_mos, f"./-1.png b.png --mos ./-m.csv {MODEL} --dmos --mask-corner", evaluate_mos._command),
        Case(
            evaluate_mos,
            f"--dataset csv --root FOLDER --scores 'my scores.csv' {MODEL} --split validation --seed 4",
            evaluate_mos._command,
            # The folder is left to the reader.
            frozenset({"root", "png", "csv"}),
        ),
    ],
    "prune-plan": [
        Case(
            prune_plan,
            f"{PHOTOS} {MODEL} --criterion pls_vip --ratio 0.123456789 --scope global --multiple 3 --seed 5",
            _pruned,
        )
    ],
    "series": [
        Case(series, f"./-1.png b.png {MODEL} --kinds jpeg --png f.png", series._command),
    ],
}


def parse(module: ModuleType, words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    module.add_arguments(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize("case", [case for cases in CASES.values() for case in cases], ids=lambda case: case.words[:40])
def test_a_told_command_has_every_option_that_was_given(case: Case) -> None:
    given = parse(case.module, shlex.split(case.words))
    program, name, *words = shlex.split(case.spell(given))
    assert program == "robustiqa"
    assert CASES[name][0].module is case.module
    told = parse(case.module, words)

    def deciding(arguments: argparse.Namespace) -> dict[str, Any]:
        return {name: value for name, value in vars(arguments).items() if name not in NO_FIGURE | case.aside}

    assert deciding(told) == deciding(given)
    if "attack" in vars(given) and set(SETTINGS) <= case.aside:
        assert read_attack(told) == read_attack(given)


@pytest.mark.parametrize("name", CASES)
def test_the_cases_give_every_option_so_that_a_new_one_is_not_forgotten(name: str) -> None:
    parser = argparse.ArgumentParser()
    CASES[name][0].module.add_arguments(parser)
    given = [parse(case.module, shlex.split(case.words)) for case in CASES[name]]
    aside = NO_FIGURE.union(*(case.aside for case in CASES[name]))
    untried = [
        action.dest
        for action in parser._actions
        if action.dest not in aside and all(getattr(arguments, action.dest) == action.default for arguments in given)
    ]
    assert not untried
