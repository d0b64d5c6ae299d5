"""Hardened models in the server's memory: trials, and those that were kept under a name. Knows nothing of Streamlit."""

import copy
import io
import tempfile
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from robustiqa_core.checkpoints.storage import as_scorer, check_new_variant, check_variant, save_checkpoint
from robustiqa_core.checks import check_count
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.models import QualityModel
from robustiqa_core.models.card import ModelCard
from ui.hardening.job import Trial
from ui.hardening.recipe import command_of


class KeptModels:
    """Trials of everybody on this server, the newest networks, and the models that were kept under a name.

    Figures of a trial are small and last long; networks are large, and only those of the newest trials are there. All
    methods may be called from any thread.

    Args:
        trials: most trials whose figures are remembered.
        networks: most trials whose networks are.
        models: most models under a name.
    """

    def __init__(self, *, trials: int = 200, networks: int = 16, models: int = 12) -> None:
        self._most_trials = check_count("trials", trials)
        self._most_networks = check_count("networks", networks)
        self._most_models = check_count("models", models)
        self._lock = threading.Lock()
        self._trials: OrderedDict[str, Trial] = OrderedDict()
        self._networks: OrderedDict[str, QualityModel] = OrderedDict()
        self._models: dict[str, tuple[ModelCard, QualityModel]] = {}
        self._owners: dict[str, str] = {}

    def put(self, trial: Trial, network: QualityModel) -> None:
        """Remember a trial with its network; the oldest ones go."""
        with self._lock:
            self._trials[trial.key] = trial
            self._networks[trial.key] = network
            self._networks.move_to_end(trial.key)
            while len(self._trials) > self._most_trials:
                self._trials.popitem(last=False)
            while len(self._networks) > self._most_networks:
                self._networks.popitem(last=False)

    def trials(self, model: str) -> list[Trial]:
        """Return the trials of an architecture, the oldest first."""
        with self._lock:
            return [trial for trial in self._trials.values() if trial.recipe.model == model]

    def trial(self, key: str) -> Trial | None:
        """Return a trial, None if it is not known."""
        with self._lock:
            return self._trials.get(key)

    def has_network(self, key: str) -> bool:
        """Return whether the network of a trial is still there."""
        with self._lock:
            return key in self._networks

    def keep(self, key: str, name: str, *, taken: Collection[str], owner: str = "") -> ModelCard:
        """Keep a trial's network under a name, and return its card.

        Args:
            key: of the trial.
            name: of the new variant.
            taken: stems of other models, such as `linearity-baseline`.
            owner: the visit that keeps it, which alone may drop it.

        Raises:
            ConfigurationError: the name is taken or is none, or there are too many models already.
            InputError: the network is no longer there.
        """
        trial, network = self._found(key)
        check_new_variant(trial.recipe.model, name, taken={*taken, *self.cards()})
        stem = f"{trial.recipe.model}-{name}"
        card, _ = packed(trial, network, name)
        scorer = as_scorer(copy.deepcopy(network))
        with self._lock:
            if len(self._models) >= self._most_models:
                raise ConfigurationError(
                    f"{self._most_models} models are kept on this server, and no more fit; download this one instead"
                )
            self._models[stem] = (card, scorer)
            self._owners[stem] = owner
        return card

    def drop(self, stem: str, *, owner: str = "") -> None:
        """Forget a model that was kept; nothing happens if there is none.

        Raises:
            ConfigurationError: somebody else keeps it.
        """
        with self._lock:
            if self._owners.get(stem, owner) != owner:
                raise ConfigurationError(f"{stem} was kept by somebody else; only they can forget it")
            self._models.pop(stem, None)
            self._owners.pop(stem, None)

    def owned(self, owner: str) -> dict[str, ModelCard]:
        """Return the cards of the models that a visit keeps, by stem."""
        with self._lock:
            return {stem: card for stem, (card, _) in self._models.items() if self._owners[stem] == owner}

    def cards(self) -> dict[str, ModelCard]:
        """Return the cards of the models that were kept, by stem."""
        with self._lock:
            return {stem: card for stem, (card, _) in self._models.items()}

    def scorer(self, stem: str) -> QualityModel | None:
        """Return a model that was kept, frozen; None if there is none of that stem."""
        with self._lock:
            found = self._models.get(stem)
            return None if found is None else found[1]

    def checkpoint(self, key: str, name: str) -> bytes:
        """Return a ZIP of the two files of a trial's checkpoint, under a name.

        Raises:
            ConfigurationError: the name is none.
            InputError: the network is no longer there.
        """
        return packed(*self._found(key), check_variant(name))[1]

    def _found(self, key: str) -> tuple[Trial, QualityModel]:
        with self._lock:
            if key not in self._networks or key not in self._trials:
                raise InputError(
                    "expected a model that is still in the server's memory, got one that newer trials have pushed out; "
                    "harden it again"
                )
            return self._trials[key], self._networks[key]


def packed(trial: Trial, network: QualityModel, name: str) -> tuple[ModelCard, bytes]:
    """Return the card of a trial's checkpoint under a name, and a ZIP of its two files.

    Args:
        trial: the trial.
        network: its network; not touched.
        name: of the variant.
    """
    training = replace(trial.card.training, command=command_of(trial.recipe, name))
    card = replace(trial.card, variant=name, training=training)
    with tempfile.TemporaryDirectory() as folder:
        written = save_checkpoint(network, card, root=Path(folder))
        file = io.BytesIO()
        # The weights do not get smaller.
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for path in sorted(Path(folder).iterdir()):
                archive.write(path, path.name)
    return written, file.getvalue()
