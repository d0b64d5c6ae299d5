"""Model cards: how a bundled model was made, how good it is, what its numbers mean."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from operator import index
from typing import Any, Literal, TypeAlias

from robustiqa_core.errors import InputError
from robustiqa_core.scorer import ScoreRange


@dataclass(frozen=True, slots=True)
class Training:
    """How the weights were made.

    Args:
        dataset: name and split of the data.
        photos: photos that the weights were fitted to.
        start: weights that the training started from.
        command: the command that repeats it.
        seconds: wall time of the whole training.
        settings: all other settings, by name.
    """

    dataset: str
    photos: int
    start: str
    command: str
    seconds: float
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measurement:
    """Agreement with human scores on photos not used for training or selection.

    Args:
        dataset: name and split of the data.
        photos: number of photos.
        srocc: Spearman's rank correlation; it and the next three are None where they are undefined, as for scores that
            are all equal.
        plcc: Pearson's correlation after the usual 4-parameter logistic.
        krocc: Kendall's tau-b.
        rmse: root mean squared error after the same logistic, in the MOS's unit.
        command: the command that repeats it.
    """

    dataset: str
    photos: int
    srocc: float | None
    plcc: float | None
    krocc: float | None
    rmse: float | None
    command: str


RangeKind: TypeAlias = Literal["measured", "matched"]


@dataclass(frozen=True, slots=True)
class RangeSource:
    """The source of a model's score range, the basis of the convention `own`.

    Args:
        kind: `measured`: lowest and highest score of `photos` photos. `matched`: the range of another model, to whose
            mean and spread the scores were brought on `photos` held-out crops; the model's own ends are not known.
        photos: how many photos, or crops.
        of: name of the photos; of a matched range, the model whose range it is.
        command: that repeats the measurement; empty for a matched range.
        photos_sha256: digest of the photos' names and bytes; empty where it is not known.

    Raises:
        InputError: the kind is unknown.

    Example:
        >>> RangeSource("matched", 256, "linearity-baseline").words
        'matched to the mean and spread of linearity-baseline on 256 held-out crops, not measured'
    """

    kind: RangeKind
    photos: int
    of: str
    command: str = ""
    photos_sha256: str = ""

    def __post_init__(self) -> None:
        if self.kind not in ("measured", "matched"):
            raise InputError(f"a score range is measured or matched, got {self.kind!r}; restore the card")

    @property
    def words(self) -> str:
        """A description of the range, for people."""
        if self.kind == "matched":
            return f"matched to the mean and spread of {self.of} on {self.photos:,} held-out crops, not measured"
        return f"measured on {self.photos:,} photos of {self.of}"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The card of a checkpoint; a JSON file beside the weights.

    Args:
        model: architecture, a key of `ARCHITECTURES`.
        variant: `baseline` or the name of a hardened version.
        settings: the architecture's settings, by name.
        score_range: lowest and highest score on clean photos of the training set, as far as `range_source` goes.
        score_unit: what a score is, with its nominal scale and direction.
        training: how the weights were made.
        measurements: agreement with human scores.
        sha256: of the safetensors file.
        licence: of the weights.
        limits: what the model must not be used for, in one or two sentences.
        versions: of the packages that it was made with.
        blocks: settings of each RobustBlock by insertion point; without them the network has no blocks.
        pruning: remaining filters by the name of their group of channels, for groups with fewer than the
            architecture has; without them the network was not pruned.
        hardening: recipe and figures of a hardened version, as `robustiqa_core.hardening` writes them; {} for others.
        range_source: where the score range comes from; None in cards that do not say it, see `known_range_source`.
    """

    model: str
    variant: str
    settings: Mapping[str, Any]
    score_range: ScoreRange
    score_unit: str
    training: Training
    measurements: tuple[Measurement, ...]
    sha256: str
    licence: str
    limits: str
    versions: Mapping[str, str]
    blocks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pruning: Mapping[str, int] = field(default_factory=dict)
    hardening: Mapping[str, Any] = field(default_factory=dict)
    range_source: RangeSource | None = None

    @property
    def known_range_source(self) -> RangeSource | None:
        """Where the score range comes from; for a card that does not say it, what its making tells, or None."""
        if self.range_source is not None:
            return self.range_source
        if self.hardening:
            start = f"{self.model}-{self.hardening.get('recipe', {}).get('start', 'baseline')}"
            return RangeSource("matched", self.hardening.get("agreement", {}).get("crops", 0), start)
        measured = self.training.settings.get("mapping_photos")
        return None if measured is None else RangeSource("measured", measured, self.training.dataset)

    @property
    def stem(self) -> str:
        """Name of the two files of the checkpoint, without ending."""
        return f"{self.model}-{self.variant}"

    def to_json(self) -> dict[str, Any]:
        """Return the card as a JSON object, which `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, place: str) -> "ModelCard":
        """Return the card from a JSON object.

        Args:
            value: as `to_json` makes it.
            place: where it came from, for the error.

        Raises:
            InputError: a key is missing, unknown or of the wrong kind.
        """
        try:
            card = cls(
                **{
                    **value,
                    "settings": dict(value["settings"]),
                    "score_range": ScoreRange(**value["score_range"]),
                    "training": Training(**value["training"]),
                    "measurements": tuple(Measurement(**item) for item in value["measurements"]),
                    "versions": dict(value["versions"]),
                    # Unpacked, so that anything but an object is a TypeError.
                    "blocks": {point: dict(**block) for point, block in dict(**value.get("blocks", {})).items()},
                    "pruning": {group: index(count) for group, count in dict(**value.get("pruning", {})).items()},
                    "hardening": dict(**value.get("hardening", {})),
                    "range_source": None if (found := value.get("range_source")) is None else RangeSource(**found),
                }
            )
            card._check_kinds()
            return card
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            raise InputError(
                f"expected a model card in {place}, got one that does not match ({error}); restore it"
            ) from error

    def _check_kinds(self) -> None:
        """Raise TypeError if a text is not a string or a displayed figure not a number."""
        texts = [getattr(self, name) for name in ("model", "variant", "score_unit", "sha256", "licence", "limits")]
        texts += [self.training.dataset, self.training.start, self.training.command]
        texts += [text for one in self.measurements for text in (one.dataset, one.command)]
        numbers: list[object] = [self.training.photos, self.training.seconds]
        for one in self.measurements:
            numbers += [one.photos, one.srocc, one.plcc, one.krocc, one.rmse]
        if wrong := [text for text in texts if not isinstance(text, str)]:
            raise TypeError(f"{wrong[0]!r:.40} is not text")
        if wrong := [number for number in numbers if isinstance(number, bool) or not isinstance(number, int | float)]:
            raise TypeError(f"{wrong[0]!r:.40} is not a number")


@dataclass(frozen=True, slots=True)
class UnusableModel:
    """A listed model, bundled or own, that cannot be used.

    Args:
        name: of the model, or of the file that lists it.
        reason: what is wrong with it, and what to do.
    """

    name: str
    reason: str


def unmeasured_ranges(cards: Iterable[ModelCard], stems: Collection[str]) -> dict[str, str]:
    """Return a description of each own range that was not measured, by the stem of its model.

    Args:
        cards: of all models.
        stems: models that are asked for; those without a card are left out.
    """
    sources = {card.stem: card.known_range_source for card in cards if card.stem in stems}
    return {stem: found.words for stem, found in sources.items() if found is not None and found.kind != "measured"}
