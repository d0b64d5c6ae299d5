"""Slow work in the background: one worker thread per device, a bounded queue, snapshots that are safe to share.

Everything slow in the core is an iterator of small frozen records. A `JobQueue` pulls such iterators one
after the other in its own thread and keeps the newest record of each where any other thread can look at it.
"""

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import torch

from robustiqa_core.checks import check_count, check_positive
from robustiqa_core.errors import InputError, RobustIQAError

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
ACTIVE: frozenset[JobState] = frozenset({"queued", "running"})
"""States in which a job may still change."""

HEARTBEAT = 20.0
"""Seconds after which a job that nobody touches counts as left alone."""
GRACE = 60.0
"""Seconds that a lasting job outlives its last owner: a page that is loaded again finds it in that time."""
SHARED = 10.0
"""Seconds since another owner's last touch in which that owner counts as still waiting for a job."""

OUT_OF_MEMORY = (
    "The device ran out of memory. Choose a smaller image or a smaller batch, or wait for other jobs to end."
)

Record = TypeVar("Record")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """What is known about a job at one moment; it never changes afterwards.

    Args:
        id: name of the job.
        state: `queued`, `running`, `done`, `failed` or `cancelled`.
        position: place in the queue from 1; 0 if it runs or has ended.
        record: the newest record of the iterator, or None; the last one is the result.
        records: number of records so far.
        trace: what the job's `trace` function made of each record, oldest first.
        seconds: time since it started, up to its end; 0 while it waits.
        error: why it failed, or why it was cancelled if nobody asked for that; one sentence for people.
    """

    id: str
    state: JobState
    position: int
    record: object
    records: int
    trace: tuple[object, ...]
    seconds: float
    error: str | None

    @property
    def active(self) -> bool:
        """Whether the job still waits or runs."""
        return self.state in ACTIVE


@dataclass(slots=True, eq=False)
class _Job:
    """The queue's own, changing notes about a job; only touched under the queue's lock."""

    id: str
    owners: dict[str, float]
    make: Callable[[], Iterator[Any]]
    trace_of: Callable[[Any], object] | None
    heartbeat: float
    touched: float
    key: str | None = None
    about: object = None
    lasting: bool = False
    left: float | None = None
    state: JobState = "queued"
    record: object = None
    records: int = 0
    trace: list[object] = field(default_factory=list)
    started: float | None = None
    finished: float | None = None
    error: str | None = None


