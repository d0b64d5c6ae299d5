"""`import robustiqa_core as rq`: what it gives, what it costs, and that it gives the numbers of everything else."""

import ast
import copy
import dataclasses
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import robustiqa_core as rq
from robustiqa_core import cli, public
from robustiqa_core.attacks import ATTACKS, make_attack
from robustiqa_core.evaluation.report import attack_report
from robustiqa_core.images.photo_input import as_images
from robustiqa_core.images.samples import sample_path
from robustiqa_core.scorer import ScoreRange

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "python.md"


class Tiny(nn.Module):
    """A smooth scorer with fixed weights."""

    score_range = ScoreRange(0.0, 1.0)

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        generator = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for parameter in self.layer.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images).sigmoid().mean((1, 2, 3))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A photo of 80 x 72 px."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 10, 3), dtype=np.uint8)
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).resize((80, 72), Image.Resampling.BICUBIC).save(path)
    return path


def sections(path: Path) -> dict[str, str]:
    """Return the Python of each section of a page by its title, the first without one."""
    parts = re.split(r"^## (.*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    code = ["\n".join(re.findall(r"```python\n(.*?)```", part, flags=re.DOTALL)) for part in parts[0::2]]
    return {title: lines for title, lines in zip(["", *parts[1::2]], code, strict=True) if lines}


SLOW = ("Hardening", "Audit")


def test_importing_the_package_does_not_import_torch() -> None:
    code = "import sys, robustiqa_core as rq; dir(rq), rq.__version__; print({'torch', 'numpy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_every_public_name_is_there_is_offered_and_has_a_place_in_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in rq.__all__:
        assert getattr(rq, name) is not None
        assert name in dir(rq)
        assert re.search(rf"\b{name}\b", page), name
    assert sorted(rq.__all__) == sorted([*public.__all__, "__version__"])


def test_type_checkers_are_told_of_the_same_names() -> None:
    tree = ast.parse((ROOT / "robustiqa_core" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    told = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert told == set(public.__all__)


def test_all_attacks_are_public() -> None:
    assert {kind.__name__ for kind in ATTACKS.values()} <= set(rq.__all__)
    assert all(getattr(rq, kind.__name__) is kind for kind in ATTACKS.values())


@pytest.mark.thorough
def test_a_public_name_is_the_same_whatever_was_imported_before() -> None:
    code = (
        "import importlib, pkgutil, robustiqa_core as rq;"
        "found = pkgutil.walk_packages(rq.__path__, 'robustiqa_core.');"
        "rooms = [room.name for room in found if '__' not in room.name];"
        "[importlib.import_module(room) for room in rooms];"
        "print(len(rooms), [name for name in rq.public.__all__ if getattr(rq, name) is not getattr(rq.public, name)])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    rooms, _, hidden = done.stdout.strip().partition(" ")
    assert int(rooms) > 100
    assert hidden == "[]"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("PDG", "PGD"), ("pgd", "PGD"), ("Apgd", "APGD"), ("list_model", "list_models"), ("read_images", "read_image"),
     ("evalute", "evaluate"), ("scorer_", "Scorer"), ("__verson__", "__version__")],
)  # fmt: skip
def test_a_wrong_name_suggests_the_right_one(wrong: str, right: str) -> None:
    with pytest.raises(AttributeError, match=rf"no {wrong}; did you mean {right}\?"):
        getattr(rq, wrong)


def test_a_name_near_no_other_one_points_to_the_page() -> None:
    with pytest.raises(AttributeError, match=r"docs/reference/python\.md"):
        rq.qqqqqq  # noqa: B018


@pytest.mark.parametrize(
    ("call", "right"),
    [
        (lambda: rq.PGD(iterations=20), "steps"),
        (lambda: rq.PGD(epsilon=0.1), "eps"),
        (lambda: rq.FGSM(esp=0.1), "eps"),
        (lambda: rq.APGD(n_iter=20), "steps"),
        (lambda: rq.PGD(alpha=0.01), "step_size"),
        (lambda: rq.MIFGSM(momentum=0.9), "decay"),
        (lambda: rq.Square(n_queries=10), "queries"),
        (lambda: rq.BlockSettings(widht=8), "width"),
        (lambda: rq.PruningSettings(amount=0.1), "ratio"),
        (lambda: rq.HardeningRecipe("linearity", None, None, epoch=1), "epochs"),
        (lambda: rq.load("linearity", varient="baseline"), "variant"),
        (lambda: rq.evaluate("samples", model="linearity"), "models"),
        (lambda: rq.audit(Tiny(), photo="x"), "photos"),
        (lambda: rq.harden(recipy="linearity"), "recipe"),
        (lambda: rq.prune(Tiny(), percent=0.1), "ratio"),
        (lambda: rq.insert_block(Tiny(), positon="after_stage5"), "position"),
        (lambda: rq.save(None, foldr="x"), "folder"),
    ],
)
def test_a_wrong_keyword_suggests_the_right_one(call: Callable[[], object], right: str) -> None:
    with pytest.raises(rq.UnknownSettingError, match=rf"did you mean {right}\?"):
        call()


def test_a_wrong_keyword_is_the_error_that_python_has_for_it() -> None:
    with pytest.raises(TypeError, match="leave it out"):
        rq.PGD(qqqqqq=1)


@pytest.mark.parametrize(
    ("name", "right"), [("linearitty", "linearity"), ("linearity-hardened-pls", "linearity hardened-plus")]
)
def test_a_wrong_model_suggests_the_right_one(name: str, right: str) -> None:
    with pytest.raises(rq.ConfigurationError, match=rf"did you mean {right}\?"):
        rq.load(name)


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_can_be_called_copied_and_pickled(name: str, file: Path) -> None:
    settings: dict[str, Any] = {"steps": 2, "queries": 4, "samples": 2}
    fields = {field.name for field in dataclasses.fields(ATTACKS[name])}
    attack = make_attack(name, {key: value for key, value in settings.items() if key in fields})
    assert copy.deepcopy(attack) == pickle.loads(pickle.dumps(attack)) == attack  # noqa: S301
    result = attack(Tiny(), file)
    assert result.images.shape == (1, 3, 72, 80)
    assert torch.equal(result.clean_scores, Tiny()(result.images))


def test_a_photo_may_be_a_path_a_picture_an_array_or_a_tensor(file: Path) -> None:
    with Image.open(file) as opened:
        picture = opened.copy()
    pixels = np.asarray(picture)
    photos = [file, str(file), rq.read_image(file), picture, pixels, pixels.astype(np.float32) / 255]
    images = rq.read_image(str(file)).images
    for photo in photos:
        assert torch.equal(as_images(photo), images)
    results = [rq.FGSM()(Tiny(), photo) for photo in [*photos, images]]
    assert len({result.scores.item() for result in results}) == 1


def test_a_picture_is_decoded_as_its_file_is(file: Path, tmp_path: Path) -> None:
    turned = tmp_path / "turned.png"
    with Image.open(file) as picture:
        exif = picture.getexif()
        exif[0x0112] = 6
        picture.convert("RGBA").save(turned, exif=exif)
    with Image.open(turned) as picture:
        assert torch.equal(as_images(picture), rq.read_image(turned).images)


@pytest.mark.parametrize(
    ("photo", "said"),
    [
        (np.zeros((80, 72), dtype=np.uint8), r"\(H, W, 3\)"),
        (np.zeros((3, 80, 72), dtype=np.uint8), "move the channels"),
        (np.zeros((80, 72, 3), dtype=np.int64), "uint8"),
        (np.full((80, 72, 3), 255.0), "divide 8-bit values"),
        (torch.zeros(3, 80, 72), "batch axis"),
        (torch.zeros(1, 3, 80, 72, dtype=torch.uint8), "divide 8-bit values"),
        (Image.new("CMYK", (80, 72)), "convert"),
        ("no_such_file.png", "not a file"),
        (None, "NoneType"),
        (Tiny(), "Tiny"),
    ],
)
def test_what_is_no_photo_is_refused_in_words(photo: Any, said: str) -> None:
    with pytest.raises(rq.InputError, match=said):
        rq.FGSM()(Tiny(), photo)


def test_a_name_in_a_models_place_is_refused(file: Path) -> None:
    with pytest.raises(rq.InputError, match="use what load returns"):
        rq.FGSM()("linearity", file)  # type: ignore[arg-type]


@pytest.mark.parametrize("eps", ["4/255", None, True])
def test_a_strength_that_is_no_number_is_refused_in_words(eps: Any) -> None:
    with pytest.raises(rq.ConfigurationError, match="eps must be a number"):
        rq.PGD(eps=eps)


def test_the_figures_of_a_result_are_those_of_the_report() -> None:
    images = torch.rand(3, 3, 72, 80, generator=torch.Generator().manual_seed(0))
    attack = rq.PGD(8 / 255, steps=3, direction="down")
    result = attack(Tiny(), images)
    for index in range(3):
        report = attack_report(
            result, attack, model="m", variant="v", image="i", image_sha256="", command="", index=index
        )
        for name in ("gain", "linf", "l2", "psnr", "ssim"):
            assert getattr(result, name)[index].item() == pytest.approx(getattr(report, name), abs=1e-7), name
        assert result.scores[index].item() == report.rounded_score
    assert torch.equal(result.perturbation, result.adversarial - result.images)
    assert "3 images" in repr(result)


def test_a_saved_result_scores_what_the_result_says(file: Path, tmp_path: Path) -> None:
    result = rq.PGD(eps=8 / 255)(Tiny(), file)
    assert result.gain.item() != 0
    path = result.save(str(tmp_path / "new" / "out.PNG"))
    images = rq.read_image(path).images
    assert torch.equal(images, result.rounded)
    assert torch.equal(Tiny()(images), result.scores)


@pytest.mark.parametrize("name", ["out.jpg", "out.JPEG", "out.webp", "out.avif", "out", "out.png.jpg"])
def test_a_lossy_file_is_refused(name: str, file: Path, tmp_path: Path) -> None:
    result = rq.FGSM()(Tiny(), file)
    with pytest.raises(rq.InputError, match=r"\.png"):
        result.save(tmp_path / name)
    assert not list(tmp_path.glob("out*"))


def test_of_several_images_one_is_named_to_be_saved(tmp_path: Path) -> None:
    result = rq.FGSM()(Tiny(), torch.rand(2, 3, 64, 64))
    with pytest.raises(rq.InputError, match="index"):
        result.save(tmp_path / "out.png")
    assert torch.equal(rq.read_image(result.save(tmp_path / "out.png", index=1)).images, result.rounded[1:])
    with pytest.raises(rq.ConfigurationError, match="index"):
        result.save(tmp_path / "out.png", index=2)


def test_a_bundled_model_is_loaded_by_either_name_and_not_by_two() -> None:
    photo = rq.read_image(sample_path("mountain_path_out_of_focus")).images
    scores = [rq.load(*words)(photo) for words in (("linearity-hardened",), ("linearity", "hardened"))]
    assert torch.equal(*scores)
    with pytest.raises(rq.ConfigurationError, match="one variant"):
        rq.load("linearity-hardened", "hardened-plus")
    with pytest.raises(rq.ConfigurationError, match="device"):
        rq.load("linearity", device="tpu")


def test_a_model_of_ones_own_is_loaded_by_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "nets.py"
    source.write_text("def make():\n    return lambda images: images.mean((1, 2, 3))\n")
    scorer = rq.load(f"{source}:make")
    assert scorer(torch.full((1, 3, 64, 64), 0.25)).item() == pytest.approx(0.25)
    with pytest.raises(rq.ConfigurationError, match="trainable"):
        rq.load(f"{source}:make", trainable=True)
    listed = tmp_path / "models.toml"
    listed.write_text(f'[bright]\nsource = "{source}:make"\n')
    monkeypatch.setenv("ROBUSTIQA_MODELS", str(listed))
    assert rq.list_models()[-1] == "bright"
    assert rq.load("bright")(torch.full((1, 3, 64, 64), 0.5)).item() == pytest.approx(0.5)


def test_a_checkpoint_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(rq.MissingWeightsError, match=r"mine\.json"):
        rq.load(tmp_path / "mine.safetensors")


@pytest.mark.thorough
def test_a_table_is_that_of_the_command(tmp_path: Path) -> None:
    photos = [tmp_path / f"{number}.png" for number in range(2)]
    for number, path in enumerate(photos):
        pixels = np.random.default_rng(number).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    table = rq.evaluate(tmp_path, attacks=[rq.FGSM(), "noise:seed=1"], eps=[2 / 255, 4 / 255])
    out = tmp_path / "table.parquet"
    words = ["evaluate", str(tmp_path), "--attack", "fgsm", "--attack", "noise:seed=1", "--eps", "2/255", "4/255"]
    assert cli.main([*words, "--out", str(out), "--json"]) == 0
    theirs, ours = pd.read_parquet(out), table.to_pandas()
    assert len(ours) == 8
    same = [name for name in ours.columns if name not in ("seconds", "command", "table_command")]
    pd.testing.assert_frame_equal(ours[same], theirs[same], check_dtype=False)
    pd.testing.assert_frame_equal(
        pd.read_csv(table.save(tmp_path / "ours.csv"))[["key", "gain" if "gain" in ours else "ssim"]],
        ours[["key", "gain" if "gain" in ours else "ssim"]],
        check_dtype=False,
    )


def test_scorers_of_ones_own_go_into_a_table_by_name(file: Path) -> None:
    seen: list[object] = []
    other = Tiny()
    with torch.no_grad():
        other.layer.weight.mul_(2)
    table = rq.evaluate(file, {"one": Tiny(), "two": other}, rq.FGSM(), transfer=True, progress=seen.append)
    assert [row.stem for row in table.rows] == ["one-own", "two-own"]
    assert len(seen) == 2
    assert set(table.rows[0].transfer) == {"two-own"}
    summary = table.summary("fixed", fixed_range=(0.0, 1.0), baseline=None)
    assert {run.model for run in summary.runs} == {"one-own", "two-own"}


def test_a_block_is_put_into_a_copy_and_changes_no_score() -> None:
    model, photo = rq.load("linearity"), torch.rand(1, 3, 96, 96)
    blocked = rq.insert_block(model, "after_stage5")
    assert torch.equal(blocked(photo), model(photo))
    assert len(blocked.state_dict()) > len(model.state_dict())
    with pytest.raises(rq.ConfigurationError, match=r"did you mean after_stage5\?"):
        rq.insert_block(model, "after_stage_5")


@pytest.mark.thorough
def test_pruning_returns_a_smaller_copy_and_refuses_a_network_made_fast() -> None:
    network = rq.load("linearity", trainable=True)
    smaller, plan = rq.prune(network, 0.2)
    assert plan.removed > 0
    assert plan.after.multiply_adds < plan.before.multiply_adds
    count = [sum(value.numel() for value in net.parameters()) for net in (network, smaller)]
    assert count == [plan.before.parameters, plan.after.parameters]
    with pytest.raises(rq.ConfigurationError, match="trainable=True"):
        rq.prune(rq.load("linearity"))


@pytest.mark.thorough
def test_a_hardened_model_is_kept_and_loaded_by_its_path(tmp_path: Path) -> None:
    recipe = rq.HardeningRecipe(
        "linearity", "after_stage7", rq.BlockSettings(width=8, grid=2), epochs=0, crops=2, batch_size=2,
        validation_crops=4, resize=64, crop=64,
    )  # fmt: skip
    records: list[object] = []
    hardened = rq.harden(recipe, name="mine", progress=records.append)
    assert records[-1] is hardened
    path = rq.save(hardened, tmp_path / "kept")
    photo = torch.rand(1, 3, 96, 96)
    assert rq.load(path)(photo).item() == pytest.approx(hardened.network(photo).item(), abs=1e-5)
    assert rq.load(path.with_suffix(".json"), "mine", trainable=True)(photo).requires_grad
    (tmp_path / "kept" / "notes.json").write_text("{}")
    rq.load(str(path))
    with pytest.raises(rq.ConfigurationError, match="hardened"):
        rq.load(path, "hardened")


def test_an_audit_gives_a_report(file: Path) -> None:
    report = rq.audit(Tiny(), torch.rand(2, 3, 64, 64), attack=rq.PGD(steps=3))
    assert len(report.findings) == 21
    with pytest.raises(rq.InputError, match="smaller side"):
        rq.audit(Tiny(), [str(file)])


def photo_in(folder: Path) -> Path:
    """Put a photo into a folder to work in, and return the folder."""
    with Image.open(sample_path("mountain_path_out_of_focus")) as picture:
        picture.convert("RGB").save(folder / "photo.jpg", quality=95)
    return folder


def run_example(code: str, source: str, names: dict[str, object]) -> None:
    exec(compile(code, source, "exec"), names)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """A folder with a photo in which the beginning of the page was run, and the names that it made."""
    folder, names = photo_in(tmp_path_factory.mktemp("desk")), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_example(sections(PAGE)[""], str(PAGE), names)
    return folder, names


@pytest.mark.thorough
@pytest.mark.parametrize(
    "title", [pytest.param(title, marks=[pytest.mark.slow] if title in SLOW else []) for title in sections(PAGE)]
)
def test_the_examples_of_the_page_run(
    title: str, begun: tuple[Path, dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, names = begun
    monkeypatch.chdir(folder)
    code = sections(PAGE)
    needed = [*([code["Photos"]] if title == "Attacks" else []), *([code[title]] if title else [])]
    run_example("\n".join(needed), str(PAGE), dict(names))
    assert (folder / "adversarial.png").is_file()


@pytest.mark.thorough
def test_the_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photo_in(tmp_path))
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    run_example("\n".join(line.removeprefix("  ") for line in code.splitlines()), "README.md", {})
    assert (tmp_path / "adversarial.png").is_file()
