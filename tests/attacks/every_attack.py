"""Every attack as the parameter of a test, in all directions or in one, and the fields of what it yields."""

import dataclasses

import pytest
from attack_scorers import configurations, label

from robustiqa_core.attacks import Attack, AttackResult, AttackStep

ALL = pytest.mark.parametrize("attack", configurations(), ids=label)


def goal_is(attack: Attack, direction: str) -> bool:
    """Say whether the attack has the direction, or none."""
    return attack.goal is None or attack.goal.direction == direction


EACH = pytest.mark.parametrize("attack", [a for a in configurations() if goal_is(a, "away")], ids=label)
"""One direction will do, where none can matter: the one that scores the photos first."""


def vars_of(record: AttackStep | AttackResult) -> dict[str, object]:
    """Return the fields of a record by name, without copying."""
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
