"""The controls of the audit: widgets in, a frozen request out."""

from functools import partial

import streamlit as st

from robustiqa_core.attacks import ATTACKS
from robustiqa_core.auditing import AuditPlan, read_photos
from robustiqa_core.auditing.photos import SAMPLES, SIDE
from robustiqa_core.checks import MIN_SIDE, check_choice
from robustiqa_core.defences import parse_defence
from robustiqa_core.errors import RobustIQAError
from robustiqa_core.images.photo import encode_png
from robustiqa_core.images.photo_file import PhotoFile
from robustiqa_core.models.card import ModelCard
from ui.attacks.defence_widgets import defence_values, defence_widgets
from ui.attacks.recipe import read_attack, read_count
from ui.attacks.widgets import attack_widgets, check_shown, listed_attacks
from ui.audit import session
from ui.audit.recipe import AuditRecipe
from ui.jobs import cache as jobs_cache
from ui.jobs.estimate import audit_calls, spoken
from ui.photos.controls import photo_set_controls, prepare_photo_set
from ui.photos.request import PhotoRequest
from ui.shell import cache, controls, state
from ui.shell.markdown import sentence
from ui.shell.model_names import rival_of

PLACE = session.PREFIX
MOST_PHOTOS = 8
LARGEST_SIDE = 512
LEAST_QUERIES, MOST_QUERIES = 60, 2000
AUTOMATIC, NO_REFERENCE = "automatic", "none"


AuditRequest = PhotoRequest[AuditRecipe]


def audit_controls() -> AuditRequest | None:
    """Draw all controls; return what they ask for, or None while they ask for nothing that can be run."""
    cards = cache.cards()
    stem = st.selectbox(
        "Model", list(cards), format_func=controls.model_title, key=f"{PLACE}{state.MODEL}", persist_state="session"
    )
    controls.explain_versions([stem])
    card = cards[stem]
    defence = defence_widgets(PLACE)
    reference = _reference(card, defended=bool(defence))
    attack = attack_widgets(card, place=PLACE, names=[name for name in listed_attacks() if _has_goal(name)])
    side, queries, seed = _more()
    chosen = photo_set_controls(
        PLACE, most=MOST_PHOTOS, purpose=f"audit at {side} px", prepare=partial(_square, side=side)
    )
    request: AuditRequest | None = None
    if chosen is not None and attack is not None and defence is not None:
        photos, paths = chosen
        try:
            recipe = AuditRecipe(card.model, card.variant, photos, side, attack, reference, defence, queries, seed)
            _ = recipe.plan
        except RobustIQAError as error:
            st.error(sentence(error))
        else:
            request = AuditRequest(recipe, paths)
    controls.run_button(
        "Run the audit",
        key=f"{state.RUN}_audit",
        ready=request is not None,
        on_click=session.jobs().ask,
        note="" if request is None else f"Takes about {spoken(estimate_seconds(request.recipe))}.",
    )
    return request


def prepare() -> None:
    """Give the widgets their first values: those of the address, where it has any, else the defaults."""
    if state.is_prepared(f"{PLACE}{state.MODEL}"):
        return
    controls.follow_address(_prepare, session.jobs)


def estimate_seconds(recipe: AuditRecipe) -> float:
    """Return how long an audit will take on this server when nothing else runs."""
    copies = getattr(parse_defence(recipe.defence), "samples", 1) if recipe.defence else 1
    calls = audit_calls(recipe.plan, with_reference=recipe.reference is not None)
    pixels = len(recipe.photos.names) * recipe.side**2
    return copies * jobs_cache.speed(recipe.model, recipe.variant).seconds(calls, pixels)


def _prepare(parameters: dict[str, str]) -> None:
    attack = read_attack(parameters, AuditPlan().attack)
    check_shown(attack)
    defence = parse_defence(parameters["defence"]) if parameters.get("defence") else None
    plan = AuditPlan(
        attack,
        queries=read_count(parameters, "audit_queries", AuditPlan().queries, low=LEAST_QUERIES, high=MOST_QUERIES),
        seed=read_count(parameters, "audit_seed", AuditPlan().seed, high=1_000_000),
    )
    side = read_count(parameters, "side", SIDE, low=MIN_SIDE, high=LARGEST_SIDE)
    prepare_photo_set(PLACE, parameters, samples=SAMPLES, most=MOST_PHOTOS)
    cards = cache.cards()
    reference = check_choice("reference", parameters.get("reference", AUTOMATIC), [AUTOMATIC, NO_REFERENCE, *cards])
    state.prepare(
        {
            **state.attack_values(attack, PLACE),
            **defence_values(PLACE, defence),
            f"{PLACE}{session.REFERENCE}": reference,
            f"{PLACE}{session.BLACK_BOX_QUERIES}": plan.queries,
            f"{PLACE}{session.DIRECTIONS_SEED}": plan.seed,
            f"{PLACE}{session.SIDE}": side,
            f"{PLACE}{state.MODEL}": _read_model(parameters),
        }
    )


def _read_model(parameters: dict[str, str]) -> str:
    """Return the model of an address; without one what was hardened from the first model, or that itself."""
    cards = cache.cards()
    if "model" in parameters:
        return check_choice("a model", f"{parameters['model']}-{parameters.get('variant', 'baseline')}", cards)
    first = next(iter(cards))
    return rival_of(first, cards) or first


def _reference(card: ModelCard, *, defended: bool) -> str | None:
    """Draw the choice of the reference; return model and variant to compare with, or None."""
    cards = cache.cards()
    baseline = f"{card.model}-baseline"
    automatic = baseline if baseline in cards and (defended or card.variant != "baseline") else None
    names = {
        AUTOMATIC: f"Automatic: {controls.model_title(automatic) if automatic else 'none'}",
        NO_REFERENCE: "None",
        **{stem: controls.model_title(stem) for stem in cards},
    }
    chosen = st.selectbox(
        "Compared with",
        list(names),
        format_func=names.__getitem__,
        key=f"{PLACE}{session.REFERENCE}",
        persist_state="session",
        help="The reference: a model that two of the checks compare with. A hardened or defended model is compared "
        "with its own baseline unless you choose another one.",
    )
    return automatic if chosen == AUTOMATIC else None if chosen == NO_REFERENCE else chosen


def _more() -> tuple[int, int, int]:
    """Draw what is seldom changed; return the side of the photos, the black box's budget and the seed."""
    with st.expander("Size, budget, seed"):
        side = st.number_input(
            "Side of the photos in pixels",
            min_value=MIN_SIDE,
            max_value=LARGEST_SIDE,
            step=32,
            key=f"{PLACE}{session.SIDE}",
            persist_state="session",
            help="Photos are reduced and cut to a square of this side. Twice the side takes four times as long.",
        )
        queries = st.number_input(
            "Queries of the black box",
            min_value=LEAST_QUERIES,
            max_value=MOST_QUERIES,
            step=20,
            key=f"{PLACE}{session.BLACK_BOX_QUERIES}",
            persist_state="session",
            help="Scores that the attack without a gradient may ask for.",
        )
        seed = st.number_input(
            "Seed of random directions",
            min_value=0,
            max_value=1_000_000,
            step=1,
            key=f"{PLACE}{session.DIRECTIONS_SEED}",
            persist_state="session",
        )
    return side, queries, seed


def _has_goal(name: str) -> bool:
    """Return whether an attack moves scores its way: only such a one can be audited."""
    return ATTACKS[name]().goal is not None


def _square(photo: PhotoFile, *, side: int) -> bytes:
    return encode_png(read_photos([photo], side=side))
