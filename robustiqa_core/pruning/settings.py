"""The settings of a pruning."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from robustiqa_core.checks import Configuration, check_choice, check_count
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.pruning.criteria import CRITERIA
from robustiqa_core.schema import choice, schema_of, setting
from robustiqa_core.schema.codecs import SHORT_NUMBER

Scope = Literal["layer", "global"]
SCOPES: tuple[Scope, ...] = ("layer", "global")

MAX_RATIO = 0.5
"""Largest share of filters that can be removed."""


@dataclass(frozen=True, slots=True)
class PruningSettings(Configuration):
    """The settings of a pruning.

    Args:
        criterion: what makes a filter important, a key of `CRITERIA`.
        ratio: share of filters to remove, in [0, 0.5]; every group keeps at least one filter.
        scope: `layer` removes that share of each group; `global` the least important filters of all groups together,
            their importances first divided by the root mean square of their group's.
        multiple: the channels that stay in a group are rounded to the nearest multiple of this, since processors
            compute in blocks; 1 follows the ratio exactly.
        seed: of the criterion `random`.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    criterion: str = setting("l1", codec=choice(CRITERIA), shown=True, help="what makes a filter important")
    ratio: float = setting(
        0.1, codec=SHORT_NUMBER, option="pruning_ratio", shown=True, help="share of the filters that go"
    )
    scope: Scope = setting("layer", shown=True, help="of the ratio")
    multiple: int = setting(8, option="pruning_multiple", help="channels that stay are rounded to a multiple of this")
    seed: int = setting(0, option="pruning_seed", parameter="pruning_seed", help="of the criterion random")

    def __post_init__(self) -> None:
        check_choice("criterion", self.criterion, CRITERIA)
        # Written so that NaN is refused as well.
        if not 0.0 <= self.ratio <= MAX_RATIO:
            raise ConfigurationError(
                f"ratio is the share of filters to remove and must be in [0, {MAX_RATIO}], got {self.ratio:g}; "
                "0.1 removes a tenth"
            )
        check_choice("scope", self.scope, SCOPES)
        check_count("multiple", self.multiple, high=256)
        check_count("seed", self.seed, low=0, high=2**63 - 1)

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, place: str) -> "PruningSettings":
        """Return the settings from a JSON object, as `dataclasses.asdict` makes it; see `Schema.from_json`."""
        return schema_of(cls, "the settings of a pruning").from_json(value, place=place)
