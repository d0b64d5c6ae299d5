"""HardeningRecipe: everything that decides how a model is hardened, in one value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from robustiqa_core.blocks import BlockSettings
from robustiqa_core.checks import (
    MIN_SIDE,
    Configuration,
    check_choice,
    check_count,
    check_flag,
    check_fraction,
    check_positive,
)
from robustiqa_core.device import PRECISIONS, Precision
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.hardening.objectives import OBJECTIVES, Objective, parse_objective, spell_objective
from robustiqa_core.models import ARCHITECTURES, architecture
from robustiqa_core.models.backbones import BACKBONES
from robustiqa_core.pruning import PruningSettings
from robustiqa_core.schema import NONE, as_text, choice, schema_of, setting
from robustiqa_core.training.state import LoopSettings

DISTILLATION = "distillation"
"""Name of the data where no labelled set is named: sample photos with the baseline's own scores."""

Tuned = Literal["rest", "all"]
TUNED: tuple[Tuned, ...] = ("rest", "all")
Targets = Literal["labels", "baseline"]
TARGETS: tuple[Targets, ...] = ("labels", "baseline")
Loss = Literal["own", "norm_in_norm"]
LOSSES: tuple[Loss, ...] = ("own", "norm_in_norm")

LABELLED_VALIDATION = 256
"""Held-out crops where the photos have labels and nothing else is asked for."""
_MOST_WEIGHT = 1e6
# Of trunks that halve their maps five times: all cells of such a crop are whole.
_CROP_STRIDE = 32


