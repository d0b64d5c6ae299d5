"""What holds for all tests."""

collect_ignore_glob = ["conftest.py", "*/conftest.py"]
"""Not searched for doctests: all are modules called `conftest`, of which one run can import only one by that name."""
