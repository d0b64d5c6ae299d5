"""One photo of a comparison, clean and attacked: chosen in the chart or from a list, and made again where needed."""

from collections.abc import Mapping

import streamlit as st

from robustiqa_core.errors import InputError
from robustiqa_core.evaluation.tables.rows import TableRow
from robustiqa_core.images.photo import read_image
from ui.attacks import live
from ui.attacks.job import Outcome
from ui.compare import session
from ui.compare.job import CompareOutcome, recipe_of, share_moved
from ui.compare.texts import row_label
from ui.jobs.page_job import LIVE_REGION
from ui.photos import cache as photo_cache
from ui.photos.credits import credit_line
from ui.shell import cache
from ui.shell.components.compare_slider import Picture, compare_slider
from ui.shell.markdown import plain, sentence

KEY = f"{session.PREFIX}{session.PAIR}"
GAIN = 20
JOB = live.attack_job(session.pair_jobs, region=f"{LIVE_REGION}_pair")


def choose(key: str) -> None:
    """Show the row with this key from now on."""
    st.session_state[KEY] = key
    session.pair_jobs().ask()


def draw_pair(
    outcome: CompareOutcome, rows: Mapping[str, TableRow], *, titles: Mapping[str, str], names: Mapping[str, str]
) -> None:
    """Draw the list of rows, and the photo of the one that was chosen.

    Args:
        outcome: the comparison.
        rows: those that can be chosen, by their key.
        titles: what people call each photo.
        names: what people call each model.
    """
    if st.session_state.get(KEY) not in rows:
        st.session_state[KEY] = None
    key = st.selectbox(
        "Look at one photo",
        sorted(rows, key=lambda key: share_moved(rows[key]), reverse=True),
        format_func=lambda key: row_label(rows[key], names[rows[key].stem], titles[rows[key].report.image]),
        index=None,
        key=KEY,
        placeholder="Choose a photo here, or select a point of the chart of scores",
        on_change=session.pair_jobs().ask,
    )
    if key is None:
        return
    row = rows[key]
    result = _pictures(outcome, row)
    if result is not None:
        _draw(result, row, outcome, titles[row.report.image])


def _pictures(outcome: CompareOutcome, row: TableRow) -> Outcome | None:
    """Return the photo of a row, clean and attacked; None while it is made, or was not."""
    recipe, jobs = recipe_of(row, outcome.recipe), session.pair_jobs()
    known = next((worst for worst in outcome.worst if worst.recipe == recipe), None)
    if known is not None:
        return known
    JOB.settle()
    done = JOB.result()
    if done is not None and done.recipe == recipe:
        jobs.asked = False
        return done
    if jobs.asked:
        try:
            photo = read_image(outcome.photos[row.report.image], max_side=outcome.recipe.max_side)
        except InputError as error:
            st.error(sentence(error))
            return None
        JOB.start(recipe, lambda: live.attack_records_of(recipe, photo))
    JOB.draw_notice()
    if jobs.active is not None:
        JOB.follow()
    else:
        st.button("Attack this photo again", key="pair_again", icon=":material/replay:", on_click=jobs.ask)
    return None


def _draw(result: Outcome, row: TableRow, outcome: CompareOutcome, title: str) -> None:
    report, width = result.report, row.score_range.width
    change = cache.perturbation_png(f"pair {row.key}", GAIN, result.clean_png, result.adversarial_png)
    pictures, figures = st.columns([3, 2], gap="medium")
    with pictures:
        compare_slider(
            Picture("Clean", f"{title}, clean photo", result.clean_png),
            [
                Picture("Attacked", f"{title}, attacked photo", result.adversarial_png),
                Picture(f"Change × {GAIN}", f"What the attack changed, {GAIN} times enlarged", change),
            ],
            size=result.size,
            hint="Drag the divider, or focus it and use the arrow keys. Both photos are shown lossless.",
            key="pair",
        )
        st.caption(credit(outcome, row.report.image))
    with figures:
        grid = st.grid(2, min_column_width=128, gap="small")
        grid.metric("Clean score", f"{report.clean_score:.3f}", help="In the model's own unit; higher = better photo.")
        grid.metric("Attacked score", f"{report.rounded_score:.3f}", help="Of the photo as a PNG file stores it.")
        share = f"{report.gain / width:+.0%}"
        grid.metric("Change", share, help="As a share of the model's usual range; 0 = robust.")
        psnr = "∞" if report.psnr is None else f"{report.psnr:.1f} dB"
        grid.metric("PSNR", psnr, help="Peak signal-to-noise ratio to the clean photo; higher = more alike.")
        grid.metric("SSIM", f"{report.ssim:.4f}", help="Structural similarity to the clean photo; 1 = equal.")
        grid.metric("HaarPSI", f"{row.haarpsi:.4f}", help="Perceptual similarity to the clean photo; 1 = equal.")
        st.markdown("**The same photo from the command line**")
        st.code(row.report.command, language=None, wrap_lines=True)


def credit(outcome: CompareOutcome, image: str) -> str:
    """Return the credit of a sample photo as markdown; the name of any other."""
    name = dict(zip(outcome.photos, outcome.recipe.photos.names, strict=True))[image]
    return credit_line(photo_cache.samples()[name]) if outcome.recipe.photos.source == "samples" else plain(name)
