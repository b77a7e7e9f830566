"""A lock on a path among processes, which the operating system frees when its holder ends, however that is."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from leoreturns.errors import PanelError

BUSY = (errno.EAGAIN, errno.EACCES)


@contextlib.contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold the lock that a file stands for; the file is made, and is removed in the end.

    Raises
    ------
    PanelError
        If another process, or another thread of this one, holds it; `what` says what that is doing.
    """
    held = _acquire(path, what)
    try:
        yield
    finally:
        # Windows removes no open file, which spares one that somebody else has opened; elsewhere it must still be ours.
        with contextlib.suppress(OSError):
            if sys.platform == "win32":
                held.close()
            path.unlink()
        held.close()


def _acquire(path: Path, what: str) -> TextIO:
    while True:
        held = path.open("a", encoding="utf-8")
        if _is_busy(held):
            held.close()
            raise PanelError(f"{what}; wait until it has ended")
        # Its last holder may have removed the file between our opening and locking it.
        if path.exists() and os.path.samestat(os.fstat(held.fileno()), path.stat()):
            return held
        held.close()


def _is_busy(opened: TextIO) -> bool:
    """Take the lock on an open file; tell whether somebody else has it. A file system without locks gives it to all."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(opened.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in BUSY
    return False
