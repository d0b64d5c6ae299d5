"""The job layer keeps its promises under threads: no test sleeps, all wait for events."""

import logging
import threading
from collections.abc import Iterator

import pytest
import torch

from robustiqa_core.errors import ConfigurationError, InputError, RobustIQAError
from robustiqa_core.jobs import GRACE, OUT_OF_MEMORY, JobQueue

LONG = 30.0
"""Seconds after which a wait counts as hanging; never reached when the code is right."""


class Gate:
    """An iterator of numbers that stops before each record until it is let through, and says when it is closed."""

    def __init__(self, count: int = 1000) -> None:
        self.count = count
        self.arrived = threading.Semaphore(0)
        self.open = threading.Semaphore(0)
        self.closed = threading.Event()
        self.given: list[int] = []

    def __call__(self) -> Iterator[int]:
        try:
            for number in range(self.count):
                self.arrived.release()
                assert self.open.acquire(timeout=LONG)
                self.given.append(number)
                yield number
        finally:
            self.closed.set()

    def step(self) -> None:
        """Let one record through, and return when the worker asks for the next one."""
        self.open.release()
        assert self.arrived.acquire(timeout=LONG)

    def wait_until_started(self) -> None:
        assert self.arrived.acquire(timeout=LONG)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jobs(clock: Clock) -> Iterator[JobQueue]:
    queue = JobQueue(capacity=3, keep=4, clock=clock)
    yield queue
    queue.close()


def test_the_last_record_is_the_result_and_the_trace_has_a_note_of_each(jobs: JobQueue) -> None:
    job = jobs.submit(lambda: iter([2, 3, 5]), owner="a", trace=lambda number: number * 10)
    snapshot = jobs.wait(job, timeout=LONG)
    assert (snapshot.state, snapshot.record, snapshot.records, snapshot.position) == ("done", 5, 3, 0)
    assert snapshot.trace == (20, 30, 50)
    assert jobs.result(job) == 5


def test_a_record_without_a_note_adds_nothing_to_the_trace(jobs: JobQueue) -> None:
    job = jobs.submit(lambda: iter([2, 3, 5]), owner="a", trace=lambda number: None if number == 3 else number)
    assert jobs.wait(job, timeout=LONG).trace == (2, 5)


def test_a_running_job_shows_each_record_before_the_next(jobs: JobQueue) -> None:
    gate = Gate()
    job = jobs.submit(gate, owner="a")
    gate.wait_until_started()
    assert jobs.snapshot(job).state == "running"
    assert jobs.snapshot(job).record is None
    for number in range(3):
        gate.step()
        assert (jobs.snapshot(job).record, jobs.snapshot(job).records) == (number, number + 1)
    jobs.cancel(job)
    gate.open.release()


def test_a_snapshot_stays_as_it_was(jobs: JobQueue) -> None:
    gate = Gate()
    job = jobs.submit(gate, owner="a", trace=str)
    gate.wait_until_started()
    gate.step()
    before = jobs.snapshot(job)
    gate.step()
    assert (before.records, before.trace) == (1, ("0",))
    assert jobs.snapshot(job).trace == ("0", "1")
    with pytest.raises(AttributeError):
        before.records = 7  # type: ignore[misc]
    jobs.cancel(job)
    gate.open.release()


def test_cancelling_ends_a_running_job_before_its_next_record_and_closes_it(jobs: JobQueue) -> None:
    gate = Gate()
    job = jobs.submit(gate, owner="a")
    gate.wait_until_started()
    gate.step()
    jobs.cancel(job)
    assert jobs.snapshot(job).state == "cancelled"
    gate.open.release()
    assert gate.closed.wait(LONG)
    assert gate.given == [0, 1], "the step under way may end, no further one may start"
    snapshot = jobs.snapshot(job)
    assert (snapshot.records, snapshot.record, snapshot.error) == (1, None, None)
    with pytest.raises(RobustIQAError, match="cancelled"):
        jobs.result(job)


