"""What decides a pruning page's plan and curve, its commands and its address. Knows nothing of Streamlit."""

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from robustiqa_core.checks import check_count
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.hardening import DISTILLATION, HardeningRecipe
from robustiqa_core.pruning import MAX_RATIO, PruningSettings
from ui.attacks.recipe import read_count
from ui.hardening.recipe import command_of

RATIOS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
"""The curve's points: ratio 0 is the whole model, which all others are held against."""
SHORT_TUNING = 2
"""Epochs of the short tuning."""
CROPS, HELD_OUT = 64, 48
"""Crops that the short tuning and criteria look at, and that models are compared on; small, so that a curve is soon
full."""
SIDE, RESIZE = 192, 384
"""Pixels of a side of a crop, and of a photo's shorter side before it is cut."""
_MOST_RATIOS = 51
_PLACE = 0.47
"""Stands for the ratio in a command until the variable of the loop does."""


@dataclass(frozen=True, slots=True)
class PruningRecipe:
    """Everything that decides the points of a curve.

    Args:
        model: architecture.
        variant: that is pruned.
        criterion: what makes a filter important, a key of `CRITERIA`.
        scope: `layer` takes the ratio of each layer, `global` the least important filters of all.
        epochs: of the tuning after the pruning; 0 for none.
        ratios: of the curve, ascending.
        data: `distillation`, or the name of the server's labelled set.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    model: str
    variant: str = "baseline"
    criterion: str = "l1"
    scope: str = "layer"
    epochs: int = SHORT_TUNING
    ratios: tuple[float, ...] = field(default_factory=lambda: RATIOS)
    data: str = DISTILLATION

    def __post_init__(self) -> None:
        check_count("the number of ratios", len(self.ratios), high=_MOST_RATIOS)
        if list(self.ratios) != sorted(set(self.ratios)):
            raise ConfigurationError(f"expected ratios in ascending order, got {self.ratios}; sort them")
        for ratio in self.ratios:
            self.hardening(ratio)

    def settings(self, ratio: float) -> PruningSettings:
        """Return what goes at a ratio."""
        return PruningSettings(self.criterion, ratio, self.scope)  # type: ignore[arg-type]

    def hardening(self, ratio: float) -> HardeningRecipe:
        """Return the point at a ratio as the core takes it: pruning and, if asked for, tuning; no block."""
        # Where nothing goes, no criterion is asked, and none needs to look at photos.
        pruning = self.settings(ratio) if ratio else PruningSettings(ratio=0.0)
        return HardeningRecipe(
            model=self.model,
            position=None,
            block=None,
            start=self.variant,
            pruning=pruning,
            tuned="all",
            data=self.data,
            crops=CROPS,
            validation_crops=HELD_OUT,
            resize=RESIZE,
            crop=SIDE,
            epochs=self.epochs,
        )

    @property
    def without_ratios(self) -> "PruningRecipe":
        """The same with the usual points: two recipes with the same have points that belong on one curve."""
        return replace(self, ratios=RATIOS)

    def with_ratio(self, ratio: float) -> "PruningRecipe":
        """Return the same with one more point."""
        return replace(self, ratios=tuple(sorted({*self.ratios, ratio})))

    @property
    def stem(self) -> str:
        """Model and variant, such as `linearity-baseline`."""
        return f"{self.model}-{self.variant}"

    def plan_command(self, ratio: float) -> str:
        """Return the command line that prints the plan; for a criterion that looks at photos, at the sample photos."""
        settings = self.settings(ratio)
        words = ["robustiqa", "prune-plan", "--model", self.model, "--variant", self.variant]
        words += ["--criterion", settings.criterion, "--ratio", f"{settings.ratio:g}", "--scope", settings.scope]
        return shlex.join(words)

    def curve_command(self) -> str:
        """Return a shell loop that makes every point of the curve where filters go; each card has the figures."""
        point = command_of(self.hardening(_PLACE), f"pruned-{_PLACE:g}")
        for word in ("pruned-", "--pruning-ratio "):
            point = point.replace(f"{word}{_PLACE:g}", f"{word}{'' if word.startswith('pruned') else '0.'}$percent")
        percents = " ".join(f"{100 * ratio:02.0f}" for ratio in self.ratios if ratio)
        return f"for percent in {percents}; do\n  {point} --json\ndone"

    def address(self, ratio: float) -> dict[str, str]:
        """Return the query parameters that open this view with the slider at a ratio."""
        return {
            "model": self.model,
            "variant": self.variant,
            "criterion": self.criterion,
            "scope": self.scope,
            "ratio": f"{ratio:g}",
            "tuning": str(self.epochs),
        }

    def key(self, weights: Sequence[str]) -> str:
        """Return a digest of everything here, under which the curve is kept.

        Args:
            weights: the digest of the model's: its name may be given to another model later.
        """
        values = json.dumps([asdict(self), list(weights)], sort_keys=True)
        return "pruning-" + hashlib.sha256(values.encode()).hexdigest()[:24]


def read_recipe(parameters: Mapping[str, str], stems: Sequence[str], *, data: str) -> tuple[PruningRecipe, float]:
    """Return what an address asks for, and the slider's ratio; what it leaves out has its default.

    Args:
        parameters: of the address.
        stems: of the models that can be pruned, the default first.
        data: name of the server's labelled set, or `distillation`.

    Raises:
        ConfigurationError: a value does not exist, cannot be read or is out of its range.
    """
    default = PruningSettings(ratio=0.3)
    stem = f"{parameters['model']}-{parameters.get('variant', 'baseline')}" if "model" in parameters else stems[0]
    if stem not in stems:
        raise ConfigurationError(f"expected a model that can be pruned, got {stem!r}; choose one of {', '.join(stems)}")
    model, _, variant = stem.partition("-")
    epochs = read_count(parameters, "tuning", SHORT_TUNING, high=SHORT_TUNING)
    if epochs not in (0, SHORT_TUNING):
        raise ConfigurationError(f"tuning must be 0 or {SHORT_TUNING}, got {epochs}; change it")
    recipe = PruningRecipe(
        model,
        variant,
        parameters.get("criterion", default.criterion),
        parameters.get("scope", default.scope),
        epochs,
        data=data,
    )
    text = parameters.get("ratio", f"{default.ratio:g}")
    try:
        ratio = round(float(text), 2)
    except ValueError as error:
        raise ConfigurationError(
            f"ratio must be a number from 0 to {MAX_RATIO}, got {text[:40]!r}; correct the address"
        ) from error
    recipe.settings(ratio)
    return recipe, ratio
