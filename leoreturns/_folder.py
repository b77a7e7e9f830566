"""Folders of microdata: marked NOT-FOR-RELEASE, complete or absent."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from leoreturns.errors import LeoReturnsError, PanelError

MARKER = "NOT-FOR-RELEASE"
UNFINISHED = ".unfinished-"  # how the name of a file begins that is being written
NOTICE = "This folder holds records of persons. It must not leave the secure environment.\n"


def check_new(path: Path, kind: type[LeoReturnsError] = PanelError) -> None:
    """Refuse a path that exists, or whose parent does not, by an error of this kind."""
    if path.exists() or path.is_symlink():
        raise kind(f"{path.name!r} exists; give a new name")
    if not path.parent.is_dir():
        raise kind(f"the folder {str(path.parent)!r} does not exist; make it first")


@contextmanager
def new_folder(path: Path, kind: type[LeoReturnsError] = PanelError, notice: str = NOTICE) -> Iterator[Path]:
    """Give a marked temporary folder beside `path` that takes its name when all went well, and is removed otherwise.

    Parameters
    ----------
    path : Path
    kind : type
        Error to raise when `path` exists, its parent does not, or the disk is full; nothing is left behind.
    notice : str
        What the marker says.
    """
    path = path.absolute()
    check_new(path, kind)
    partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.partial-", dir=path.parent))
    try:
        (partial / MARKER).write_text(notice, encoding="utf-8")
        yield partial
        check_new(path, kind)  # made by somebody else meanwhile
        os.rename(partial, path)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, OSError):
            raise kind(f"cannot write {path.name!r}: {reason(error)}; nothing was written") from error
        raise


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there as a whole or not at all, whatever stops this; an earlier one is replaced."""
    handle, name = tempfile.mkstemp(prefix=UNFINISHED, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def reason(error: OSError) -> str:
    """Return why something could not be written, without the text of the error."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "no space left on the disk"
    # NumPy reports a short write without an error number.
    return os.strerror(error.errno) if error.errno else "the disk took only part of a file; it may be full"