@pytest.mark.parametrize("fails", [False, True], ids=["to its end", "with an error"])
def test_an_iterator_that_can_be_closed_is_closed_in_the_worker_thread(jobs: JobQueue, fails: bool) -> None:
    closed_in: list[str] = []

    class Records:
        def __init__(self) -> None:
            self.left = [1, 2]

        def __iter__(self) -> "Records":
            return self

        def __next__(self) -> int:
            if self.left:
                return self.left.pop()
            raise InputError("no more") if fails else StopIteration

        def close(self) -> None:
            closed_in.append(threading.current_thread().name)

    snapshot = jobs.wait(jobs.submit(Records, owner="a"), timeout=LONG)
    assert (snapshot.state, snapshot.records) == ("failed" if fails else "done", 2)
    assert closed_in == ["robustiqa-jobs"]


def test_a_cancelled_waiting_job_never_starts(jobs: JobQueue) -> None:
    first, second = Gate(), Gate()
    running = jobs.submit(first, owner="a")
    first.wait_until_started()
    waiting = jobs.submit(second, owner="b")
    jobs.cancel(waiting)
    third = jobs.submit(lambda: iter(["third"]), owner="c")
    jobs.cancel(running)
    first.open.release()
    assert jobs.wait(third, timeout=LONG).state == "done"
    assert jobs.snapshot(waiting).state == "cancelled"
    assert not second.closed.is_set(), "its iterator was never begun"


def test_jobs_run_one_at_a_time_in_the_order_of_asking_and_know_their_place(jobs: JobQueue) -> None:
    gates = [Gate(count=1) for _ in range(3)]
    names = [jobs.submit(gate, owner=str(index)) for index, gate in enumerate(gates)]
    for index, gate in enumerate(gates):
        gate.wait_until_started()
        places = [jobs.snapshot(name).position for name in names]
        assert places == [max(0, other - index) for other in range(3)]
        assert [jobs.snapshot(name).state for name in names].count("running") == 1
        gate.open.release()
    assert jobs.wait(names[-1], timeout=LONG).state == "done"


def test_a_full_queue_refuses_the_next_job_and_takes_it_after_a_cancel(jobs: JobQueue) -> None:
    gate = Gate()
    running = jobs.submit(gate, owner="a")
    gate.wait_until_started()
    waiting = [jobs.submit(lambda: iter([0]), owner="a") for _ in range(3)]
    with pytest.raises(RobustIQAError, match="3 jobs wait"):
        jobs.submit(lambda: iter([0]), owner="b")
    jobs.cancel(waiting[0])
    jobs.submit(lambda: iter([0]), owner="b")
    jobs.cancel(running)
    gate.open.release()


def test_a_job_that_nobody_touches_is_cancelled_and_one_that_is_touched_goes_on(jobs: JobQueue, clock: Clock) -> None:
    gate = Gate()
    job = jobs.submit(gate, owner="a", heartbeat=20.0)
    gate.wait_until_started()
    for _ in range(4):
        clock.now += 15.0
        jobs.touch(job)
        gate.step()
    assert jobs.snapshot(job).state == "running"
    clock.now += 20.5
    gate.open.release()
    assert gate.closed.wait(LONG), "the worker itself notices, even if nobody ever asks again"
    snapshot = jobs.wait(job, timeout=LONG)
    assert snapshot.state == "cancelled"
    assert "nobody looked" in str(snapshot.error)


def test_an_abandoned_waiting_job_leaves_the_queue(jobs: JobQueue, clock: Clock) -> None:
    gate = Gate()
    running = jobs.submit(gate, owner="a", heartbeat=1000.0)
    gate.wait_until_started()
    left_alone = jobs.submit(lambda: iter([0]), owner="b", heartbeat=20.0)
    patient = jobs.submit(lambda: iter([0]), owner="c", heartbeat=1000.0)
    assert jobs.snapshot(patient).position == 2
    clock.now += 21.0
    assert jobs.snapshot(patient).position == 1
    assert jobs.snapshot(left_alone).state == "cancelled"
    jobs.cancel(running)
    gate.open.release()


