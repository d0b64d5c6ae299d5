"""The three demonstrations of the page of ideas. Each is drawn anew by itself when one of its sliders moves."""

import math

import numpy as np
import streamlit as st

from ui.attacks import growth
from ui.attacks.growth import Array
from ui.ideas import controls as ideas_controls
from ui.ideas import figures, maths, texts
from ui.ideas.controls import knob
from ui.ideas.pictures import grey_picture, grey_png
from ui.photos import cache as photo_cache
from ui.shell.charts import draw_chart

_PICTURE_SAMPLE = "cat"
_MARGIN = 16 / 255
"""So far the pictures stay away from black and white, so that no attack here is clipped."""
_SHOWN_SIDE = 192


@st.fragment
def draw_lipschitz() -> None:
    """Draw the demonstration of a Lipschitz constant."""
    st.header("A Lipschitz constant", anchor="lipschitz")
    st.markdown(texts.LIPSCHITZ)
    controls, picture = st.columns([2, 3], gap="large")
    with controls:
        slope, eps, x = knob("slope"), knob("eps"), knob("input")
        here = float(maths.wave(x, slope))
        low, high = maths.reach(x, slope, eps)
        moved = max(high - here, here - low)
        grid = st.grid(2, min_column_width=150, gap="small")
        grid.metric("At most (slope × eps)", f"{slope * eps:.3f}", help="How far the output can move, up or down.")
        grid.metric("Here it can move by", f"{moved:.3f}", help="The farthest that the curve gets within eps.")
        st.caption("The diamond is the input. The thick orange part is all that an attack of this size can reach.")
    with picture:
        draw_chart(
            figures.lipschitz_figure(x, slope, eps),
            key="lipschitz_chart",
            file="lipschitz",
            alt=f"A wave with its steepest slope {slope:.1f}; at input {x:.1f} the output is {here:.2f}, and within "
            f"eps {eps:.2f} it lies between {low:.2f} and {high:.2f}",
        )
    _code(f"from ui.ideas.maths import reach\nprint({slope * eps:.4g}, reach({x:g}, {slope:g}, {eps:g}))")
    _ask("lipschitz")


@st.fragment
def draw_orthogonal() -> None:
    """Draw the demonstration of an orthogonal matrix."""
    st.header("An orthogonal matrix", anchor="orthogonal")
    st.markdown(texts.ORTHOGONAL)
    controls, picture = st.columns([2, 3], gap="large")
    with controls:
        angle, stretch, direction = knob("angle"), knob("stretch"), math.radians(knob("change"))
        skew = maths.skew(angle)
        orthogonal = maths.cayley(skew)
        general = maths.stretched(orthogonal, stretch)
        point = np.array([math.cos(direction), math.sin(direction)])
        grid = st.grid(3, min_column_width=100, gap="small")
        for label, matrix in (("‖x‖", np.eye(2)), ("‖Qx‖", orthogonal), ("‖Gx‖", general)):
            grid.metric(label, f"{np.linalg.norm(matrix @ point):.3f}", help="Length of the arrow in the figure.")
        st.markdown(texts.CAYLEY)
    with picture:
        draw_chart(
            figures.orthogonal_figure(orthogonal, general, point),
            key="orthogonal_chart",
            file="orthogonal",
            alt=f"A circle of radius 1 stays a circle under the orthogonal matrix, turned by {angle:.0f} degrees; the "
            f"general matrix makes an ellipse of it, {stretch:.1f} long in one direction",
        )
    matrices = st.grid(4, min_column_width=210, gap="small")
    matrices.latex("A = " + _latex(skew))
    matrices.latex("Q = " + _latex(orthogonal))
    matrices.latex(r"Q^\top Q = " + _latex(orthogonal.T @ orthogonal))
    matrices.latex(r"G^\top G = " + _latex(general.T @ general))
    _code(f"from ui.ideas.maths import cayley, skew\nq = cayley(skew({angle:g}))\nprint(q, q.T @ q)")
    _ask("orthogonal")


