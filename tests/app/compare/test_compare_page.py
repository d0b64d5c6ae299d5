"""The page that compares: nothing yet, running, done, cancelled, bad uploads; its numbers, files and address."""

import csv
import dataclasses
import io
import json
import math
import shlex
from pathlib import Path

import pytest
import torch
from job_pages import SPEED, TIMEOUT, finish, png, run, text, use
from streamlit.testing.v1 import AppTest
from tiny_scorer import CARD, SLOPE, Gate, TinyScorer

from robustiqa_core import cli
from robustiqa_core.evaluation.tables import models as table_models
from robustiqa_core.hardening import HardeningRecipe
from robustiqa_core.images.photo import decode_image
from robustiqa_core.pruning import PruningSettings
from ui.compare.controls import DEFAULT_PHOTOS, ROW_SECONDS
from ui.compare.job import WORST, CompareOutcome
from ui.compare.recipe import AttackChoice
from ui.compare.summary import rows_csv, rows_json, summary_csv, summary_json, summary_of
from ui.jobs import cache as jobs_cache
from ui.jobs.estimate import attack_calls, spoken
from ui.photos import cache as photo_cache
from ui.photos.photo_set import FOLDER_VARIABLE
from ui.shell import cache, state

ROOT = Path(__file__).parents[3]
APP = ROOT / "app.py"
JOBS = "compare_jobs"
GREETED = "compare_greeted"
PHOTOS = ["mountain_path", "cat"]


