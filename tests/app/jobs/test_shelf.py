"""What is kept of finished jobs, for how long, and what goes first."""

import threading

import pytest
import torch

from robustiqa_core.errors import ConfigurationError
from ui.jobs.results import Shelf


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_result_is_there_until_nobody_looked_at_it_for_a_while() -> None:
    clock = Clock()
    shelf = Shelf(seconds=10.0, clock=clock)
    shelf.put("audit", "findings")
    clock.now = 10.0
    assert shelf.get("audit") == "findings"
    clock.now = 20.0
    assert shelf.get("audit") == "findings", "the last look counts"
    clock.now = 30.1
    assert shelf.get("audit") is None


def test_the_one_that_was_looked_at_longest_ago_makes_room() -> None:
    shelf = Shelf(capacity=2)
    shelf.put("first", 1)
    shelf.put("second", 2)
    assert shelf.get("first") == 1
    shelf.put("third", 3)
    assert [shelf.get(key) for key in ("first", "second", "third")] == [1, None, 3]


def test_a_result_of_the_same_key_is_replaced_and_takes_no_further_place() -> None:
    shelf = Shelf(capacity=2)
    shelf.put("other", 0)
    shelf.put("same", 1)
    shelf.put("same", 2)
    assert (shelf.get("other"), shelf.get("same")) == (0, 2)


def test_results_take_no_more_memory_than_they_may_and_a_larger_one_is_not_kept() -> None:
    shelf = Shelf(most_bytes=10_000)
    shelf.put("first", b"0" * 4000)
    shelf.put("second", (b"0" * 2000, {"photo": b"0" * 2000}))
    assert shelf.get("first") is not None
    shelf.put("third", torch.zeros(1000))
    assert [shelf.get(key) is None for key in ("first", "second", "third")] == [False, True, False]
    shelf.put("first", b"0" * 20_000)
    assert shelf.get("first") is None, "the old result of the same key would be the wrong one"
    assert shelf.get("third") is not None


@pytest.mark.parametrize("settings", [{"capacity": 0}, {"seconds": 0.0}, {"most_bytes": 0}])
def test_a_shelf_without_room_or_time_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        Shelf(**settings)  # type: ignore[arg-type]


def test_many_threads_may_use_it_at_once() -> None:
    shelf, seen = Shelf(capacity=4), []

    def work(number: int) -> None:
        for turn in range(200):
            shelf.put(f"{turn % 8}", number)
            seen.append(shelf.get(f"{(turn + number) % 8}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 800
    assert sum(shelf.get(f"{key}") is not None for key in range(8)) == 4
