"""Which known name a wrong one was probably meant to be; imports nothing that is slow."""

import difflib
from collections.abc import Collection

SYNONYMS: dict[str, str] = {
    "epsilon": "eps",
    "epsilons": "eps",
    "strength": "eps",
    "max_norm": "eps",
    "iterations": "steps",
    "iters": "steps",
    "max_iter": "steps",
    "n_iter": "steps",
    "nb_iter": "steps",
    "num_iter": "steps",
    "num_steps": "steps",
    "alpha": "step_size",
    "eps_iter": "step_size",
    "eps_step": "step_size",
    "lr": "step_size",
    "momentum": "decay",
    "mu": "decay",
    "n_restarts": "restarts",
    "n_queries": "queries",
    "max_queries": "queries",
    "ord": "norm",
    "p": "norm",
    "rand_init": "random_start",
    "random_init": "random_start",
    "random_state": "seed",
    "amount": "ratio",
    "percent": "ratio",
    "pruning_ratio": "ratio",
    "importance": "criterion",
    "learning_rate": "rate",
}
"""What other packages of the field call a setting, and what it is called here."""


def closest(name: str, known: Collection[str]) -> str | None:
    """Return the known name that a wrong one was probably meant to be; None if none is close.

    Args:
        name: as it was written.
        known: the valid names.

    Example:
        >>> closest("PDG", ["FGSM", "PGD", "APGD"]), closest("iterations", ["eps", "steps"]), closest("x", ["eps"])
        ('PGD', 'steps', None)
    """
    if (translated := SYNONYMS.get(name.lower())) in known:
        return translated
    by_lower = {item.lower(): item for item in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return by_lower[found[0]] if found else None


def did_you_mean(name: str, known: Collection[str], otherwise: str = "choose one of these") -> str:
    """Return the last part of an error about a wrong name: a question where a known one is near, else `otherwise`.

    Example:
        >>> did_you_mean("cayly", ["cayley", "aoc"]), did_you_mean("svd", ["cayley", "aoc"])
        ('did you mean cayley?', 'choose one of these')
    """
    near = closest(name, known)
    return otherwise if near is None else f"did you mean {near}?"
