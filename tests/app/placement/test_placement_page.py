"""The page that tries places for a block: nothing yet, running, done, cancelled; its numbers, files and address."""

import dataclasses
import io
import json
import shlex
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from job_pages import TIMEOUT, png, text
from streamlit.testing.v1 import AppTest

from robustiqa_core import cli
from robustiqa_core.attacks.objective import score
from robustiqa_core.blocks import BlockSettings
from robustiqa_core.checkpoints.storage import load_network
from robustiqa_core.cli import harden as harden_command
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.hardening import SHORT_ATTACK, Epoch, HardeningRecipe, Progressed, Timing, distillation_data
from robustiqa_core.images.photo import read_image
from robustiqa_core.images.samples import SOURCES, list_samples
from robustiqa_core.metrics.correlation import agreement
from ui.hardening import cache as hardening_cache
from ui.hardening import job as hardening_job
from ui.hardening import live
from ui.hardening.figures import epoch_figure
from ui.hardening.job import Example, Found, HardeningStep, Trial
from ui.hardening.progress import DOING
from ui.hardening.recipe import address_of, command_of, new_recipe, read_recipe
from ui.hardening.texts import verdict_sentence
from ui.hardening.trial_store import TrialStore
from ui.jobs import cache as jobs_cache
from ui.placement import ahead, controls
from ui.placement import live as placement_live
from ui.placement.ahead import preparation_records
from ui.placement.controls import points_of
from ui.placement.figures import diagram_figure, trials_figure
from ui.placement.slots import slots_of
from ui.placement.view import comparable, trials_json
from ui.shell import cache, state
from ui.shell.named_models import NamedModels

ROOT = Path(__file__).parents[3]
JOBS = "placement_jobs"
EXAMPLE = Example("A photo", 0.61, 0.57)
SMALL = {"crops": "16", "epochs": "1", "width": "8", "grid": "2"}


