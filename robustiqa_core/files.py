"""Files written whole or not at all, places checked before the work, and tensors in safetensors; never pickle."""

import errno
import json
import os
import stat
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from robustiqa_core.errors import ConfigurationError, InputError

_PREFIX = ".robustiqa-"
"""Of temporary files; short, so that every name that fits into its folder can be written."""
_REASONS = {
    errno.ENOENT: "no such place",
    errno.ENOTDIR: "a place below a file",
    errno.EISDIR: "a folder",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.EROFS: "a file system that is read only",
    errno.ENAMETOOLONG: "a name that is too long",
    errno.ELOOP: "links that go round in a circle",
    errno.ENOSPC: "a full disk",
}


def explain(error: OSError) -> str:
    """Return in a few words why the system refused a file.

    Example:
        >>> explain(OSError(errno.EISDIR, "Is a directory"))
        'a folder'
    """
    return _REASONS.get(error.errno or 0) or (error.strerror or type(error).__name__).lower()


def encode_text(text: str) -> bytes:
    r"""Return text in UTF-8; bytes of a file name that are no text (surrogates) are written as escapes.

    In JSON that is the escape from which the name is read back.

    Example:
        >>> encode_text(os.fsdecode(b"caf\xe9.png"))
        b'caf\\udce9.png'
    """
    return text.encode("utf-8", "backslashreplace")


def as_word(place: str) -> str:
    """Return a file's name as a word of a command line that is not taken for an option.

    Example:
        >>> as_word("-1.png"), as_word("photos/-1.png")
        ('./-1.png', 'photos/-1.png')
    """
    return f"./{place}" if place.startswith("-") else place


def check_output(path: Path, *, option: str = "--out", endings: Collection[str] = (), overwrite: bool = False) -> Path:
    """Return `path` if a file can be written there; asked before the work, so that none is lost.

    Folders that are missing are made when the file is written. That files can be made is tried, since permissions do
    not tell it of special file systems such as /proc.

    Args:
        path: of the file.
        option: of the command line that gave it, for the error.
        endings: with which the name must end, in small letters; none for any.
        overwrite: whether a file that is there may be replaced.

    Raises:
        ConfigurationError: the place is a folder, a device or an existing file, its name is too long, no
            UTF-8 or has another ending, or no file can be made there.

    Example:
        >>> check_output(Path("scores.pdf"), option="--png", endings=[".png"])
        Traceback (most recent call last):
        ...
        robustiqa_core.errors.ConfigurationError: --png must end in .png, got scores.pdf; change the name
    """
    _check_text(path, option)
    if endings and path.suffix.lower() not in endings:
        raise ConfigurationError(f"{option} must end in {', '.join(endings)}, got {path.name}; change the name")
    try:
        mode = _mode(path)
        if mode is None:
            _try_to_write(path.parent)
            _check_lengths(path)
        else:
            _check_replaceable(path, mode, option, overwrite)
            _try_to_write(Path(os.path.realpath(path)).parent)
    except OSError as error:
        raise _refused(path, option, error) from error
    return path


def check_output_folder(path: Path, *, option: str = "--out") -> Path:
    """Return `path` if it is a folder that files can be written to, or can be made one; see `check_output`.

    Raises:
        ConfigurationError: it is a file, its name is too long or no UTF-8, or no file can be made there.
    """
    _check_text(path, option)
    try:
        mode = _mode(path)
        if mode is not None and not stat.S_ISDIR(mode):
            raise ConfigurationError(f"{option} must be a folder, got the file {path}; name another folder")
        _try_to_write(path)
        _check_lengths(path)
    except OSError as error:
        raise _refused(path, option, error) from error
    return path


def _check_text(path: Path, option: str) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = encode_text(str(path)).decode()
        raise ConfigurationError(f"{option} must be a UTF-8 name, got {shown} with other bytes; rename it") from None
    if "\0" in str(path):
        raise ConfigurationError(f"{option} must be the name of a file, got {str(path)!r}; name another one")


