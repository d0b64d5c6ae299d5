"""The page of spectra: its three views, running, done, cancelled; their numbers, readings, files and address."""

import csv
import io
import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from job_pages import TIMEOUT, finish, png, run, text, use
from streamlit.testing.v1 import AppTest
from tiny_scorer import CARD, SLOPE, Gate, TinyScorer
from torch import Tensor, nn

from robustiqa_core import cli
from robustiqa_core.cli import spectra_options
from robustiqa_core.scorer import InsertionPoint
from ui.jobs import cache as jobs_cache
from ui.shell import cache, state
from ui.spectra import live
from ui.spectra.controls import default_models
from ui.spectra.files import outcome_csv, outcome_json
from ui.spectra.layer_figures import in_depth_order
from ui.spectra.outcome import LayersOutcome, PerturbationOutcome, SensitivityOutcome, SpectraOutcome

ROOT = Path(__file__).parents[3]
APP = ROOT / "app.py"
HARDENED = replace(CARD, variant="hardened-plus")
FAST = {"photos": "cat", "steps": "2", "attack": "pgd", "eps": "8/255"}


class TinyNetwork(TinyScorer, nn.Module):
    """The tiny scorer behind a stage that doubles every length and one that leaves it."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        TinyScorer.__init__(self)
        self.doubling = nn.Conv2d(3, 3, 1, groups=3, bias=False)
        self.same = nn.Identity()
        nn.init.constant_(self.doubling.weight, 2.0)
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        return super().__call__(self.same(self.doubling(images)) / 2)

    def __call__(self, images: Tensor) -> Tensor:
        return nn.Module.__call__(self, images)


POINTS = (InsertionPoint("after_double", "doubling", 3, 1), InsertionPoint("after_same", "same", 3, 1))


@pytest.fixture(autouse=True)
def scorer(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, TinyScorer())
    monkeypatch.setattr(live, "QUICK_SECONDS", 0.0)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a network with two stages in the place of the models."""
    use(monkeypatch, TinyNetwork())
    for module in ("ui.spectra.job", "robustiqa_core.spectra.study"):
        monkeypatch.setattr(f"{module}.measuring_points", lambda network: POINTS)


def open_page(view: str = "perturbation", **address: str) -> AppTest:
    page = AppTest.from_file(APP, default_timeout=TIMEOUT)
    page.switch_page("pages/spectra.py")
    for key, value in {**FAST, "view": view, **address}.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception
    return page


def outcome(page: AppTest, view: str = "perturbation") -> SpectraOutcome:
    shown = page.session_state[jobs(view)].shown
    found = jobs_cache.shelf().get(shown) or cache.jobs().result(shown)
    assert isinstance(found, PerturbationOutcome | SensitivityOutcome | LayersOutcome)
    return found


def jobs(view: str) -> str:
    return f"spectra_{view}_jobs"


