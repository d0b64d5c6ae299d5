"""What `import robustiqa_core as rq` gives: the whole library in a few names, put together from its rooms.

Nothing is computed here. Whoever wants the steps of something slow one by one, or the tensors in between, calls the
rooms themselves: `attacks.run`, `evaluation.tables.evaluate`, `audit.audit` and `hardening.harden` are iterators of
records.
"""

import functools
import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeAlias, TypeVar, cast, overload

import pandas as pd
from torch import Tensor, nn

from robustiqa_core import hardening, pruning
from robustiqa_core.attacks import (
    APGD,
    ATTACKS,
    FGSM,
    MIFGSM,
    NES,
    PGD,
    UAP,
    Attack,
    AttackResult,
    Colour,
    LowFrequency,
    Noise,
    Perceptual,
    Square,
    StAdv,
    TextureAware,
    Worst,
    parse_attack,
)
from robustiqa_core.auditing import AuditPlan, AuditReport, read_photos
from robustiqa_core.auditing import audit as audit_records
from robustiqa_core.auditing.comparison import symptoms, verdicts
from robustiqa_core.auditing.diagnosis import Symptom
from robustiqa_core.blocks import BlockSettings, fold_blocks, insert
from robustiqa_core.checkpoints.storage import (
    as_scorer,
    is_folded,
    list_cards,
    load_card,
    load_network,
    network_of,
    save_checkpoint,
)
from robustiqa_core.checks import check_keywords
from robustiqa_core.device import choose_device, device_of, fast_training_precision
from robustiqa_core.errors import (
    ConfigurationError,
    InputError,
    MissingWeightsError,
    NumericalError,
    RobustIQAError,
    UnknownSettingError,
)
from robustiqa_core.evaluation.tables.evaluate import evaluate as table_records
from robustiqa_core.evaluation.tables.models import fingerprint, list_models, named_model, split_name, table_reference
from robustiqa_core.evaluation.tables.output import table_frame, write_table
from robustiqa_core.evaluation.tables.photos import find_photos
from robustiqa_core.evaluation.tables.plan import TableModel, TablePlan, in_order
from robustiqa_core.evaluation.tables.rows import Skipped, TableRow
from robustiqa_core.evaluation.tables.summary import Summary, summarise_rows
from robustiqa_core.files import read_json
from robustiqa_core.hardening import Hardened, HardeningRecipe, TuningData
from robustiqa_core.images.photo import MAX_SIDE, Photo, read_image
from robustiqa_core.images.photo_input import PhotoLike, as_images
from robustiqa_core.images.samples import list_samples
from robustiqa_core.metrics.scale import Convention
from robustiqa_core.models import QualityModel
from robustiqa_core.models.card import ModelCard
from robustiqa_core.own_models import OWN, resolve_scorer
from robustiqa_core.pruning import PruningPlan, PruningSettings, Scope
from robustiqa_core.scorer import Scorer, ScoreRange
from robustiqa_core.verdict import Verdict

P = ParamSpec("P")
T = TypeVar("T")
Network = TypeVar("Network", bound=nn.Module)
Progress: TypeAlias = Callable[[Any], object]
"""Called with every record of something slow, as it comes."""

CARD, WEIGHTS = ".json", ".safetensors"
"""Endings of the two files of a checkpoint."""


def _told(function: Callable[P, T]) -> Callable[P, T]:
    """Let a function say which keyword argument a misspelt one may have been."""
    known = tuple(inspect.signature(function).parameters)

    @functools.wraps(function)
    def checked(*values: P.args, **settings: P.kwargs) -> T:
        check_keywords(function.__name__, settings, known)
        return function(*values, **settings)

    return checked


def _last(records: Iterable[Any], progress: Progress | None) -> Any:
    """Run something slow to its end, show `progress` each record, and return the last one."""
    for record in records:
        if progress is not None:
            progress(record)
    return record


