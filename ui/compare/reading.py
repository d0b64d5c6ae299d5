"""The scale of a comparison, in its command and in its address. Knows nothing of Streamlit."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import cast

from robustiqa_core.checks import check_choice
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.metrics.scale import CONVENTIONS, Convention
from robustiqa_core.scorer import ScoreRange

NOMINAL = ScoreRange(0.0, 1.0)
"""The fixed scale, until somebody sets another one."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How the rows are read.

    Args:
        convention: of the scale.
        baseline: model that all others are compared with; None for that of each architecture.
        fixed: the nominal scale, which counts for the convention `fixed`.
    """

    convention: Convention = "own"
    baseline: str | None = None
    fixed: ScoreRange = NOMINAL

    @property
    def words(self) -> list[str]:
        """Options of the command that prints the same figures."""
        words = ["--convention", self.convention]
        words += ["--baseline", self.baseline] if self.baseline else []
        return words + (["--fixed-range", *self._ends()] if self.convention == "fixed" else [])

    def address(self) -> dict[str, str]:
        """Return the query parameters that `read_reading` reads.

        Example:
            >>> Reading("fixed", fixed=ScoreRange(0, 100)).address()
            {'convention': 'fixed', 'scale': '0,100'}
        """
        against = {"against": self.baseline} if self.baseline else {}
        scale = {"scale": ",".join(self._ends())} if self.convention == "fixed" else {}
        return {"convention": self.convention, **against, **scale}

    def _ends(self) -> tuple[str, str]:
        return f"{self.fixed.low:g}", f"{self.fixed.high:g}"


def read_reading(parameters: Mapping[str, str], models: Collection[str]) -> Reading:
    """Return the scale that an address names; what it leaves out has its default.

    Args:
        parameters: of the address.
        models: that are compared.

    Raises:
        ConfigurationError: there is no such convention, the baseline is not among the models, or the fixed scale is
            none.

    Example:
        >>> read_reading({"convention": "baseline", "against": "dbcnn-baseline"}, ["dbcnn-baseline"]).baseline
        'dbcnn-baseline'
    """
    convention = check_choice("convention", parameters.get("convention", Reading().convention), CONVENTIONS)
    fixed = _read_scale(parameters["scale"]) if "scale" in parameters else NOMINAL
    against = parameters.get("against")
    baseline = None if against is None else check_choice("against", against, models)
    return Reading(cast(Convention, convention), baseline, fixed)


def _read_scale(text: str) -> ScoreRange:
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        low = high = math.nan
    if not -math.inf < low < high < math.inf:
        raise ConfigurationError(f"scale must be two numbers, the smaller one first, got {text!r}; write e.g. 0,100")
    return ScoreRange(low, high)
