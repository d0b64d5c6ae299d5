"""Orthogonal layers after `torch.set_num_threads`, which spoils batched inverses; in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import robustiqa_core

pytestmark = pytest.mark.thorough

PROGRAM = """
import torch

torch.set_num_threads(2)
from robustiqa_core.blocks.cayley import Cayley
from robustiqa_core.errors import NumericalError

torch.manual_seed(0)
layer = Cayley(256, 256).eval()
images = torch.randn(1, 256, 3, 3)
try:
    with torch.no_grad():
        print(float(layer(images).norm() / images.norm()))
except NumericalError as error:
    assert "OMP_NUM_THREADS" in str(error)
    print(1.0)
"""


def test_cayley_at_256_channels_is_right_or_says_what_to_do_after_threads_were_set() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": str(Path(robustiqa_core.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    # Alone on its line: no messages of a library round it.
    assert abs(float(done.stdout) - 1) < 1e-4
    assert done.stderr == ""
