"""The controls of the attack lab: widgets in, a frozen request out."""

from dataclasses import asdict, dataclass
from functools import partial

import streamlit as st

from robustiqa_core.errors import RobustIQAError
from robustiqa_core.images.photo import MAX_SIDE
from ui.attacks.batch_recipe import BatchRecipe
from ui.attacks.presets import HELP, PRESETS, preset_of, preset_with
from ui.attacks.recipe import PhotoChoice
from ui.attacks.widgets import attack_shown, attack_widgets, set_attack
from ui.lab import session
from ui.lab.address import read_lab_address
from ui.lab.single_photo import photo_controls, photo_of
from ui.photos import cache as photo_cache
from ui.photos.controls import photo_set_controls, prepare_photo_set
from ui.photos.photo_set import PhotoSet, from_root, reduced_png
from ui.shell import cache, state
from ui.shell.controls import explain_versions, model_title, run_button
from ui.shell.markdown import sentence
from ui.shell.model_names import rival_of

MOST_PHOTOS = 8
"""Each result is kept in full, to be looked at; the page Compare takes more and keeps the numbers."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the controls ask for.

    Args:
        recipe: what would be run.
        pixels: of its largest photo.
    """

    recipe: BatchRecipe
    pixels: int


def attack_controls() -> Request | None:
    """Draw all controls of an attack; return what they ask for, or None while they ask for nothing that can be run."""
    st.toggle("Several photos at once", key=session.SEVERAL, persist_state="session")
    photos = _photo_set() if st.session_state[session.SEVERAL] else _single_photo()
    models = _models()
    _presets()
    attack = attack_widgets(cache.cards()[models[0]])
    ready = photos is not None and attack is not None
    run_button("Run the attack", key=state.RUN, ready=ready, on_click=ask_for_run)
    if photos is None or attack is None:
        return None
    cards = [cache.cards()[stem] for stem in models]
    choices, pixels = photos
    return Request(BatchRecipe(choices, tuple((card.model, card.variant) for card in cards), attack), pixels)


def _single_photo() -> tuple[tuple[PhotoChoice, ...], int] | None:
    chosen = photo_controls()
    if chosen is None:
        return None
    width, height = chosen[1].size
    return (chosen[0],), width * height


def _photo_set() -> tuple[tuple[PhotoChoice, ...], int] | None:
    chosen = photo_set_controls(
        session.LAB_SET,
        most=MOST_PHOTOS,
        purpose="attack lab",
        prepare=partial(reduced_png, max_side=state.DEFAULT_MAX_SIDE),
    )
    st.caption(f"At most {MOST_PHOTOS}. For more photos, models and attacks at once, use the page Compare.")
    if chosen is None:
        return None
    choices = _choices(chosen[0])
    sizes = [photo_of(choice).size for choice in choices if choice.source == "sample"]
    return choices, max((width * height for width, height in sizes), default=state.DEFAULT_MAX_SIDE**2)


def _choices(photos: PhotoSet) -> tuple[PhotoChoice, ...]:
    """Return the photos of a set one by one."""
    if photos.source == "uploads":
        return tuple(
            PhotoChoice("upload", name, name, state.DEFAULT_MAX_SIDE, digest)
            for name, digest in zip(photos.names, photos.digests, strict=True)
        )
    samples = photo_cache.samples()
    return tuple(PhotoChoice("sample", name, from_root(samples[name].path), MAX_SIDE) for name in photos.names)


def _models() -> tuple[str, ...]:
    """Draw the choice of the model and of a second one; return their stems."""
    cards = cache.cards()
    model: str = st.selectbox(
        "Model", list(cards), format_func=model_title, key=state.MODEL, on_change=_follow_model, persist_state="session"
    )
    if len(cards) == 1:
        return (model,)
    others = [None, *(stem for stem in cards if stem != model)]
    if st.session_state.get(state.COMPARED_WITH) not in others:
        st.session_state[state.COMPARED_WITH] = None
    second: str | None = st.selectbox(
        "Compare with",
        others,
        format_func=lambda stem: "No other model" if stem is None else model_title(stem),
        key=state.COMPARED_WITH,
        persist_state="session",
        help="A second model, attacked with the same settings. Each model is attacked with full knowledge of it "
        "and then scores the photo that was made against the other.",
    )
    models = (model,) if second is None else (model, second)
    explain_versions(models)
    return models


def _follow_model() -> None:
    st.session_state[state.COMPARED_WITH] = rival_of(st.session_state[state.MODEL], cache.cards())


def _presets() -> None:
    """Draw the named attacks; the one that matches the settings below is marked."""
    try:
        shown = attack_shown()
    except RobustIQAError:
        # The settings show their own errors.
        shown = None
    st.session_state[session.NAMED_ATTACK] = preset_of(shown)

    def follow() -> None:
        name = st.session_state[session.NAMED_ATTACK]
        if name is not None:
            set_attack(preset_with(name, {} if shown is None else asdict(shown)))

    st.pills(
        "Ready-made attacks",
        list(PRESETS),
        key=session.NAMED_ATTACK,
        on_change=follow,
        help="  \n".join(f"**{name}**: {text}" for name, text in HELP.items()),
    )


def prepare() -> None:
    """Give the widgets their first values: those of the address, where it has any, else the defaults."""
    if state.is_prepared():
        return
    cards, samples = cache.cards(), photo_cache.samples()
    found = read_lab_address(st.query_params.to_dict(), cards, samples, most=MOST_PHOTOS)
    lab = session.jobs()
    if found.problems:
        reasons = " ".join(sentence(problem) for problem in found.problems)
        lab.notice = state.Notice("error", f"The address is not valid, so defaults are shown. {reasons}")
    # The run was on the visitor's own photos: running others instead would be a wrong answer.
    lab.asked = lab.asked and not found.own
    names = list(samples)
    prepare_photo_set(session.LAB_SET, {}, samples=found.photos or names[:4], most=MOST_PHOTOS)
    if found.own > 1:
        st.session_state[f"{session.LAB_SET}{state.SOURCE}"] = "uploads"
    state.prepare(
        {
            **state.attack_values(found.attack),
            state.SOURCE: "upload" if found.own == 1 else "sample",
            state.PHOTO: found.photo or names[0],
            state.MAX_SIDE: state.DEFAULT_MAX_SIDE,
            session.SEVERAL: bool(found.photos) or found.own > 1,
            state.COMPARED_WITH: found.against,
            state.MODEL: found.model,
        }
    )


def ask_for_run() -> None:
    """Note that Run was pressed; the page answers when it is drawn."""
    session.jobs().ask()