def test_an_expected_error_fails_the_job_with_its_own_words(jobs: JobQueue) -> None:
    def make() -> Iterator[int]:
        yield 1
        raise ConfigurationError("eps must be in (0, 1], got 8; did you mean 8/255?")

    job = jobs.submit(make, owner="a")
    snapshot = jobs.wait(job, timeout=LONG)
    assert (snapshot.state, snapshot.record) == ("failed", None)
    assert snapshot.error == "eps must be in (0, 1], got 8; did you mean 8/255?"
    with pytest.raises(RobustIQAError, match="did you mean 8/255"):
        jobs.result(job)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        MemoryError(),
    ],
    ids=["gpu", "cpu", "python"],
)
def test_a_lack_of_memory_is_explained_and_the_worker_lives_on(jobs: JobQueue, error: Exception) -> None:
    def make() -> Iterator[int]:
        raise error

    job = jobs.submit(make, owner="a")
    assert jobs.wait(job, timeout=LONG).error == OUT_OF_MEMORY
    after = jobs.submit(lambda: iter([7]), owner="a")
    assert jobs.wait(after, timeout=LONG).record == 7


def test_a_bug_in_one_job_ends_that_job_alone_and_is_logged(jobs: JobQueue, caplog: pytest.LogCaptureFixture) -> None:
    def make() -> Iterator[int]:
        yield {}["missing"]

    with caplog.at_level(logging.ERROR, logger="robustiqa_core.jobs"):
        job = jobs.submit(make, owner="a")
        snapshot = jobs.wait(job, timeout=LONG)
    assert snapshot.state == "failed"
    assert "KeyError" in str(snapshot.error)
    assert "Traceback" in caplog.text
    after = jobs.submit(lambda: iter([7]), owner="a")
    assert jobs.wait(after, timeout=LONG).state == "done"


def test_a_failing_trace_function_fails_the_job(jobs: JobQueue) -> None:
    def trace(number: int) -> int:
        raise InputError("no note for this")

    job = jobs.submit(lambda: iter([1]), owner="a", trace=trace)
    assert jobs.wait(job, timeout=LONG).error == "no note for this"


def test_only_the_newest_ended_jobs_are_kept(jobs: JobQueue) -> None:
    names = []
    for number in range(6):
        names.append(jobs.submit(lambda number=number: iter([number]), owner="a"))
        jobs.wait(names[-1], timeout=LONG)
    assert [jobs.result(name) for name in names[2:]] == [2, 3, 4, 5]
    for name in names[:2]:
        for ask in (jobs.snapshot, jobs.result, jobs.touch, jobs.cancel):
            with pytest.raises(InputError, match="no longer kept; run it again"):
                ask(name)


def test_forgetting_an_owner_ends_and_drops_that_owners_jobs_only(jobs: JobQueue) -> None:
    kept = jobs.submit(lambda: iter([1]), owner="b")
    done = jobs.submit(lambda: iter([2]), owner="a")
    jobs.wait(done, timeout=LONG)
    gate = Gate()
    running = jobs.submit(gate, owner="a")
    gate.wait_until_started()
    waiting = jobs.submit(lambda: iter([3]), owner="a")
    other = jobs.submit(lambda: iter([4]), owner="b")
    jobs.forget("a")
    gate.open.release()
    for name in (done, running, waiting):
        with pytest.raises(InputError, match="not known"):
            jobs.snapshot(name)
    assert gate.closed.wait(LONG)
    assert jobs.wait(other, timeout=LONG).record == 4
    assert jobs.result(kept) == 1


def test_a_lasting_job_outlives_its_owner_and_is_found_again(jobs: JobQueue, clock: Clock) -> None:
    gate = Gate(count=1)
    job = jobs.submit(gate, owner="before the reload", key="recipe", lasting=True, about="what it computes")
    gate.wait_until_started()
    jobs.forget("before the reload")
    clock.now += GRACE - 50
    assert jobs.join("recipe", "after it") == (job, "what it computes")
    assert jobs.has(job, "after it")
    clock.now += 15
    gate.open.release()
    assert jobs.wait(job, timeout=LONG).record == 0
    assert jobs.join("recipe", "a third") == (job, "what it computes")
    assert jobs.join(job, "a fourth") == (job, "what it computes")
    assert jobs.join("another recipe", "a third") is None