def printed(page: AppTest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    """Return what the command that the page shows prints as JSON."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(spectra_options, "resolve_scorer", cache_scorer)
    words = shlex.split(page.code[-1].value)
    assert words[0] == "robustiqa"
    capsys.readouterr()
    assert cli.main([*words[1:], "--json"]) == 0
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]


def cache_scorer(model: str, variant: str, device: torch.device) -> TinyScorer:
    return cache.scorer(model, variant)  # type: ignore[return-value]


def test_a_first_visit_says_how_long_a_run_takes_and_computes_nothing_that_is_slow() -> None:
    page = open_page()
    assert "1 photo and 1 model take about 1 s" in text(page).replace("*", "")
    assert page.session_state[jobs("perturbation")].active is None


def test_a_first_visit_runs_at_once_what_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "QUICK_SECONDS", 1000.0)
    page = open_page()
    job = page.session_state[jobs("perturbation")].active
    assert job is not None
    assert cache.jobs().wait(job, timeout=TIMEOUT).state == "done"
    page.run()
    assert not page.exception
    assert "Above 1/4 cycle per pixel" in text(page)


def test_the_change_of_a_checkerboard_is_all_fine_and_all_grey() -> None:
    page = finish(open_page(), jobs("perturbation"))
    said, found = text(page), outcome(page)
    assert isinstance(found, PerturbationOutcome)
    figures = found.changes[0].figures
    assert figures.rms == pytest.approx(8 / 255, rel=0.02)
    assert figures.band_shares["high"] > 0.95
    assert figures.luma_share == pytest.approx(0.75, abs=0.03)
    share = f"{figures.band_shares['high']:.0%}"
    assert f"lies {share} of the energy for Linearity, baseline (more than white noise's" in said
    assert "densest at waves of 1.4 px (0.71 cycles per pixel)" in said
    moved = found.changes[0].rounded_score - found.changes[0].clean_score
    assert moved == pytest.approx(SLOPE * 8 / 255, rel=0.03)
    assert f"{moved:+.0%} of its usual range" in said
    assert len(page.get("plotly_chart")) == 3, "no flow: no pixel was moved"


@pytest.mark.thorough
def test_the_attack_that_moves_pixels_is_drawn_with_arrows() -> None:
    page = finish(open_page(attack="stadv"), jobs("perturbation"))
    found = outcome(page)
    assert isinstance(found, PerturbationOutcome)
    flow = found.changes[0].flow
    assert flow is not None
    assert f"from {flow.mean:.2f} px away on average and {flow.maximum:.2f} px at most" in text(page)
    assert len(page.get("plotly_chart")) == 4


@pytest.mark.thorough
def test_two_models_stand_side_by_side_and_the_hardened_one_is_chosen_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cards = {card.stem: card for card in (CARD, replace(CARD, variant="hardened"), HARDENED)}
    monkeypatch.setattr(cache, "cards", lambda: cards)
    assert default_models(cards.values()) == [CARD.stem, HARDENED.stem]
    assert default_models([CARD]) == [CARD.stem]
    page = open_page()
    assert page.multiselect(key="spectra_models").value == [CARD.stem, HARDENED.stem]
    finish(page, jobs("perturbation"))
    assert len(page.get("plotly_chart")) == 4
    assert text(page).count("/255 RMS") == 2
    assert page.code[-1].value.count("--compare linearity-hardened-plus") == 1


@pytest.mark.thorough
def test_the_sensitivity_of_a_checkerboard_lies_in_the_finest_waves() -> None:
    page = finish(open_page("sensitivity", grid="5", wave="4/255"), jobs("sensitivity"))
    found = outcome(page, "sensitivity")
    assert isinstance(found, SensitivityOutcome)
    changes = found.maps[CARD.stem].changes.mean(0)
    assert changes.shape == (5, 5)
    assert int(changes.argmax()) in (0, 4, 20, 24), "the corners are the finest waves"
    assert f"by {float(changes.max()):.1%} of its usual range" in text(page)
    assert "is moved most by waves of less than 4 px" in text(page)
    assert len(page.get("plotly_chart")) == 2


@pytest.mark.usefixtures("network")
def test_the_layers_show_the_growth_and_the_bound_of_a_stage_that_doubles() -> None:
    page = finish(open_page("layers"), jobs("layers"))
    found = outcome(page, "layers")
    assert isinstance(found, LayersOutcome)
    double, same = found.growths[CARD.stem][1:3]
    assert (double.stage["pgd"], double.stage["noise"]) == (pytest.approx(2.0), pytest.approx(2.0))
    assert (double.stage_norm, same.stage_norm) == (pytest.approx(2.0, rel=1e-3), pytest.approx(1.0, rel=1e-3))
    table = page.table[0].value
    assert list(table["Place"]) == ["input", "after double", "after same", "score"]
    assert list(table["PGD, in stage"]) == ["–", "2.00", "1.00", "–"]
    assert list(table["Largest singular value"]) == ["–", "2.00", "1.00", "–"]
    lead = found.growths[CARD.stem][3].relative
    assert f"and {lead['pgd'] / lead['noise']:.1f} times as much at the score" in text(page)
    assert "grows most after double: 2.00 times; at most, a small change could grow 2.0 times there" in text(page)


def test_a_model_without_layers_is_refused_with_the_reason() -> None:
    page = finish_failed(open_page("layers"))
    assert "Expected a network with layers" in page.error[0].value.replace("\\", "")


def finish_failed(page: AppTest) -> AppTest:
    assert cache.jobs().wait(run(page, jobs("layers")), timeout=TIMEOUT).state == "failed"
    page.run()
    assert not page.exception
    return page


@pytest.mark.parametrize("view", ["perturbation", "sensitivity", "layers"])
@pytest.mark.usefixtures("network")
def test_the_command_gives_the_same_numbers(
    view: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("robustiqa_core.cli.amplification.measuring_points", lambda network: POINTS)
    page = finish(open_page(view, grid="5", norms="none"), jobs(view))
    found, theirs = outcome(page, view), printed(page, monkeypatch, capsys)["runs"][0]  # type: ignore[index]
    if isinstance(found, PerturbationOutcome):
        mine = found.changes[0].figures
        assert theirs["mean"]["band_shares"] == pytest.approx(mine.band_shares)
        assert theirs["photos"][0]["rounded_score"] == pytest.approx(found.changes[0].rounded_score)
    elif isinstance(found, SensitivityOutcome):
        assert theirs["changes"] == [pytest.approx(row) for row in found.maps[CARD.stem].changes.mean(0).tolist()]
    else:
        mine_last = found.growths[CARD.stem][-1]
        assert theirs["photos"][-1]["relative"] == pytest.approx(dict(mine_last.relative))


@pytest.mark.thorough
@pytest.mark.parametrize("view", ["perturbation", "sensitivity", "layers"])
@pytest.mark.usefixtures("network")
def test_the_files_have_the_numbers_of_every_model_and_photo(view: str) -> None:
    page = finish(open_page(view, photos="cat,mountain_path", grid="5", norms="none"), jobs(view))
    found = outcome(page, view)
    lines = list(csv.DictReader(io.StringIO(outcome_csv(found).decode())))
    value = json.loads(outcome_json(found))
    assert {line["model"] for line in lines} == {CARD.stem} == {run["model"] for run in value["runs"]}
    assert value["command"] == page.code[-1].value
    assert len(value["photos"]) == 2
    assert len(lines) == {"perturbation": 2 * 46, "sensitivity": 25, "layers": 2 * 4}[view]
    assert [button.label for button in page.download_button] == ["Numbers (CSV)", "Numbers (JSON)"]


@pytest.mark.thorough
def test_with_several_photos_one_is_shown_and_all_are_measured() -> None:
    page = finish(open_page(photos="cat,mountain_path"), jobs("perturbation"))
    assert "means over 2 photos" in text(page)
    choice = next(box for box in page.selectbox if box.label == "Photo of the pictures and maps")
    choice.select_index(1).run()
    assert not page.exception
    found = outcome(page)
    assert isinstance(found, PerturbationOutcome)
    assert f"from {found.changes[1].clean_score:.3f} to {found.changes[1].rounded_score:.3f}" in text(page)


@pytest.mark.thorough
def test_each_view_keeps_its_own_result_and_a_reload_finds_it() -> None:
    page = finish(open_page(grid="5"), jobs("perturbation"))
    address = dict(page.query_params)
    page.segmented_control(key="spectra_view").set_value("sensitivity").run()
    assert not page.exception
    assert not page.get("plotly_chart")
    finish(page, jobs("sensitivity"))
    page.segmented_control(key="spectra_view").set_value("perturbation").run()
    assert "Above 1/4 cycle per pixel" in text(page)
    again = open_page(**{key: str(value) for key, value in address.items()})
    assert again.session_state[jobs("perturbation")].active is None
    assert "Above 1/4 cycle per pixel" in text(again)


@pytest.mark.thorough
def test_cancelling_ends_a_run_within_a_step_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs_cache.speed(CARD.model, CARD.variant)
    page = open_page("sensitivity", grid="5")
    stop = Gate(calls=4)
    monkeypatch.setattr(cache, "scorer", lambda model, variant: TinyScorer(before_call=stop))
    run(page, jobs("sensitivity"))
    assert stop.waiting.wait(TIMEOUT)
    page.run()
    assert page.get("progress")[0].text.startswith("Linearity, baseline: frequency 3 of 13")
    page.button(key=state.CANCEL).click().run()
    stop.open()
    assert page.info[0].value.startswith("Cancelled after")


@pytest.mark.thorough
def test_a_photo_of_ones_own_is_measured_and_not_kept_for_others() -> None:
    page = open_page()
    page.segmented_control(key="spectra_source").set_value("uploads").run()
    page.file_uploader[0].set_value([("mine.png", png(), "image/png"), ("bad.png", b"no photo", "image/png")])
    page.run()
    assert "bad.png is left out" in text(page)
    finish(page, jobs("perturbation"))
    found = outcome(page)
    assert found.ran.photos == ("mine.png",)
    assert not {"photos", "result"} & set(page.query_params)


@pytest.mark.parametrize(
    "address",
    [{"photos": "../../etc/passwd"}, {"eps": "8"}, {"attack": "<b>magic</b>"}, {"grid": "4"}, {"norms": "all"}],
    ids=lambda address: ",".join(address),
)
def test_an_address_that_makes_no_sense_ends_in_the_default_view_and_a_sentence(address: dict[str, str]) -> None:
    page = open_page(**address)
    assert page.error[0].value.startswith("The address is not valid")
    assert page.session_state["spectra_samples"] == ["mountain_path"]


def test_the_visit_remembers_no_tensors() -> None:
    page = finish(open_page(), jobs("perturbation"))
    assert "tensor" not in repr(page.session_state[jobs("perturbation")])


def test_places_of_several_models_are_merged_in_their_depth() -> None:
    block = ["input", "after 1", "block after 1", "after 2", "score"]
    assert in_depth_order([["input", "after 1", "after 2", "after 3", "score"], block]) == [
        "input",
        "after 1",
        "block after 1",
        "after 2",
        "after 3",
        "score",
    ]