def _mode(path: Path) -> int | None:
    """Return the kind and permissions of what is at a place; None for nothing. Links are followed."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        # A link to nothing is replaced by the file.
        return None


def _check_replaceable(path: Path, mode: int, option: str, overwrite: bool) -> None:
    if stat.S_ISDIR(mode):
        raise ConfigurationError(f"{option} must be the name of a file, got the folder {path}; add a name to it")
    if not stat.S_ISREG(mode):
        raise ConfigurationError(f"{option} must be the name of a file, got the device {path}; name another file")
    if not overwrite:
        raise ConfigurationError(
            f"{option} must be the name of a new file, got {path}, which exists; name another one, or add "
            "--overwrite to replace it"
        )


def _try_to_write(folder: Path) -> None:
    """Make and remove a file in a folder, or in the nearest one above that is there; raises OSError."""
    for place in (folder, *folder.parents):
        if _mode(place) is not None:
            handle, temporary = tempfile.mkstemp(dir=place, prefix=_PREFIX)
            os.close(handle)
            Path(temporary).unlink()
            return


def _check_lengths(path: Path) -> None:
    """Raise OSError if a name in a path that is not there yet is longer than its file system allows."""
    above = next(place for place in path.absolute().parents if _mode(place) is not None)
    longest = os.pathconf(above, "PC_NAME_MAX")
    if any(len(os.fsencode(part)) > longest for part in path.parts):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))


def _refused(path: Path, option: str, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{option} must be a place where a file can be written, got {path}: {explain(error)}; name another one"
    )


def is_file(path: Path) -> bool:
    """Return whether there is a file at `path`; not where the system cannot say, as for a name that is too long."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def read_bytes(path: Path, *, expected: str, remedy: str) -> bytes:
    """Return what is in a file.

    Args:
        path: of the file.
        expected: what it should be, for the error.
        remedy: what to do, for the error.

    Raises:
        InputError: there is no file, it is a folder or a device, or it cannot be read.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"expected {expected} at {path}, got no file; {remedy}") from error
    except (OSError, ValueError) as error:
        reason = explain(error) if isinstance(error, OSError) else str(error)
        raise InputError(f"expected {expected} at {path}, got {reason}; {remedy}") from error


def read_text(path: Path, *, expected: str, remedy: str) -> str:
    """Return the text in a file, UTF-8 with or without the mark that some editors begin it with.

    Arguments are those of `read_bytes`.

    Raises:
        InputError: it cannot be read, or is no UTF-8.
    """
    try:
        return read_bytes(path, expected=expected, remedy=remedy).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"expected {expected} at {path}, got bytes that are not UTF-8 ({error}); {remedy}") from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a reader, or a crash, finds the old file or the new one but never a part.

    Where `path` is a link, the file that it leads to is written.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=_PREFIX)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes the file private; a result is as readable as any other file of the user.
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write `value` as indented JSON, whole or not at all; NaN and infinity are refused, as JSON has none."""
    write_bytes(path, encode_text(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n"))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these pairs, no name of which may stand twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} appears twice")
    return found


def _no_number(text: str) -> None:
    """Refuse NaN and Infinity, which Python reads and JSON does not know."""
    raise ValueError(f"{text} is not a number")


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in `path`.

    Raises:
        InputError: the file cannot be read or is not a JSON object, it says something twice, or a number is none.
    """
    text = read_text(path, expected="JSON", remedy="restore the file")
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    # Python's parser gives up on numbers of thousands of digits and on brackets nested as deep.
    except (ValueError, RecursionError) as error:
        raise InputError(f"expected JSON in {path}, got something else ({error}); restore the file") from error
    if not isinstance(value, dict):
        raise InputError(f"expected a JSON object in {path}, got {type(value).__name__}; restore the file")
    return value


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors as safetensors, whole or not at all."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, safetensors.torch.save(contiguous, dict(metadata or {})))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of a safetensors file, on the CPU, and its metadata.

    Raises:
        InputError: the file cannot be read or is not safetensors.
    """
    try:
        with safetensors.safe_open(path, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise InputError(f"expected safetensors in {path}, got something else ({error}); restore the file") from error