@overload
def load(
    model: str | Path, variant: str | None = None, *, device: str = "auto", trainable: Literal[True]
) -> QualityModel: ...
@overload
def load(model: str | Path, variant: str | None = None, *, device: str = "auto", trainable: bool = False) -> Scorer: ...
@_told
def load(model: str | Path, variant: str | None = None, *, device: str = "auto", trainable: bool = False) -> Scorer:
    """Return a model, in evaluation mode, that maps images (N, 3, H, W) in [0, 1] to scores (N,), larger is better.

    Args:
        model: architecture (`linearity`), or with the variant (`linearity-hardened-plus`); the path of a checkpoint
            that `save` or the app wrote; or a model of your own: its name in ROBUSTIQA_MODELS, `module:callable`,
            `file.py:callable`, or a TorchScript or exported file.
        variant: of a bundled model: `baseline`, which is the default, or a hardened version.
        device: `auto` takes CUDA, then Apple's GPU, then the CPU; or `cpu`, `mps`, `cuda`, `cuda:N`.
        trainable: leave a network as it was trained, its weights free to learn, for `prune` and `insert_block`;
            otherwise it is frozen and made fast. The scores differ by rounding only.

    Raises:
        ConfigurationError: no such model, variant or device.
        MissingWeightsError: no such file.
        InputError: the weights do not fit their card, or your own model is no Scorer.
    """
    place = choose_device(device)
    path = Path(model)
    if path.suffix in (CARD, WEIGHTS):
        card = _card_at(path.with_suffix(CARD), variant)
        network = network_of(card, path.parent, device=place)
        return network if trainable else as_scorer(network)
    name, own_variant = split_name(str(model))
    if variant is not None and own_variant not in ("baseline", variant):
        raise ConfigurationError(f"expected one variant, got {model} and {variant}; give load({name!r}, {variant!r})")
    if not trainable:
        return resolve_scorer(name, variant or own_variant, device=place)
    if own_variant == OWN:
        raise ConfigurationError(f"only a network of this package can be trainable, got {model}; omit trainable")
    return load_network(name, variant or own_variant, device=place)


def _card_at(path: Path, variant: str | None) -> ModelCard:
    if not path.is_file():
        raise MissingWeightsError(f"expected the card of a checkpoint at {path}, got no file; check the path")
    card = ModelCard.from_json(read_json(path), place=path.name)
    if variant not in (None, card.variant):
        raise ConfigurationError(f"expected variant {variant}, got {card.variant} in {path.name}; omit it")
    return card


