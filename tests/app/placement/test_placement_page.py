"""The page that tries places for a block: nothing yet, running, done, cancelled; its numbers, files and address."""

import dataclasses
import io
import json
import shlex
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from job_pages import TIMEOUT, text
from trial_pages import EXAMPLE, JOBS, finish, open_page, press

from robustiqa_core import cli
from robustiqa_core.attacks.objective import score
from robustiqa_core.blocks import BlockSettings
from robustiqa_core.checkpoints.storage import load_network
from robustiqa_core.cli import harden as harden_command
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.hardening import HardeningRecipe
from robustiqa_core.images.photo import read_image
from robustiqa_core.images.samples import list_samples
from ui.hardening import cache as hardening_cache
from ui.hardening import live
from ui.hardening.job import Found, HardeningStep
from ui.hardening.recipe import address_of, command_of, new_recipe, read_recipe
from ui.placement.controls import points_of
from ui.placement.view import trials_json
from ui.shell import cache, state


@pytest.mark.thorough
@pytest.mark.usefixtures("small")
def test_a_trial_is_hardened_compared_kept_and_found_again(tmp_path: Path) -> None:
    page = open_page()
    assert not page.exception
    assert page.session_state["placement_position"] == [point.name for point in points_of("linearity")][-1]
    assert "Tuned by distillation" in text(page)
    trial = finish(page)
    assert [epoch.epoch for epoch in trial.epochs] == [0, 1]
    assert trial.epochs[0].agreement.srocc == pytest.approx(1.0), "an isometric block starts as the identity"
    assert f"Score of {trial.example.title}: {trial.example.after:.3f}" in text(page)
    assert trial.example.before == pytest.approx(score_of_first_sample(), abs=1e-4)
    shown = {metric.label: metric.value for metric in page.metric}
    assert shown["Agreement"] == f"{trial.agreement:.3f}"
    assert shown["AbsGain"] == f"{trial.attacked('hardened'):+.3f}"
    row = page.dataframe[0].value.iloc[0]
    assert row["AbsGain before"] == trial.attacked("baseline")
    assert row["Position"] == "after stage 7"
    assert json.loads(trials_json([trial]))[0]["figures"]["key"] == trial.recipe.key()

    again = open_page({key: str(value) for key, value in page.query_params.items()})
    assert again.header[0].value == page.header[0].value
    assert again.session_state[JOBS].active is None

    page.text_input(key=f"placement_keep_name_{trial.key}").set_value("No name!").run()
    next(button for button in page.button if button.label.startswith("Keep")).click().run()
    assert any(message.value.startswith("It was not kept.") for message in page.error)
    page.text_input(key=f"placement_keep_name_{trial.key}").set_value("mine").run()
    next(button for button in page.button if button.label.startswith("Keep")).click().run()
    assert not page.exception
    assert "linearity-mine" in cache.cards()
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    scores = cache.scorer("linearity", "mine")(images)
    with zipfile.ZipFile(io.BytesIO(hardening_cache.trial_store().checkpoint(trial.key, "mine"))) as archive:
        assert sorted(archive.namelist()) == ["linearity-mine.json", "linearity-mine.safetensors"]
        archive.extractall(tmp_path)
    loaded = load_network("linearity", "mine", device=torch.device("cpu"), root=tmp_path)
    with torch.no_grad():
        assert loaded(images).tolist() == pytest.approx(scores.tolist(), abs=1e-4)

    page.switch_page("pages/attack_lab.py").run()
    assert not page.exception
    with pytest.raises(ConfigurationError, match="another visitor"):
        cache.named_models().drop("linearity-mine", owner="another visitor")
    assert "linearity-mine" in cache.cards()
    page.switch_page("pages/block_placement.py").run()
    next(button for button in page.button if button.label == "Forget it").click().run()
    assert not page.exception
    assert "linearity-mine" not in cache.cards()


@pytest.mark.thorough
@pytest.mark.usefixtures("small")
def test_cancelling_ends_a_hardening(monkeypatch: pytest.MonkeyPatch) -> None:
    page = open_page({"epochs": "20"})
    press(page)
    page.run()
    assert page.get("progress")
    page.button(key=state.CANCEL).click().run()
    assert page.info[0].value.startswith("Cancelled")
    assert page.session_state[JOBS].active is None
    assert not hardening_cache.trial_store().trials("linearity")


