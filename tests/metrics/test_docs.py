import doctest
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", ["metrics.md"])
def test_the_numbers_in_the_documentation_are_right(page: str) -> None:
    result = doctest.testfile(str(ROOT / "docs" / "reference" / page), module_relative=False)
    assert result.attempted > 10
    assert result.failed == 0
