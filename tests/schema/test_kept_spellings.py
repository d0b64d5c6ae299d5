"""Keys, addresses and commands that are out in the world stay as they are, since results and links go by them.

`kept_spellings.json` was written by the code before recipes had schemas; only the keys of some pages are newer, since
they took in the digests of the weights.
"""

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from robustiqa_core import cli
from robustiqa_core.attacks import APGD, ATTACKS, MIFGSM, PGD, Noise, Square, StAdv, spell_attack
from robustiqa_core.blocks import BlockSettings
from robustiqa_core.cli import harden as harden_command
from robustiqa_core.evaluation.report import attack_command
from robustiqa_core.hardening import HardeningRecipe, parse_objective
from robustiqa_core.pruning import PruningSettings
from robustiqa_core.spectra import SensitivitySettings
from ui.attacks.batch_recipe import BatchRecipe
from ui.attacks.recipe import PhotoChoice, Recipe, attack_address
from ui.audit.recipe import AuditRecipe
from ui.compare.recipe import AttackChoice, CompareRecipe
from ui.hardening.recipe import address_of, command_of, key_of, new_recipe
from ui.photos.photo_set import PhotoSet
from ui.pruning.recipe import PruningRecipe
from ui.spectra.recipe import Layers, Perturbation, Sensitivity, SpectraRecipe

ROOT = Path(__file__).parents[2]
KEPT: dict[str, Any] = json.loads((Path(__file__).parent / "kept_spellings.json").read_text())

BLOCK = BlockSettings("paper", "aoc", 16, 4, 5, 0.5, seed=3)
HARDENINGS = {
    "block": HardeningRecipe("linearity", "after_stage7", BlockSettings()),
    "paper": HardeningRecipe("linearity", "after_stage5", BLOCK, pruning=PruningSettings("l2", 0.25, "global", 4, 2)),
    "bare": HardeningRecipe("dbcnn", None, None, tuned="all", trunk="linearity-hardened-at"),
    "labelled": HardeningRecipe(
        "tres",
        None,
        None,
        weights="at1+at2:3",
        tuned="all",
        data="csv",
        crops=None,
        objective=parse_objective("rank"),
        loss="norm_in_norm",
        targets="baseline",
        better_half=0.5,
        degraded=0.25,
        smallest_resize=300,
        smallest_crop=160,
        whole=0.5,
        short_side=224,
        patience=2,
        rate=1e-5,
        mix=0.65,
    ),
    "attacked": HardeningRecipe(
        "linearity",
        "after_stage7",
        BlockSettings(grid=None),
        objective=parse_objective("at:eps=5/255+nt"),
        hint_weight=0.0,
        precision="bfloat16",
        learn_statistics=True,
        tuned="all",
        block_rate=2e-3,
        weight_decay=0.0,
        seed=7,
    ),
}
TRIALS = {
    "block": new_recipe("linearity", "after_stage7", BlockSettings(), data="distillation"),
    "tuned": replace(
        new_recipe("linearity", "after_stage3", BlockSettings(), data="distillation"),
        block=BlockSettings("paper", "aoc", 16, 4),
        pruning=PruningSettings("random", 0.15, "global"),
        epochs=3,
        crops=64,
        seed=4,
    ),
    "none": new_recipe("tres", None, None, data="csv", precision="bfloat16"),
}
SAMPLES = PhotoSet("samples", ("cat", "-dog"))
UPLOADS = PhotoSet("uploads", ("my cat.jpg",), ("0" * 64,))
FOLDER = PhotoSet("folder", ("a.png", "b.png"))
MODELS = ("linearity-baseline", "linearity-hardened")
PLACES = ["assets/samples/cat.png", "-dog.png"]
PHOTO = PhotoChoice("sample", "cat", "assets/samples/cat.png", 1024)
UPLOAD = PhotoChoice("upload", "my cat.jpg", "my cat.jpg", 512, "0" * 64)
SOME_ATTACKS = {
    "pgd": PGD(),
    "towards": PGD(8 / 255, norm="l2", direction="towards", target=0.3, step_size=0.001, random_start=True, seed=5),
    "negative": APGD(1 / 3 / 255, direction="towards", target=-1e-05),
    "decay": MIFGSM(),
    "square": Square(queries=300),
    "stadv": StAdv(),
    "noise": Noise(8 / 255, seed=1),
}
PAGES: dict[str, Any] = {
    "compare": CompareRecipe(SAMPLES, MODELS, AttackChoice(), 512),
    "compare uploads": CompareRecipe(
        UPLOADS, MODELS[:1], AttackChoice(("square", "fgsm"), (0.01,), "down", 5, 300), 256, 4
    ),
    "compare folder": CompareRecipe(FOLDER, ("mine-own",), AttackChoice(("pgd",), (1.5 / 255,)), 1024),
    "perturbation": SpectraRecipe(SAMPLES, MODELS, 256, Perturbation(PGD(2 / 255))),
    "sensitivity": SpectraRecipe(UPLOADS, ("mine-own", MODELS[0]), 512, Sensitivity(SensitivitySettings(grid=11))),
    "layers": SpectraRecipe(SAMPLES, MODELS[:1], 256, Layers(Noise(), "all")),
    "audit": AuditRecipe("linearity", "hardened", SAMPLES, 224, PGD(), "linearity-baseline"),
    "audit defence": AuditRecipe("mine", "own", UPLOADS, 128, APGD(), None, "jpeg:quality=50", 500, 3),
}
LAB = {
    "one": BatchRecipe((PHOTO,), (("linearity", "baseline"),), PGD()),
    "uploads": BatchRecipe((UPLOAD, UPLOAD), (("linearity", "baseline"), ("dbcnn", "hardened")), MIFGSM()),
    "several": BatchRecipe((PHOTO, UPLOAD), (("linearity", "baseline"),), Square()),
}
PRUNINGS = {
    "usual": PruningRecipe("linearity"),
    "other": PruningRecipe("tres", "hardened", "random", "global", 0, (0.0, 0.17, 0.5), "csv"),
}


