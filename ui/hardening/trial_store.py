"""Trials of hardened models in the server's memory, and their networks. Knows nothing of Streamlit."""

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
from robustiqa_core.errors import InputError
from robustiqa_core.models import QualityModel
from robustiqa_core.models.card import ModelCard
from ui.hardening.job import Trial
from ui.hardening.recipe import command_of
from ui.shell.named_models import NamedModels


class TrialStore:
    """Trials of everybody on this server, and the newest networks.

    Figures of a trial are small and last long; networks are large, and only those of the newest trials are there. All
    methods may be called from any thread.

    Args:
        named: where models are kept under a name.
        trials: most trials whose figures are remembered.
        networks: most trials whose networks are.
    """

    def __init__(self, named: NamedModels, *, trials: int = 200, networks: int = 16) -> None:
        self._named = named
        self._most_trials = check_count("trials", trials)
        self._most_networks = check_count("networks", networks)
        self._lock = threading.Lock()
        self._trials: OrderedDict[str, Trial] = OrderedDict()
        self._networks: OrderedDict[str, QualityModel] = OrderedDict()

    def put(self, trial: Trial, network: QualityModel) -> None:
        """Remember a trial with its network; the oldest ones are dropped."""
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
        check_new_variant(trial.recipe.model, name, taken={*taken, *self._named.cards()})
        card, _ = packed(trial, network, name)
        self._named.add(card, as_scorer(copy.deepcopy(network)), owner=owner)
        return card

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
