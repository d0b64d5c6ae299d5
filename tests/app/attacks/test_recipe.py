"""Addresses and recipes describe each other exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustiqa_core.attacks import ATTACKS, FGSM, PGD, Attack, Noise
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.images.photo import MAX_SIDE
from ui.attacks.recipe import PhotoChoice, Recipe, read_attack

SAMPLE = PhotoChoice("sample", "cat", "assets/samples/cat.png", MAX_SIDE)
UPLOAD = PhotoChoice("upload", "my cat.jpg", "my cat.jpg", 512, "0" * 64)

fractions = st.floats(1e-6, 1.0)
norms, directions = st.sampled_from(["linf", "l2"]), st.sampled_from(["up", "down", "away"])
seeds = st.integers(0, 2**53 - 1)
attacks = st.one_of(
    st.builds(
        PGD,
        fractions,
        step_size=st.none() | fractions,
        steps=st.integers(1, 200),
        norm=norms,
        direction=directions,
        random_start=st.booleans(),
        seed=seeds,
    ),
    st.builds(FGSM, fractions, norm=norms, direction=directions),
    st.builds(Noise, fractions, norm=norms, seed=seeds),
)


@given(attack=attacks)
def test_an_address_gives_back_the_attack_that_it_was_made_from(attack: Attack) -> None:
    address = Recipe("linearity", "baseline", SAMPLE, attack).address()
    assert read_attack(address, FGSM()) == attack


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_with_its_defaults_survives_an_address(name: str) -> None:
    attack = ATTACKS[name]()
    address = Recipe("linearity", "baseline", SAMPLE, attack).address()
    assert read_attack(address, FGSM()) == attack
    assert read_attack({"attack": name}, PGD(steps=3)) == attack


def test_strengths_are_spelled_in_255ths() -> None:
    address = Recipe("linearity", "baseline", SAMPLE, PGD(4 / 255, random_start=True)).address()
    assert (address["eps"], address["photo"], address["random_start"]) == ("4/255", "cat", "yes")


def test_an_upload_is_not_part_of_an_address() -> None:
    assert "photo" not in Recipe("linearity", "baseline", UPLOAD, PGD()).address()


def test_the_command_names_the_work_size_only_where_one_was_chosen() -> None:
    sample = Recipe("linearity", "baseline", SAMPLE, PGD()).command(device="cpu")
    upload = Recipe("linearity", "baseline", UPLOAD, PGD()).command(device="cpu")
    assert "--max-side" not in sample
    assert "--max-side 512" in upload
    assert "'my cat.jpg'" in upload


def test_settings_without_an_attack_are_those_of_the_default_one() -> None:
    default = PGD(8 / 255, steps=40, direction="away")
    assert read_attack({"photo": "cat"}, default) == default
    assert read_attack({"steps": "2"}, default) == PGD(8 / 255, steps=2, direction="away")
    with pytest.raises(ConfigurationError, match="steps"):
        read_attack({"steps": "0"}, default)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"attack": "magic"}, f"attack must be one of {', '.join(ATTACKS)}"),
        ({"attack": "pgd", "eps": "4/0"}, "eps must be a fraction such as 4/255"),
        ({"attack": "pgd", "eps": "big"}, "eps must be a fraction such as 4/255"),
        ({"attack": "pgd", "eps": "8"}, "did you mean 8/255"),
        ({"attack": "pgd", "eps": "nan"}, "eps"),
        ({"attack": "pgd", "steps": "2.5"}, "steps must be a whole number"),
        ({"attack": "pgd", "random_start": "maybe"}, "random_start must be yes or no"),
        ({"attack": "pgd", "direction": "sideways"}, "direction must be one of"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_an_address_that_makes_no_sense_is_refused_with_the_reason(parameters: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_attack(parameters, PGD())


@pytest.mark.thorough
@given(text=st.text(max_size=20), key=st.sampled_from(["eps", "steps", "norm", "seed", "random_start", "step_size"]))
def test_no_address_breaks_the_reader(key: str, text: str) -> None:
    try:
        attack = read_attack({"attack": "pgd", key: text}, FGSM())
    except ConfigurationError:
        return
    assert isinstance(attack, PGD)