def key_of_page(recipe: Any) -> str:
    """Return the key of a page's result, of models whose weights have the digest `weights`."""
    key: str = recipe.key() if isinstance(recipe, CompareRecipe) else recipe.key(["weights"])
    return key


def spelled() -> dict[str, Any]:
    """Return everything as it is spelled now."""
    return {
        "hardening json": {name: recipe.to_json() for name, recipe in HARDENINGS.items()},
        "hardening key": {name: recipe.key() for name, recipe in HARDENINGS.items()},
        "trial key": {name: key_of(recipe, "0123456789") for name, recipe in TRIALS.items()},
        "trial address": {name: address_of(recipe) for name, recipe in TRIALS.items()},
        "attack text": {name: spell_attack(attack) for name, attack in SOME_ATTACKS.items()},
        "attack address": {name: attack_address(attack) for name, attack in SOME_ATTACKS.items()},
        "attack command": {
            name: attack_command(attack, image="-1.png", model="linearity", variant="baseline", max_side=512)
            for name, attack in SOME_ATTACKS.items()
        },
        "default attack": {name: spell_attack(kind()) for name, kind in ATTACKS.items()},
        "lab command": [Recipe("dbcnn", "baseline", photo, PGD()).command(device="cpu") for photo in (PHOTO, UPLOAD)],
        "lab address": {name: recipe.address() for name, recipe in LAB.items()},
        "lab key": {name: recipe.key(["weights"]) for name, recipe in LAB.items()},
        "page address": {name: recipe.address() for name, recipe in PAGES.items()},
        "page key": {name: key_of_page(recipe) for name, recipe in PAGES.items()},
        "page command": {name: recipe.command(PLACES, device="cpu") for name, recipe in PAGES.items()},
        "pruning address": {name: recipe.address(0.17) for name, recipe in PRUNINGS.items()},
        "pruning key": {name: recipe.key(["weights"]) for name, recipe in PRUNINGS.items()},
    }


@pytest.mark.parametrize("what", KEPT["spelled"])
def test_what_is_out_in_the_world_is_spelled_as_ever(what: str) -> None:
    now, kept = json.loads(json.dumps(spelled()[what])), KEPT["spelled"][what]
    # An attack that came later has no spelling to keep.
    assert (now if isinstance(kept, list) else {name: now.get(name) for name in kept}) == kept


def made(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HardeningRecipe:
    """Return the recipe that `robustiqa harden` makes of a command line."""
    asked: list[HardeningRecipe] = []

    def stop(arguments: object, recipe: HardeningRecipe, *others: object) -> None:
        asked.append(recipe)
        raise SystemExit

    monkeypatch.setattr(harden_command, "_harden", stop)
    with pytest.raises(SystemExit):
        cli.main([*shlex.split(command)[1:], "--out", str(tmp_path), "--device", "cpu"])
    return asked[0]


@pytest.mark.parametrize("name", TRIALS)
def test_commands_of_trials_make_what_they_made(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert made(KEPT["trial command"][name], tmp_path, monkeypatch) == TRIALS[name]
    assert made(command_of(TRIALS[name], "mine"), tmp_path, monkeypatch) == TRIALS[name]


CARDS = {
    path.stem: card
    for path in sorted((ROOT / "checkpoints").glob("*.json"))
    if (card := json.loads(path.read_text())).get("hardening") and path.stem in KEPT["card keys"]
}


@pytest.mark.parametrize("stem", CARDS)
def test_a_bundled_card_holds_a_recipe_with_its_key_and_json(stem: str) -> None:
    told = CARDS[stem]["hardening"]
    recipe = HardeningRecipe.from_json(told["recipe"], place=stem)
    assert recipe.to_json() == told["recipe"]
    assert recipe.key() == told["key"] == KEPT["card keys"][stem]


@pytest.mark.parametrize("stem", CARDS)
def test_the_command_in_a_bundled_card_makes_the_recipe_beside_it(
    stem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harden_command, "load_weights", lambda *names: type("Weights", (), {"sha256": "0"}))
    command = CARDS[stem]["training"]["command"].partition(" && ")[0]
    assert made(command, tmp_path, monkeypatch).to_json() == CARDS[stem]["hardening"]["recipe"]
