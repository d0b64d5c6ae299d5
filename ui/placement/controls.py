"""The controls of the page that tries places for a block: widgets in, a frozen recipe out."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from robustiqa_core.blocks import ORTHOGONALIZATIONS, VARIANTS, BlockSettings
from robustiqa_core.checks import check_choice, check_count
from robustiqa_core.errors import ConfigurationError, RobustIQAError
from robustiqa_core.hardening import HardeningRecipe
from robustiqa_core.models import architecture
from robustiqa_core.pruning import CRITERIA, PruningSettings
from robustiqa_core.scorer import InsertionPoint
from ui.attacks.widgets import MAX_SEED
from ui.hardening import cache as hardening_cache
from ui.hardening import live
from ui.hardening.data import data_name
from ui.hardening.recipe import check_controls, new_recipe, read_recipe
from ui.hardening.texts import CRITERION_NAMES, ORTHOGONALIZATION_NAMES, VARIANT_NAMES
from ui.jobs.estimate import spoken
from ui.placement import ahead, session
from ui.placement.slots import default_position
from ui.shell import cache, controls, state
from ui.shell.glossary import WORDS
from ui.shell.markdown import sentence
from ui.shell.model_names import place_name

PLACE = session.PREFIX
MODEL, POSITION = f"{PLACE}model", f"{PLACE}position"
WIDTHS = (8, 16, 32, 64, 128, 256)
GRIDS = (2, 4, 8, 12, 16)
BLENDS = (0.25, 0.5, 0.75, 1.0)
EPOCHS = (1, 2, 3, 5, 8, 12, 20)
CROPS = (48, 96, 192, 384, 768)
RATIOS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
LONG_SECONDS = 120.0
"""Seconds from which the page warns that a run takes long."""
_BLOCK = ("variant", "orthogonalization", "width", "grid", "blend")
_TUNING = ("epochs", "crops", "seed")


def prepare() -> None:
    """Give the widgets their first values: those of the address, where it has any, else the defaults."""
    if state.is_prepared(MODEL):
        return
    parameters = st.query_params.to_dict()
    try:
        recipe = _read(parameters)
    except RobustIQAError as error:
        session.jobs().notice = state.Notice(
            "error", f"The address is not valid, so the default is shown. {sentence(error)}"
        )
        recipe = _read({})
    block = recipe.block or BlockSettings()
    state.prepare(
        {
            MODEL: recipe.model,
            POSITION: recipe.position,
            **{_key(name): getattr(block, name) for name in _BLOCK},
            _key("criterion"): recipe.pruning.criterion,
            _key("ratio"): recipe.pruning.ratio,
            **{_key(name): getattr(recipe, name) for name in _TUNING},
        }
    )


def _read(parameters: dict[str, str]) -> HardeningRecipe:
    models = live.baselines()
    model = parameters.get("model", models[0])
    default = default_position(points_of(model)) if model in models else None
    data = data_name(live.labelled())
    begun = new_recipe(
        models[0],
        default_position(points_of(models[0])),
        BlockSettings(),
        data=data,
        precision=hardening_cache.tuning_precision(),
    )
    recipe = read_recipe({"position": default or "", **parameters}, begun)
    check_choice("model", recipe.model, models)
    points = {point.name: point for point in points_of(recipe.model)}
    if recipe.block is None or recipe.position is None:
        raise ConfigurationError(
            "expected a place for the block, got none; choose one, or harden without a block on the command line"
        )
    check_controls(recipe, begun)
    recipe.block.check_channels(points[recipe.position].channels)
    check_count("seed", recipe.seed, low=0, high=MAX_SEED)
    return recipe


def points_of(model: str) -> tuple[InsertionPoint, ...]:
    """Return the places of a bundled baseline, in depth order."""
    return architecture(model).insertion_points(cache.cards()[f"{model}-baseline"].settings)


def model_control() -> str:
    """Draw the choice of the model; return its architecture."""
    model: str = st.selectbox(
        "Model",
        live.baselines(),
        format_func=lambda name: controls.model_title(f"{name}-baseline"),
        key=MODEL,
        persist_state="session",
        help="The baseline to harden. It stays unchanged; a copy gets the block.",
    )
    if st.session_state[POSITION] not in [point.name for point in points_of(model)]:
        st.session_state[POSITION] = default_position(points_of(model))
    return model


def block_controls(points: Sequence[InsertionPoint]) -> BlockSettings | None:
    """Draw the choice of the place and of the block there; return the block, None while it fits nowhere."""
    st.selectbox(
        "Place of the block",
        [point.name for point in points],
        format_func=place_name,
        key=POSITION,
        persist_state="session",
        help="The same as a click on a point of the diagram.",
    )
    channels = next(point.channels for point in points if point.name == st.session_state[POSITION])
    _choice("Variant", list(VARIANTS), "variant", VARIANT_NAMES, WORDS["RobustBlock"])
    _choice(
        "Orthogonalisation", list(ORTHOGONALIZATIONS), "orthogonalization", ORTHOGONALIZATION_NAMES, WORDS["Control"]
    )
    _number("Width (channels of the block)", [width for width in WIDTHS if width <= channels], "width")
    _number("Grid (cells a side)", GRIDS, "grid")
    if st.session_state[_key("variant")] == "isometric":
        _number("Blend (share of the change)", BLENDS, "blend", WORDS["Blend"])
    try:
        return BlockSettings(**{name: st.session_state[_key(name)] for name in _BLOCK})
    except RobustIQAError as error:
        st.error(sentence(error))
        return None


def tuning_controls() -> None:
    """Draw the settings of pruning and tuning."""
    _number("Epochs", EPOCHS, "epochs", WORDS["Epoch"])
    _number("Crops of an epoch", CROPS, "crops")
    _number("Pruning ratio", RATIOS, "ratio", WORDS["Pruning ratio"])
    if st.session_state[_key("ratio")]:
        _choice("Pruning criterion", list(CRITERIA), "criterion", CRITERION_NAMES, None)
    st.number_input("Seed", min_value=0, max_value=MAX_SEED, step=1, key=_key("seed"), persist_state="session")


def recipe_of(model: str, block: BlockSettings | None) -> HardeningRecipe | None:
    """Return what the controls ask for, or None while they ask for nothing that can be run."""
    if block is None:
        return None
    data, precision = data_name(live.labelled()), hardening_cache.tuning_precision()
    recipe = new_recipe(model, st.session_state[POSITION], block, data=data, precision=precision)
    pruning = PruningSettings(st.session_state[_key("criterion")], st.session_state[_key("ratio")])
    try:
        return replace(recipe, pruning=pruning, **{name: st.session_state[_key(name)] for name in _TUNING})
    except RobustIQAError as error:
        st.error(sentence(error))
        return None


def run_control(recipe: HardeningRecipe | None) -> None:
    """Draw the button that hardens, with how long it takes."""
    prepared = recipe is not None and ahead.is_ready(recipe)
    seconds = 0.0 if recipe is None else live.expected_seconds(recipe, prepared=prepared)
    if seconds > LONG_SECONDS:
        st.warning(
            f"This takes about {spoken(seconds)}. Choose a deeper place, fewer crops or fewer epochs to shorten it."
        )
    known = recipe is not None and hardening_cache.trial_store().has_network(live.trial_key(recipe))
    longest = "" if prepared else "; the first run takes longest"
    note = "Tried before: the result appears at once." if known else f"Takes about {spoken(seconds)}{longest}."
    controls.run_button(
        "Harden",
        key=f"{state.RUN}_placement",
        ready=recipe is not None,
        on_click=session.jobs().ask,
        note=note if recipe is not None else "",
    )


def _choice(label: str, options: Sequence[str], name: str, names: dict[str, str], text: str | None) -> None:
    st.selectbox(
        label,
        options,
        format_func=lambda option: names.get(option, option),
        key=_key(name),
        persist_state="session",
        help=text,
    )


def _number(label: str, choices: Sequence[float], name: str, text: str | None = None) -> None:
    """Draw a slider over some numbers; one of an address that is not among them is added, one too large is reduced."""
    key = _key(name)
    if name == "width":
        st.session_state[key] = min(st.session_state[key], max(choices))
    st.select_slider(
        label,
        sorted({*choices, st.session_state[key]}),
        format_func=(lambda value: f"{100 * value:g} %") if name == "ratio" else (lambda value: f"{value:g}"),
        key=key,
        persist_state="session",
        help=text,
    )


def _key(name: str) -> str:
    return f"{PLACE}{name}"