def small_recipe(*arguments: Any, **named: Any) -> HardeningRecipe:
    """Return what the page begins with, on crops of 64 px."""
    return dataclasses.replace(new_recipe(*arguments, **named), crop=64, resize=64, validation_crops=8)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of eight small photos that looks like the shipped samples."""
    root = tmp_path_factory.mktemp("assets") / "samples"
    root.mkdir()
    names = [f"{number}.png" for number in range(8)]
    for number, name in enumerate(names):
        (root / name).write_bytes(png((80, 72), 10 + 20 * number))
    columns = ["file", "title", "author", "source", "original_file", "licence", "licence_url", "changes", "sha256"]
    lines = [",".join(columns), *(",".join([name, *["made for tests"] * 8]) for name in names)]
    (root / SOURCES).write_text("\n".join(lines))
    return root


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, photos: Path) -> Iterator[None]:
    """Small crops of a few small photos, nothing kept from other tests, and no job left running."""
    monkeypatch.setattr(controls, "new_recipe", small_recipe)
    monkeypatch.setattr(live, "tuning_data", lambda recipe, labelled: distillation_data(recipe, root=photos))
    monkeypatch.setattr(hardening_job, "ATTACKED", 2)
    monkeypatch.setattr("robustiqa_core.hardening.trial._TURNS", 1)
    monkeypatch.setattr(placement_live, "prepared", lambda images, device: images[..., :64, :64])
    hardening_cache.trial_store.clear()
    cache.named_models.clear()
    jobs_cache.shelf.clear()
    hardening_cache.computed.clear()
    yield
    cache.jobs().close()
    cache.jobs.clear()


def open_page(address: dict[str, str] | None = None) -> AppTest:
    page = AppTest.from_file(ROOT / "app.py", default_timeout=TIMEOUT)
    page.switch_page("pages/block_placement.py")
    for key, value in {**SMALL, **(address or {})}.items():
        page.query_params[key] = value
    return page.run()


def press(page: AppTest) -> str:
    next(button for button in page.button if button.label == "Harden").click().run()
    assert not page.exception
    return str(page.session_state[JOBS].active)


def finish(page: AppTest) -> Trial:
    job = press(page)
    assert cache.jobs().wait(job, timeout=3 * TIMEOUT).state == "done"
    page.run()
    assert not page.exception
    trial = jobs_cache.shelf().get(page.session_state[JOBS].shown)
    assert isinstance(trial, Trial)
    return trial


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


def _judged(agreement: float, before: float, after: float) -> Trial:
    hardening = {
        "agreement": {"srocc": agreement},
        "attacked": {"baseline": {"absolute_gain": before}, "hardened": {"absolute_gain": after}},
    }
    return dataclasses.replace(_trial(), card=dataclasses.replace(_trial().card, hardening=hardening))


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


def test_only_the_newest_networks_stay() -> None:
    kept = TrialStore(NamedModels(), networks=1)
    one, other = (dataclasses.replace(_trial(), key=key) for key in ("one", "other"))
    network = torch.nn.Linear(1, 1)
    kept.put(one, network)  # type: ignore[arg-type]
    kept.put(other, network)  # type: ignore[arg-type]
    assert (kept.has_network("one"), kept.has_network("other")) == (False, True)
    assert kept.trials("linearity") == [one, other]


def _trial() -> Trial:
    recipe = new_recipe("linearity", "after_stage5", BlockSettings(), data="distillation")
    return Trial("key", recipe, cache.cards()["linearity-baseline"], (), Timing(0.1, 0.1, "cpu"), 1.0, EXAMPLE)


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


def settled(page: AppTest) -> None:
    """Wait for what the page computes by itself, and draw it again."""
    for jobs in ("placement_probe_jobs", "placement_ahead_jobs"):
        active = page.session_state[jobs].active
        if active is not None:
            assert cache.jobs().wait(active, timeout=TIMEOUT).state == "done"
        page.run()
        assert not page.exception


@pytest.mark.usefixtures("small")
def test_what_every_trial_needs_is_computed_while_the_page_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    page = open_page()
    assert "the first run takes longest" in text(page)
    settled(page)
    assert page.session_state["placement_ahead_jobs"].active is None
    assert "the first run takes longest" not in text(page)
    monkeypatch.setattr(live, "news_of", lambda record: getattr(record, "doing", None))
    job = press(page)
    snapshot = cache.jobs().wait(job, timeout=3 * TIMEOUT)
    assert snapshot.state == "done"
    assert not {DOING["cropping"], DOING["scoring"]} & set(snapshot.trace)
    assert DOING["mapping"] in snapshot.trace
    page.run()
    # Crops of another number are others.
    page.select_slider(key="placement_crops").set_value(48).run()
    assert "the first run takes longest" in text(page)


@pytest.mark.usefixtures("small")
def test_what_cannot_be_computed_ahead_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[HardeningRecipe] = []

    def fail(recipe: HardeningRecipe, *known: object, **others: object) -> Iterator[Progressed]:
        tried.append(recipe)
        raise InputError("expected crops, got none; choose others")
        yield

    monkeypatch.setattr(ahead, "prepare", fail)
    page = open_page()
    cache.jobs().wait(page.session_state["placement_probe_jobs"].active, timeout=TIMEOUT)
    page.run()
    assert cache.jobs().wait(page.session_state["placement_ahead_jobs"].active, timeout=TIMEOUT).state == "failed"
    for _ in range(3):
        page.run()
        assert not page.exception
        assert page.session_state["placement_ahead_jobs"].active is None
    assert len(tried) == 1
    assert "the first run takes longest" in text(page)


def test_what_is_computed_ahead_gives_way_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    records = [Progressed("cropping", number, 4) for number in (1, 2, 3, 4)]
    monkeypatch.setattr(ahead, "prepare", lambda *known, **others: iter(records))
    recipe = small_recipe("linearity", "after_stage5", BlockSettings(width=8, grid=2), data="distillation")
    source, ended = live.source_of(recipe), []
    wanted = iter([False, True])
    some = list(preparation_records(recipe, source, lambda: next(wanted), lambda: ended.append(1)))
    assert (len(some), ended) == (1 + 2, [])
    whole = list(preparation_records(recipe, source, lambda: False, lambda: ended.append(1)))
    assert (len(whole), ended) == (1 + 4, [1])
    assert whole == sorted(whole)


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


@pytest.mark.parametrize("labelled", [False, True])
def test_epochs_are_drawn_with_and_without_labels(labelled: bool) -> None:
    figure = agreement([0.1, 0.2, 0.4], [0.1, 0.3, 0.2])
    epochs = [Epoch(number, 2, 0.1, figure, figure if labelled else None, 0.5, 1.0) for number in range(3)]
    names = [trace.name for trace in epoch_figure(epochs, epochs_in_all=2).data]
    assert names == ["loss", "SROCC with the baseline", *(["SROCC with people"] if labelled else [])]


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