@_told
def save(hardened: Hardened, folder: Path | str) -> Path:
    """Write the checkpoint of a hardened model: its weights and its card; return the path that `load` takes.

    Args:
        hardened: what `harden` returned.
        folder: made where it is missing; files of the same name are replaced.
    """
    root = Path(folder)
    return root / f"{save_checkpoint(hardened.network, hardened.card, root=root).stem}{WEIGHTS}"


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """A table of attacked photos: photos x models x attacks.

    Args:
        rows: one a photo, model and attack, in this order.
        skipped: what is missing, and why.
        plan: what it was made of.
    """

    rows: tuple[TableRow, ...]
    skipped: tuple[Skipped, ...]
    plan: TablePlan

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a tidy frame; what has parts has names with a dot (`settings.eps`)."""
        return table_frame(self.rows)

    def save(self, path: Path | str) -> Path:
        """Write the table as .parquet, .csv or .json, as `robustiqa evaluate` does; return the path."""
        write_table(Path(path), self.rows, self.skipped)
        return Path(path)

    def summary(
        self,
        convention: Convention = "own",
        *,
        baseline: str | None = None,
        fixed_range: tuple[float, float] | None = None,
        resamples: int = 1000,
    ) -> Summary:
        """Return the figures of each model under each attack with 95 % intervals; see `docs/reference/metrics.md`.

        Args:
            convention: by which range scores are scaled: `own`, `baseline`, `fixed` or `photos`.
            baseline: model that all are compared with; by default the baseline of each architecture.
            fixed_range: lowest and highest score of the nominal scale, for `fixed`.
            resamples: bootstrap draws.
        """
        fixed = None if fixed_range is None else ScoreRange(*fixed_range)
        named = None if baseline is None else "-".join(split_name(baseline))
        reference = table_reference(self.plan, baseline=named, fixed=fixed)
        return summarise_rows(self.rows, reference, convention, resamples=resamples)

    def verdicts(self, convention: Convention = "own") -> dict[str, tuple[str, Verdict]]:
        """Return the baseline and the verdict of each hardened model whose baseline was attacked too."""
        return verdicts(self.rows, self.summary(convention), _cards())

    def symptoms(self) -> dict[str, tuple[Symptom, ...]]:
        """Return the known failures of hardened models that the table shows, by the stem of the model."""
        return symptoms(self.rows, _cards())


def _cards() -> dict[str, ModelCard]:
    return {card.stem: card for card in list_cards()}


@_told
def evaluate(
    photos: str | Path | Sequence[str | Path],
    models: str | Sequence[str] | Mapping[str, Scorer] = "linearity",
    attacks: Attack | str | Sequence[Attack | str] = "pgd",
    *,
    eps: Sequence[float] = (),
    transfer: bool = False,
    mos: Mapping[str, float] | None = None,
    limit: int | None = None,
    batch_size: int = 8,
    max_side: int = MAX_SIDE,
    device: str = "auto",
    progress: Progress | None = None,
) -> Evaluation:
    """Attack photos with several models, attacks and strengths, and return one table.

    Args:
        photos: files, folders of photos, or `samples` for those that the product ships.
        models: names as `load` takes them, or scorers by a name of yours.
        attacks: attacks, or texts such as `pgd:steps=20`.
        eps: strengths, each of which replaces the attacks' own; none leaves them as they are.
        transfer: whether each adversarial image is also scored by all other models.
        mos: human scores by path, or by file name where it is that of one photo, for the agreement with people under
            attack.
        limit: only so many of the first photos.
        batch_size: most photos that are attacked together.
        max_side: larger photos are reduced to this many pixels.
        device: for models that are named; scorers stay where they are.
        progress: called with each row, and each `Skipped`.

    Raises:
        ConfigurationError: an unknown model or attack, or a setting out of its range.
        InputError: no photos.
    """
    words = [photos] if isinstance(photos, str | Path) else photos
    found = find_photos([str(word) for word in words], limit=limit)
    paths = found.paths
    made = _table_models(models, device)
    listed = [attacks] if isinstance(attacks, str) or not isinstance(attacks, Sequence) else attacks
    plan = TablePlan(
        models=made,
        attacks=_strengthened(listed, eps),
        device=device_of(made[0].scorer) or choose_device("cpu"),
        batch_size=batch_size,
        max_side=max_side,
        transfer=transfer,
        mos=_by_path(mos or {}, paths),
    )
    records: list[TableRow | Skipped] = [Skipped(str(file.path), file.reason) for file in found.left_out]
    for record in table_records(paths, plan):
        records.append(record)
        if progress is not None:
            progress(record)
    rows = in_order((record for record in records if isinstance(record, TableRow)), paths, plan)
    return Evaluation(tuple(rows), tuple(record for record in records if isinstance(record, Skipped)), plan)


def _by_path(mos: Mapping[str, float], paths: Sequence[Path]) -> dict[str, float]:
    """Return human scores by the path of the photo; a name stands for a photo only where no other photo has it."""
    names = Counter(path.name for path in paths)
    keys = {path: [str(path), *([path.name] if names[path.name] == 1 else [])] for path in paths}
    return {str(path): mos[key] for path, known in keys.items() for key in reversed(known) if key in mos}


def _table_models(models: str | Sequence[str] | Mapping[str, Scorer], device: str) -> tuple[TableModel, ...]:
    if isinstance(models, Mapping):
        return tuple(TableModel(name, OWN, scorer, fingerprint(scorer)) for name, scorer in models.items())
    names = [models] if isinstance(models, str) else models
    return tuple(named_model(name, device=choose_device(device)) for name in names)


def _strengthened(attacks: Sequence[Attack | str], strengths: Sequence[float]) -> tuple[Attack, ...]:
    """Return each attack in each strength; one that has no `eps` once."""
    made = [parse_attack(attack) if isinstance(attack, str) else attack for attack in attacks]
    return tuple(
        replace(cast(Any, attack), eps=strength) if strength is not None else attack
        for attack in made
        for strength in (strengths if strengths and hasattr(attack, "eps") else [None])
    )


@_told
def audit(
    model: Scorer,
    photos: Sequence[str | Path] | Tensor = (),
    *,
    attack: Attack | None = None,
    reference: Scorer | None = None,
    progress: Progress | None = None,
) -> AuditReport:
    """Ask whether a model is robust or only looks so, by the checks of `docs/reference/audit.md`; takes about a minute.

    Args:
        model: what is audited.
        photos: files, or images (N, 3, H, W); by default four sharp sample photos. Files are cut to 224 x 224 px.
        attack: whose results are to be trusted or doubted; APGD with 40 steps by default.
        reference: a model to compare with, such as the baseline of a hardened one.
        progress: called with each `AuditStep`, and the report.

    Raises:
        InputError: the photos are not what they should be.
        ConfigurationError: an attack without a goal.
    """
    images = photos if isinstance(photos, Tensor) else read_photos([Path(photo) for photo in photos])
    plan = AuditPlan() if attack is None else AuditPlan(attack)
    records = audit_records(model, images.to(device_of(model) or images.device), plan, reference=reference)
    return cast(AuditReport, _last(records, progress))


@_told
def harden(
    recipe: HardeningRecipe | str = "linearity",
    *,
    name: str = "hardened",
    data: TuningData | None = None,
    cache: Path | str | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> Hardened:
    """Harden a bundled model: insert a block, prune, fine-tune; return the network and its card.

    Args:
        recipe: how; or an architecture, for its default recipe: a RobustBlock behind the last stage of its trunk, a
            tenth of the filters pruned, tuned for the baseline's own scores of the sample photos.
        name: of the new variant.
        data: labelled photos, from `hardening.labelled_data`, where the recipe names a set.
        cache: folder where what the next recipe needs too is kept.
        device: as for `load`.
        progress: called with each record of `hardening.harden`.

    Raises:
        ConfigurationError: the recipe does not fit the model or the data.
        NumericalError: the tuning diverged.
    """
    place = choose_device(device)
    model, variant = (recipe, "baseline") if isinstance(recipe, str) else (recipe.model, recipe.start)
    start = load_card(model, variant)
    if isinstance(recipe, str):
        position = hardening.last_stage(recipe, start.settings)
        recipe = HardeningRecipe(recipe, position, BlockSettings(), precision=fast_training_precision(place))
    records = hardening.harden(
        recipe,
        load_network(model, variant, device=place),
        start,
        data or hardening.distillation_data(recipe),
        trunk=None if recipe.trunk is None else hardening.load_trunk(recipe.trunk),
        weights=None if recipe.weights is None else hardening.load_weights(recipe.model, recipe.weights),
        name=name,
        command=f"robustiqa_core.harden({recipe!r}, name={name!r})",
        cache=hardening.HardeningCache(None if cache is None else Path(cache)),
    )
    return cast(Hardened, _last(records, progress))


@_told
def insert_block(network: Network, position: str, block: BlockSettings | None = None) -> Network:
    """Return a copy of a network with a block at an insertion point, such as `after_stage5`.

    An isometric block, which is the default, starts as the identity: the scores stay what they are until it is tuned.

    Args:
        network: from `load`, not touched.
        position: where; a wrong name lists the places that there are.
        block: which; by default an isometric block of 64 channels with a Cayley convolution.

    Raises:
        ConfigurationError: no such place, one that has a block, or a block that does not fit.
    """
    blocked = insert(network, position, block or BlockSettings())
    if is_folded(network):
        fold_blocks(blocked)
    return blocked


@_told
def prune(
    network: Network,
    ratio: float = 0.1,
    *,
    criterion: str = "l1",
    scope: Scope = "layer",
    multiple: int = 8,
    seed: int = 0,
    photos: Iterable[PhotoLike] | None = None,
) -> tuple[Network, PruningPlan]:
    """Return a smaller copy of a network, without its least important filters, and the plan that says which these are.

    Args:
        network: from `load(..., trainable=True)`, not touched.
        ratio: share of the filters that go, in [0, 0.5].
        criterion: what makes a filter important, a key of `pruning.CRITERIA`.
        scope: `layer` takes that share of each layer, `global` the least important of all together.
        multiple: what stays in a layer is rounded to a multiple of this.
        seed: of the criterion `random`.
        photos: for a criterion that looks at photos; by default the sample photos.

    Raises:
        ConfigurationError: a network that was made fast for scoring, or a setting out of its range.
    """
    if is_folded(network):
        raise ConfigurationError(
            "expected an unfolded network, got one folded for scoring; load it with trainable=True"
        )
    settings = PruningSettings(criterion, ratio, scope, multiple, seed)
    if photos is None and pruning.CRITERIA[settings.criterion].needs_photos:
        photos = [sample.path for sample in list_samples()]
    images = (as_images(photo).to(device_of(network)) for photo in photos or ())
    plan = pruning.plan(cast(QualityModel, network), settings, images=images)
    return pruning.bake(network, plan), plan


__all__ = [
    "APGD",
    "ATTACKS",
    "FGSM",
    "MIFGSM",
    "NES",
    "PGD",
    "UAP",
    "AttackResult",
    "AuditReport",
    "BlockSettings",
    "Colour",
    "ConfigurationError",
    "Evaluation",
    "Hardened",
    "HardeningRecipe",
    "InputError",
    "LowFrequency",
    "MissingWeightsError",
    "Noise",
    "NumericalError",
    "Perceptual",
    "Photo",
    "PhotoLike",
    "PruningSettings",
    "RobustIQAError",
    "ScoreRange",
    "Scorer",
    "Square",
    "StAdv",
    "TextureAware",
    "UnknownSettingError",
    "Worst",
    "audit",
    "evaluate",
    "harden",
    "insert_block",
    "list_models",
    "load",
    "load_card",
    "prune",
    "read_image",
    "save",
]
