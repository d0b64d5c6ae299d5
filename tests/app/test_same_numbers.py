"""Pages, command line and Python give the same numbers: for the lab, Compare, Spectra, Audit, Pruning and placement."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from job_pages import TIMEOUT, finish, png, use
from streamlit.testing.v1 import AppTest
from tiny_scorer import CARD, TinyScorer

import robustiqa_core as rq
from robustiqa_core import cli
from robustiqa_core.images import samples
from robustiqa_core.images.samples import SOURCES, list_samples
from robustiqa_core.pruning.rows import layer_rows
from robustiqa_core.spectra import measure_change
from ui.hardening import cache as hardening_cache
from ui.hardening.recipe import command_of
from ui.jobs import cache as jobs_cache
from ui.placement import live as placement_live
from ui.shell import cache

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
PHOTO = list_samples()[0]
WHERE_MODELS_ARE_LOADED = ("cli.attack", "cli.spectra_options", "cli.audit", "evaluation.tables.models")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny scorer in the model's place, on the pages and the command line."""
    use(monkeypatch, TinyScorer())
    monkeypatch.chdir(ROOT)
    for place in WHERE_MODELS_ARE_LOADED:
        monkeypatch.setattr(f"robustiqa_core.{place}.resolve_scorer", lambda *names, **settings: TinyScorer())
    card = cache.cards()[CARD.stem]
    monkeypatch.setattr("robustiqa_core.evaluation.tables.models.resolve_card", lambda *names, **settings: card)


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """What a command prints as JSON."""

    def run(command: str, *more: str) -> Any:
        capsys.readouterr()
        assert cli.main([*shlex.split(command)[1:], *more]) in (0, 1)
        return json.loads(capsys.readouterr().out)

    return run


def open_page(name: str, **address: str) -> AppTest:
    page = AppTest.from_file(ROOT / "app.py", default_timeout=TIMEOUT)
    page.switch_page(f"pages/{name}.py")
    for key, value in address.items():
        page.query_params[key] = value
    return page.run()


def result(page: AppTest, key: str) -> Any:
    shown = page.session_state[key].shown
    return jobs_cache.shelf().get(shown) or cache.jobs().result(shown)


def command(page: AppTest, start: str) -> str:
    return next(str(code.value) for code in page.code if code.value.startswith(f"robustiqa {start}"))


@pytest.mark.usefixtures("tiny")
def test_of_one_attack(printed: Callable[..., Any], tmp_path: Path) -> None:
    page = open_page("attack_lab", photo=PHOTO.name, attack="mi_fgsm", eps="3/255", steps="3")
    job = page.session_state["attack_lab"].active
    if job is not None:
        cache.jobs().wait(job, timeout=TIMEOUT)
        page.run()
    report = result(page, "attack_lab").first.report
    theirs = printed(command(page, "attack").replace("--out .", f"--out {tmp_path}"))
    mine = rq.MIFGSM(eps=3 / 255, steps=3)(TinyScorer(), PHOTO.path)
    for name in ("clean_score", "rounded_score", "ssim", "psnr"):
        assert theirs[name] == getattr(report, name)
    figures = [mine.clean_scores.item(), mine.rounded_scores.item(), float(mine.ssim)]
    assert figures == pytest.approx([report.clean_score, report.rounded_score, report.ssim], rel=1e-6)
    assert float(mine.gain) == pytest.approx(report.gain, rel=1e-6)


@pytest.mark.usefixtures("tiny")
def test_of_a_table(printed: Callable[..., Any], tmp_path: Path) -> None:
    page = open_page("compare", photos=f"{PHOTO.name},cat", attacks="fgsm", eps="2/255,4/255")
    page.session_state["compare_greeted"] = True
    finish(page.run(), "compare_jobs")
    found = result(page, "compare_jobs")
    text = page.code[-1].value.replace("table.csv", str(tmp_path / "table.json"))
    theirs = printed(text, "--json")
    paths = [sample.path for sample in list_samples() if sample.name in (PHOTO.name, "cat")]
    side = found.recipe.max_side
    mine = rq.evaluate(paths, {CARD.model: TinyScorer()}, ["fgsm"], eps=[2 / 255, 4 / 255], max_side=side)
    gains = {(run["attack"], run["strength"]): run["absolute_gain"] for run in theirs["runs"]}
    own = {(run.attack, run.strength): run.figures.absolute_gain for run in mine.summary().runs}
    singles = {key: gain for key, gain in gains.items() if key[0] == "fgsm"}
    assert len(singles) == 2
    assert {key: own[key] for key in singles} == pytest.approx(singles)
    drawn = page.table[0].value
    for strength in (2, 4):
        row = drawn[(drawn["Attack"] == "FGSM") & (drawn["Strength"] == f"{strength}/255")].iloc[0]
        assert row["Gain"].split()[0] == f"{gains[('fgsm', strength / 255)]:.2f}"
    scores = [row.report.rounded_score for row in mine.rows if row.report.attack == "fgsm"]
    assert sorted(scores) == pytest.approx(
        sorted(row.report.rounded_score for row in found.rows if row.report.attack == "fgsm"), rel=1e-6
    )
    assert theirs["verdicts"] == {}, "no hardened model stands beside its baseline"
    assert mine.verdicts() == {}


