"""What a program can have behind it before anybody waits."""

import subprocess
import sys

import pytest

_STEP = """
import sys
import torch
from robustiqa_core.device import load_compiler
before = set(sys.modules)
load_compiler()
loaded = set(sys.modules)
weight = torch.nn.Parameter(torch.ones(1))
weight.sum().backward()
torch.optim.AdamW([weight]).step()
print(len(loaded - before), len(set(sys.modules) - loaded))
"""


@pytest.mark.thorough
def test_after_the_compiler_is_loaded_a_first_step_has_next_to_nothing_to_import() -> None:
    # In a process of its own: this one has taken its first step long ago.
    answer = subprocess.run([sys.executable, "-c", _STEP], check=True, capture_output=True, text=True)
    early, late = map(int, answer.stdout.split())
    assert early > 100
    assert late < early / 20