@dataclass(frozen=True, slots=True)
class HardeningRecipe(Configuration):
    """How a model is hardened: insert a block, prune, fine-tune. The same recipe gives the same model.

    Args:
        model: architecture, a key of `ARCHITECTURES`.
        position: insertion point of the block, such as `after_stage7`; None for no block.
        block: the block; None where there is no position, and only there.
        start: variant that is hardened.
        trunk: stem of a checkpoint with the same trunk, such as `linearity-hardened-at`, whose trunk's weights take
            the place of the start's before anything is tuned; None for the start's own. One robust trunk serves
            several architectures.
        weights: another variant of the same architecture, without block and pruning, whose weights are taken before
            anything is tuned, or several with `+` between them, for the mean of theirs (`mine:3+yours:2` where they
            count unequally); None for the start's. Without epochs, the result is a mix of these and the start.
        pruning: what goes; a ratio of 0 prunes nothing.
        tuned: `rest` tunes the block and what it reaches, everything else stays as it is; `all` tunes every layer.
        objective: what is minimised.
        hint_weight: of the error of the network's maps against the baseline's; in distillation only, 0 for none.
        data: `distillation`, or the name of a labelled set.
        crops: crops of an epoch; None for one of each photo of a labelled set. Tuning on kept maps shows the same
            crops in every epoch, any other tuning draws new ones.
        degraded: share of the crops of a labelled set that are degraded, by a random kind and level; what is learnt of
            these is the baseline's own score. (Distillation degrades three of four in any case.)
        targets: of the crops of a labelled set: `labels`, or the `baseline`'s own scores, which also tell apart what
            people's few opinions do not. (Distillation knows no others.)
        loss: of scores and targets: `own` is the architecture's, in distillation the mean squared error;
            `norm_in_norm` does not care about the scale of a batch's scores, so that they cannot be narrowed to move
            less under attack.
        better_half: share of the batches of a labelled set whose photos are all of its better half. Among good photos
            alone, what an attack gains weighs against the small differences between them.
        validation_crops: crops of held-out photos, the same for every seed.
        resize: pixels of a photo's shorter side before cropping.
        smallest_resize: for the crops of a labelled set the shorter side is drawn from this to `resize`; None for
            `resize` always.
        crop: pixels of a side of a crop.
        smallest_crop: for each batch of a labelled set the side is drawn from every 32nd from this to `crop`; None for
            `crop` always.
        whole: share of the crops of a labelled set that are whole photos, their shorter side made that of a crop. Where
            there are any, whole photos are what the network is judged by.
        short_side: the network scales photos to a shorter side of so many pixels, where it is longer; None for that
            of the start. A smaller one is faster, and leaves an attack fewer pixels.
        epochs: passes over the crops; 0 leaves the weights as they are.
        patience: epochs in a row without a better figure, after which tuning on fresh crops ends; 0: never.
        batch_size: crops in a step.
        rate: peak learning rate (AdamW) of the network's own layers.
        block_rate: peak learning rate of the block.
        weight_decay: AdamW's, of weight matrices and kernels.
        mix: share of the tuned weights in the result, in (0, 1]; the rest is the weights of the start. Less than 1
            trades robustness for agreement with people; a block's weights have no start, and are all tuned ones.
        learn_statistics: whether batch normalisations go on measuring; only where all layers are tuned. Off, they keep
            the statistics of the start: those of a few photos, or of attacked ones, are worse.
        precision: of the forward passes in tuning, and of what is computed once for it. What judges the result is
            computed in float32.
        seed: of order and crops. (The block and the criterion `random` have their own.)

    Raises:
        ConfigurationError: a value is out of its range, or two of them contradict each other.
    """

    model: str = setting(codec=choice(ARCHITECTURES), shown=True, help="architecture")
    position: str | None = setting(
        shown=True, help="insertion point of the block, or none (default: behind the trunk's last stage)"
    )
    block: BlockSettings | None = setting(needs="position")
    start: str = setting("baseline", help="variant that is hardened")
    trunk: str | None = setting(
        None,
        option="trunk_from",
        metavar="MODEL-VARIANT",
        help="stored model whose trunk's weights are taken, such as linearity-hardened-at (default: the start's own)",
        later=True,
    )
    weights: str | None = setting(
        None,
        option="weights_from",
        metavar="VARIANT[:SHARE][+...]",
        help="variant of the same model whose weights are taken, to tune on or to mix, or several for the mean of "
        "theirs (default: the start's own)",
        later=True,
    )
    pruning: PruningSettings = setting(make=PruningSettings)
    tuned: Tuned = setting(
        "rest", usually="rest for clean with a block, else all", help="the block and what it reaches, or all layers"
    )
    objective: Objective = setting(
        make=Objective,
        codec=as_text(parse_objective, spell_objective, f"an objective such as {', '.join(OBJECTIVES)}"),
        metavar="TERM[:KEY=VALUE,...][+...]",
        help=f"such as {', '.join(OBJECTIVES)}, at:eps=4/255,steps=5",
    )
    hint_weight: float = setting(
        1.0, help="of the error of the maps against the baseline's, in distillation; 0 for none"
    )
    data: str = setting(DISTILLATION, option="dataset", parameter="", help="labelled set")
    crops: int | None = setting(
        192, shown=True, usually="192, or one of each labelled photo", help="of an epoch, or none for one of each photo"
    )
    degraded: float = setting(
        0.0, metavar="SHARE", help="of the labelled crops that are degraded and scored by the baseline", later=True
    )
    targets: Targets = setting(
        "labels", help="of the labelled crops: their labels, or the baseline's scores", later=True
    )
    loss: Loss = setting(
        "own", help="the architecture's own, or one that no narrowing of the scores lowers", later=True
    )
    better_half: float = setting(
        0.0, metavar="SHARE", help="of the batches whose labelled photos are all of the better half", later=True
    )
    validation_crops: int = setting(
        64, usually=f"64, or {LABELLED_VALIDATION} of labelled photos", help="crops of held-out photos"
    )
    resize: int = setting(384, metavar="PX", help="shorter side before the crop")
    smallest_resize: int | None = setting(
        None, metavar="PX", help="draw the shorter side from this to --resize", later=True
    )
    crop: int = setting(224, metavar="PX", help="side of a crop")
    smallest_crop: int | None = setting(
        None, metavar="PX", help="draw the side of a batch from this to --crop", later=True
    )
    whole: float = setting(
        0.0,
        metavar="SHARE",
        help="of the labelled crops that are whole photos of that side; judge by whole photos",
        later=True,
    )
    short_side: int | None = setting(
        None, metavar="PX", help="to which the model scales larger photos (default: the start's)", later=True
    )
    epochs: int = setting(5, shown=True, help="passes over the crops")
    patience: int = setting(
        0, metavar="EPOCHS", help="without a better figure, after which tuning ends; 0 for never", later=True
    )
    batch_size: int = setting(16, help="crops in a step")
    rate: float = setting(3e-4, help="peak learning rate")
    block_rate: float = setting(1e-3, help="that of the block")
    weight_decay: float = setting(0.01, help="of weight matrices and kernels")
    mix: float = setting(1.0, help="share of the tuned weights in the result")
    learn_statistics: bool = setting(False, help="let normalisations go on measuring")
    precision: Precision = setting("float32", parameter="", help="of the tuning")
    seed: int = setting(0, shown=True, help="of order and crops")

    def __post_init__(self) -> None:
        known = positions_of(self.model)
        if self.position is not None:
            check_choice("position", self.position, known)
        if (self.position is None) != (self.block is None):
            raise ConfigurationError(
                f"expected a block with a position, and none without, got position {self.position} "
                f"{'without' if self.block is None else 'with'} a block; give both or neither"
            )
        check_choice("tuned", self.tuned, TUNED)
        if self.tuned == "rest" and self.position is None:
            raise ConfigurationError(
                "expected a position where only what the block reaches is tuned, got none; give one, or tune all layers"
            )
        check_flag("learn_statistics", self.learn_statistics)
        if self.learn_statistics and self.tuned == "rest":
            raise ConfigurationError(
                "expected statistics to be learnt only where all layers are tuned, got them with tuned rest; "
                "the frozen layers were made for the old ones: tune all layers, or leave it off"
            )
        for name in ("start", "data", "trunk", "weights"):
            if getattr(self, name) == "":
                raise ConfigurationError(f"{name} must be a name, got nothing; give one")
            if getattr(self, name) == NONE:
                raise ConfigurationError(f"{name} cannot be {NONE!r}, which stands for no name; give another")
        if self.trunk is not None and self.weights is not None:
            raise ConfigurationError(
                f"expected a trunk or all weights of another model, got the trunk of {self.trunk} and the weights of "
                f"{self.weights}; leave one out"
            )
        if self.crops is None and self.data == DISTILLATION:
            raise ConfigurationError("distillation draws as many crops as it is asked for, got None; give a number")
        check_choice("targets", self.targets, TARGETS)
        check_choice("loss", self.loss, LOSSES)
        check_fraction("better_half", self.better_half, zero=True)
        labelled = {
            "targets": "labels",
            "better_half": 0.0,
            "smallest_resize": None,
            "smallest_crop": None,
            "whole": 0.0,
        }
        asked = [name for name, nothing in labelled.items() if getattr(self, name) != nothing]
        if self.is_distillation and asked:
            raise ConfigurationError(
                "expected targets, better_half, smallest_resize, smallest_crop and whole only with a labelled set, "
                f"got {' and '.join(asked)} with distillation; name a set, or leave them out"
            )
        fresh = [name for name in ("better_half", "smallest_crop", "patience") if getattr(self, name)]
        if fresh and self.keeps_maps:
            raise ConfigurationError(
                f"expected {' and '.join(fresh)} only where fresh crops are drawn, got it with kept maps; "
                "tune all layers, or add a term to the objective"
            )
        check_fraction("degraded", self.degraded, zero=True)
        if self.degraded and self.is_distillation:
            raise ConfigurationError(
                f"expected a share of degraded crops only with a labelled set, got {self.degraded:g} with "
                "distillation, which degrades three of four in any case; name a set, or leave it at 0"
            )
        check_count("seed", self.seed, low=0)
        self._check_loop()

    def _check_loop(self) -> None:
        """Raise ConfigurationError if a number of the fine-tuning is out of its range."""
        check_count("epochs", self.epochs, low=0)
        check_count("batch_size", self.batch_size, low=2)
        if self.crops is not None:
            check_count("crops", self.crops, low=self.batch_size)
        # A rank correlation of fewer says nothing.
        check_count("validation_crops", self.validation_crops, low=4)
        check_count("crop", self.crop, low=MIN_SIDE, high=4096)
        check_count("resize", self.resize, low=self.crop, high=4096)
        if self.smallest_resize is not None:
            check_count("smallest_resize", self.smallest_resize, low=self.crop, high=self.resize)
        if self.smallest_crop is not None:
            check_count("smallest_crop", self.smallest_crop, low=MIN_SIDE, high=self.crop)
        if self.short_side is not None:
            check_count("short_side", self.short_side, low=MIN_SIDE, high=4096)
        check_fraction("whole", self.whole, zero=True)
        check_count("patience", self.patience, low=0)
        if not 0.0 <= self.hint_weight <= _MOST_WEIGHT:
            raise ConfigurationError(
                f"hint_weight must be from 0 to {_MOST_WEIGHT:g}, got {self.hint_weight:g}; change it"
            )
        check_positive("rate", self.rate)
        check_positive("block_rate", self.block_rate)
        check_fraction("weight_decay", self.weight_decay, zero=True)
        check_fraction("mix", self.mix)
        check_choice("precision", self.precision, PRECISIONS)

    @property
    def is_distillation(self) -> bool:
        """Whether the baseline's own scores are learnt, for want of labels."""
        return self.data == DISTILLATION

    @property
    def keeps_maps(self) -> bool:
        """Whether the front is computed once: it stays as it is, and the objective needs no photos."""
        return self.tuned == "rest" and not self.objective.needs_pixels

    @property
    def loop(self) -> LoopSettings:
        """How the steps of the fine-tuning are taken."""
        return LoopSettings(
            epochs=self.epochs,
            batch_size=self.batch_size,
            weight_decay=self.weight_decay,
            precision=self.precision,
            seed=self.seed,
            patience=self.patience,
        )

    @property
    def replays(self) -> int:
        """How often each batch is shown in a row."""
        return 1 if self.objective.against_rank is None else self.objective.against_rank.replays

    @property
    def crop_sides(self) -> tuple[int, ...]:
        """The sides that the crops of a batch may have, ascending."""
        least = self.crop if self.smallest_crop is None else self.smallest_crop
        return tuple(range(self.crop, least - 1, -_CROP_STRIDE))[::-1]

    def rate_of(self, block: str | None) -> Callable[[str], float]:
        """Return a function from a weight's name to its peak learning rate; that of the block at a path is its own."""
        return lambda name: self.block_rate if block is not None and name.startswith(f"{block}.") else self.rate

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as a JSON object, which `from_json` reads; of what came later only what it asks for.

        So the keys of recipes that were written before there was a choice stay as they are.
        """
        return HARDENING.to_json(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, place: str) -> "HardeningRecipe":
        """Return the recipe from a JSON object; see `Schema.from_json`."""
        return HARDENING.from_json(value, place=place)

    def key(self) -> str:
        """Return a name for the recipe: the first 16 digits of the SHA-256 of its canonical JSON."""
        return HARDENING.key(self)


HARDENING = schema_of(HardeningRecipe, "a hardening recipe")
"""How a hardening is written: options, command, address, JSON."""


def positions_of(model: str) -> tuple[str, ...]:
    """Return the insertion points of an architecture with any trunk, in depth order for each trunk.

    Raises:
        ConfigurationError: unknown architecture.
    """
    points = architecture(model).insertion_points
    return tuple(dict.fromkeys(point.name for trunk in BACKBONES for point in points({"backbone": trunk})))
