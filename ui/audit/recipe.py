"""What decides the findings of an audit, its command and its address. Knows nothing of Streamlit."""

import dataclasses
import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from robustiqa_core.attacks import Attack, spell_attack
from robustiqa_core.auditing import AuditPlan
from robustiqa_core.files import as_word
from ui.attacks.recipe import attack_address
from ui.photos.photo_set import PhotoSet


@dataclass(frozen=True, slots=True)
class AuditRecipe:
    """Everything that decides the findings of an audit.

    Args:
        model: architecture, or the name of a model of one's own.
        variant: `baseline`, a hardened version, or `own`.
        photos: which photos it is asked with.
        side: of the square in pixels that they are cut to.
        attack: the attack whose figures are to be trusted.
        reference: model and variant to compare with, such as `linearity-baseline`; None for none.
        defence: what the model stands behind, as `spell_defence` writes it; empty for nothing.
        queries: budget of the black-box attack.
        seed: of random directions.
    """

    model: str
    variant: str
    photos: PhotoSet
    side: int
    attack: Attack
    reference: str | None = None
    defence: str = ""
    queries: int = AuditPlan().queries
    seed: int = AuditPlan().seed

    @property
    def plan(self) -> AuditPlan:
        """The attack and the budgets, as the core takes them."""
        return AuditPlan(self.attack, queries=self.queries, seed=self.seed)

    def command(self, places: Sequence[str], *, device: str) -> str:
        """Return the command line that gives the same findings.

        Args:
            places: paths of the photos.
            device: where it ran.
        """
        words = ["robustiqa", "audit", *map(as_word, places), "--model", self.model, "--variant", self.variant]
        words += ["--reference", self.reference or "none"]
        words += ["--defence", self.defence] if self.defence else []
        words += ["--attack", spell_attack(self.attack), "--queries", str(self.queries), "--seed", str(self.seed)]
        return shlex.join([*words, "--side", str(self.side), "--device", device, "--json"])

    def address(self) -> dict[str, str]:
        """Return the query parameters that open this view; uploads cannot be part of an address and are left out."""
        defence = {"defence": self.defence} if self.defence else {}
        return {
            **self.photos.address(),
            "model": self.model,
            "variant": self.variant,
            "reference": self.reference or "none",
            **defence,
            **attack_address(self.attack),
            "audit_queries": str(self.queries),
            "audit_seed": str(self.seed),
            "side": str(self.side),
        }

    @property
    def stems(self) -> tuple[str, ...]:
        """The model and its reference, such as `linearity-hardened` and `linearity-baseline`."""
        return f"{self.model}-{self.variant}", *([self.reference] if self.reference else [])

    def key(self, weights: Sequence[str]) -> str:
        """Return a digest of everything here, under which the findings are kept.

        Args:
            weights: digest of each of `stems`: a name may be given to another model later.
        """
        values = dataclasses.asdict(self) | {"attack": spell_attack(self.attack), "weights": list(weights)}
        return "audit-" + hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:24]
