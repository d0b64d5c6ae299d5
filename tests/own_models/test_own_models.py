"""Models of the user's own: every kind of source, what is refused and why, the file that lists them."""

import json
import os
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from robustiqa_core import cli, own_models
from robustiqa_core.attacks import PGD, complete
from robustiqa_core.errors import ConfigurationError, InputError, MissingWeightsError, NumericalError, RobustIQAError
from robustiqa_core.folders import CHECKPOINTS_VARIABLE
from robustiqa_core.images.photo import encode_png, read_image
from robustiqa_core.images.samples import list_samples
from robustiqa_core.own_models import MODELS_VARIABLE, OwnModel, OwnScorer, list_own_models, own_cards, resolve_scorer
from robustiqa_core.scorer import ScoreRange

CPU = torch.device("cpu")
NETS = """
import torch
from torch import nn

DEVICES = []


class Net(nn.Module):
    def __init__(self, shape=(-1,)):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.conv, self.norm = nn.Conv2d(3, 4, 5, 2), nn.BatchNorm2d(4)
            self.dropout, self.head = nn.Dropout(0.5), nn.Linear(4, 1)
        self.shape = shape

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x))).mean((2, 3))
        return self.head(self.dropout(x)).reshape(self.shape)


def make(): return Net()
def column(): return Net((-1, 1))
def on(device, size=3): DEVICES.append(device); return Net()
def needs(depth): return Net(depth)
def pair(): return Net((-1, 1, 1))
def tuples(): return lambda x: (x.mean((1, 2, 3)),)
def detached(): return lambda x: x.detach().mean((1, 2, 3))
def constant(): return lambda x: 0.0 * x.sum((1, 2, 3)) + 1
def undefined(): return lambda x: (x - 2).mean((1, 2, 3)).sqrt()
def noisy(): return lambda x: x.mean((1, 2, 3)) + torch.rand(len(x))
def company(): return lambda x: (x - x.mean(0)).square().mean((1, 2, 3)) + x.mean((1, 2, 3))
def only_64():
    def score(x):
        if x.shape[-2:] != (64, 64):
            raise RuntimeError("size mismatch: 64 x 64 only")
        return x.mean((1, 2, 3))
    return score


class Space:
    net = Net()


number = 3
"""


@pytest.fixture
def nets(tmp_path: Path) -> str:
    """A Python file with networks and things that are none."""
    path = tmp_path / "nets.py"
    path.write_text(textwrap.dedent(NETS))
    return str(path)


def photos(count: int = 2, height: int = 90, width: int = 100) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


def load(source: str, **known: object) -> OwnScorer:
    return own_models.load_own_scorer(
        OwnModel("mine", source, **({"score_range": ScoreRange(0, 1)} | known)), device=CPU
    )


class Net(nn.Module):
    """For the files of TorchScript and exported programs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.dropout, self.head = nn.Conv2d(3, 4, 5, 2), nn.Dropout(0.5), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.conv(x).relu().mean((2, 3))))


@pytest.fixture(scope="module")
def net() -> Net:
    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture(scope="module")
def files(net: Net, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One network in files of all kinds, and files that are no network."""
    root = tmp_path_factory.mktemp("networks")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(net, photos(1)).save(str(root / "traced.pt"))
        sizes = torch.export.Dim.DYNAMIC
        dynamic = torch.export.export(net, (photos(2),), dynamic_shapes=({0: sizes, 2: sizes, 3: sizes},))
        torch.export.save(dynamic, root / "any.pt2")
        torch.export.save(torch.export.export(net, (photos(1, 64, 72),)), root / "one.pt2")
    torch.save(net.state_dict(), root / "state.pth")
    (root / "text.pt2").write_text("no network")
    return {path.stem: str(path) for path in root.iterdir()}


@pytest.mark.parametrize("name", ["make", "column", "Net", "on", "Space.net"])
def test_python_code_gives_a_frozen_network_that_scores_and_is_attacked(nets: str, name: str) -> None:
    scorer = load(f"{nets}:{name}")
    images = photos()
    scores = scorer(images)
    assert scores.shape == (2,)
    assert not scorer.one_by_one
    assert isinstance(scorer.network, nn.Module)
    assert not scorer.network.training
    assert not any(parameter.requires_grad for parameter in scorer.network.parameters())
    torch.testing.assert_close(scores, scorer.network(images).flatten())
    result = complete(PGD(4 / 255, steps=3), scorer, images)
    assert (result.adversarial_scores > scores).all()


