"""Photos x models x attacks: an iterator of rows."""

from collections.abc import Generator, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias, cast

import torch
from torch import Tensor

from robustiqa_core.attacks import Attack, AttackResult, AttackStep, run, spell_attack
from robustiqa_core.errors import NumericalError
from robustiqa_core.evaluation.report import attack_command, attack_report
from robustiqa_core.evaluation.tables.photos import OpenPhoto, batches
from robustiqa_core.evaluation.tables.plan import TableModel, TablePlan
from robustiqa_core.evaluation.tables.rows import Skipped, TableRow, row_key, versions
from robustiqa_core.images.photo import MAX_SIDE
from robustiqa_core.images.photo_file import PhotoFile
from robustiqa_core.metrics.fidelity import haarpsi
from robustiqa_core.scorer import Scorer

Record: TypeAlias = TableRow | Skipped


def evaluate(
    paths: Iterable[PhotoFile | Path], plan: TablePlan, *, known: Mapping[str, TableRow] | None = None
) -> Generator[Record, None, None]:
    """Yield the rows of a table, and what is missing from it, as they are computed.

    Photos of one size are attacked together, so that up to `batch_size` rows come at once; `plan.in_order` sorts them.

    Args:
        paths: the photos; one that cannot be decoded is yielded as `Skipped`.
        plan: models, attacks and how.
        known: rows by key from an earlier run with the same `plan.settings()`; they are yielded and not computed.

    Yields:
        A row for each photo, model and attack, or what is missing.

    Raises:
        InputError: a model's scores have no gradient, or are not what they should be.
    """
    for record in evaluate_steps(paths, plan, known=known):
        if not isinstance(record, AttackStep):
            yield record


def evaluate_steps(
    paths: Iterable[PhotoFile | Path], plan: TablePlan, *, known: Mapping[str, TableRow] | None = None
) -> Generator[Record | AttackStep, None, None]:
    """Yield what `evaluate` yields, and each step of its attacks, so that it can be closed within a row."""
    for found in batches(paths, batch_size=plan.batch_size, max_side=plan.max_side):
        if isinstance(found, Skipped):
            yield found
            continue
        for model in plan.models:
            for attack in plan.attacks:
                yield from _cell(found, model, attack, plan, known or {})


def _cell(
    photos: tuple[OpenPhoto, ...], model: TableModel, attack: Attack, plan: TablePlan, known: Mapping[str, TableRow]
) -> Generator[Record | AttackStep, None, None]:
    """Yield the rows of one batch under one attack on one model; those that are known are not computed."""
    keys = [_key(photo, model, attack) for photo in photos]
    for photo, key in zip(photos, keys, strict=True):
        if key in known:
            yield replace(known[key], mos=plan.mos.get(photo.place))
    new = tuple(photo for photo, key in zip(photos, keys, strict=True) if key not in known)
    if new:
        yield from _attacked(new, model, attack, plan)


def _attacked(
    photos: tuple[OpenPhoto, ...], model: TableModel, attack: Attack, plan: TablePlan
) -> Generator[Record | AttackStep, None, None]:
    images = torch.cat([photo.photo.images for photo in photos]).to(plan.device)
    try:
        for record in run(attack, model.scorer, images):
            if isinstance(record, AttackStep):
                yield record
    except NumericalError as error:
        # One photo's NaN must not cost the others of its batch their rows.
        if len(photos) > 1:
            for photo in photos:
                yield from _attacked((photo,), model, attack, plan)
        else:
            yield Skipped(photos[0].place, str(error), model.stem, spell_attack(attack))
        return
    result = cast(AttackResult, record)
    others = {
        other.stem: _scores(other.scorer, result.rounded)
        for other in plan.models
        if plan.transfer and other is not model
    }
    for place, photo in enumerate(photos):
        transfer = {stem: scores[place] for stem, scores in others.items()}
        yield _row(photo, model, attack, plan, result, place, transfer)


def _row(
    opened: OpenPhoto,
    model: TableModel,
    attack: Attack,
    plan: TablePlan,
    result: AttackResult,
    place: int,
    transfer: Mapping[str, float],
) -> TableRow:
    batch, image = len(result.images), opened.place
    command = attack_command(
        attack,
        image=image,
        model=model.model,
        variant=model.variant,
        max_side=plan.max_side if plan.max_side != MAX_SIDE else None,
        device=str(plan.device),
    )
    report = attack_report(
        result,
        attack,
        model=model.model,
        variant=model.variant,
        image=image,
        image_sha256=opened.photo.sha256,
        command=command,
        index=place,
    )
    one = slice(place, place + 1)
    return TableRow(
        key=_key(opened, model, attack),
        report=replace(report, seconds=report.seconds / batch),
        strength=getattr(attack, "eps", None),
        model_sha256=model.sha256,
        score_range=model.scorer.score_range,
        haarpsi=haarpsi(result.images[one], result.rounded[one]).item(),
        transfer=transfer,
        mos=plan.mos.get(opened.place),
        batch=batch,
        versions=versions(),
        table_command=plan.command,
    )


def _key(opened: OpenPhoto, model: TableModel, attack: Attack) -> str:
    return row_key(
        image=opened.place,
        image_sha256=opened.photo.sha256,
        model=model.stem,
        model_sha256=model.sha256,
        attack=spell_attack(attack),
    )


@torch.no_grad()
def _scores(scorer: Scorer, images: Tensor) -> list[float]:
    return [float(score) for score in scorer(images)]
