"""A model's places and the trials at them as plotly figures; no computation, no Streamlit."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from robustiqa_core.models.card import ModelCard
from robustiqa_core.verdict import LEAST_AGREEMENT, known_agreement
from ui.hardening.job import Trial
from ui.placement.slots import Slot
from ui.shell.figures import COLOURS, SYMBOLS
from ui.shell.model_names import place_name, times, version_name

ROW = 46
"""Pixels of a row of the diagram."""
_LINE, _BOX = "#7C8794", "#4E5A63"
_BAR = COLOURS["adversarial"]
_DIAGRAM, _BARS = (0.0, 0.52), (0.56, 1.0)
"""Shares of the width that the diagram and the bars beside it have."""
_CHOSEN, _FREE = COLOURS["hardened"], COLOURS["clean"]


def diagram_figure(
    slots: Sequence[Slot], *, chosen: str, growth: Mapping[str, float | None], tried: Mapping[str, int]
) -> go.Figure:
    """Return the architecture from the photo on top to the score, with a point at each place for a block.

    Args:
        slots: the places.
        chosen: name of the place that is chosen.
        growth: measured amplification since the photo by place; what is not known is left out.
        tried: number of trials by place.
    """
    last = max(slot.row for slot in slots)
    columns = sorted({slot.column for slot in slots})
    figure = go.Figure(layout={"template": "none"})
    middle = sum(columns) / len(columns)
    # Where two branches run side by side there is no room for bars: the numbers stand beside the places.
    has_bars = len(columns) == 1 and any(growth.get(slot.point.name) is not None for slot in slots)
    for column in columns:
        rows = [slot.row for slot in slots if slot.column == column]
        xs, ys = [middle, column, column, middle], [-1.2, -0.6, max(rows) + 0.6, last + 1.2]
        figure.add_scatter(
            x=xs, y=ys, mode="lines", line={"color": _LINE, "width": 3}, hoverinfo="skip", showlegend=False
        )
    for y, text in ((-1.2, "photo"), (last + 1.2, "score")):
        figure.add_annotation(
            x=middle, y=y, text=f"<b>{text}</b>", showarrow=False, bgcolor=_BOX, font={"color": "white"}, borderpad=4
        )
    figure.add_scatter(
        x=[slot.column for slot in slots],
        y=[slot.row for slot in slots],
        mode="markers+text",
        text=[_label(slot, None if has_bars else growth.get(slot.point.name)) for slot in slots],
        textposition="middle right",
        textfont={"size": 12},
        customdata=[[slot.point.name, tried.get(slot.point.name, 0)] for slot in slots],
        hovertemplate="%{text}<br>%{customdata[1]} trials here<extra></extra>",
        marker={
            "size": [24 if slot.point.name == chosen else 17 for slot in slots],
            "symbol": ["diamond" if slot.point.name == chosen else "square" for slot in slots],
            "color": [_CHOSEN if slot.point.name == chosen else _FREE for slot in slots],
            "line": {"color": "white", "width": 2},
            "opacity": 1.0,
        },
        selected={"marker": {"opacity": 1.0}},
        unselected={"marker": {"opacity": 1.0}},
        cliponaxis=False,
        showlegend=False,
    )
    figure.update_layout(
        height=round(ROW * (last + 4)), margin={"l": 8, "r": 8, "t": 8, "b": 8}, dragmode=False, hovermode="closest"
    )
    figure.update_xaxes(visible=False, range=[-0.25, columns[-1] + 0.95], fixedrange=True)
    figure.update_yaxes(visible=False, range=[last + 1.8, -1.8], fixedrange=True)
    if has_bars:
        _add_bars(figure, slots, growth)
    return figure


def _add_bars(figure: go.Figure, slots: Sequence[Slot], growth: Mapping[str, float | None]) -> None:
    """Draw the measured amplification as a bar beside each place, on an axis of its own."""
    known = [(slot, value) for slot in slots if (value := growth.get(slot.point.name)) is not None]
    figure.add_bar(
        x=[value for _, value in known],
        y=[slot.row for slot, _ in known],
        orientation="h",
        width=0.45,
        text=[times(value) for _, value in known],
        textposition="outside",
        cliponaxis=False,
        marker={"color": _BAR},
        customdata=[[slot.title] for slot, _ in known],
        hovertemplate="%{customdata[0]}: %{text}<extra></extra>",
        showlegend=False,
        xaxis="x2",
    )
    figure.update_layout(
        xaxis={"domain": _DIAGRAM},
        xaxis2={
            "domain": _BARS,
            "anchor": "y",
            "title": {"text": "Growth of an attack's change<br>since the photo (×)"},
            "range": [0.0, 1.35 * max(value for _, value in known)],
            "nticks": 4,
            "fixedrange": True,
        },
    )


def _label(slot: Slot, growth: float | None) -> str:
    title = slot.title if slot.branch == "trunk" else f"{slot.title}, {slot.branch.split(' ')[0]}"
    grown = "" if growth is None else f", <b>{times(growth)}</b>"
    return f"{title}<br>{slot.point.channels} ch, 1/{slot.point.stride}{grown}"


def trials_figure(trials: Sequence[Trial], *, chosen: str | None, bundled: Sequence[ModelCard] = ()) -> go.Figure:
    """Return AbsGain under the attack against the agreement with the baseline: one point a trial.

    Args:
        trials: of one model.
        chosen: key of the trial that is on the page.
        bundled: cards of hardened versions of the same model, with what was measured when they were made.
    """
    figure = go.Figure(layout={"template": "none"})
    places = list(dict.fromkeys(trial.recipe.position for trial in trials))
    for place in places:
        found = [(number, trial) for number, trial in enumerate(trials, 1) if trial.recipe.position == place]
        figure.add_scatter(
            x=[trial.agreement for _, trial in found],
            y=[trial.attacked("hardened") for _, trial in found],
            mode="markers+text",
            name=place_name(place),
            text=[str(number) for number, _ in found],
            textposition="top center",
            customdata=[trial.key for _, trial in found],
            marker={
                "size": [16 if trial.key == chosen else 11 for _, trial in found],
                "symbol": SYMBOLS[places.index(place) % len(SYMBOLS)],
                "color": COLOURS["hardened"],
                "line": {"width": 1, "color": "white"},
            },
            hovertemplate="trial %{text}: SROCC %{x:.3f}, AbsGain %{y:+.3f}<extra></extra>",
        )
    for number, card in enumerate(bundled):
        figure.add_scatter(
            x=[known_agreement(card)],
            y=[card.hardening["attacked"]["hardened"]["absolute_gain"]],
            mode="markers",
            name=f"{version_name(card)}, shipped with the app",
            marker={
                "size": 13,
                "symbol": f"{SYMBOLS[number % len(SYMBOLS)]}-open",
                "color": COLOURS["clean"],
                "line": {"width": 2},
            },
            hovertemplate=f"{card.variant}: SROCC %{{x:.3f}}, AbsGain %{{y:+.3f}}<extra></extra>",
        )
    figure.add_vline(
        x=LEAST_AGREEMENT,
        line={"color": _LINE, "width": 1, "dash": "dot"},
        annotation={"text": "rates photos as before →", "xanchor": "right", "yref": "paper", "y": 1.0},
    )
    figure.add_scatter(
        x=[1.0],
        y=[trials[-1].attacked("baseline")],
        mode="markers",
        name="baseline",
        marker={"size": 14, "symbol": "x", "color": COLOURS["baseline"]},
        hovertemplate="baseline: AbsGain %{y:+.3f}<extra></extra>",
    )
    figure.update_layout(
        height=360,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "x": 0, "y": -0.24, "yanchor": "top"},
        showlegend=True,
        dragmode=False,
    )
    figure.update_xaxes(title="SROCC with the baseline (higher = same order)", fixedrange=True)
    figure.update_yaxes(title="AbsGain under the attack (near 0 = robust)", fixedrange=True, zeroline=True)
    return figure