class Counted:
    """Counts the calls of a scorer."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    use(monkeypatch, TinyScorer())
    return open_page()


def open_page(address: dict[str, str] | None = None, *, greeted: bool = True) -> AppTest:
    """Open the page; without `greeted` as a new visitor, for whom a short comparison is run at once."""
    page = AppTest.from_file(APP, default_timeout=TIMEOUT)
    page.switch_page("pages/compare.py")
    if greeted:
        page.session_state[GREETED] = True
    for key, value in (address or {}).items():
        page.query_params[key] = value
    return page.run()


def outcome(page: AppTest) -> CompareOutcome:
    shown = page.session_state[JOBS].shown
    found = jobs_cache.shelf().get(shown) or cache.jobs().result(shown)
    assert isinstance(found, CompareOutcome)
    return found


def test_without_a_result_the_page_says_what_a_run_does_and_how_long_it_takes(page: AppTest) -> None:
    assert not page.exception
    rows = 4 * len(DEFAULT_PHOTOS)
    assert f"{len(DEFAULT_PHOTOS)} photos meet 1 model and 4 attacks, each at its own strength: {rows} rows" in text(
        page
    )
    pixels = sum(math.prod(photo_cache.sample_photo(name).size) for name in DEFAULT_PHOTOS) / 1e6
    calls = [attack_calls(attack) for attack in AttackChoice().grid()]
    attacks = [(SPEED.gradient * call.gradients + SPEED.query * call.queries) * pixels for call in calls]
    pictures = WORST / len(DEFAULT_PHOTOS) * max(attacks)
    assert f"Takes about {spoken(sum(attacks) + pictures + rows * ROW_SECONDS)}." in text(page)
    assert not page.header
    assert page.session_state["compare_samples"] == list(DEFAULT_PHOTOS)


@pytest.mark.thorough
def test_a_new_visitor_sees_a_comparison_without_asking_for_it_and_the_next_one_the_same(page: AppTest) -> None:
    address = {"photos": PHOTOS[0], "attacks": "fgsm", "eps": "8/255"}
    new = open_page(address, greeted=False)
    job = new.session_state[JOBS].active
    assert job is not None
    assert cache.jobs().wait(job, timeout=TIMEOUT).state == "done"
    new.run()
    assert "FGSM 8/255 moves the scores" in new.header[0].value
    again = open_page(address, greeted=False)
    assert again.session_state[JOBS].active is None, "it is kept"
    assert again.header[0].value == new.header[0].value


def test_what_takes_long_is_not_run_without_being_asked_for(page: AppTest) -> None:
    new = open_page({"attacks": "pgd", "eps": "2/255,4/255,8/255", "steps": "200"}, greeted=False)
    assert not new.exception
    assert new.session_state[JOBS].active is None
    assert "This takes about" in new.warning[0].value


def test_a_run_shows_the_exact_numbers_of_a_linear_scorer(page: AppTest) -> None:
    page.session_state["compare_samples"] = PHOTOS
    finish(page.run(), JOBS)
    gain = SLOPE * 4 / 255
    assert page.header[0].value.startswith(
        f"PGD 4/255, 10 steps moves the scores of Linearity, baseline by +{100 * gain:.0f} %"
    )
    assert page.header[0].value.endswith("noise of this strength by +0 %.")
    table = page.table[0].value
    row = table[(table["Attack"] == "PGD") & (table["Strength"] == "4/255")].iloc[0]
    assert float(row["Gain"].split()[0]) == pytest.approx(gain, abs=0.02)
    assert (row["Photos"], row["Unmoved photos"].split()[0]) == ("2", "0.00")
    assert set(table[table["Attack"] == "Noise"]["Note"]) == {"moved no photo"}
    assert len(page.get("plotly_chart")) == 2
    assert [button.label for button in page.download_button] == [
        "Rows (CSV)",
        "Rows (JSON)",
        "Figures (CSV)",
        "Figures (JSON)",
    ]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("agreement", "slope", "levels", "first"),
    [
        (
            0.5,
            5.0,
            3,
            "Linearity, hardened no longer rates photos as before: its scores agree with its baseline's by SROCC",
        ),
        # A linear scorer that is a quarter as steep gives scores that lie four times closer together.
        (0.97, 5.0, 5, "Linearity, hardened moves less than Linearity, baseline only because its scores lie closer"),
        (0.97, SLOPE, 6, "Linearity, hardened moves about as far as Linearity, baseline"),
    ],
)
def test_what_is_no_gain_is_said_first_and_not_praised(
    monkeypatch: pytest.MonkeyPatch, agreement: float, slope: float, levels: int, first: str
) -> None:
    use(monkeypatch, TinyScorer())
    recipe = HardeningRecipe("linearity", None, None, pruning=PruningSettings(ratio=0.0), tuned="all").to_json()
    hardened = dataclasses.replace(
        CARD, variant="hardened", hardening={"recipe": recipe, "agreement": {"srocc": agreement}}
    )
    monkeypatch.setattr(cache, "cards", lambda: {card.stem: card for card in (CARD, hardened)})
    slopes = {"baseline": SLOPE, "hardened": slope}
    monkeypatch.setattr(cache, "scorer", lambda model, variant: TinyScorer(slope=slopes[variant]))
    page = open_page({"photos": ",".join(PHOTOS), "attacks": "fgsm", "eps": f"{levels}/255"})
    finish(page, JOBS)
    assert page.header[0].value.startswith(first)
    assert "times less" not in text(page)
    assert f"FGSM {levels}/255 moves the scores of Linearity, baseline by" in text(page)


def test_the_default_photos_show_different_scenes_and_are_enough_for_a_paired_test() -> None:
    titles = {photo_cache.samples()[name].title.partition(",")[0] for name in DEFAULT_PHOTOS}
    assert len(titles) == len(DEFAULT_PHOTOS)
    assert 2 / 2 ** len(DEFAULT_PHOTOS) < 0.05


def test_the_default_number_of_steps_is_that_of_the_attack_lab() -> None:
    assert AttackChoice().steps == state.DEFAULT_ATTACK.steps


@pytest.mark.thorough
def test_the_worst_cases_are_pictures_of_what_the_rows_say(page: AppTest) -> None:
    page.session_state["compare_samples"] = PHOTOS
    finish(page.run(), JOBS)
    found = outcome(page)
    assert len(found.worst) == 2, "one a photo"
    for worst in found.worst:
        assert (worst.report.attack, worst.report.settings["eps"]) == ("pgd", 4 / 255)
        row = next(row for row in found.rows if row.report.command == worst.report.command)
        score = float(TinyScorer()(decode_image(worst.adversarial_png).images))
        assert score == pytest.approx(row.report.rounded_score, abs=1e-5)


@pytest.mark.thorough
def test_another_scale_changes_the_figures_and_attacks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted()
    use(monkeypatch, TinyScorer(before_call=counted))
    page = open_page({"photos": ",".join(PHOTOS), "attacks": "fgsm", "eps": "2/255,8/255"})
    finish(page, JOBS)
    calls, own = counted.calls, page.table[0].value["Gain"].iloc[1]
    page.segmented_control(key="compare_convention").set_value("fixed").run()
    page.number_input(key="compare_fixed_high").set_value(2.0).run()
    assert not page.exception
    assert float(page.table[0].value["Gain"].iloc[1].split()[0]) == pytest.approx(float(own.split()[0]) / 2, abs=0.01)
    assert "--convention fixed --fixed-range 0 2" in page.code[-1].value
    assert page.query_params["convention"] == "fixed"
    assert page.query_params["scale"] == "0,2"
    gain = page.table[0].value["Gain"].iloc[1]
    again = open_page({key: str(value) for key, value in page.query_params.items()})
    assert again.table[0].value["Gain"].iloc[1] == gain
    page.number_input(key="compare_fixed_high").set_value(0.0).run()
    assert not page.exception
    assert "upper end of the fixed scale must exceed the lower one" in page.error[0].value
    assert counted.calls == calls


@pytest.mark.thorough
def test_the_scale_of_these_photos_needs_two_that_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, TinyScorer())
    page = open_page({"photos": ",".join(PHOTOS), "attacks": "fgsm", "eps": "2/255,8/255"})
    finish(page, JOBS)
    scores = [row.report.clean_score for row in outcome(page).rows]
    own = float(page.table[0].value["Gain"].iloc[1].split()[0])
    page.segmented_control(key="compare_convention").set_value("photos").run()
    assert not page.exception
    gain = float(page.table[0].value["Gain"].iloc[1].split()[0])
    assert gain == pytest.approx(own * TinyScorer().score_range.width / (max(scores) - min(scores)), rel=0.05)
    assert "--convention photos" in page.code[-1].value
    page.session_state["compare_samples"] = PHOTOS[:1]
    finish(page.run(), JOBS)
    assert not page.exception
    assert "Choose another scale" in page.error[0].value
    page.segmented_control(key="compare_convention").set_value("own").run()
    assert not page.error


@pytest.mark.thorough
def test_a_row_that_is_chosen_is_shown_as_a_pair(page: AppTest) -> None:
    page.session_state["compare_samples"] = PHOTOS
    finish(page.run(), JOBS)
    row = next(row for row in outcome(page).rows if row.strength == 1 / 255 and row.report.attack == "pgd")
    page.selectbox(key="compare_pair").set_value(row.key).run()
    job = page.session_state["compare_pair_jobs"].active
    if job is not None:
        assert cache.jobs().wait(job, timeout=TIMEOUT).state == "done"
        page.run()
    assert not page.exception
    shown = {metric.label: metric.value for metric in page.metric}
    assert shown["Clean score"] == f"{row.report.clean_score:.3f}"
    assert shown["Attacked score"] == f"{row.report.rounded_score:.3f}"
    assert row.report.command in [code.value for code in page.code]


@pytest.mark.thorough
def test_the_files_have_all_rows_and_figures(page: AppTest) -> None:
    page.session_state["compare_samples"] = PHOTOS
    finish(page.run(), JOBS)
    found = outcome(page)
    lines = list(csv.DictReader(io.StringIO(rows_csv(found.rows).decode())))
    assert len(lines) == len(json.loads(rows_json(found.rows, found.skipped))["rows"]) == 8
    assert {line["image"] for line in lines} == {f"assets/samples/{name}.png" for name in PHOTOS}
    summary = summary_of(found.rows, "own", baseline=None, ranges={}, fixed=None)
    figures = json.loads(summary_json(summary, "a command"))
    assert (figures["convention"], figures["command"]) == ("own", "a command")
    assert len(list(csv.DictReader(io.StringIO(summary_csv(summary).decode())))) == len(figures["runs"])


@pytest.mark.thorough
def test_the_command_makes_the_same_rows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: AppTest, capsys: pytest.CaptureFixture[str]
) -> None:
    page.session_state["compare_samples"] = PHOTOS
    finish(page.run(), JOBS)
    words = shlex.split(page.code[-1].value)[1:]
    words[words.index("table.csv")] = str(tmp_path / "table.json")
    monkeypatch.chdir(ROOT)
    card = cache.cards()[CARD.stem]
    monkeypatch.setattr(table_models, "resolve_scorer", lambda model, variant, device: TinyScorer())
    monkeypatch.setattr(table_models, "resolve_card", lambda model, variant, scorer: card)
    assert cli.main([*words, "--json"]) == 0
    rows = json.loads((tmp_path / "table.json").read_text())["rows"]
    mine = [row.to_json() for row in outcome(page).rows]
    assert [row["key"] for row in rows] == [row["key"] for row in mine]
    for name in ("clean_score", "rounded_score", "haarpsi", "ssim"):
        assert [row[name] for row in rows] == pytest.approx([row[name] for row in mine], abs=1e-6)
    gains = [run["absolute_gain"] for run in json.loads(capsys.readouterr().out)["runs"]]
    assert [f"{gain:.2f}" for gain in gains] == [cell.split()[0] for cell in page.table[0].value["Gain"]]


@pytest.mark.thorough
def test_a_finished_comparison_survives_a_reload_and_another_page(page: AppTest) -> None:
    page.session_state["compare_samples"] = PHOTOS
    finish(page.run(), JOBS)
    headline, address = page.header[0].value, dict(page.query_params)
    page.switch_page("pages/how_it_works.py").run()
    page.switch_page("pages/compare.py").run()
    assert page.header[0].value == headline
    again = open_page({key: str(value) for key, value in address.items()})
    assert again.header[0].value == headline
    assert again.session_state["compare_samples"] == PHOTOS
    assert again.session_state[JOBS].active is None


@pytest.mark.thorough
def test_cancelling_ends_a_run_after_the_row_and_says_how_far_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, TinyScorer())
    page = open_page({"photos": PHOTOS[0], "attacks": "noise", "eps": "2/255,4/255,8/255"})
    stop = Gate(calls=4)
    monkeypatch.setattr(cache, "scorer", lambda model, variant: TinyScorer(before_call=stop))
    run(page, JOBS)
    assert stop.waiting.wait(TIMEOUT)
    page.run()
    assert str(page.get("progress")[0].text).startswith("Row 2 of 3, step 0 of 1")
    page.button(key=state.CANCEL).click().run()
    stop.open()
    assert page.info[0].value == "Cancelled after 1 row."


def test_bad_uploads_are_left_out_with_the_reason_and_the_good_ones_go_on(page: AppTest) -> None:
    page.segmented_control(key="compare_source").set_value("uploads").run()
    assert next(button for button in page.button if button.label == "Run the comparison").disabled
    page.file_uploader[0].set_value(
        [
            ("good.png", png(), "image/png"),
            ("bad.png", b"this is no photo", "image/png"),
            ("tiny.png", png((20, 20)), "image/png"),
            ("good.png", png((90, 70), 30), "image/png"),
        ]
    )
    page.run()
    refused = [message.value.replace("\\", "") for message in page.error]
    assert len(refused) == 2
    assert refused[0].startswith("**bad.png is left out.** Expected")
    assert refused[1].startswith("**tiny.png is left out.** Expected")
    page.multiselect(key="compare_attacks").set_value(["fgsm"]).run()
    finish(page, JOBS)
    assert {row.report.image for row in outcome(page).rows} == {"good.png", "good (2).png"}
    assert "photos" not in page.query_params, "an address cannot carry an upload"
    assert "result" not in page.query_params, "what belongs to a visitor is not kept for others"


def test_a_folder_on_the_server_is_offered_where_it_was_set_up(
    page: AppTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "folder" not in page.segmented_control(key="compare_source").options
    for name in ("b.png", "a.png", "c.png"):
        (tmp_path / name).write_bytes(png())
    (tmp_path / "b.png").write_bytes(b"broken")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    page = open_page({"folder": "2", "attacks": "fgsm", "eps": "4/255"})
    finish(page, JOBS)
    assert [row.report.image for row in outcome(page).rows] == ["a.png"]
    assert "b.png" in page.warning[0].value.replace("\\", "")
    assert f'robustiqa evaluate "${FOLDER_VARIABLE}"' in page.code[-1].value
    assert str(tmp_path) not in page.code[-1].value


@pytest.mark.parametrize(
    "address",
    [
        {"photos": "../../etc/passwd"},
        {"eps": "8"},
        {"attacks": "<b>magic</b>"},
        {"steps": "100000"},
        {"folder": "-1"},
        {"models": "linearity-magic"},
        {"max_side": "99999"},
        {"convention": "mine"},
        {"scale": "1,0"},
        {"against": "linearity-magic"},
    ],
    ids=lambda address: ",".join(address),
)
def test_an_address_that_makes_no_sense_ends_in_the_default_view_and_a_sentence(
    page: AppTest, address: dict[str, str]
) -> None:
    again = open_page(address)
    assert not again.exception
    assert again.error[0].value.startswith("The address is not valid")
    assert again.session_state["compare_samples"] == list(DEFAULT_PHOTOS)


@pytest.mark.thorough
def test_the_visit_remembers_ids_and_settings_but_no_tensors(page: AppTest) -> None:
    page.session_state["compare_samples"] = PHOTOS[:1]
    finish(page.run(), JOBS)
    for key in page.session_state.keys():  # noqa: SIM118  (AppTest's session state has no plain iteration over names)
        assert not isinstance(page.session_state[key], torch.Tensor)
    assert "tensor" not in repr(page.session_state[JOBS])
