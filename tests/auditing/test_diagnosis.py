"""Known failures of hardened models: each rule speaks at its figure, and stays silent just before it."""

import dataclasses

import pytest

from robustiqa_core.auditing.diagnosis import HardenedFigures, diagnose, diagnose_memory

WELL = HardenedFigures(
    agreement=0.99,
    gain_before=0.4,
    gain_after=0.2,
    transfer_gain=0.1,
    spread=1.0,
    orthogonalization="cayley",
    orthogonality_error=1e-6,
    depth=0.9,
)


def said(**changes: object) -> list[str]:
    """Return what is said of figures that are well but for some."""
    return [symptom.what for symptom in diagnose(dataclasses.replace(WELL, **changes))]  # type: ignore[arg-type]


def test_a_model_that_is_well_is_left_alone() -> None:
    assert diagnose(WELL) == ()
    assert diagnose(HardenedFigures()) == (), "what is not known is no failure"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"agreement": 0.94}, "agrees with the baseline by 0.940 only"),
        ({"mos_before": 0.80, "mos_after": 0.74}, "SROCC with people fell from 0.800 to 0.740"),
        ({"gain_after": 0.39}, "hardly fell (AbsGain +0.400 to +0.390)"),
        ({"gain_after": 0.42}, "got no better (AbsGain +0.400 to +0.420)"),
        ({"gain_after": -0.6}, "grew"),
        ({"control": "plain", "control_gain": 0.2}, "control plain does as well"),
        ({"orthogonality_error": 0.01}, "not orthogonal"),
        ({"transfer_gain": 0.3}, "weaker than one made for the baseline"),
        ({"spread": 0.4}, "squeezed together: 0.40"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_each_known_failure_is_named(changes: dict[str, object], words: str) -> None:
    found = said(**changes)
    assert len(found) == 1
    assert words in found[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"agreement": 0.951},
        {"agreement": 0.90, "mos_before": 0.80, "mos_after": 0.76},
        {"gain_before": 0.01, "gain_after": 0.01, "transfer_gain": 0.01},
        {"control": "plain", "control_gain": 0.35},
        {"orthogonalization": "plain", "orthogonality_error": 0.5},
        {"orthogonalization": "aol", "orthogonality_error": 0.5},
        {"transfer_gain": 0.21},
        {"spread": 0.75},
    ],
    ids=lambda value: ",".join(value),
)
def test_nothing_is_said_without_need(changes: dict[str, object]) -> None:
    assert said(**changes) == []


def test_the_likely_cause_of_a_lost_order_depends_on_the_place_and_the_pruning() -> None:
    early, pruned, neither = (
        diagnose(dataclasses.replace(WELL, agreement=0.8, **changes))[0]  # type: ignore[arg-type]
        for changes in ({"depth": 0.1}, {"removed": 0.3}, {})
    )
    assert ("early" in early.cause, "pruned" in early.cause) == (True, False)
    assert ("early" in pruned.cause, "30 % of the filters" in pruned.cause) == (False, True)
    assert "too short" in neither.cause
    assert "deeper place" in early.advice
    assert "smaller pruning ratio" in pruned.advice


def test_a_variant_that_was_tried_is_not_what_is_advised() -> None:
    for variant, advised in (("isometric", False), ("paper", True)):
        (lost,) = diagnose(dataclasses.replace(WELL, agreement=0.8, variant=variant))
        assert ("isometric" in lost.advice) == advised


def test_a_lack_of_memory_names_what_the_preview_says() -> None:
    symptom = diagnose_memory(kernel_bytes=2**21, build_bytes=2**23)
    assert "2.0 MiB" in symptom.cause
    assert "8.0 MiB to build" in symptom.cause
    assert "smaller width or grid" in symptom.advice
    assert "kernel" not in diagnose_memory(kernel_bytes=None, build_bytes=None).cause