def test_a_callable_that_takes_a_device_is_given_it(nets: str) -> None:
    scorer = load(f"{nets}:on")
    module = type(scorer.network).__module__
    assert sys.modules[module].DEVICES == [CPU]


def test_an_installed_module_is_imported(nets: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(nets).parent
    (folder / "my_own_package").mkdir()
    (folder / "my_own_package" / "inner.py").write_text(NETS)
    monkeypatch.syspath_prepend(folder)
    assert load("my_own_package.inner:make")(photos()).shape == (2,)


@pytest.mark.parametrize("kind", ["traced", "any"])
def test_a_file_of_a_network_scores_as_the_network_does(net: Net, files: dict[str, str], kind: str) -> None:
    scorer = load(files[kind])
    images = photos(3, 80, 131)
    torch.testing.assert_close(scorer(images), net(images)[:, 0], atol=1e-6, rtol=1e-5)
    assert not any(parameter.requires_grad for parameter in scorer.network.parameters())  # type: ignore[attr-defined]


def test_a_program_of_one_size_and_one_photo_scores_batches_of_any_size(net: Net, files: dict[str, str]) -> None:
    scorer = load(files["one"], size=(64, 72))
    images = photos(2, 90, 130)
    small = nn.functional.interpolate(images, (64, 72), mode="bilinear", antialias=True)
    assert scorer.one_by_one
    torch.testing.assert_close(scorer(images), net(small)[:, 0], atol=1e-6, rtol=1e-5)
    with pytest.raises(InputError, match=r"320 x 256 px.*list it in a file with its size"):
        load(files["one"])


def test_size_mean_and_deviation_are_applied_before_the_network(nets: str) -> None:
    known = {"size": 70, "mean": (0.5, 0.4, 0.3), "deviation": (0.1, 0.2, 0.3)}
    scorer, plain = load(f"{nets}:make", **known), load(f"{nets}:make")
    images = photos(1, 140, 180)
    small = nn.functional.interpolate(images, (70, 90), mode="bilinear", antialias=True)
    normal = (small - torch.tensor(known["mean"]).view(3, 1, 1)) / torch.tensor(known["deviation"]).view(3, 1, 1)
    torch.testing.assert_close(scorer(images), plain.network(normal), atol=1e-6, rtol=1e-5)


def test_a_network_for_which_smaller_is_better_is_turned_round(nets: str) -> None:
    plain = load(f"{nets}:make")
    turned = load(f"{nets}:make", higher_is_better=False, score_range=ScoreRange(2, 30))
    assert torch.equal(turned(photos()), -plain(photos()))
    assert turned.score_range == ScoreRange(-30, -2)


def test_the_range_is_measured_on_the_sample_photos_or_that_of_the_network(
    nets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = list_samples()[3:6]
    monkeypatch.setattr("robustiqa_core.own_models.scorer.list_samples", lambda: samples)
    scorer = load(f"{nets}:make", score_range=None)
    scores = [scorer(read_image(sample.path).images).item() for sample in samples]
    assert scorer.score_range == ScoreRange(min(scores), max(scores))
    with Path(nets).open("a") as file:
        file.write("\nfrom robustiqa_core.scorer import ScoreRange\nSpace.net.score_range = ScoreRange(3, 4)\n")
    renamed = Path(nets).rename(Path(nets).with_name("others.py"))
    assert load(f"{renamed}:Space.net", score_range=None).score_range == ScoreRange(3, 4)


def test_a_network_that_compares_the_photos_of_a_batch_scores_each_alone(nets: str) -> None:
    scorer = load(f"{nets}:company")
    images = photos(3)
    assert scorer.one_by_one
    torch.testing.assert_close(scorer(images), torch.cat([scorer(image[None]) for image in images]))


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("pair", InputError, r"scores \(1,\) or \(1, 1\) of a network, got \(1, 1, 1\)"),
        ("tuples", InputError, "got tuple"),
        ("constant", ConfigurationError, "depends on the photo, got 1 for four photos"),
        ("undefined", NumericalError, "finite scores"),
        ("noisy", NumericalError, "same scores.*dropout"),
        ("only_64", InputError, r"size mismatch: 64 x 64 only.*list it in a file with size = \[64, 64\]"),
        ("needs", ConfigurationError, "missing a required argument: 'depth'"),
        ("number", ConfigurationError, "got int"),
        ("nothing", ConfigurationError, "only .*make, column"),
    ],
)
def test_what_is_no_scorer_is_refused_with_the_reason(
    nets: str, name: str, kind: type[RobustIQAError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        load(f"{nets}:{name}")


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("no_such_module_here:make", ConfigurationError, "No module named.*PYTHONPATH"),
        ("missing.py:make", MissingWeightsError, "missing.py"),
        ("missing.pt2", MissingWeightsError, "'missing.pt2'; check the name"),
        ("C:\\missing.pt2", MissingWeightsError, "missing.pt2'; check the name"),
        ("state", InputError, "weights without code.*import-checkpoint"),
        ("text", InputError, "got another file"),
    ],
)
def test_a_source_that_is_none_is_refused(
    files: dict[str, str], source: str, kind: type[RobustIQAError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        load(files.get(source, source))


def test_a_file_that_fails_is_run_again_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "late.py"
    path.write_text("import a_module_that_is_not_there\n")
    with pytest.raises(ConfigurationError, match="a_module_that_is_not_there"):
        load(f"{path}:make")
    path.write_text("def make(): return lambda images: images.mean((1, 2, 3)) + 0.5\n\n\n")
    torch.testing.assert_close(load(f"{path}:make")(photos(1)), photos(1).mean()[None] + 0.5)


@pytest.fixture
def listed(nets: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what writes the file of one's own models and makes it known."""
    path = Path(nets).with_name("models.toml")
    monkeypatch.setenv(MODELS_VARIABLE, str(path))

    def write(text: str) -> None:
        path.write_text(textwrap.dedent(text))

    return write


def test_the_file_lists_models_beside_it_and_modules(listed: Callable[[str], None], nets: str) -> None:
    listed("""
        [mine]
        source = "nets.py:make"
        unit = "DMOS, 0 to 100"
        score_range = [0, 100.5]
        higher_is_better = false
        size = [64, 72]
        mean = [0.5, 0.5, 0]
        deviation = [0.2, 0.2, 1]

        [other_2]
        source = "some.module:make"
        size = 224
        """)
    first, second = list_own_models()
    assert first == OwnModel(
        "mine", nets + ":make", "DMOS, 0 to 100", ScoreRange(0, 100.5), False, (64, 72), (0.5, 0.5, 0), (0.2, 0.2, 1)
    )
    assert (second.name, second.source, second.size, second.score_range) == ("other_2", "some.module:make", 224, None)
    scorer = resolve_scorer("mine", device=CPU)
    assert scorer.score_range == ScoreRange(-100.5, 0)
    assert scorer(photos()).shape == (2,)


def test_cards_have_the_models_range_and_those_that_cannot_be_used_are_named(listed: Callable[[str], None]) -> None:
    listed("""
        [a]
        source = "a.pt2"
        unit = "DMOS"
        higher_is_better = false

        [broken]
        source = "b.pt2"

        [wrong]
        sorce = "c.pt2"
        """)

    def load_named(name: str) -> OwnScorer:
        if name == "broken":
            raise MissingWeightsError("expected b.pt2, got none")
        return OwnScorer(lambda x: x, OwnModel(name, "none"), ScoreRange(7, 8))

    (card,), (wrong, broken) = own_cards(load_named)
    assert (card.stem, card.score_range) == ("a-own", ScoreRange(7, 8))
    assert "negated" in card.score_unit
    assert (broken.name, broken.reason) == ("broken", "expected b.pt2, got none")
    assert wrong.name == "wrong"
    assert "got sorce" in wrong.reason


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("[mine]\nsorce = 'x'", ConfigurationError, "expected a table .mine. with the key source.*got sorce"),
        ("[mine]\nsource = 'x'\nrange = 3", ConfigurationError, "score_range.*got source, range"),
        ("mine = 3", ConfigurationError, "got int"),
        ("[linearity]\nsource = 'x'", ConfigurationError, "not one of linearity, dbcnn, tres; got 'linearity'"),
        ("['My Net']\nsource = 'x'", ConfigurationError, "small letters"),
        ("[mine]\nsource = 3", ConfigurationError, "source must be a text"),
        ("[mine]\nsource = 'x'\nhigher_is_better = 'no'", ConfigurationError, "true or false"),
        ("[mine]\nsource = 'x'\nscore_range = [0]", ConfigurationError, "score_range must be a list of 2 numbers"),
        ("[mine]\nsource = 'x'\nscore_range = [1, 0]", ConfigurationError, "finite low < high"),
        ("[mine]\nsource = 'x'\nmean = ['a', 1, 2]", ConfigurationError, "mean must be a list of 3 numbers"),
        ("[mine]\nsource = 'x'\nmean = [nan, 1, 2]", ConfigurationError, "mean must be finite"),
        ("[mine]\nsource = 'x'\ndeviation = [0, 1, 1]", ConfigurationError, "deviation must be a finite number above"),
        ("[mine]\nsource = 'x'\nsize = 0", ConfigurationError, "size must be a whole number from 16"),
        ("[mine]\nsource = 'x'\nsize = [224, 0.5]", ConfigurationError, "size must be a whole number"),
        ("[mine", InputError, "expected TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(
    listed: Callable[[str], None], text: str, kind: type[RobustIQAError], message: str
) -> None:
    listed(text)
    with pytest.raises(kind, match=message):
        list_own_models()


def test_a_file_that_is_not_there_is_named_and_none_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, "nowhere.toml")
    with pytest.raises(InputError, match=r"nowhere\.toml.*ROBUSTIQA_MODELS"):
        list_own_models()
    monkeypatch.delenv(MODELS_VARIABLE)
    assert list_own_models() == ()


def test_other_names_are_those_of_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MODELS_VARIABLE, raising=False)
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(tmp_path))
    with pytest.raises(MissingWeightsError, match="niqe-baseline"):
        resolve_scorer("niqe", device=CPU)


