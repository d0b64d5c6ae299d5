"""What an address may hold on each page: nonsense ends in one clear error, never in another fault or in silence."""

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robustiqa_core.blocks import BlockSettings
from robustiqa_core.errors import RobustIQAError
from ui.audit import controls
from ui.audit.recipe import AuditRecipe
from ui.compare import controls as compare_controls
from ui.compare.reading import Reading
from ui.compare.recipe import AttackChoice, CompareRecipe
from ui.hardening.recipe import address_of, new_recipe
from ui.ideas.controls import KNOBS, complaints
from ui.photos.photo_set import PhotoSet, read_photo_set
from ui.placement import controls as placement_controls
from ui.pruning.recipe import PruningRecipe, read_recipe
from ui.shell import state
from ui.spectra import controls as spectra_controls
from ui.spectra.recipe import DEFAULT_WAVES, Layers, Perturbation, Sensitivity, SpectraRecipe

PHOTOS = PhotoSet("samples", ("cat",))
MODELS = ("linearity-baseline", "linearity-hardened")
Read = Callable[[dict[str, str]], object]


def _spectra() -> dict[str, str]:
    questions = (Sensitivity(DEFAULT_WAVES), Layers(state.DEFAULT_ATTACK, "stage"), Perturbation(state.DEFAULT_ATTACK))
    return {
        key: value
        for question in questions
        for key, value in SpectraRecipe(PHOTOS, MODELS, 256, question).address().items()
    }


ADDRESSES: dict[str, dict[str, str]] = {
    "compare": {
        **CompareRecipe(PHOTOS, MODELS, AttackChoice(), 512).address(),
        **Reading("fixed", MODELS[0]).address(),
    },
    "folder": {"folder": "3"},
    "spectra": _spectra(),
    "audit": {
        **AuditRecipe("linearity", "baseline", PHOTOS, 224, state.DEFAULT_ATTACK).address(),
        "defence": "jpeg",
    },
    "placement": address_of(new_recipe("linearity", "after_stage7", BlockSettings(), data="distillation")),
    "pruning": PruningRecipe("linearity").address(0.3),
}
READERS: dict[str, Read] = {
    "compare": compare_controls._prepare,
    "folder": lambda parameters: read_photo_set(parameters, {}, most=200),
    "spectra": spectra_controls._prepare,
    "audit": controls._prepare,
    "placement": placement_controls._read,
    "pruning": lambda parameters: read_recipe(parameters, MODELS, data="distillation"),
}
CASES = [(page, name) for page, address in ADDRESSES.items() for name in address]
NONSENSE = st.text("~<>&%xyé\x00'\";", min_size=1, max_size=20).map(lambda text: f"~{text}")
ANYTHING = st.one_of(
    st.text(max_size=40),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        ["", ",", "nan", "-inf", "1e400", "1/0", "0/0", "9" * 5000, "1_0", "٣", "²", "4/255,4/255", "none"]
    ),
)


@pytest.fixture(autouse=True)
def _no_widgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be the widgets' first values goes nowhere: there is no page."""
    monkeypatch.setattr(state, "prepare", lambda values: None)


@pytest.mark.parametrize("page", ADDRESSES)
def test_the_addresses_that_a_page_writes_are_followed(page: str) -> None:
    READERS[page](dict(ADDRESSES[page]))


@pytest.mark.parametrize(("page", "name"), CASES)
@settings(max_examples=10, deadline=None)
@given(text=NONSENSE)
def test_nonsense_in_any_place_of_an_address_is_said(page: str, name: str, text: str) -> None:
    with pytest.raises(RobustIQAError):
        READERS[page]({**ADDRESSES[page], name: text})


@pytest.mark.thorough
@pytest.mark.parametrize("page", ADDRESSES)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_an_address_is_followed_or_ends_in_one_clear_error(page: str, data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(ADDRESSES[page])), min_size=1, max_size=4, unique=True))
    changed = {name: data.draw(ANYTHING) for name in names}
    try:
        READERS[page]({**ADDRESSES[page], **changed})
    except RobustIQAError as error:
        assert str(error)


@settings(max_examples=100, deadline=None)
@given(values=st.dictionaries(st.sampled_from(sorted(KNOBS)), ANYTHING))
def test_a_slider_of_the_ideas_complains_of_what_it_cannot_show(values: Mapping[str, str]) -> None:
    said = complaints(values, (2, 4))
    for name, text in values.items():
        try:
            shown = KNOBS[name].low <= float(text) <= KNOBS[name].high
        except ValueError:
            shown = False
        assert any(sentence.startswith(f"{name} must be") for sentence in said) != shown
