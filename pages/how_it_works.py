"""How it works: the models, what is shown, the words, the limits, and what happens to photos."""

import streamlit as st

from robustiqa_core.metrics.correlation import spell_correlation
from robustiqa_core.verdict import LEAST_AGREEMENT
from ui.hardening.texts import hardened_by, overview_row, under_attack
from ui.photos import cache as photo_cache
from ui.photos.credits import credit_line
from ui.shell import cache, glossary, navigation
from ui.shell.markdown import plain
from ui.shell.model_names import model_title, start_name, version_help

navigation.through_app()

st.title("How it works", anchor=False)
st.header("The models at a glance", anchor=False)
cards = list(cache.cards().values())
st.table(
    [overview_row(card) for card in cards], hide_index=True, border="horizontal", alt="The models and their figures"
)
st.caption(
    "SROCC and PLCC to people: higher = better, 1 is the maximum. AbsGain: how far an attack moves the score, "
    "as a share of the baseline's usual range, for the model and its baseline on the same few photos; nearer 0 = more "
    "robust. Agreement: SROCC with the baseline's scores; below "
    f"{LEAST_AGREEMENT:g} a model no longer rates photos as before. These are first impressions: Compare measures "
    "on your photos, and Audit checks whether to believe the result."
)
st.markdown(version_help(cards))

st.header("What happens here", anchor=False)
st.markdown(
    """
Cameras, video services and image generators ask **quality models** how good a photo looks: a network gives it a
score without an original to compare it with. This app shows how easily such a score can be faked, and what helps.

1. **Score.** A model rates a photo. It learned to agree with people who rated thousands of photos.
2. **Attack.** The model's own gradient shows which tiny change of each pixel raises the score. The attack follows it
   and never moves a colour value further than you allow.
3. **Compare.** To the eye hardly anything has changed; to the model the photo is now much better or worse. *Random
   noise* of the same size is the control: it hardly moves the score, so the direction of the change matters, not its
   size.
4. **Harden.** A block near the model's end that keeps changes from growing, pruning some filters, and a little more
   training can weaken attacks. The app measures how much, and at what cost, with attacks that know the hardened model.
"""
)

st.header("Each model in detail", anchor=False)
for card in cards:
    with st.expander(f"{model_title(card, cards)}: where it comes from, and its limits"):
        for figures in card.measurements:
            with st.container(horizontal=True):
                st.metric(
                    "SROCC to people", spell_correlation(figures.srocc), help=glossary.WORDS["SROCC"], width="content"
                )
                st.metric(
                    "PLCC to people", spell_correlation(figures.plcc), help=glossary.WORDS["PLCC"], width="content"
                )
                st.metric("Test photos", f"{figures.photos}", width="content")
            st.caption(f"Measured on {plain(figures.dataset)}.")
        known = card.known_range_source
        source = f"is its range, {plain(known.words)}" if known else "is its range"
        low, high = card.score_range.low, card.score_range.high
        trained = f"{card.training.photos} photos of " if card.training.photos else ""
        hardened = (
            f"- **Hardened by:** {plain(hardened_by(card))}\n- **Under attack:** {plain(under_attack(card))}\n"
            if card.hardening
            else ""
        )
        st.markdown(
            f"- **In commands:** --model {plain(card.model)} --variant {plain(card.variant)}\n"
            f"- **Score:** {plain(card.score_unit)}; {low:.3f} to {high:.3f} {source}\n"
            f"- **Trained on:** {trained}{plain(card.training.dataset)}, starting from {plain(start_name(card))}\n"
            f"{hardened}"
            f"- **Licence:** {plain(card.licence)}\n"
            f"- **Limits:** {plain(card.limits)}"
        )

st.header("Words", anchor=False)
for group, words in glossary.GROUPS.items():
    st.subheader(group, anchor=False)
    grid = st.grid("auto", min_column_width=320, gap="medium")
    for word in words:
        grid.markdown(f"**{word}**  \n{glossary.WORDS[word]}")

st.header("Limits", anchor=False)
st.markdown(
    """
- Most attacks here know everything about the model (“white box”). Some only query scores (“black box”), as an
  outsider must.
- A hardened model is harder to fool, not impossible. The page Audit checks whether the robustness is real.
- “Looks the same” is a rule of thumb: the stored photo has a PSNR of at least 36 dB and an SSIM of
  at least 0.95. Judge for yourself.
- One photo proves little. The figures on a model's card come from many photos.
- The score of an attacked photo says nothing about the photo or its author.
"""
)

st.header("Your photos", anchor=False)
st.markdown(
    """
A photo that you upload goes to the machine that runs this app and nowhere else. It stays in memory, is never written to
disk by the app, and is dropped with its results soon after you close the page. The sample photos come with the app.
Everything also runs without a browser: each result shows the command that gives the same numbers.
"""
)

with st.expander("Credits of the sample photos"):
    st.markdown("\n".join(f"- {credit_line(sample)}" for sample in photo_cache.samples().values()))