def test_the_commands_take_sources_and_list_what_the_file_has(
    nets: str, tmp_path: Path, listed: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    listed('[mine]\nsource = "nets.py:make"\nscore_range = [1, 2]\n')
    picture = tmp_path / "photo.png"
    picture.write_bytes(encode_png(photos(1)))
    names = ["mine", f"{nets}:make"]
    found = []
    for name in names:
        assert cli.main(["score", str(picture), "--model", name, "--device", "cpu", "--json"]) == 0
        found += json.loads(capsys.readouterr().out)
    assert [row["model"] for row in found] == names
    expected = load(names[1])(read_image(picture).images).item()
    assert [row["score"] for row in found] == pytest.approx([expected] * 2, abs=1e-6)
    assert cli.main(["models", "--json"]) == 0
    card = json.loads(capsys.readouterr().out)[-1]
    assert (card["model"], card["variant"], card["score_range"]) == ("mine", "own", {"low": 1, "high": 2})
    assert cli.main(["models"]) == 0
    assert f"not measured; from {nets}:make" in capsys.readouterr().out.replace("\n", "")
    assert cli.main(["score", str(picture), "--model", f"{nets}:noisy", "--device", "cpu"]) == 2
    assert "dropout or random crops" in capsys.readouterr().err


BLACK_BOXES = """
import torch

def detached(): return lambda x: x.detach().mean((1, 2, 3))
def by_numpy(): return lambda x: torch.from_numpy(x.numpy().mean((1, 2, 3)))
def rounded(): return lambda x: (100_000 * x.mean((1, 2, 3))).round()
def one_number(): return lambda x: torch.tensor([float(x.mean())])
def whole_numbers(): return lambda x: (100_000 * x.mean((1, 2, 3))).long()
def without_gradient():
    @torch.no_grad()
    def score(x): return x.mean((1, 2, 3))
    return score
def in_place():
    def score(x):
        x.mul_(2)
        return x.mean((1, 2, 3))
    return score
def no_backward():
    class Half(torch.autograd.Function):
        @staticmethod
        def forward(context, x): return x / 2
        @staticmethod
        def backward(context, gradient): raise NotImplementedError("no backward here")
    return lambda x: Half.apply(x).mean((1, 2, 3))
"""


@pytest.mark.parametrize(
    "name", ["detached", "by_numpy", "rounded", "one_number", "whole_numbers", "without_gradient", "no_backward"]
)
def test_a_black_box_is_attacked_by_its_scores_and_refuses_what_needs_a_gradient(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "boxes.py").write_text(BLACK_BOXES)
    picture = tmp_path / "photo.png"
    picture.write_bytes(encode_png(photos(1, 64, 64)))
    source = f"{tmp_path / 'boxes.py'}:{name}"
    assert load(source).black_box
    words = ["attack", str(picture), "--model", source, "--device", "cpu"]
    for attack in (["square", "--queries", "40"], ["nes", "--queries", "45"], ["noise"]):
        assert cli.main([*words, "--attack", *attack, "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["gradient_calls"] == 0
        if attack[0] != "noise":
            assert report["adversarial_score"] > report["clean_score"]
    assert cli.main([*words, "--attack", "pgd"]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert "square, nes or noise" in printed.err


def test_a_network_that_changes_its_input_keeps_its_gradient_and_changes_no_photo(tmp_path: Path) -> None:
    (tmp_path / "boxes.py").write_text(BLACK_BOXES)
    scorer, images = load(f"{tmp_path / 'boxes.py'}:in_place"), photos()
    before = images.clone()
    torch.testing.assert_close(scorer(images), 2 * before.mean((1, 2, 3)))
    assert torch.equal(images, before)
    assert not scorer.black_box


RUDE = """
import atexit, os, subprocess, sys
import torch

ENDS = {ends}
print("imported")
os.system("echo from a shell")
os.write(1, b"to the descriptor\\n")


def make():
    print("Loading pretrained model ... done")
    subprocess.run(["echo", "from a process"])
    if ENDS:
        atexit.register(print, "goodbye")

    def score(x):
        print("scoring")
        sys.__stdout__.write("to the first stream\\n")
        return x.mean((1, 2, 3))

    return score
"""


def test_whatever_a_model_prints_goes_to_standard_error(tmp_path: Path) -> None:
    (tmp_path / "rude.py").write_text(RUDE.format(ends=True))
    (tmp_path / "photo.png").write_bytes(encode_png(photos(1, 64, 64)))
    words = ["score", "photo.png", "--model", "rude.py:make", "--device", "cpu", "--json"]
    root = Path(cli.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "robustiqa_core", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    (row,) = json.loads(done.stdout)
    assert row["score"] == pytest.approx(photos(1, 64, 64).mean().item(), abs=0.01)
    for said in ("imported", "a shell", "the descriptor", "a process", "scoring", "first stream", "goodbye"):
        assert said in done.stderr


def test_whatever_a_model_prints_goes_to_standard_error_of_a_program_that_goes_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rude.py").write_text(RUDE.format(ends=False))
    scorer = load(f"{tmp_path / 'rude.py'}:make")
    scorer(photos())
    sys.stdout.write("a result\n")
    printed = capfd.readouterr()
    assert printed.out == "a result\n"
    assert "scoring" in printed.err


RUINED = {
    "raises_at_import": "raise KeyError('at import')",
    "leaves_at_import": "import sys; sys.exit('bye')",
    "no_python": "def make(:",
    "not_utf8": "# \xe9",
    "raises": "def make(): raise RuntimeError('first line\\nsecond line \\x1b[31m')",
    "leaves": "def make(): raise SystemExit(0)",
    "ends": "def make(): raise GeneratorExit",
    "never_ends": "def make(): return make()",
    "other_names": "import torch\ndef make(): torch.nn.Linear(1, 1).load_state_dict({'a': torch.ones(1)})",
    "no_weights": "def make(): open('not_there.pth')",
    "returns_nothing": "def make(): pass",
    "returns_text": "def make(): return 'network'",
    "returns_a_class": "import torch\ndef make(): return torch.nn.Identity",
    "scores_nothing": "def make(): return lambda x: None",
    "scores_text": "def make(): return lambda x: 'good'",
    "scores_numbers": "def make(): return lambda x: [0.5] * len(x)",
    "scores_an_array": "def make(): return lambda x: x.detach().numpy().mean((1, 2, 3))",
    "scores_a_map": "def make(): return lambda x: x",
    "scores_complex": "def make(): return lambda x: x.mean((1, 2, 3)) * 1j",
    "leaves_while_scoring": "import sys\ndef make(): return lambda x: sys.exit()",
    "raises_while_scoring": "def make(): return lambda x: 1 / 0",
    "odd_range": "class Net:\n  def __call__(self, x): return x.mean((1, 2, 3))\n  @property\n"
    "  def score_range(self): raise OSError('odd')\ndef make(): return Net()",
    "odd_signature": "make = dict.fromkeys",
}


@pytest.mark.parametrize("name", RUINED)
def test_code_that_fails_in_any_way_ends_with_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / f"{name}.py").write_bytes(RUINED[name].encode("latin-1"))
    picture = tmp_path / "photo.png"
    picture.write_bytes(encode_png(photos(1, 64, 64)))
    assert cli.main(["score", str(picture), "--model", f"{tmp_path / name}.py:make", "--device", "cpu"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "\x1b" not in printed.err
    assert name in printed.err
    if name in ("returns_nothing", "scores_nothing"):
        assert "it returned None" in printed.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("network.half()", r"float16.*\.float\(\)"),
        ("network.double()", r"float64.*\.float\(\)"),
        ("network.bfloat16()", r"bfloat16.*\.float\(\)"),
        (
            "torch.nn.Sequential(torch.nn.Conv2d(1, 3, 1), network)",
            r"grey photos of 1 channel.*mean\(1, keepdim=True\)",
        ),
        ("torch.nn.Sequential(torch.nn.Conv2d(4, 3, 1), network)", "photos of 4 channels"),
        ("torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 224 * 224, 1))", r"size = \[224, 224\]"),
        ("torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 299 * 299, 1))", r"size = \[299, 299\]"),
        ("torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 97 * 97, 1))", "if it takes photos of one size"),
    ],
)
def test_a_network_for_other_photos_is_told_which(tmp_path: Path, change: str, message: str) -> None:
    (tmp_path / "net.py").write_text(f"{NETS}\n\ndef other():\n    network = Net((-1, 1))\n    return {change}\n")
    with pytest.raises(InputError, match=message):
        load(f"{tmp_path / 'net.py'}:other")


def test_a_file_imports_what_lies_beside_it_and_two_models_each_their_own(tmp_path: Path) -> None:
    for name, factor in (("first", 2), ("second", 3)):
        (tmp_path / name / "parts").mkdir(parents=True)
        (tmp_path / name / "helper_beside.py").write_text(f"FACTOR = {factor}\n")
        (tmp_path / name / "parts" / "__init__.py").write_text("")
        (tmp_path / name / "parts" / "late.py").write_text("from helper_beside import FACTOR\n")
        (tmp_path / name / "model.py").write_text(
            "import helper_beside\n\n\ndef make():\n    from parts.late import FACTOR\n"
            "    return lambda x: helper_beside.FACTOR * FACTOR * x.mean((1, 2, 3))\n"
        )
    before = list(sys.path)
    mean = photos().mean((1, 2, 3))
    for name, factor in (("first", 2), ("second", 3), ("first", 2)):
        torch.testing.assert_close(load(f"{tmp_path / name / 'model.py'}:make")(photos()), factor**2 * mean)
    assert sys.path == before


SUM = "import {beside}\n\n\ndef make():\n    return lambda x: {beside}.FACTOR * x.mean((1, 2, 3))\n"


def test_a_digest_says_when_a_model_is_another_one_and_only_then(tmp_path: Path) -> None:
    """Of its code, of a file beside it, of weights that its code reads, of its settings; not of where it lies."""
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
        (folder / "digest_nets.py").write_text(SUM.format(beside="digest_beside"))
        (folder / "digest_beside.py").write_text("FACTOR = 0.5\n")
    source = f"{folders[0]}/digest_nets.py:make"
    first = load(source).digest
    assert first
    assert load(source).digest == first == load(f"{folders[1]}/digest_nets.py:make").digest
    assert load(source, mean=(0.1, 0.0, 0.0)).digest != first
    (folders[0] / "digest_beside.py").write_text("FACTOR = 0.25  # half\n")
    changed = load(source)
    assert changed.digest != first
    assert changed(torch.ones(1, 3, 64, 64)).item() == pytest.approx(0.25)
    (folders[0] / "digest_nets.py").write_text("def make():\n    return lambda x: x.std((1, 2, 3))\n")
    again = load(source)
    assert again.digest not in (first, changed.digest)
    assert again(torch.ones(1, 3, 64, 64)).item() == pytest.approx(0.0)


def test_weights_that_the_code_reads_are_part_of_the_digest(tmp_path: Path) -> None:
    (tmp_path / "reads.py").write_text(
        "from pathlib import Path\n\nfactor = Path(__file__).with_name('factor.txt')\n\n\n"
        "def make():\n    known = float(factor.read_text())\n    return lambda x: known * x.mean((1, 2, 3))\n"
    )
    digests = []
    for text in ("0.5", "0.5", "0.75"):
        (tmp_path / "factor.txt").write_text(text)
        digests.append(load(f"{tmp_path}/reads.py:make").digest)
    assert digests[0] == digests[1] != digests[2]


def test_a_changed_file_is_another_model_for_tables_and_cards(tmp_path: Path) -> None:
    path = tmp_path / "traced.pt"
    digests = []
    for seed in (0, 1):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = nn.Sequential(nn.Conv2d(3, 1, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.script(network).save(str(path))
        scorer = resolve_scorer(str(path), device=CPU)
        digests.append(own_models.resolve_card(str(path), scorer=scorer).sha256)
    assert all(digests)
    assert digests[0] != digests[1]


MISCHIEF = """
import os
import torch


class Unreadable(Exception):
    def __str__(self):
        raise ValueError("no")


def raises_unreadable():
    def score(x):
        raise Unreadable
    return score
def nowhere(): return lambda x: x.mean((1, 2, 3)).to("meta")
def sparse(): return lambda x: x.mean((1, 2, 3)).to_sparse()
def later():
    calls = []
    def score(x):
        calls.append(x)
        return x.mean((1, 2, 3)) * (float("nan") if len(calls) > LIMIT else 1)
    return score
def moves():
    os.chdir("/")
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.set_num_threads(torch.get_num_threads() + 1)
    return lambda x: x.mean((1, 2, 3))


LIMIT = 12
"""


@pytest.fixture
def mischief(tmp_path: Path) -> str:
    path = tmp_path / "mischief.py"
    path.write_text(MISCHIEF)
    return str(path)


@pytest.mark.parametrize(
    ("name", "told"),
    [("raises_unreadable", "Unreadable: <exception str"), ("nowhere", "return scores that can be read")],
)
def test_what_foreign_code_does_to_be_unreadable_is_one_error(mischief: str, name: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        load(f"{mischief}:{name}")


def test_a_score_that_becomes_nan_later_is_an_error_and_no_score(mischief: str, tmp_path: Path) -> None:
    scorer = load(f"{mischief}:later")
    with pytest.raises(NumericalError, match=r"finite scores of .*later"):
        for _ in range(13):
            scorer(photos())
    (photo,) = [sample.path for sample in list_samples()][:1]
    assert cli.main(["score", str(photo), "--model", f"{mischief}:later", "--device", "cpu"]) == 2


def test_what_foreign_code_sets_for_everybody_is_undone(mischief: str) -> None:
    before = Path.cwd(), torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads()
    assert load(f"{mischief}:moves")(photos()).dtype == torch.float32
    assert (Path.cwd(), torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads()) == before