@pytest.mark.usefixtures("tiny")
def test_of_a_spectrum(printed: Callable[..., Any]) -> None:
    page = open_page("spectra", view="perturbation", photos=PHOTO.name, attack="fgsm", eps="4/255")
    outcome = result(finish(page, "spectra_perturbation_jobs"), "spectra_perturbation_jobs")
    (found,) = outcome.changes
    (theirs,) = printed(page.code[-1].value, "--json")["runs"][0]["photos"]
    photo = rq.read_image(PHOTO.path, max_side=outcome.ran.recipe.max_side)
    attacked = rq.FGSM(eps=4 / 255)(TinyScorer(), photo)
    mine = measure_change(attacked.images, attacked.rounded)
    assert theirs["band_shares"] == dict(found.figures.band_shares)
    assert theirs["profile"] == found.profile.relative.tolist()
    assert mine.figures.band_shares == pytest.approx(dict(found.figures.band_shares))
    assert mine.figures.rms == pytest.approx(found.figures.rms)


@pytest.mark.usefixtures("tiny")
def test_of_an_audit(printed: Callable[..., Any]) -> None:
    page = finish(open_page("audit"), "audit_jobs")
    found = result(page, "audit_jobs").report
    theirs = printed(page.code[-1].value)
    mine = rq.audit(TinyScorer())
    for ours, shown, told in zip(mine.findings, found.findings, theirs["findings"], strict=True):
        assert ours.name == shown.name == told["name"]
        assert ours.verdict == shown.verdict == told["verdict"]
        values = [figure.value for figure in shown.figures]
        assert [figure.value for figure in ours.figures] == pytest.approx(values, rel=1e-4, abs=1e-6)
        assert [figure["value"] for figure in told["figures"]] == pytest.approx(values, rel=1e-4, abs=1e-6)


def test_of_a_pruning_plan(printed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = open_page("pruning", criterion="l2", ratio="0.4", scope="global")
    theirs = printed(command(page, "prune-plan"), "--json")["plan"]
    network = rq.load("linearity", trainable=True, device="cpu")
    _, mine = rq.prune(network, 0.4, criterion="l2", scope="global")
    shown = page.dataframe[0].value
    assert list(shown["Go"]) == [row.removed for row in layer_rows(mine)]
    assert [layer["removed"] for layer in theirs["layers"]] == [list(layer.removed) for layer in mine.layers]
    metrics = {metric.label: metric.value for metric in page.metric}
    assert metrics["Filters"] == f"{mine.filters:,} → {mine.filters - mine.removed:,}"
    assert theirs["after"]["parameters"] == mine.after.parameters


@pytest.fixture
def few_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight small photos in the place of the samples that models are tuned on; nothing kept from other tests."""
    root = tmp_path / "samples"
    root.mkdir()
    names = [f"{number}.png" for number in range(8)]
    for number, name in enumerate(names):
        (root / name).write_bytes(png((80, 72), 10 + 20 * number))
    columns = ["file", "title", "author", "source", "original_file", "licence", "licence_url", "changes", "sha256"]
    lines = [",".join(columns), *(",".join([name, *["made for tests"] * 8]) for name in names)]
    (root / SOURCES).write_text("\n".join(lines))
    known = samples.list_samples(root)
    monkeypatch.setattr("robustiqa_core.hardening.data.list_samples", lambda root=None: known)
    monkeypatch.setattr("robustiqa_core.hardening.trial._TURNS", 1)
    monkeypatch.setattr(placement_live, "prepared", lambda images, device: images[..., :64, :64])
    for kept in (hardening_cache.trial_store, jobs_cache.shelf, hardening_cache.computed):
        kept.clear()


@pytest.mark.usefixtures("few_photos")
def test_of_a_hardening(printed: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = open_page("block_placement", crops="48", epochs="1", width="8", grid="2")
    next(button for button in page.button if button.label == "Harden").click().run()
    job = page.session_state["placement_jobs"].active
    assert cache.jobs().wait(job, timeout=5 * TIMEOUT).state == "done"
    page.run()
    trial = result(page, "placement_jobs")
    monkeypatch.chdir(tmp_path)
    card = printed(command_of(trial.recipe, "mine"), "--out", str(tmp_path / "models"), "--device", "cpu", "--json")
    mine = rq.harden(trial.recipe, name="mine", device="cpu").card
    assert card["hardening"] == mine.hardening == trial.card.hardening
    figures = card["hardening"]
    shown = {metric.label: metric.value for metric in page.metric}
    assert shown["AbsGain"] == f"{figures['attacked']['hardened']['absolute_gain']:+.3f}"
    assert shown["Agreement"] == f"{figures['agreement']['srocc']:.3f}"
    assert trial.transfer_gain == figures["attacked"]["transferred"]["absolute_gain"]
    assert trial.orthogonality_error == figures["block"]["orthogonality_error"]
    assert card["training"]["settings"]["score_seconds"].keys() == {"baseline", "hardened", "device"}
