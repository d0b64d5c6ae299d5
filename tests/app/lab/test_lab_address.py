"""The attack lab's address: whatever it says, there is a view, and what makes no sense is named."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_scorer import CARD

from robustiqa_core.attacks import ATTACKS, SETTINGS
from robustiqa_core.images.samples import list_samples
from ui.attacks.batch_recipe import BatchRecipe
from ui.attacks.recipe import PhotoChoice
from ui.lab.address import LabAddress, read_lab_address
from ui.shell.state import DEFAULT_ATTACK

CARDS = {CARD.stem: CARD}
SAMPLES = {sample.name: sample for sample in list_samples()}
KEYS = ["photo", "photos", "own", "model", "variant", "against", "attack", "job", "sweep", "folder", *SETTINGS]
values = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "",
            "nan",
            "inf",
            "-1",
            "0",
            "1e999",
            "4/255",
            "4/0",
            "9" * 5000,
            "yes",
            "linf",
            "none",
            "towards",
            "²",
            "1,,2",
        ]
    ),
    st.sampled_from([*ATTACKS, *list(SAMPLES)[:3], CARD.model, CARD.variant, CARD.stem]),
)


def read(**parameters: str) -> LabAddress:
    return read_lab_address(parameters, CARDS, SAMPLES, most=8)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(KEYS), values, max_size=8))
def test_any_address_ends_in_a_view_that_can_be_run(parameters: dict[str, str]) -> None:
    found = read(**parameters)
    assert found.model in CARDS
    assert found.against is None
    assert found.photo is None or found.photo in SAMPLES
    assert set(found.photos) <= set(SAMPLES)
    assert 0 <= found.own <= 8
    assert found.attack == DEFAULT_ATTACK or type(found.attack) is ATTACKS[parameters.get("attack", "pgd")]
    for problem in found.problems:
        assert 10 < len(problem) < 6000


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"photo": "../../etc/passwd"}, "photo must be one of"),
        ({"model": "nothing"}, "model and variant must be one of"),
        ({"variant": "hardened-up"}, "model and variant must be one of"),
        ({"photos": "nobody"}, "photos must be"),
        ({"own": "many"}, "own must be"),
        ({"own": "9" * 5000}, "own must be"),
        ({"against": "nobody"}, "against must be"),
        ({"attack": "magic"}, "attack must be one of"),
        ({"attack": "pgd", "eps": "nan"}, "eps"),
        ({"attack": "pgd", "steps": "0"}, "steps"),
        ({"steps": "0"}, "steps"),
    ],
    ids=str,
)
def test_nonsense_has_its_default_and_a_reason(parameters: dict[str, str], reason: str) -> None:
    found = read(**parameters)
    assert len(found.problems) == 1
    assert reason in found.problems[0]


def test_one_wrong_part_does_not_change_the_others() -> None:
    name = list(SAMPLES)[2]
    found = read(photo=name, attack="pgd", eps="8")
    assert (found.photo, found.attack) == (name, DEFAULT_ATTACK)
    assert len(found.problems) == 1


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("count", [1, 3])
def test_the_address_of_a_run_is_read_without_a_problem(name: str, count: int) -> None:
    photos = tuple(PhotoChoice("sample", sample, sample, 512) for sample in list(SAMPLES)[:count])
    recipe = BatchRecipe(photos, ((CARD.model, CARD.variant),), ATTACKS[name]())
    found = read(**recipe.address())
    assert found.problems == ()
    assert found.attack == recipe.attack
    assert (found.photos or (found.photo,)) == tuple(photo.name for photo in photos)
