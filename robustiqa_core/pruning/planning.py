"""The plan of a pruning: the filters to remove and the savings; made before any change."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor, nn

from robustiqa_core.checks import check_count
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.models import QualityModel
from robustiqa_core.pruning.choice import choose_filters
from robustiqa_core.pruning.cost import Cost, network_cost, on_meta
from robustiqa_core.pruning.groups import channel_groups
from robustiqa_core.pruning.importance import filter_importance
from robustiqa_core.pruning.settings import PruningSettings
from robustiqa_core.pruning.surgery import keep_filters


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """The filters to remove from one group of channels.

    Args:
        group: name of the group: the path of the layer that makes its channels.
        importance: of each filter, in the criterion's own unit; larger is more important.
        removed: indices of the filters to remove, ascending.
    """

    group: str
    importance: tuple[float, ...]
    removed: tuple[int, ...]

    def __post_init__(self) -> None:
        if list(self.removed) != sorted(set(self.removed)):
            raise ConfigurationError(f"{self.group}: removed must be ascending, got {self.removed}; plan again")
        for index in self.removed:
            check_count(f"{self.group}: index of a filter", index, low=0, high=self.filters - 1)
        if len(self.removed) == self.filters:
            raise ConfigurationError(
                f"{self.group}: at least one filter must stay, got none of {self.filters}; remove fewer"
            )

    @property
    def filters(self) -> int:
        """Filters before."""
        return len(self.importance)

    @property
    def kept(self) -> tuple[int, ...]:
        """Indices of the filters to keep."""
        gone = set(self.removed)
        return tuple(index for index in range(self.filters) if index not in gone)


@dataclass(frozen=True, slots=True)
class PruningPlan:
    """The filters to remove from a network, and the savings.

    Args:
        settings: how it was chosen.
        layers: every group of the network, in depth order, including unchanged ones.
        before: what the network costs.
        after: what it costs without the removed channels.
    """

    settings: PruningSettings
    layers: tuple[LayerPlan, ...]
    before: Cost
    after: Cost

    @property
    def filters(self) -> int:
        """Filters of all groups before."""
        return sum(layer.filters for layer in self.layers)

    @property
    def removed(self) -> int:
        """Filters to remove."""
        return sum(len(layer.removed) for layer in self.layers)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as a JSON object, which `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, place: str) -> "PruningPlan":
        """Return the plan from a JSON object.

        Args:
            value: as `to_json` makes it.
            place: where it came from, for the error.

        Raises:
            InputError: a key is missing, unknown or of the wrong kind.
            ConfigurationError: a value is out of its range.
        """
        try:
            layers = [LayerPlan(**{**layer, **_tuples(layer)}) for layer in value["layers"]]
            return cls(
                **{
                    **value,
                    "settings": PruningSettings.from_json(value["settings"], place=place),
                    "layers": tuple(layers),
                    "before": Cost(**value["before"]),
                    "after": Cost(**value["after"]),
                }
            )
        except (TypeError, KeyError) as error:
            raise InputError(f"expected a pruning plan in {place}, got something else ({error}); restore it") from error


def _tuples(layer: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    return {name: tuple(layer[name]) for name in ("importance", "removed")}


def plan(
    network: QualityModel,
    settings: PruningSettings,
    *,
    images: Iterable[Tensor] | None = None,
    mos: Tensor | None = None,
) -> PruningPlan:
    """Return a plan of the filters to remove; the network is not changed.

    Args:
        network: of `robustiqa_core.models`, with or without blocks, not folded.
        settings: criterion, ratio and scope.
        images: for a criterion that looks at photos; see `filter_importance`, whose errors are raised.
        mos: human scores of the photos; without them the network's own.
    """
    found = filter_importance(network, settings.criterion, seed=settings.seed, images=images, mos=mos)
    return plan_from(network, settings, found)


def plan_from(network: QualityModel, settings: PruningSettings, importance: Mapping[str, Tensor]) -> PruningPlan:
    """Return a plan, given the filters' importance, so that a ratio can be changed without measuring again.

    Args:
        network: not touched.
        settings: ratio and scope; the criterion is only recorded.
        importance: from `filter_importance`, with the criterion of the settings.
    """
    groups = channel_groups(network)
    chosen = choose_filters(groups, [importance[group.name] for group in groups], settings)
    layers = tuple(
        LayerPlan(group.name, tuple(importance[group.name].tolist()), removed)
        for group, removed in zip(groups, chosen, strict=True)
    )
    smaller = keep_filters(on_meta(network), {layer.group: layer.kept for layer in layers if layer.removed})
    return PruningPlan(settings, layers, network_cost(network), network_cost(smaller))


def check_fits(made: PruningPlan, network: nn.Module) -> None:
    """Raise ConfigurationError if a plan was made for a network with other groups of channels."""
    expected = {layer.group: layer.filters for layer in made.layers}
    found = {group.name: group.filters for group in channel_groups(network)}
    if wrong := sorted(expected.items() ^ found.items()):
        name = wrong[0][0]
        raise ConfigurationError(
            f"expected a network with the channel groups of the plan, got another: {name} has "
            f"{expected.get(name, 'no')} filters in the plan and {found.get(name, 'no')} in the network; plan again"
        )
