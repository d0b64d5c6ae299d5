"""The page that prunes: its plan, its sweep, what it says of the figures, keeping, files, commands and address."""

import csv
import io
import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from job_pages import TIMEOUT, text
from streamlit.testing.v1 import AppTest

from robustiqa_core import cli
from robustiqa_core.cli import harden as harden_command
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.hardening import HardeningRecipe
from robustiqa_core.pruning import LayerPlan, PruningPlan
from robustiqa_core.pruning.cost import Cost
from robustiqa_core.pruning.rows import layer_rows, plan_csv
from robustiqa_core.pruning.settings import PruningSettings
from ui.hardening import cache as hardening_cache
from ui.hardening.texts import CRITERION_NAMES
from ui.jobs import cache as jobs_cache
from ui.pruning import cache as pruning_cache
from ui.pruning import live
from ui.pruning import recipe as pruning_recipe
from ui.pruning.figures import CURVES, curve_figure, plan_figure
from ui.pruning.job import PruningOutcome
from ui.pruning.recipe import RATIOS, PruningRecipe, read_recipe
from ui.pruning.texts import Point, broken_sentence, findings, headline, points_csv, symptoms
from ui.shell import cache, state

ROOT = Path(__file__).parents[3]
JOBS = "pruning_jobs"
POINT = Point(0.3, 0.3, 0.99, None, None, 0.4, 0.4, 0.2, 1.0, 1.0, 6.0, 10.0)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two points, on crops of 64 px, with nothing kept from other tests."""
    for name, value in {"RATIOS": (0.0, 0.5), "CROPS": 16, "HELD_OUT": 8, "SIDE": 64, "RESIZE": 64}.items():
        monkeypatch.setattr(pruning_recipe, name, value)
    for cached in (
        hardening_cache.trial_store,
        cache.named_models,
        jobs_cache.shelf,
        pruning_cache.filter_importance,
        pruning_cache.pruning_plan,
    ):
        cached.clear()


def open_page(address: dict[str, str] | None = None) -> AppTest:
    page = AppTest.from_file(ROOT / "app.py", default_timeout=TIMEOUT)
    page.switch_page("pages/pruning.py")
    for key, value in (address or {}).items():
        page.query_params[key] = value
    return page.run()


def press(page: AppTest, label: str = "Run the sweep") -> str:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception
    return str(page.session_state[JOBS].active)


def finish(page: AppTest, label: str = "Run the sweep") -> PruningOutcome:
    job = press(page, label)
    assert cache.jobs().wait(job, timeout=TIMEOUT).state == "done"
    page.run()
    assert not page.exception
    outcome = jobs_cache.shelf().get(page.session_state[JOBS].shown)
    assert isinstance(outcome, PruningOutcome)
    return outcome


def prune_plan(capsys: pytest.CaptureFixture[str], command: str) -> PruningPlan:
    capsys.readouterr()
    assert cli.main([*shlex.split(command)[1:], "--json"]) == 0
    return PruningPlan.from_json(json.loads(capsys.readouterr().out)["plan"], place="the command")


@pytest.mark.thorough
@pytest.mark.usefixtures("small")
def test_the_plan_is_drawn_before_anything_runs_and_follows_the_sliders(capsys: pytest.CaptureFixture[str]) -> None:
    page = open_page()
    assert not page.exception
    made = prune_plan(capsys, next(code.value for code in page.code if "prune-plan" in code.value))
    assert f"{made.removed:,} of {made.filters:,} filters are pruned" in text(page)
    shown = {metric.label: metric.value for metric in page.metric}
    assert shown["Filters"] == f"{made.filters:,} → {made.filters - made.removed:,}"
    table = page.dataframe[0].value
    assert list(table["Go"]) == [len(layer.removed) for layer in made.layers]
    assert list(table["Filters"]) == [layer.filters for layer in made.layers]

    page.slider(key="pruning_ratio").set_value(0).run()
    assert "No filter is pruned at this ratio." in text(page)
    page.slider(key="pruning_ratio").set_value(50).run()
    page.segmented_control(key="pruning_criterion").set_value("random").run()
    assert not page.exception
    command = next(code.value for code in page.code if "prune-plan" in code.value)
    assert "--criterion random --ratio 0.5" in command
    assert list(page.dataframe[0].value["Go"]) == [len(layer.removed) for layer in prune_plan(capsys, command).layers]
    assert (page.query_params["ratio"], page.query_params["criterion"]) == ("0.5", "random")
    assert page.session_state[JOBS].active is None


@pytest.mark.thorough
@pytest.mark.usefixtures("small")
def test_a_sweep_fills_the_curves_says_what_it_found_and_keeps_a_model(tmp_path: Path) -> None:
    page = open_page({"ratio": "0.5", "tuning": "0"})
    assert "A sweep prunes the model at 0, 50 %" in text(page)
    outcome = finish(page)
    whole, pruned = outcome.trials
    assert (whole.agreement, whole.attacked("hardened")) == pytest.approx((1.0, whole.attacked("baseline")), abs=1e-5)
    assert pruned.removed == pytest.approx(0.5, abs=0.01)
    table = page.table[0].value
    assert list(table["Agreement (higher = better)"]) == ["1.000", f"{pruned.agreement:.3f}"]
    assert table["AbsGain (nearer 0 = more robust)"].iloc[1] == f"{pruned.attacked('hardened'):+.3f}"
    assert len(page.get("plotly_chart")) == 5
    assert page.header[0].value
    assert f"{pruned.attacked('hardened'):+.3f}" in text(page)

    # The address opens the same figures, and nothing is measured again.
    again = open_page({key: str(value) for key, value in page.query_params.items()})
    assert again.header[0].value == page.header[0].value
    assert again.session_state[JOBS].active is None
    assert again.slider(key="pruning_ratio").value == 50

    # Who comes without that address does not meet it.
    other = open_page({"ratio": "0.5", "tuning": "0"})
    assert "A sweep prunes the model" in text(other)
    assert other.session_state[JOBS].shown is None

    # A ratio between the points is measured on request; the others are known.
    page.slider(key="pruning_ratio").set_value(20).run()
    assert page.session_state[JOBS].shown == live.kept_as(outcome.recipe)
    more = finish(page, "Measure 20 % too")
    assert more.recipe.ratios == (0.0, 0.2, 0.5)
    assert (more.trials[0], more.trials[2]) == outcome.trials

    next(button for button in page.button if button.label == "Keep for every page").click().run()
    assert not page.exception
    assert "linearity-pruned-20" in cache.cards()
    assert cache.cards()["linearity-pruned-20"].pruning
    scores = cache.scorer("linearity", "pruned-20")(torch.rand(2, 3, 64, 64))
    assert scores.isfinite().all()
    page.switch_page("pages/attack_lab.py").run()
    assert not page.exception
    hardening_cache.trial_store.clear()
    cache.named_models.clear()


@pytest.mark.thorough
@pytest.mark.usefixtures("small")
def test_cancelling_keeps_the_points_that_were_measured() -> None:
    page = open_page({"tuning": "2"})
    press(page)
    page.run()
    assert page.get("progress")
    page.button(key=state.CANCEL).click().run()
    assert not page.exception
    assert page.info[0].value.startswith("Cancelled")
    assert page.session_state[JOBS].active is None
    # Its step goes on for a moment; what comes next in the queue waits for that, as the end of the tests must.
    following = cache.jobs().submit(lambda: iter([1]), owner="test")
    assert cache.jobs().wait(following, timeout=TIMEOUT).state == "done"


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "address",
    [{"model": "<b>x</b>"}, {"ratio": "0.9"}, {"ratio": "many"}, {"criterion": "l7"}, {"tuning": "99"}],
    ids=lambda address: next(iter(address.items())),
)
def test_an_address_that_makes_no_sense_ends_in_a_sentence(address: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        read_recipe(address, ["linearity-baseline"], data="distillation")


@pytest.mark.thorough
@pytest.mark.usefixtures("small")
def test_the_page_says_so_and_shows_the_default() -> None:
    page = open_page({"ratio": "0.9", "criterion": "random"})
    assert not page.exception
    assert page.error[0].value.startswith("The address is not valid")
    assert page.slider(key="pruning_ratio").value == 30
    assert page.segmented_control(key="pruning_criterion").value == "l1"


def test_an_address_holds_the_whole_view() -> None:
    recipe = PruningRecipe("tres", "baseline", "random", "global", epochs=2)
    stems = ["linearity-baseline", "tres-baseline"]
    assert read_recipe(recipe.address(0.17), stems, data="distillation") == (recipe, 0.17)


@pytest.mark.parametrize("criterion", CRITERION_NAMES)
def test_the_command_of_the_curve_makes_its_points(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, criterion: str
) -> None:
    recipe = PruningRecipe("linearity", criterion=criterion, scope="global", epochs=2)
    first, point, last = recipe.curve_command().splitlines()
    assert (first, last) == ("for percent in 10 20 30 40 50; do", "done")
    asked: list[HardeningRecipe] = []

    def stop(arguments: object, made: HardeningRecipe, *others: object) -> None:
        asked.append(made)
        raise SystemExit

    monkeypatch.setattr(harden_command, "_harden", stop)
    words = shlex.split(point.replace("$percent", "10"))[1:]
    with pytest.raises(SystemExit):
        cli.main([*words, "--out", str(tmp_path), "--device", "cpu"])
    assert asked == [recipe.hardening(0.1)]


def plan_of(*layers: tuple[list[float], tuple[int, ...]]) -> PruningPlan:
    made = tuple(LayerPlan(f"features.stage{n}.0.conv", tuple(values), gone) for n, (values, gone) in enumerate(layers))
    return PruningPlan(PruningSettings(ratio=0.5), made, Cost(100, 1000), Cost(50, 400))


def test_importances_of_layers_compare_and_the_files_have_every_filter() -> None:
    plan = plan_of(([3.0, 4.0], (0,)), ([30.0, 40.0], ()))
    one, other = layer_rows(plan)
    assert one.removed_importance == pytest.approx((3 / 12.5**0.5,) * 3)
    assert one.kept_importance[1] == pytest.approx(other.kept_importance[2])
    assert (other.removed_importance, other.removed, other.kept) == (None, 0, 2)
    lines = list(csv.DictReader(io.StringIO(plan_csv(plan).decode())))
    assert [(line["importance"], line["removed"]) for line in lines] == [
        ("3.0", "1"),
        ("4.0", "0"),
        ("30.0", "0"),
        ("40.0", "0"),
    ]
    bars = {bar.name: list(bar.y) for bar in plan_figure([one, other], colour="#000000").data}
    assert bars == {"filters that stay": [1, 2], "filters that go": [1, 0]}


def test_what_is_said_of_robustness_follows_from_the_figures() -> None:
    whole = replace(POINT, ratio=0.0, removed=0.0, agreement=1.0)
    harder, easier = replace(POINT, gain=0.3), replace(POINT, gain=0.5, ratio=0.4)
    lost = replace(POINT, gain=0.1, agreement=0.4, ratio=0.5)
    assert "harder to push up at 30 %" in headline([whole, harder])
    assert "easier to attack at 40 %" in headline([whole, easier])
    assert "easier to attack at 40 %, harder to push up at 30 %" in headline([whole, harder, easier])
    assert headline([whole, lost]) == (
        "At 50 % the pruned model no longer rates photos as before: its scores agree with the whole model's by SROCC "
        "0.400, below 0.95."
    )
    assert "easier" not in headline([whole, replace(lost, gain=0.9)])
    both = headline([whole, harder, lost])
    assert both.startswith("At 50 % the pruned model no longer rates photos as before")
    assert both.endswith("Pruning makes the model harder to push up at 30 %.")
    assert headline([whole, lost, replace(lost, ratio=0.4)]).startswith("At every ratio the pruned model no longer")
    assert "about as it was" in headline([whole, replace(POINT, gain=0.41)])
    assert "too little to tell" in headline([whole, replace(POINT, gain=0.01, baseline_gain=0.01)])
    robustness, agreement, speed = findings([whole, harder, lost])
    assert "by +0.400" in robustness and "+0.100 (at 50 %) to +0.300 (at 30 %)" in robustness
    assert "gains less than before at 30 %; the scores were pushed up only" in robustness
    assert "At 50 % the model no longer rates photos as before" in robustness
    assert "as before at 30 % only" in agreement and "0.400, at 50 %" in agreement
    assert "6.0 ms instead of 10.0 ms, 0.60 of the time" in speed
    assert "No filter was pruned" in findings([whole])[0]


@given(agreement=st.floats(-1.0, 1.0), gain=st.floats(-1.0, 1.0))
def test_no_point_is_praised_that_no_longer_rates_photos_as_before(agreement: float, gain: float) -> None:
    points = [replace(POINT, ratio=0.0, removed=0.0, agreement=1.0), replace(POINT, agreement=agreement, gain=gain)]
    said = headline(points)
    assert ("no longer rates" in said) == (agreement < 0.95)
    assert (broken_sentence(points) == "") == (agreement >= 0.95)
    if agreement < 0.95:
        assert "harder" not in said


def test_a_sweep_tunes_unless_it_is_told_not_to() -> None:
    assert read_recipe({}, ["linearity-baseline"], data="distillation")[0].epochs > 0


def test_known_failures_are_named_and_a_sound_model_has_none() -> None:
    assert symptoms(POINT) == ()
    (lost,) = symptoms(replace(POINT, agreement=0.7))
    assert "30 % of the filters were pruned" in lost.cause
    assert "isometric" not in lost.advice, "there is no block to choose a variant of"
    (squeezed,) = symptoms(replace(POINT, spread=0.2))
    assert "a smaller pruning ratio" in squeezed.advice
    (hidden,) = symptoms(replace(POINT, gain=0.1, transfer_gain=0.3))
    assert "hidden" in hidden.cause


def test_a_curve_has_its_points_the_whole_models_and_its_unit() -> None:
    points = [replace(POINT, ratio=ratio, gain=ratio) for ratio in RATIOS[:3]]
    figure = curve_figure(
        CURVES["gain"], points, name="l1", colour="#111111", whole="#222222", others={"Random": [POINT]}
    )
    drawn = {trace.name: (list(trace.x), list(trace.y)) for trace in figure.data}
    assert drawn["l1"] == ([0, 10, 20], [0.0, 0.1, 0.2])
    assert drawn["whole model"] == ([0, 10, 20], [0.4] * 3)
    assert drawn["Random"] == ([30], [0.4])
    assert "0 = most robust" in figure.layout.yaxis.title.text
    line = next(csv.DictReader(io.StringIO(points_csv([POINT]).decode())))
    assert (line["ratio"], line["gain"], line["milliseconds"]) == ("0.3", "0.4", "6.0")
