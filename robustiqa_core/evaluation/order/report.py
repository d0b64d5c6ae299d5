"""The table of a worst-case order: figures by strength, for people, as JSON and as CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from robustiqa_core.attacks.settings import format_fraction
from robustiqa_core.errors import InputError
from robustiqa_core.evaluation.order.figures import OrderFigures, order_figures
from robustiqa_core.evaluation.order.measuring import last_growth
from robustiqa_core.evaluation.order.records import OrderRow
from robustiqa_core.files import encode_text
from robustiqa_core.metrics.correlation import spell_correlation
from robustiqa_core.scorer import ScoreRange


@dataclass(frozen=True, slots=True)
class StrengthReport:
    """The order under one strength.

    Args:
        eps: strength, as a fraction of [0, 1].
        gradients: of the attack on each photo and direction.
        last_doubling: by which share the mean size of the gains grew in the last doubling of the gradients.
        figures: what is left of the order.
    """

    eps: float
    gradients: int
    last_doubling: float
    figures: OrderFigures


@dataclass(frozen=True, slots=True)
class OrderReport:
    """Does the order of photos survive? One model.

    Args:
        model: model and variant.
        data: name of the photos.
        reference: `mos` or `clean scores`.
        apart: least difference in the reference of a pair that counts.
        strengths: the smallest first.
        command: that gives these figures again.
    """

    model: str
    data: str
    reference: str
    apart: float
    strengths: tuple[StrengthReport, ...]
    command: str

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        return asdict(self)

    @property
    def lines(self) -> tuple[str, ...]:
        """The table for people, a line a strength."""
        first = self.strengths[0].figures
        head = (
            f"{self.model} on {first.photos} photos, {self.data}; each attacked against its rank by {self.reference}",
            f"SROCC to {self.reference} without an attack {spell_correlation(first.clean_srocc)}"
            + ("" if first.clean_srocc is not None else ": one score for all photos, so that there is no order"),
            f"{'eps':>9} {'SROCC':>7} {'95 %':>15} {'to clean':>8} {'swapped':>8} {'quarters':>8} {'gain up':>8} "
            f"{'down':>7} {'gradients':>9} {'doubling':>8}",
        )
        return head + tuple(_line(one) for one in self.strengths)


def _line(one: StrengthReport) -> str:
    figures = one.figures
    ends = figures.srocc_interval
    interval = "-" if ends is None else f"{ends[0]:.3f}, {ends[1]:.3f}"
    up, down = ("-" if gain is None else f"{gain:+.2f}" for gain in (figures.gain_up, figures.gain_down))
    return (
        f"{format_fraction(one.eps):>9} {spell_correlation(figures.srocc):>7} {interval:>15} "
        f"{spell_correlation(figures.own_srocc):>8} {figures.swapped:>8.1%} {figures.quarters_swapped:>8.1%} "
        f"{up:>8} {down:>7} {one.gradients:>9} {one.last_doubling:>+8.1%}"
    )


def order_report(
    rows: Iterable[OrderRow],
    *,
    model: str,
    data: str,
    own: ScoreRange,
    apart: float = 0.0,
    command: str = "",
    resamples: int = 1000,
) -> OrderReport:
    """Return the report of the rows of one model.

    Of each photo, strength and direction the row with the most gradients counts. What was found within a smaller ball
    lies in a larger one too, so that no photo is moved less by more.

    Args:
        rows: of `measure_order`.
        model: model and variant.
        data: name of the photos.
        own: the model's range.
        apart: least difference in the reference of a pair that counts.
        command: that gives these figures again.
        resamples: bootstrap draws.

    Raises:
        InputError: fewer than two photos have rows in all strengths.
    """
    last: dict[tuple[float, str, int], OrderRow] = {}
    for row in rows:
        key = (row.eps, row.image, row.direction)
        if key not in last or row.gradients >= last[key].gradients:
            last[key] = row
    strengths = sorted({eps for eps, _, _ in last})
    sides = {(image, way) for _, image, way in last}
    whole = {side for side in sides if all((eps, *side) in last for eps in strengths)}
    images = sorted({image for image, way in sides if all((image, w) in whole for i, w in sides if i == image)})
    if len(images) < 2:
        raise InputError(f"expected two or more photos with rows in all strengths, got {len(images)}; attack more")
    reports, reached = [], dict[tuple[str, int], float]()
    for eps in strengths:
        chosen = [last[eps, image, way] for image, way in sorted(whole) if image in set(images)]
        for row in chosen:
            before = reached.get((row.image, row.direction), row.attacked)
            reached[row.image, row.direction] = row.direction * max(
                row.direction * before, row.direction * row.attacked
            )
        reports.append(_strength_report(eps, images, chosen, reached, own, apart, resamples))
    by = "clean scores" if next(iter(last.values())).mos is None else "MOS"
    return OrderReport(model, data, by, apart, tuple(reports), command)


def _strength_report(
    eps: float,
    images: Sequence[str],
    rows: Sequence[OrderRow],
    reached: dict[tuple[str, int], float],
    own: ScoreRange,
    apart: float,
    resamples: int,
) -> StrengthReport:
    known = {row.image: row for row in rows}
    clean = [known[image].clean for image in images]
    reference = [known[image].clean if (mos := known[image].mos) is None else mos for image in images]
    up, down = ([reached.get((image, way), np.nan) for image in images] for way in (1, -1))
    figures = order_figures(clean, up, down, reference, own=own, apart=apart, resamples=resamples)
    return StrengthReport(eps, max(row.gradients for row in rows), last_growth(rows), figures)


def rows_csv(rows: Sequence[OrderRow]) -> bytes:
    """Return a CSV with a line for each attacked photo."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(OrderRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.to_json() for row in rows)
    return encode_text(text.getvalue())
