"""The mathematics behind the page of ideas, in NumPy: small, exact, instant. Knows nothing of Streamlit."""

import math
from dataclasses import dataclass

import numpy as np

from ui.attacks.growth import Array, scorer_weights

WAVE_FREQUENCY = 3.0
"""Angular frequency of the wave, so that two of its hills are in sight."""


def wave(x: Array | float, slope: float) -> Array:
    """Return sin(3 x) slope / 3: a wave that is nowhere steeper than `slope`, its Lipschitz constant.

    Example:
        >>> float(wave(0.0, 2.0))
        0.0
    """
    return np.asarray(np.sin(WAVE_FREQUENCY * np.asarray(x)) * slope / WAVE_FREQUENCY)


def reach(x: float, slope: float, eps: float) -> tuple[float, float]:
    """Return the lowest and the highest value of the wave within `eps` of `x`, exactly.

    Args:
        x: the input.
        slope: of the wave where it is steepest.
        eps: how far the input may move.
    """
    # Extremes lie at the ends, or on a top or a bottom of the wave in between.
    half = math.pi / WAVE_FREQUENCY
    first = math.ceil((x - eps) / half - 0.5)
    last = math.floor((x + eps) / half - 0.5)
    places = [x - eps, x + eps, *((number + 0.5) * half for number in range(first, last + 1))]
    values = wave(np.array(places), slope)
    return float(values.min()), float(values.max())


def skew(degrees: float) -> Array:
    """Return the skew-symmetric 2 x 2 matrix whose Cayley transform turns the plane by an angle.

    Args:
        degrees: the angle, between -180 and 180 without these.
    """
    entry = math.tan(math.radians(degrees) / 2)
    return np.array([[0.0, entry], [-entry, 0.0]])


def cayley(matrix: Array) -> Array:
    """Return (I + A)^-1 (I - A), which is orthogonal for every skew-symmetric A.

    Args:
        matrix: A, square; its transpose is -A.

    Example:
        >>> cayley(np.array([[0.0, 1.0], [-1.0, 0.0]])).round(12)
        array([[ 0., -1.],
               [ 1.,  0.]])
    """
    identity = np.eye(len(matrix))
    return np.asarray(np.linalg.solve(identity + matrix, identity - matrix))


def stretched(matrix: Array, stretch: float) -> Array:
    """Return a matrix that first stretches one axis by a factor and leaves the other, then acts as `matrix`."""
    return matrix @ np.diag([stretch, 1.0])


def circle(points: int = 181) -> Array:
    """Return points (2, n) on the circle of radius 1, the first one again at the end."""
    angles = np.linspace(0.0, 2.0 * math.pi, points)
    return np.stack([np.cos(angles), np.sin(angles)])


@dataclass(frozen=True, slots=True)
class Attacked:
    """What an attack and random noise do to a linear scorer: score = 0.5 + <weights, picture - 0.5>.

    Args:
        picture: (side, side), in [0, 1].
        adversarial: the same, attacked.
        score: of the picture.
        adversarial_score: of the attacked one.
        noisy: scores of pictures with random noise of the same size.
        weights_l1: sum of the weights' sizes.
    """

    picture: Array
    adversarial: Array
    score: float
    adversarial_score: float
    noisy: Array
    weights_l1: float


def attack(picture: Array, eps: float, direction: str, *, draws: int = 200) -> Attacked:
    """Attack a linear scorer with the best change there is: eps times the sign of each weight.

    Args:
        picture: (side, side), in [eps, 1 - eps], so that nothing is clipped.
        eps: largest change of a pixel.
        direction: `up`, `down`, or `away`: whichever of the two is farther; up where they are equal.
        draws: of random noise, each pixel moved by eps up or down.
    """
    weights = scorer_weights(picture.size)
    sign = -1.0 if direction == "down" else 1.0
    flat = picture.ravel()
    adversarial = flat + sign * eps * np.sign(weights)
    noise = eps * np.random.default_rng(1).choice([-1.0, 1.0], size=(draws, flat.size))
    return Attacked(
        picture=picture,
        adversarial=adversarial.reshape(picture.shape),
        score=_score(flat, weights),
        adversarial_score=_score(adversarial, weights),
        noisy=0.5 + (flat + noise - 0.5) @ weights,
        weights_l1=float(np.abs(weights).sum()),
    )


def _score(flat: Array, weights: Array) -> float:
    return float(0.5 + weights @ (flat - 0.5))