@pytest.mark.thorough
@pytest.mark.usefixtures("small")
def test_a_block_that_is_too_wide_for_another_place_gets_narrower() -> None:
    page = open_page({"width": "256"})
    assert page.session_state["placement_width"] == 256
    page.selectbox(key="placement_position").set_value("after_stage1").run()
    assert not page.exception
    assert page.session_state["placement_width"] == 16
    page.selectbox(key="placement_model").set_value("dbcnn").run()
    assert not page.exception
    assert any(point.name == page.session_state["placement_position"] for point in points_of("dbcnn"))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "address",
    [
        {"model": "<b>x</b>"},
        {"position": "../x"},
        {"position": "none"},
        {"model": "linearity", "position": "before_encoder"},
        {"width": "wide"},
        {"width": "100000"},
        {"epochs": "100000"},
        {"ratio": "7"},
        {"seed": "-1"},
        {"blend": "nan"},
    ],
    ids=lambda address: ",".join(address.values()),
)
def test_an_address_that_makes_no_sense_ends_in_the_default_view_and_a_sentence(address: dict[str, str]) -> None:
    page = open_page(address)
    assert not page.exception
    assert page.error[0].value.startswith("The address is not valid")
    assert page.session_state["placement_model"] == "linearity"


@pytest.mark.thorough
@pytest.mark.usefixtures("small")
def test_a_visitor_does_not_meet_what_others_tried_and_cannot_forget_what_they_kept() -> None:
    page = open_page()
    trial = finish(page)
    page.text_input(key=f"placement_keep_name_{trial.key}").set_value("theirs").run()
    next(button for button in page.button if button.label.startswith("Keep")).click().run()
    assert "linearity-theirs" in cache.cards()

    other = open_page()
    assert not other.exception
    assert [header.value for header in other.header] == ["Trials"], "there is no verdict on what others tried"
    assert not other.dataframe
    other.toggle(key="placement_everybodys").set_value(True).run()
    assert len(other.dataframe[0].value) == 1
    assert not [button for button in other.button if button.label == "Forget it"]
    hardening_cache.trial_store.clear()
    cache.named_models.clear()


def test_an_address_holds_the_whole_view() -> None:
    block = BlockSettings(variant="paper", orthogonalization="aoc", width=16, grid=4)
    begun = new_recipe("linearity", "after_stage3", BlockSettings(), data="distillation")
    recipe = dataclasses.replace(begun, block=block, epochs=3, seed=4)
    assert read_recipe(address_of(recipe), begun) == recipe


def test_the_command_makes_the_same_recipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    block = BlockSettings(orthogonalization="plain", width=16, grid=4, blend=0.5)
    recipe = dataclasses.replace(
        new_recipe("tres", "before_encoder", block, data="distillation"), position=points_of("tres")[-1].name, seed=2
    )
    asked: list[HardeningRecipe] = []

    def stop(arguments: object, made: HardeningRecipe, *others: object) -> None:
        asked.append(made)
        raise SystemExit

    monkeypatch.setattr(harden_command, "_harden", stop)
    with pytest.raises(SystemExit):
        cli.main([*shlex.split(command_of(recipe, "mine"))[1:], "--out", str(tmp_path), "--device", "cpu"])
    assert asked == [recipe]


@pytest.mark.thorough
@pytest.mark.usefixtures("small")
def test_a_finished_model_is_shown_before_the_attack_on_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    told, ended = threading.Event(), threading.Event()

    def records(*arguments: object) -> Iterator[HardeningStep]:
        yield HardeningStep(0.8, "Attacking", Found(0.912, 0.845, EXAMPLE))
        yield HardeningStep(0.9, "Attacking")
        told.set()
        ended.wait(TIMEOUT)

    monkeypatch.setattr(live, "hardening_records", records)
    page = open_page()
    press(page)
    assert told.wait(TIMEOUT)
    page.run()
    ended.set()
    assert not page.exception
    shown = {metric.label: (metric.value, metric.delta) for metric in page.metric}
    assert shown["Agreement"] == ("0.912", "with people 0.845")
    assert shown["Score of a sample"] == ("0.570", "baseline 0.610")
    assert "The model is finished" in text(page)


def score_of_first_sample() -> float:
    return score(cache.scorer("linearity", "baseline"), read_image(list_samples()[0].path).images).item()


@pytest.mark.usefixtures("small")
def test_the_server_names_the_labelled_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ROBUSTIQA_DATASET", "csv")
    monkeypatch.setenv("ROBUSTIQA_DATASET_ROOT", str(tmp_path))
    hardening_cache.labelled.clear()
    (tmp_path / "scores.csv").write_text("file,mos\n")
    page = open_page()
    hardening_cache.labelled.clear()
    assert not page.exception
    assert any("labelled photos of this server cannot be used" in message.value for message in page.warning)
    assert "Tuned by distillation" in text(page)
