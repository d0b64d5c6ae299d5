"""Trials: what is said and drawn of them, and what is kept."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from trial_pages import a_trial, small_recipe

from robustiqa_core.blocks import BlockSettings
from robustiqa_core.hardening import SHORT_ATTACK, Epoch
from robustiqa_core.metrics.correlation import agreement
from ui.hardening import job as hardening_job
from ui.hardening import live
from ui.hardening.figures import epoch_figure
from ui.hardening.job import Found, HardeningStep, Trial
from ui.hardening.texts import verdict_sentence
from ui.hardening.trial_store import TrialStore
from ui.placement.controls import points_of
from ui.placement.figures import diagram_figure, trials_figure
from ui.placement.slots import slots_of
from ui.placement.view import comparable
from ui.shell import cache
from ui.shell.named_models import NamedModels


def _judged(agreement: float, before: float, after: float) -> Trial:
    hardening = {
        "agreement": {"srocc": agreement},
        "attacked": {"baseline": {"absolute_gain": before}, "hardened": {"absolute_gain": after}},
    }
    return dataclasses.replace(a_trial(), card=dataclasses.replace(a_trial().card, hardening=hardening))


@given(agreement=st.floats(-1.0, 1.0), before=st.floats(-1.0, 1.0), after=st.floats(-1.0, 1.0))
def test_a_trial_that_no_longer_rates_photos_as_before_says_so_first(
    agreement: float, before: float, after: float
) -> None:
    said = verdict_sentence(_judged(agreement, before, after))
    broken = said.startswith("The model with the block after stage 5 no longer rates photos as before")
    assert broken == (agreement < 0.95)
    assert not (broken and "less" in said)


def test_the_diagram_has_an_axis_for_its_bars_and_never_a_power_of_ten() -> None:
    points = points_of("linearity")
    growth = {point.name: 40.0 * 10.0**number for number, point in enumerate(points)}
    figure = diagram_figure(slots_of(points), chosen=points[0].name, growth=growth, tried={})
    (bars,) = [trace for trace in figure.data if trace.type == "bar"]
    assert list(bars.x) == list(growth.values())
    assert "e+" not in " ".join(bars.text)
    assert "Growth" in figure.layout.xaxis2.title.text
    two = points_of("dbcnn")
    beside = diagram_figure(slots_of(two), chosen=two[0].name, growth={point.name: 119.7 for point in two}, tried={})
    assert all("×120" in label for label in next(trace.text for trace in beside.data if trace.text))


def test_the_models_that_come_with_the_app_stand_among_the_trials() -> None:
    card = next(card for stem, card in cache.listed_models()[0].items() if stem == "linearity-hardened")
    figure = trials_figure([_judged(0.97, 0.6, 0.3)], chosen=None, bundled=[card])
    (point,) = [trace for trace in figure.data if "shipped with the app" in (trace.name or "")]
    assert list(point.x) == [card.hardening["agreement"]["srocc"]]
    assert list(point.y) == [card.hardening["attacked"]["hardened"]["absolute_gain"]]


def test_a_model_that_met_another_attack_does_not_stand_among_the_trials() -> None:
    cards = cache.listed_models()[0]
    hardened = cards["linearity-hardened"]
    told = {**hardened.hardening, "attacked": {**hardened.hardening["attacked"], "attack": "pgd:eps=4/255,steps=5"}}
    older = dataclasses.replace(hardened, variant="older", hardening=told)
    assert comparable("linearity", [cards["linearity-baseline"], cards["dbcnn-hardened"], hardened, older]) == [
        hardened
    ]


def test_only_the_newest_networks_stay() -> None:
    kept = TrialStore(NamedModels(), networks=1)
    one, other = (dataclasses.replace(a_trial(), key=key) for key in ("one", "other"))
    network = torch.nn.Linear(1, 1)
    kept.put(one, network)  # type: ignore[arg-type]
    kept.put(other, network)  # type: ignore[arg-type]
    assert (kept.has_network("one"), kept.has_network("other")) == (False, True)
    assert kept.trials("linearity") == [one, other]


@pytest.mark.thorough
@pytest.mark.usefixtures("small")
def test_what_is_found_of_a_finished_model_is_what_its_trial_says() -> None:
    recipe = dataclasses.replace(
        small_recipe("linearity", "after_stage5", BlockSettings(width=8, grid=2), data="distillation"),
        crops=16,
        epochs=1,
    )
    kept: list[Trial] = []
    source = live.source_of(recipe)
    *steps, trial = hardening_job.hardening_records(recipe, source, lambda trial, network: kept.append(trial))
    news = [step.news for step in steps if isinstance(step, HardeningStep) and step.news is not None]
    assert isinstance(trial, Trial)
    assert kept == [trial]
    assert news == [*trial.epochs, Found(trial.agreement, None, trial.example)]
    after = steps[[getattr(step, "news", None) for step in steps].index(news[-1]) + 1 :]
    assert len(after) >= 2 * SHORT_ATTACK.steps, "the attacks come later"


@pytest.mark.parametrize("labelled", [False, True])
def test_epochs_are_drawn_with_and_without_labels(labelled: bool) -> None:
    figure = agreement([0.1, 0.2, 0.4], [0.1, 0.3, 0.2])
    epochs = [Epoch(number, 2, 0.1, figure, figure if labelled else None, 0.5, 1.0) for number in range(3)]
    names = [trace.name for trace in epoch_figure(epochs, epochs_in_all=2).data]
    assert names == ["loss", "SROCC with the baseline", *(["SROCC with people"] if labelled else [])]