def test_what_nobody_came_back_for_is_dropped_with_its_result(jobs: JobQueue, clock: Clock) -> None:
    job = jobs.submit(lambda: iter([1]), owner="a", key="recipe", lasting=True)
    jobs.wait(job, timeout=LONG)
    jobs.forget("a")
    assert jobs.result(job) == 1
    clock.now += GRACE + 1
    assert jobs.join("recipe", "b") is None
    with pytest.raises(InputError, match="not known"):
        jobs.result(job)


def test_who_leaves_a_job_ends_it_only_where_nobody_else_waits(jobs: JobQueue, clock: Clock) -> None:
    gate = Gate(count=2)
    job = jobs.submit(gate, owner="a", key="recipe", heartbeat=1000.0)
    gate.wait_until_started()
    jobs.join("recipe", "b")
    jobs.leave(job, "a")
    assert (jobs.has(job, "a"), jobs.has(job, "b"), jobs.snapshot(job).state) == (False, True, "running")
    jobs.join("recipe", "c")
    clock.now += 100
    jobs.touch(job, "c")
    jobs.leave(job, "c")
    gate.open.release()
    assert jobs.snapshot(job).state == "cancelled", "b did not look for a while"
    assert jobs.join("recipe", "d") is None, "what was cancelled is nobody's result"


def test_an_ended_job_can_be_cancelled_without_effect(jobs: JobQueue) -> None:
    job = jobs.submit(lambda: iter([1]), owner="a")
    jobs.wait(job, timeout=LONG)
    jobs.cancel(job)
    assert jobs.result(job) == 1


def test_the_time_of_a_job_counts_from_its_start_to_its_end(jobs: JobQueue, clock: Clock) -> None:
    gate = Gate(count=1)
    job = jobs.submit(gate, owner="a")
    gate.wait_until_started()
    clock.now += 2.0
    assert jobs.snapshot(job).seconds == 2.0
    gate.open.release()
    assert jobs.wait(job, timeout=LONG).seconds == 2.0
    clock.now += 5.0
    assert jobs.snapshot(job).seconds == 2.0


def test_a_closed_queue_ends_its_worker_and_takes_no_more() -> None:
    queue = JobQueue()
    gate = Gate()
    job = queue.submit(gate, owner="a")
    gate.wait_until_started()
    gate.open.release(2)
    queue.close()
    assert gate.closed.is_set()
    assert queue.snapshot(job).state == "cancelled"
    with pytest.raises(RobustIQAError, match="closed"):
        queue.submit(lambda: iter([1]), owner="a")


def test_settings_out_of_range_are_refused(jobs: JobQueue) -> None:
    with pytest.raises(ConfigurationError, match="capacity"):
        JobQueue(capacity=0)
    with pytest.raises(ConfigurationError, match="keep"):
        JobQueue(keep=0)
    with pytest.raises(ConfigurationError, match="heartbeat"):
        jobs.submit(lambda: iter([1]), owner="a", heartbeat=0.0)


def test_many_threads_may_submit_and_look_at_once() -> None:
    queue = JobQueue(capacity=64, keep=128)
    results: dict[int, object] = {}

    def work(number: int) -> None:
        job = queue.submit(lambda: iter(range(number, number + 20)), owner=str(number))
        assert queue.wait(job, timeout=LONG).state == "done"
        results[number] = queue.result(job)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.close()
    assert results == {number: number + 19 for number in range(40)}


def test_how_many_wait_is_known(jobs: JobQueue) -> None:
    gates = [Gate(count=1) for _ in range(3)]
    names = [jobs.submit(gate, owner="me") for gate in gates]
    gates[0].wait_until_started()
    assert jobs.waiting == 2
    jobs.cancel(names[1])
    assert jobs.waiting == 1
    for gate in (gates[0], gates[2]):
        gate.open.release()
    assert jobs.wait(names[2], timeout=LONG).state == "done"
    assert jobs.waiting == 0
