"""Image-quality models: one architecture per file, all Scorers, listed in `ARCHITECTURES`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from robustiqa_core.checks import check_choice
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.models.dbcnn import DBCNN, DBCNNSettings
from robustiqa_core.models.linearity import Linearity, LinearitySettings
from robustiqa_core.models.tres import TReS, TReSSettings
from robustiqa_core.scorer import InsertionPoint, ScoreRange

QualityModel: TypeAlias = Linearity | DBCNN | TReS
"""A network of this package: an `nn.Module` that is a Scorer."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """One kind of quality model.

    Args:
        name: key in `ARCHITECTURES` and on the command line.
        title: name for people.
        paper: source.
        build: returns a network with random weights from settings by name and a score range.
        insertion_points: returns the places for a block, from settings by name, before any weight exists.
    """

    name: str
    title: str
    paper: str
    build: Callable[[Mapping[str, Any], ScoreRange], QualityModel]
    insertion_points: Callable[[Mapping[str, Any]], tuple[InsertionPoint, ...]]


ARCHITECTURES: dict[str, Architecture] = {
    "linearity": Architecture(
        "linearity",
        "Linearity",
        "Li et al., Norm-in-Norm Loss with Faster Convergence and Better Performance for IQA, ACM MM 2020",
        lambda settings, score_range: Linearity(LinearitySettings(**settings), score_range=score_range),
        lambda settings: Linearity.insertion_points(LinearitySettings(**settings)),
    ),
    "dbcnn": Architecture(
        "dbcnn",
        "DBCNN",
        "Zhang et al., Blind Image Quality Assessment Using a Deep Bilinear CNN, IEEE TCSVT 2020",
        lambda settings, score_range: DBCNN(DBCNNSettings(**settings), score_range=score_range),
        lambda settings: DBCNN.insertion_points(DBCNNSettings(**settings)),
    ),
    "tres": Architecture(
        "tres",
        "TReS",
        "Golestaneh et al., No-Reference IQA via Transformers, Relative Ranking, and Self-Consistency, WACV 2022",
        lambda settings, score_range: TReS(TReSSettings(**settings), score_range=score_range),
        lambda settings: TReS.insertion_points(TReSSettings(**settings)),
    ),
}


def architecture(name: str) -> Architecture:
    """Return the architecture called `name`; raise ConfigurationError that lists the names."""
    return ARCHITECTURES[check_choice("model", name, ARCHITECTURES)]


def set_short_side(network: QualityModel, pixels: int) -> None:
    """Set, in place, to how many pixels a network scales the shorter side of larger photos."""
    match network:
        case DBCNN():
            network.settings = replace(network.settings, short_side=pixels)
        case Linearity():
            network.settings = replace(network.settings, short_side=pixels)
            network.preprocessing.short_side = pixels
        case TReS():
            network.settings = replace(network.settings, short_side=pixels)
            network.preprocessing.short_side = pixels


def build(name: str, settings: Mapping[str, Any], score_range: ScoreRange) -> QualityModel:
    """Return a network with random weights.

    Args:
        name: key of `ARCHITECTURES`.
        settings: the architecture's settings, by name.
        score_range: range of the clean scores.

    Raises:
        ConfigurationError: unknown name or setting.
    """
    try:
        return architecture(name).build(settings, score_range)
    except TypeError as error:
        raise ConfigurationError(
            f"the settings {dict(settings)} do not fit {name}: {error}; correct the names"
        ) from error