@st.fragment
def draw_regression() -> None:
    """Draw the demonstration of an attack on a score."""
    st.header("An attack on a score, not on a class", anchor="regression")
    st.markdown(texts.REGRESSION)
    controls, picture = st.columns([2, 3], gap="large")
    with controls:
        eps = knob("levels") / 255
        side = st.select_slider(
            "Pixels of the picture",
            [str(side) for side in growth.SIDES],
            "16",
            format_func=lambda text: f"{int(text) ** 2} ({text} × {text})",
            key=ideas_controls.SIDE,
            bind="query-params",
        )
        push = st.segmented_control(
            "Push the score",
            list(ideas_controls.DIRECTIONS),
            default="up",
            format_func=ideas_controls.DIRECTIONS.__getitem__,
            key=ideas_controls.DIRECTION,
            bind="query-params",
            required=True,
        )
        attacked = maths.attack(_picture(int(side)), eps, str(push))
        moved, reach = attacked.adversarial_score - attacked.score, eps * attacked.weights_l1
        noise = float(np.abs(attacked.noisy - attacked.score).max())
        grid = st.grid(2, min_column_width=150, gap="small")
        grid.metric("It moves by", f"{moved:+.3f}", help="Computed with the attacked picture.")
        grid.metric("By the formula", f"{reach:.3f}", help="eps times the sum of the weights' sizes.")
        grid.metric(
            "By noise, at most", f"{noise:.3f}", help="200 times, each pixel moved by eps, up or down at random."
        )
        grid.metric(
            "One pixel adds", f"{abs(moved) / int(side) ** 2:.5f}", help="On average: tiny, but there are many."
        )
    with picture:
        draw_chart(
            figures.scores_figure(attacked, (attacked.score - reach, attacked.score + reach)),
            key="scores_chart",
            file="scores",
            alt=f"The score moves from {attacked.score:.2f} to {attacked.adversarial_score:.2f}; random noise of the "
            f"same size moves it by {noise:.2f} at most",
        )
        before, after = st.columns(2)
        before.image(grey_png(attacked.picture, _SHOWN_SIDE), caption="Picture", alt=f"The picture, {side} pixels wide")
        after.image(grey_png(attacked.adversarial, _SHOWN_SIDE), caption="Attacked", alt="The attacked picture")
    draw_chart(
        growth.growth_figure(eps, side=int(side)),
        key="growth_chart",
        file="growth",
        alt="How far an aimed change moves the score grows with the number of pixels; a random change does not",
    )
    _code(
        "import numpy as np\nfrom ui.attacks.growth import scorer_weights\n"
        f"print({255 * eps:g} / 255 * np.abs(scorer_weights({side}**2)).sum())"
    )
    _ask("regression")


def _ask(name: str) -> None:
    question = texts.QUESTIONS[name]
    with st.container(border=True):
        choice = st.radio(f"**Understood?** {question.text}", question.choices, index=None, key=f"answer_{name}")
        if choice is not None:
            (st.success if choice == question.right else st.info)(question.reply(choice))


def _latex(matrix: Array) -> str:
    # Adding 0 makes a zero of a minus zero.
    rows = (" & ".join(f"{value:.2f}" for value in row) for row in matrix.round(2) + 0.0)
    return r"\begin{pmatrix}" + r" \\ ".join(rows) + r"\end{pmatrix}"


def _picture(side: int) -> Array:
    """Return a sample photo in so few pixels, grey, away from black and white."""
    grey = grey_picture(photo_cache.sample_photo(_PICTURE_SAMPLE).images, side)
    return np.clip(grey, _MARGIN, 1.0 - _MARGIN)


def _code(line: str) -> None:
    with st.expander("The same numbers in Python"):
        st.code(line, language="python", wrap_lines=True)
