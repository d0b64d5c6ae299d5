"""What is left of an order, as figures with intervals: pure functions of scores."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from robustiqa_core.metrics.bootstrap import bootstrap_interval
from robustiqa_core.metrics.correlation import srocc
from robustiqa_core.metrics.pairing import Array, paired
from robustiqa_core.metrics.robustness import absolute_gain, r_score
from robustiqa_core.metrics.scale import Scale
from robustiqa_core.metrics.worst_order import swapped_share
from robustiqa_core.scorer import ScoreRange

Interval = tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class OrderFigures:
    """The order of N photos under one strength; None where a figure is undefined, as for a model with one score.

    Args:
        photos: N.
        srocc: of the attacked scores and the reference, MOS or else the clean scores: the headline.
        srocc_interval: 95 %, from photos drawn with replacement, as of all intervals here.
        clean_srocc: of the clean scores and the reference.
        own_srocc: of the attacked and the clean scores.
        swapped: share of the pairs at least `apart` apart in the reference that the attack turns round, in [0, 1].
        swapped_interval: 95 %.
        clean_swapped: the same of the clean scores.
        quarters_swapped: the same of the pairs of a photo in the worst and one in the best quarter.
        gain_up: mean change of the photos pushed up, in standard deviations of the clean scores.
        gain_up_interval: 95 %.
        gain_down: of those pushed down; below 0.
        gain_down_interval: 95 %.
        thirds_up: mean change of those pushed up, in the worst, middle and best third; None where nothing was.
        thirds_down: the same of those pushed down.
        absolute_gain_up: mean change of those pushed up, as a share of the model's own range.
        absolute_gain_down: of those pushed down.
        absolute_gain_size: mean of the sizes of both.
        r_score_up: R-score of those pushed up, by the model's own range.
        r_score_down: of those pushed down.
        r_score_both: mean of both.
    """

    photos: int
    srocc: float | None
    srocc_interval: Interval
    clean_srocc: float | None
    own_srocc: float | None
    swapped: float
    swapped_interval: Interval
    clean_swapped: float
    quarters_swapped: float
    gain_up: float | None
    gain_up_interval: Interval
    gain_down: float | None
    gain_down_interval: Interval
    thirds_up: tuple[float | None, ...]
    thirds_down: tuple[float | None, ...]
    absolute_gain_up: float | None
    absolute_gain_down: float | None
    absolute_gain_size: float | None
    r_score_up: float | None
    r_score_down: float | None
    r_score_both: float | None


def order_figures(
    clean: npt.ArrayLike,
    up: npt.ArrayLike,
    down: npt.ArrayLike,
    reference: npt.ArrayLike,
    *,
    own: ScoreRange,
    apart: float = 0.0,
    resamples: int = 1000,
) -> OrderFigures:
    """Return the figures of photos that were pushed up, down, or both ways.

    Args:
        clean: (N,), scores before.
        up: (N,), after the push upwards; NaN for a photo that was pushed down only.
        down: (N,), after the push downwards; NaN likewise.
        reference: (N,), MOS or clean scores. A photo below its median stands in the order as it is after `up`.
        own: the model's range, for AbsGain and R-score.
        apart: least difference in the reference of a pair that counts.
        resamples: bootstrap draws.

    Raises:
        InputError: the lists do not pair.
    """
    before, ranks = paired(clean, reference)
    risen, fallen = (np.asarray(values, dtype=np.float64) for values in (up, down))
    against = np.where(ranks < np.median(ranks), risen, fallen)
    # A photo that was pushed one way only stands for itself in every pair.
    low, high = np.where(np.isnan(risen), against, risen), np.where(np.isnan(fallen), against, fallen)
    spread = float(before.std())
    scale = Scale("own", own)
    sides = [_Side(before, after, ranks, spread, scale, resamples) for after in (risen, fallen)]
    sizes = [side.absolute_gain for side in sides]
    scores = [side.r_score for side in sides]
    swapped = bootstrap_interval(
        lambda a, b, c: swapped_share(a, b, c, apart=apart), low, high, ranks, resamples=resamples
    )
    first, last = np.quantile(ranks, [0.25, 0.75])
    worst, best = low[ranks <= first], high[ranks >= last]
    return OrderFigures(
        photos=len(before),
        srocc=srocc(against, ranks),
        srocc_interval=bootstrap_interval(srocc, against, ranks, resamples=resamples),
        clean_srocc=srocc(before, ranks),
        own_srocc=srocc(against, before),
        swapped=swapped_share(low, high, ranks, apart=apart),
        swapped_interval=swapped,
        clean_swapped=swapped_share(before, before, ranks, apart=apart),
        quarters_swapped=float((0.5 * (np.sign(worst[:, None] - best[None, :]) + 1)).mean()),
        gain_up=sides[0].gain,
        gain_up_interval=sides[0].interval,
        gain_down=sides[1].gain,
        gain_down_interval=sides[1].interval,
        thirds_up=sides[0].thirds,
        thirds_down=sides[1].thirds,
        absolute_gain_up=sizes[0],
        absolute_gain_down=sizes[1],
        absolute_gain_size=_mean([abs(size) for size in sizes if size is not None]),
        r_score_up=scores[0],
        r_score_down=scores[1],
        r_score_both=_mean([score for score in scores if score is not None]),
    )


class _Side:
    """Figures of the photos that were pushed one way."""

    def __init__(self, before: Array, after: Array, ranks: Array, spread: float, scale: Scale, resamples: int) -> None:
        pushed = ~np.isnan(after)
        gains = (after - before) / spread if spread > 0 else np.full(len(before), np.nan)
        thirds = np.searchsorted(np.quantile(ranks, [1 / 3, 2 / 3]), ranks, side="right")
        chosen = gains[pushed & ~np.isnan(gains)]
        self.gain = _mean(chosen.tolist())
        self.interval: Interval = None
        if len(chosen):
            self.interval = bootstrap_interval(lambda values: float(values.mean()), chosen, resamples=resamples)
        self.thirds = tuple(_mean(gains[pushed & (thirds == third) & ~np.isnan(gains)].tolist()) for third in range(3))
        old, new = scale.apply(before[pushed]), scale.apply(after[pushed])
        self.absolute_gain = absolute_gain(old, new) if pushed.any() else None
        self.r_score = r_score(old, new) if pushed.any() else None


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
