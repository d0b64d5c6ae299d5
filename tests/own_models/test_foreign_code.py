"""Whatever the code of the user's own models does: one line, one error, and nothing of it stays."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from own_networks import NETS, load, photos

from robustiqa_core import cli
from robustiqa_core.errors import InputError, NumericalError
from robustiqa_core.images.photo import encode_png
from robustiqa_core.images.samples import list_samples

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


@pytest.mark.thorough
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
    nothing = {"returns_nothing": "to return a network, got None", "scores_nothing": "it returned None"}
    assert nothing.get(name, "") in printed.err


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
