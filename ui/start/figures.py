"""The first page's figures: two drawings as SVG and a chart of two models' answers. No Streamlit."""

import base64
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from robustiqa_core.images.photo import decode_image, encode_png
from robustiqa_core.metrics.fidelity import psnr, ssim
from ui.attacks.verdict import appearance
from ui.shell.figures import COLOURS, amplified_png
from ui.start.texts import Answer

TWIN_BOX = (125, 30, 325, 230)
"""Part of the sample photo that the stored twin shows: left, top, right, bottom in pixels."""
TWIN_GAIN = 20
_LINE, _FILL = "@line", "@fill"
"""Stand for the colours of the scheme; no picture in base64 has such letters."""
_INK = {"light": "#08121A", "dark": "#E9EEF0"}
_PAPER = {"light": "#F2F0E9", "dark": "#18262F"}
_FONT = "Source Sans, Segoe UI, Helvetica, Arial, sans-serif"


def crop_png(png: bytes, box: tuple[int, int, int, int]) -> bytes:
    """Return a part of an image, as PNG.

    Args:
        png: the image.
        box: left, top, right, bottom in pixels.
    """
    left, top, right, bottom = box
    return encode_png(decode_image(png).images[0, :, top:bottom, left:right])


def twin_svg(clean_png: bytes, twin_png: bytes, scheme: str) -> str:
    """Return the drawing photo + change = twin.

    Args:
        clean_png: part of a photo, square.
        twin_png: the same part of its attacked twin.
        scheme: `light` or `dark`.
    """
    change = amplified_png(clean_png, twin_png, TWIN_GAIN)
    labels = ("photo", f"change × {TWIN_GAIN}", "its twin")
    parts = []
    for place, (png, label) in enumerate(zip((clean_png, change, twin_png), labels, strict=True)):
        left = 150 * place
        address = "data:image/png;base64," + base64.b64encode(png).decode("ascii")
        parts.append(f'<image x="{left}" y="26" width="120" height="120" href="{address}"/>')
        parts.append(_text(left + 60, 168, label, 16))
    parts += [_text(135, 94, "+", 24), _text(285, 94, "=", 24)]
    return _svg(420, 190, scheme, parts)


def likeness(clean_png: bytes, twin_png: bytes) -> str:
    """Return how different two pictures of one size look, by the rule that every result goes by."""
    clean, twin = (decode_image(png).images for png in (clean_png, twin_png))
    return appearance(float(psnr(clean, twin)), float(ssim(clean, twin)))


def pipeline_svg(scheme: str) -> str:
    """Return the drawing of the way from a photo through a model to its score, with the block near the end.

    Args:
        scheme: `light` or `dark`.
    """
    parts = [_box(4, 62, 58, 58, "photo", fill=COLOURS["clean"])]
    for place, height in enumerate((92, 72, 54)):
        parts.append(_box(94 + 46 * place, 91 - height / 2, 30, height, ""))
    parts += [
        _text(155, 164, "the network", 16),
        _box(240, 60, 76, 62, "block", fill=COLOURS["hardened"]),
        _box(344, 70, 72, 42, "score"),
        _text(278, 26, "lets no", 16),
        _text(278, 46, "change grow", 16),
    ]
    parts += [_arrow(start, end) for start, end in ((62, 92), (124, 138), (170, 184), (216, 238), (316, 342))]
    return _svg(420, 190, scheme, parts)


def answers_figure(answers: Sequence[Answer], colours: Mapping[str, str]) -> go.Figure:
    """Return how far each model's score moved: from the photo to the twin that was made against it.

    Args:
        answers: of the models.
        colours: of each model, by its stem.
    """
    figure = go.Figure(layout={"template": "none"})
    sides = ["top left", "top right"]
    for answer in answers:
        names = [answer.name, answer.name]
        colour = colours[answer.stem]
        figure.add_scatter(
            x=[answer.band.low, answer.band.high],
            y=names,
            mode="lines",
            name="usual range",
            line={"width": 14, "color": "rgba(127,127,127,0.25)"},
            hovertemplate="usual range: %{x:.2f}<extra></extra>",
            showlegend=answer is answers[0],
        )
        figure.add_scatter(
            x=[answer.clean, answer.attacked],
            y=names,
            mode="lines+markers+text",
            cliponaxis=False,
            name=answer.name,
            line={"width": 3, "color": colour},
            marker={"size": [14, 16], "symbol": ["circle", "diamond"], "color": colour},
            text=[f"{answer.clean:.2f}", f"{answer.attacked:.2f}"],
            textposition=sides if answer.moved >= 0 else sides[::-1],
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
            showlegend=False,
        )
        # Beside the axis the name would leave a phone no room for the scores.
        figure.add_annotation(
            x=0, xref="x domain", xanchor="left", y=answer.name, yshift=34, text=answer.name, showarrow=False
        )
    for name, symbol in (("photo", "circle"), ("its twin", "diamond")):
        marker = {"size": 12, "symbol": symbol, "color": "rgba(127,127,127,0.9)"}
        figure.add_scatter(x=[None], y=[None], mode="markers", name=name, marker=marker)
    figure.update_layout(
        height=120 + 80 * len(answers),
        margin={"l": 24, "r": 40, "t": 28, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="closest",
        dragmode=False,
    )
    figure.update_xaxes(title="Score (higher = better photo)", fixedrange=True)
    figure.update_yaxes(range=[len(answers) - 0.7, -0.7], showticklabels=False, fixedrange=True)
    return figure


def _svg(width: int, height: int, scheme: str, parts: Sequence[str]) -> str:
    content = "".join(parts).replace(_LINE, _INK[scheme]).replace(_FILL, _PAPER[scheme])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * width}" height="{2 * height}" '
        f'viewBox="0 0 {width} {height}" font-family="{_FONT}">{content}</svg>'
    )


def _text(x: float, y: float, words: str, size: int, colour: str = _LINE) -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="middle" fill="{colour}">{words}</text>'


def _box(x: float, y: float, width: float, height: float, words: str, *, fill: str = _FILL) -> str:
    shape = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="5" fill="{fill}" stroke="{_LINE}"/>'
    return shape + _text(x + width / 2, y + height / 2 + 5, words, 15, _LINE if fill == _FILL else _INK["light"])


def _arrow(start: float, end: float) -> str:
    return (
        f'<path d="M{start} 91H{end - 5}" stroke="{_LINE}" stroke-width="2"/>'
        f'<path d="M{end - 7} 86L{end} 91L{end - 7} 96Z" fill="{_LINE}"/>'
    )