class JobQueue:
    """Runs jobs one after the other, first come first served, in one worker thread.

    One queue stands for one device: two attacks at a time would share its memory and finish no sooner.
    All methods may be called from any thread. The worker starts with the first job.

    Args:
        capacity: most jobs that may wait; one more is refused.
        keep: ended jobs that are remembered; older ones are forgotten with their results.
        clock: seconds from a fixed point; a test passes its own.

    Example:
        >>> jobs = JobQueue()
        >>> job = jobs.submit(lambda: iter([1, 2, 3]), owner="me", trace=lambda record: record**2)
        >>> jobs.wait(job, timeout=10).trace
        (1, 4, 9)
        >>> jobs.result(job)
        3
        >>> jobs.close()
    """

    def __init__(self, *, capacity: int = 32, keep: int = 64, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = check_count("capacity", capacity)
        self._keep = check_count("keep", keep)
        self._clock = clock
        self._changed = threading.Condition()
        self._jobs: dict[str, _Job] = {}
        self._waiting: deque[_Job] = deque()
        self._ended: deque[_Job] = deque()
        self._running: _Job | None = None
        self._worker: threading.Thread | None = None
        self._closed = False

    def submit(
        self,
        make: Callable[[], Iterator[Record]],
        *,
        owner: str,
        trace: Callable[[Record], object] | None = None,
        heartbeat: float = HEARTBEAT,
        key: str | None = None,
        about: object = None,
        lasting: bool = False,
    ) -> str:
        """Put a job at the end of the queue and return its id.

        Args:
            make: called once in the worker thread; gives the iterator of records. If that is a generator, it
                is closed when the job is cancelled, so that its `finally` runs.
            owner: who asks; `forget` ends and drops all jobs that nobody else has.
            trace: makes a small note of each record (a few numbers for a curve), in the worker thread; None
                adds nothing.
            heartbeat: seconds without `touch` after which the job is cancelled.
            key: under which `join` finds it, besides its id.
            about: what it computes, for those who join.
            lasting: whether it outlives its last owner by `GRACE` seconds.

        Raises:
            RobustIQAError: `capacity` jobs wait already, or the queue was closed.
        """
        check_positive("heartbeat", heartbeat)
        with self._changed:
            self._cancel_orphans()
            if self._closed:
                raise RobustIQAError("expected an open queue, got a closed one; make a new queue")
            if len(self._waiting) >= self._capacity:
                raise RobustIQAError(f"the queue is full ({self._capacity} jobs wait); try again in a minute")
            now = self._clock()
            job = _Job(
                uuid.uuid4().hex,
                {owner: now},
                make,
                trace,
                heartbeat,
                touched=now,
                key=key,
                about=about,
                lasting=lasting,
            )
            self._jobs[job.id] = job
            self._waiting.append(job)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="robustiqa-jobs", daemon=True)
                self._worker.start()
            self._changed.notify_all()
            return job.id

    def join(self, key: str, owner: str) -> tuple[str, object] | None:
        """Return the id of the newest job of a key, or id, and what it is about; None where all were stopped.

        From now on the job has this owner, too.
        """
        with self._changed:
            self._cancel_orphans()
            named = [job for job in self._jobs.values() if key in (job.key, job.id)]
            found = [job for job in named if job.state in (*ACTIVE, "done")]
            if not found:
                return None
            job = found[-1]
            job.touched = job.owners[owner] = self._clock()
            job.left = None
            return job.id, job.about

    def leave(self, job_id: str, owner: str) -> None:
        """Say that an owner does not wait for a job any more: it ends, unless another owner still does."""
        with self._changed:
            job = self._find(job_id)
            job.owners.pop(owner, None)
            if all(self._clock() - touched > SHARED for touched in job.owners.values()):
                self._cancel(job)
            # Whoever else waits looks at it all the time; an owner who has gone without a word does not.
            job.heartbeat = min(job.heartbeat, HEARTBEAT)

    def has(self, job_id: str, owner: str) -> bool:
        """Return whether a job is known and has this owner."""
        with self._changed:
            return job_id in self._jobs and owner in self._jobs[job_id].owners

    def snapshot(self, job_id: str) -> JobSnapshot:
        """Return what is known about a job now.

        Raises:
            InputError: the job is not known, or was forgotten because newer ones ended since.
        """
        with self._changed:
            self._cancel_orphans()
            return self._look(self._find(job_id))

    @property
    def waiting(self) -> int:
        """Jobs that wait for their turn: work that nobody asked for should end where there are any."""
        with self._changed:
            self._cancel_orphans()
            return len(self._waiting)

    def wait(self, job_id: str, *, timeout: float) -> JobSnapshot:
        """Return the snapshot of a job once it has ended, or as it is after `timeout` seconds."""
        with self._changed:
            job = self._find(job_id)
            self._changed.wait_for(lambda: job.state not in ACTIVE, timeout)
            return self._look(job)

    def result(self, job_id: str) -> object:
        """Return the last record of a job that is done.

        Raises:
            InputError: the job is not known any more.
            RobustIQAError: it is not done; the message gives its state, or why it failed.
        """
        with self._changed:
            job = self._find(job_id)
            if job.state != "done":
                raise RobustIQAError(
                    job.error or f"expected a finished job, got one that is {job.state}; wait for done"
                )
            return job.record

    def touch(self, job_id: str, owner: str | None = None) -> None:
        """Say that somebody, or this owner, still waits for the job."""
        with self._changed:
            job = self._find(job_id)
            job.touched = self._clock()
            if owner is not None and owner in job.owners:
                job.owners[owner] = job.touched

    def cancel(self, job_id: str) -> None:
        """End a job: at once if it waits, before its next record if it runs; nothing happens if it has ended."""
        with self._changed:
            self._cancel(self._find(job_id))

    def forget(self, owner: str) -> None:
        """Cancel all jobs that only this owner has and drop their results; lasting ones after `GRACE` seconds."""
        with self._changed:
            for job in [job for job in self._jobs.values() if owner in job.owners]:
                del job.owners[owner]
                if job.owners:
                    continue
                job.left = self._clock()
                if not job.lasting:
                    self._drop(job)
            self._changed.notify_all()

    def close(self) -> None:
        """Cancel everything, end the worker thread and wait for it."""
        with self._changed:
            self._closed = True
            for job in list(self._jobs.values()):
                self._cancel(job)
            self._changed.notify_all()
        if self._worker is not None:
            self._worker.join()

    def _find(self, job_id: str) -> _Job:
        job = self._jobs.get(job_id)
        if job is None:
            raise InputError(f"job {job_id!r} is not known here, or its result is no longer kept; run it again")
        return job

    def _look(self, job: _Job) -> JobSnapshot:
        end = self._clock() if job.finished is None else job.finished
        return JobSnapshot(
            id=job.id,
            state=job.state,
            position=self._waiting.index(job) + 1 if job.state == "queued" else 0,
            record=job.record,
            records=job.records,
            trace=tuple(job.trace),
            seconds=0.0 if job.started is None else end - job.started,
            error=job.error,
        )

    def _drop(self, job: _Job) -> None:
        self._cancel(job)
        if job in self._ended:
            self._ended.remove(job)
        self._jobs.pop(job.id, None)

    def _cancel(self, job: _Job, reason: str | None = None) -> None:
        if job.state not in ACTIVE:
            return
        if job.state == "queued":
            self._waiting.remove(job)
        self._end(job, "cancelled", reason)

    def _cancel_orphans(self) -> None:
        now = self._clock()
        running = [] if self._running is None else [self._running]
        for job in [*self._waiting, *running]:
            if now - job.touched > job.heartbeat:
                self._cancel(job, f"Stopped because nobody looked at it for {job.heartbeat:g} seconds.")
        for job in [job for job in self._jobs.values() if job.left is not None and now - job.left > GRACE]:
            self._drop(job)

    def _end(self, job: _Job, state: JobState, error: str | None) -> None:
        job.state, job.error, job.finished, job.make = state, error, self._clock(), _no_records
        if state != "done":
            # Records hold tensors; only a result is worth their memory.
            job.record = None
        self._ended.append(job)
        while len(self._ended) > self._keep:
            del self._jobs[self._ended.popleft().id]
        self._changed.notify_all()

    def _work(self) -> None:
        # A call per job, so that no local name keeps an ended job's tensors alive while the worker waits.
        while self._run_next():
            pass

    def _run_next(self) -> bool:
        """Wait for a job and run it to its end; False when the queue was closed."""
        with self._changed:
            # What was left alone is dropped also while nobody asks for anything.
            left = any(job.left is not None for job in self._jobs.values())
            if not (self._waiting or self._closed):
                self._changed.wait(GRACE if left else None)
            self._cancel_orphans()
            if not self._waiting:
                return not self._closed
            job = self._running = self._waiting.popleft()
            job.state, job.started = "running", self._clock()
        error: str | None = None
        try:
            self._drain(job)
        except RobustIQAError as problem:
            error = str(problem)
        # Broad on purpose, the only place in the house: the worker serves everybody, so whatever goes wrong
        # in one person's job must end that job alone, with its traceback in the log.
        except Exception as problem:  # noqa: BLE001
            if _ran_out_of_memory(problem):
                error = OUT_OF_MEMORY
            else:
                error = f"An unexpected error ended the job ({type(problem).__name__}). The server's log has more."
                _log.exception("job %s failed", job.id)
        with self._changed:
            self._running = None
            if job.state == "running":
                self._end(job, "done" if error is None else "failed", error)
        return True

    def _drain(self, job: _Job) -> None:
        records = job.make()
        try:
            while self._wanted(job):
                try:
                    record = next(records)
                except StopIteration:
                    return
                note = None if job.trace_of is None else job.trace_of(record)
                self._publish(job, record, note)
        finally:
            close = getattr(records, "close", None)
            if close is not None:
                close()

    def _publish(self, job: _Job, record: object, note: object) -> None:
        with self._changed:
            # A record that was computed while the job was cancelled is nobody's.
            if job.state == "running":
                job.record, job.records = record, job.records + 1
                if note is not None:
                    job.trace.append(note)
                self._changed.notify_all()

    def _wanted(self, job: _Job) -> bool:
        with self._changed:
            self._cancel_orphans()
            return job.state == "running"


def _no_records() -> Iterator[Any]:
    """Stand in for the `make` of an ended job, which may hold a photo and a model."""
    return iter(())


def _ran_out_of_memory(error: Exception) -> bool:
    """Whether `error` says that the memory of the device or of the computer is used up."""
    # On the CPU torch raises a bare RuntimeError that only its text tells from others.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)
