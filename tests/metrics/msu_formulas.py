"""The robustness figures of MSU's benchmark once more, number by number in plain Python, from the formulas alone."""

import itertools
import math
from collections.abc import Sequence

Scores = Sequence[float]


def scaled(scores: Scores, low: float, high: float) -> list[float]:
    return [(score - low) / (high - low) for score in scores]


def mean(values: Scores) -> float:
    return math.fsum(values) / len(values)


def absolute_gain(clean: Scores, attacked: Scores) -> float:
    return mean([after - before for before, after in zip(clean, attacked, strict=True)])


def relative_gain(clean: Scores, attacked: Scores) -> float:
    return mean([(after - before) / (before + 1.0) for before, after in zip(clean, attacked, strict=True)])


def r_score(clean: Scores, attacked: Scores) -> float:
    logs = []
    for before, after in zip(clean, attacked, strict=True):
        farthest = before if before > 1.0 - before else 1.0 - before
        logs.append(math.log10(farthest / (abs(after - before) + 0.000001)))
    return mean(logs)


def wasserstein(clean: Scores, attacked: Scores) -> float:
    """Equal numbers of scores: the sorted ones are matched with each other."""
    distance = mean([abs(a - b) for a, b in zip(sorted(clean), sorted(attacked), strict=True)])
    return distance if mean(attacked) >= mean(clean) else -distance


def energy(clean: Scores, attacked: Scores) -> float:
    def spread(first: Scores, second: Scores) -> float:
        return mean([abs(a - b) for a in first for b in second])

    square = 2 * spread(clean, attacked) - spread(clean, clean) - spread(attacked, attacked)
    distance = math.sqrt(max(square, 0.0))
    return distance if mean(attacked) >= mean(clean) else -distance


def area(strengths: Scores, figures: Scores) -> float:
    points = sorted(zip(strengths, figures, strict=True))
    total = 0.0
    for (left, first), (right, second) in itertools.pairwise(points):
        total += (right - left) * (first + second) / 2.0
    return total / (points[-1][0] - points[0][0])


def reversed_pairs(clean: Scores, attacked: Scores) -> float:
    """Share of pairs in another order than before; an order that became a tie counts half."""
    total, wrong = 0, 0.0
    for i in range(len(clean)):
        for j in range(i):
            before, after = clean[i] - clean[j], attacked[i] - attacked[j]
            if before == 0:
                continue
            total += 1
            if after == 0:
                wrong += 0.5
            elif (before > 0) != (after > 0):
                wrong += 1
    return wrong / total
