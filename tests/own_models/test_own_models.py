"""Models of the user's own: every kind of source, what is refused and why, the file that lists them."""

import json
import sys
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from own_networks import CPU, NETS, load, photos
from torch import Tensor, nn

from robustiqa_core import cli
from robustiqa_core.attacks import PGD, complete
from robustiqa_core.errors import ConfigurationError, InputError, MissingWeightsError, NumericalError, RobustIQAError
from robustiqa_core.folders import CHECKPOINTS_VARIABLE
from robustiqa_core.images.photo import encode_png, read_image
from robustiqa_core.images.samples import list_samples
from robustiqa_core.own_models import MODELS_VARIABLE, OwnModel, OwnScorer, list_own_models, own_cards, resolve_scorer
from robustiqa_core.scorer import ScoreRange


@pytest.fixture
def nets(tmp_path: Path) -> str:
    """A Python file with networks and things that are none."""
    path = tmp_path / "nets.py"
    path.write_text(textwrap.dedent(NETS))
    return str(path)


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


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["traced", "any"])
def test_a_file_of_a_network_scores_as_the_network_does(net: Net, files: dict[str, str], kind: str) -> None:
    scorer = load(files[kind])
    images = photos(3, 80, 131)
    torch.testing.assert_close(scorer(images), net(images)[:, 0], atol=1e-6, rtol=1e-5)
    assert not any(parameter.requires_grad for parameter in scorer.network.parameters())  # type: ignore[attr-defined]


@pytest.mark.thorough
def test_a_program_of_one_size_and_one_photo_scores_batches_of_any_size(net: Net, files: dict[str, str]) -> None:
    scorer = load(files["one"], size=(64, 72))
    images = photos(2, 90, 130)
    small = nn.functional.interpolate(images, (64, 72), mode="bilinear", antialias=True)
    assert scorer.one_by_one
    torch.testing.assert_close(scorer(images), net(small)[:, 0], atol=1e-6, rtol=1e-5)
    with pytest.raises(InputError, match=r"320 x 256 px.*list it in a file with its size"):
        load(files["one"])


@pytest.mark.thorough
def test_size_mean_and_deviation_are_applied_before_the_network(nets: str) -> None:
    known = {"size": 70, "mean": (0.5, 0.4, 0.3), "deviation": (0.1, 0.2, 0.3)}
    scorer, plain = load(f"{nets}:make", **known), load(f"{nets}:make")
    images = photos(1, 140, 180)
    small = nn.functional.interpolate(images, (70, 90), mode="bilinear", antialias=True)
    normal = (small - torch.tensor(known["mean"]).view(3, 1, 1)) / torch.tensor(known["deviation"]).view(3, 1, 1)
    torch.testing.assert_close(scorer(images), plain.network(normal), atol=1e-6, rtol=1e-5)


@pytest.mark.thorough
def test_a_network_for_which_smaller_is_better_is_turned_round(nets: str) -> None:
    plain = load(f"{nets}:make")
    turned = load(f"{nets}:make", higher_is_better=False, score_range=ScoreRange(2, 30))
    assert torch.equal(turned(photos()), -plain(photos()))
    assert turned.score_range == ScoreRange(-30, -2)


@pytest.mark.thorough
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
        ("constant", ConfigurationError, "depends on the photo, got 1 for four unrelated photos"),
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
        ("['My Net']\nsource = 'x'", ConfigurationError, "lower-case letters"),
        ("[mine]\nsource = 3", ConfigurationError, "source must be a non-empty string"),
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


@pytest.mark.thorough
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
