"""Keep a trial under a name, for every page, or download its checkpoint."""

from functools import partial

import streamlit as st

from robustiqa_core.checkpoints.storage import check_variant
from robustiqa_core.errors import RobustIQAError
from ui.hardening import cache as hardening_cache
from ui.hardening.job import Trial
from ui.hardening.recipe import command_of
from ui.shell import cache, controls, state
from ui.shell.markdown import plain, sentence


def draw_keep(trial: Trial, *, place: str, name: str) -> None:
    """Draw the field for a name, the buttons that keep or download a trial under it, and the kept models.

    Args:
        trial: the trial.
        place: prefix of the keys of the page's widgets.
        name: to begin with.
    """
    kept, key = hardening_cache.trial_store(), f"{place}keep_name_{trial.key}"
    if not kept.has_network(trial.key):
        st.caption("This model is no longer in the server's memory. Harden it again to keep it.")
        return
    state.prepare({key: _free_name(trial.recipe.model, name)})
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Its name", key=key, max_chars=40, width=260)
        chosen = st.session_state[key]
        st.button(
            "Keep for every page",
            key=f"{place}keep",
            icon=":material/bookmark_add:",
            on_click=_keep,
            args=(trial, key, f"{place}kept"),
        )
        _download(trial, chosen, place)
    said = st.session_state.pop(f"{place}kept", None)
    if said is not None:
        (st.error if said.kind == "error" else st.success)(said.text)
    st.caption(
        "A kept model appears in the model list of every page, for everybody on this server, until you forget "
        "it or the server stops. "
        "Unpack the ZIP into the folder checkpoints to keep it for good, on the command line too."
    )
    st.markdown("**The same model from the command line**")
    st.code(command_of(trial.recipe, chosen), language=None, wrap_lines=True)
    for stem, card in cache.named_models().owned(cache.owner()).items():
        if card.model == trial.recipe.model:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f":material/bookmark: Kept: {plain(controls.model_title(stem))}", width="content")
                st.button("Forget it", key=f"{place}drop_{stem}", on_click=_drop, args=(stem,))


def _keep(trial: Trial, key: str, said: str) -> None:
    # Read here: a visitor who types a name and presses the button at once has not seen a page with it yet.
    name: str = st.session_state[key]
    try:
        card = hardening_cache.trial_store().keep(trial.key, name, taken=cache.cards(), owner=cache.owner())
    except RobustIQAError as error:
        st.session_state[said] = state.Notice("error", f"It was not kept. {sentence(error)}")
        return
    title = plain(controls.model_title(card.stem))
    st.session_state[said] = state.Notice("info", f"Kept as **{title}**.")


def _drop(stem: str) -> None:
    cache.named_models().drop(stem, owner=cache.owner())


def _download(trial: Trial, name: str, place: str) -> None:
    try:
        check_variant(name)
    except RobustIQAError as error:
        st.caption(sentence(error))
        return
    st.download_button(
        "Checkpoint (ZIP)",
        # Tens of megabytes are packed only for those who ask for them.
        partial(hardening_cache.trial_store().checkpoint, trial.key, name),
        f"{trial.recipe.model}-{name}.zip",
        "application/zip",
        key=f"{place}checkpoint",
        on_click="ignore",
        icon=":material/download:",
    )


def _free_name(model: str, name: str) -> str:
    """Return a name that no model has yet."""
    taken, number, free = cache.cards(), 1, name
    while f"{model}-{free}" in taken:
        number += 1
        free = f"{name}-{number}"
    return free
