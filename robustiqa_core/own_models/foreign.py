"""Where code of the user's own runs: whatever it raises is named, and what it prints goes to standard error."""

import contextlib
import ctypes
import importlib
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TextIO

import torch

from robustiqa_core.errors import InputError, RobustIQAError

_LONGEST = 300
"""Most characters of a foreign error's text that are shown."""


@contextlib.contextmanager
def user_code(source: str, task: str, remedy: str = "correct its code") -> Iterator[None]:
    """Run what is inside as code of the user's own.

    Args:
        source: of the model, for the error.
        task: what the code is for, for the error: "expected SOURCE to TASK".
        remedy: what to do, for the error.

    Raises:
        InputError: the code raised something, or called `sys.exit`; its error is the cause.
    """
    with _STANDARD_ERROR, _kept_settings():
        try:
            yield
        # What is no fault of the code: our own refusals, Ctrl-C, and a machine that is too small.
        except (RobustIQAError, KeyboardInterrupt, MemoryError, torch.OutOfMemoryError):
            raise
        # Broad on purpose: this is the one place where code runs that nobody here has read. It may raise anything,
        # SystemExit too, and must end neither the app nor a command with a traceback.
        except BaseException as error:
            raise InputError(f"expected {source!r} to {task}, got {describe(error)}; {remedy}") from error


@contextlib.contextmanager
def _kept_settings() -> Iterator[None]:
    """Undo what foreign code may change for everybody: where relative paths begin, and how torch computes."""
    folder, dtype = _folder(), torch.get_default_dtype()
    threads, gradients = torch.get_num_threads(), torch.is_grad_enabled()
    try:
        yield
    finally:
        if folder is not None and _folder() != folder:
            os.chdir(folder)
        if torch.get_default_dtype() is not dtype:
            torch.set_default_dtype(dtype)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        if torch.is_grad_enabled() != gradients:
            torch.set_grad_enabled(gradients)


def _folder() -> Path | None:
    """Return the working folder; None where it was removed."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


def describe(error: BaseException) -> str:
    r"""Return the kind of an error and what it says, in one line.

    Example:
        >>> describe(ValueError("too\n  large")), describe(SystemExit(3))
        ('ValueError: too large', 'SystemExit: 3')
    """
    # Not str(error): an error's own words are foreign code too.
    text = " ".join(str(traceback.TracebackException(type(error), error, None)).split())
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
    return f"{type(error).__name__}: {shown}" if shown else type(error).__name__


class _ToStandardError:
    """Sends standard output to standard error while at least one thread is inside, so that results stay clean.

    Python's own stream is changed, and the descriptor under it too: libraries and other processes write there.
    """

    def __init__(self) -> None:
        self._lock, self._depth = threading.Lock(), 0
        self._stream: TextIO | None = None
        self._descriptor: int | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._depth += 1
            if self._depth == 1:
                _flush()
                self._stream, sys.stdout = sys.stdout, sys.stderr
                # A server may have been started without these descriptors.
                with contextlib.suppress(OSError):
                    self._descriptor = os.dup(1)
                    os.dup2(2, 1)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0 and self._stream is not None:
                _flush()
                if self._descriptor is not None:
                    os.dup2(self._descriptor, 1)
                    os.close(self._descriptor)
                sys.stdout, self._stream, self._descriptor = self._stream, None, None


_STANDARD_ERROR = _ToStandardError()


def _flush() -> None:
    """Write out what Python and the C library still hold for standard output."""
    for stream in {id(stream): stream for stream in (sys.stdout, sys.__stdout__) if stream is not None}.values():
        if not stream.closed:
            stream.flush()
    if os.name == "posix":
        ctypes.CDLL(None).fflush(None)


class _Neighbours:
    """Lets a Python file import the files beside it, while it is loaded, as if it had been started by itself.

    Two models may each have, say, a `utils.py` beside them; each gets its own. Where a file of a folder has changed
    since it was imported, all of the folder are imported anew.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._modules: dict[str, dict[str, ModuleType]] = {}
        self._stamps: dict[str, dict[str, tuple[int, int]]] = {}

    @contextlib.contextmanager
    def importable(self, folder: str) -> Iterator[None]:
        """Let the modules in a folder be imported."""
        with self._lock:
            stamps = self._stamps.setdefault(folder, {})
            if any(stamp_of(Path(file)) != stamp for file, stamp in stamps.items()):
                for name, module in self._modules.pop(folder, {}).items():
                    if sys.modules.get(name) is module:
                        del sys.modules[name]
                stamps.clear()
                importlib.invalidate_caches()
            others = {
                name: module
                for place, modules in self._modules.items()
                if place != folder
                for name, module in modules.items()
            }
            hidden = {name: sys.modules.pop(name) for name, module in others.items() if sys.modules.get(name) is module}
            sys.modules.update(self._modules.get(folder, {}))
            before = set(sys.modules)
            sys.path.insert(0, folder)
            try:
                yield
            finally:
                if folder in sys.path:
                    sys.path.remove(folder)
                found = {name: sys.modules[name] for name in set(sys.modules) - before}
                own = {name: module for name, module in found.items() if lies_in(module, folder)}
                self._modules.setdefault(folder, {}).update(own)
                files = {str(module.__file__) for module in own.values()} - stamps.keys()
                stamps.update({file: stamp_of(Path(file)) for file in files})
                for name, module in hidden.items():
                    sys.modules.setdefault(name, module)


_NEIGHBOURS = _Neighbours()


def stamp_of(path: Path) -> tuple[int, int]:
    """Return what changes when a file does: its time and its size; (0, 0) where there is none."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def importing_beside(source: str) -> contextlib.AbstractContextManager[None]:
    """Return the context in which the Python file of a source can import the files beside it; others change nothing."""
    file = source.rpartition(":")[0]
    if not file.endswith(".py"):
        return contextlib.nullcontext()
    return _NEIGHBOURS.importable(str(Path(file).resolve().parent))


def lies_in(module: ModuleType, folder: str) -> bool:
    """Return whether a module's file is the user's own in a folder, and not of an environment that lies there too."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not Path(file).is_relative_to(folder):
        return False
    return not {"site-packages", "dist-packages"} & set(Path(file).relative_to(folder).parts)
