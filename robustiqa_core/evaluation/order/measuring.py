"""Photos attacked against their rank, strength by strength: an iterator of rows."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import torch

from robustiqa_core.attacks import AttackResult, AttackStep, Worst
from robustiqa_core.attacks.directions import run_directed
from robustiqa_core.device import device_of
from robustiqa_core.errors import InputError, NumericalError
from robustiqa_core.evaluation.order.plan import OrderPlan, RankedPhoto
from robustiqa_core.evaluation.order.records import OrderRow, row_key
from robustiqa_core.evaluation.tables.photos import OpenPhoto, batches
from robustiqa_core.evaluation.tables.rows import Skipped
from robustiqa_core.metrics.worst_order import rank_directions
from robustiqa_core.scorer import Scorer

Job: TypeAlias = tuple[RankedPhoto, int]
"""A photo and the direction in which it is attacked."""


def measure_order(
    photos: Sequence[RankedPhoto], scorer: Scorer, plan: OrderPlan, *, known: Mapping[str, OrderRow] | None = None
) -> Iterator[OrderRow | Skipped]:
    """Yield a row for each photo, strength and direction, and what is missing; return an iterator.

    First all photos are scored, since without MOS their clean scores say which way each is pushed. Where gradients are
    doubled, the rows of a strength come again with more of them.

    Args:
        photos: all with a MOS or none.
        scorer: the model, in evaluation mode.
        plan: how.
        known: rows by key of an earlier run with the same `plan.settings`; they are yielded and not computed.

    Raises:
        InputError: some photos have a MOS and others none; fewer than two can be scored.
    """
    if len({photo.mos is None for photo in photos}) != 1:
        raise InputError("expected a MOS for all photos or for none, got some of each; leave out those without")
    return _measured(photos, scorer, plan, known or {})


def _measured(
    photos: Sequence[RankedPhoto], scorer: Scorer, plan: OrderPlan, known: Mapping[str, OrderRow]
) -> Iterator[OrderRow | Skipped]:
    scores: dict[str, float] = {}
    for found in batches([photo.path for photo in photos], batch_size=plan.batch_size, max_side=plan.max_side):
        if isinstance(found, Skipped):
            yield found
            continue
        for opened in found:
            score = _score(scorer, opened)
            if isinstance(score, float):
                scores[opened.place] = score
            else:
                yield score
    usable = [photo for photo in photos if str(photo.path) in scores]
    if len(usable) < 2:
        raise InputError(f"expected two or more photos that can be scored, got {len(usable)}; name others")
    reference = [scores[str(photo.path)] if photo.mos is None else photo.mos for photo in usable]
    jobs = list(zip(usable, rank_directions(reference).tolist(), strict=True))
    if plan.both:
        jobs += [(photo, -direction) for photo, direction in jobs]
    for eps in plan.strengths:
        yield from _strength(jobs, scorer, plan, eps, known)


def _strength(
    jobs: Sequence[Job], scorer: Scorer, plan: OrderPlan, eps: float, known: Mapping[str, OrderRow]
) -> Iterator[OrderRow | Skipped]:
    """Yield the rows of one strength, with more gradients until the gains grow no further."""
    before: dict[tuple[str, int], OrderRow] = {}
    for doubling in range(plan.doublings + 1):
        rows: dict[tuple[str, int], OrderRow] = {}
        for direction in (1, -1):
            chosen = {str(photo.path): photo for photo, way in jobs if way == direction}
            attack = Worst(eps, steps=plan.gradients * 2**doubling, seed=plan.seed)
            for record in _attacked(chosen, direction, attack, scorer, plan, known):
                if isinstance(record, OrderRow):
                    row = _no_worse(record, before.get((record.image, record.direction)))
                    rows[row.image, row.direction] = row
                    yield row
                else:
                    yield record
        if last_growth(list(rows.values())) < plan.settled:
            return
        before = rows


def last_growth(rows: Sequence[OrderRow]) -> float:
    """Return by which share the mean size of the gains grew when the gradients were doubled the last time."""
    if not rows:
        return 0.0
    full = float(np.mean([row.direction * (row.attacked - row.clean) for row in rows]))
    half = float(np.mean([row.direction * (row.halfway - row.clean) for row in rows]))
    return 0.0 if full <= 0 else (full - half) / full


def _no_worse(row: OrderRow, before: OrderRow | None) -> OrderRow:
    """Return a row of doubled gradients, whose half is the row with half of them, and which is no worse than that."""
    if before is None:
        return row
    if row.direction * before.attacked > row.direction * row.attacked:
        return replace(row, halfway=before.attacked, attacked=before.attacked, rounded=before.rounded)
    return replace(row, halfway=before.attacked)


def _attacked(
    photos: Mapping[str, RankedPhoto],
    direction: int,
    attack: Worst,
    scorer: Scorer,
    plan: OrderPlan,
    known: Mapping[str, OrderRow],
) -> Iterator[OrderRow | Skipped]:
    new = []
    for image, photo in photos.items():
        key = row_key(image, direction, attack.eps, attack.steps)
        if key in known:
            yield replace(known[key], mos=photo.mos)
        else:
            new.append(photo.path)
    for found in batches(new, batch_size=plan.batch_size, max_side=plan.max_side):
        if not isinstance(found, Skipped):
            yield from _batch(found, photos, direction, attack, scorer)


def _batch(
    opened: Sequence[OpenPhoto], photos: Mapping[str, RankedPhoto], direction: int, attack: Worst, scorer: Scorer
) -> Generator[OrderRow | Skipped, None, None]:
    images = torch.cat([photo.photo.images for photo in opened]).to(device_of(scorer) or "cpu")
    halfway = None
    try:
        for record in run_directed(attack, scorer, images, torch.full((len(images),), direction)):
            if isinstance(record, AttackStep) and record.gradient_calls <= attack.steps // 2:
                halfway = record.best_scores
            elif isinstance(record, AttackResult):
                result = record
    except NumericalError as error:
        # One photo's NaN must not cost the others of its batch their rows.
        for photo in opened if len(opened) > 1 else ():
            yield from _batch((photo,), photos, direction, attack, scorer)
        if len(opened) == 1:
            yield Skipped(opened[0].place, str(error), attack=f"worst, {attack.steps} gradients")
        return
    half = result.clean_scores if halfway is None else halfway
    for place, photo in enumerate(opened):
        yield OrderRow(
            image=photo.place,
            mos=photos[photo.place].mos,
            direction=direction,
            eps=attack.eps,
            gradients=attack.steps,
            clean=float(result.clean_scores[place]),
            halfway=float(half[place]),
            attacked=float(result.adversarial_scores[place]),
            rounded=float(result.rounded_scores[place]),
            seconds=round(result.seconds / len(opened), 3),
        )


@torch.no_grad()
def _score(scorer: Scorer, opened: OpenPhoto) -> float | Skipped:
    try:
        score = float(scorer(opened.photo.images.to(device_of(scorer) or "cpu")))
    except (InputError, NumericalError) as error:
        return Skipped(opened.place, str(error))
    return score if np.isfinite(score) else Skipped(opened.place, f"expected a finite score, got {score}")
