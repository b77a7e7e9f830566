"""The working folder of a build: what is finished in it stays, so that a stopped build goes on where it was.

Nothing in it is ever half written under its own name: a file or a folder is made under another one and renamed when it
is whole, and renamed again before it is removed. The folder is that of the panel to be, beside the target: at the end
it holds nothing but the panel, and takes its name. What belongs to the build alone lies in a subfolder that is named
after the fingerprint of what goes in, so that no build goes on from what another one left.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from leoreturns._folder import MARKER, NOTICE, check_new
from leoreturns.errors import PanelError
from leoreturns.panel.lock import locked

BUILDING, BUILT, REMOVED = "building", "built", "removed"
UNFINISHED = "unfinished-"  # how the name of what is being made begins


@dataclass(frozen=True, slots=True)
class Working:
    """Where a build works.

    Attributes
    ----------
    target : Path
        Folder of the panel.
    fingerprint : str
        Hash of what the panel depends on.
    """

    target: Path
    fingerprint: str

    @property
    def panel(self) -> Path:
        """The folder of the panel to be."""
        return self.target.with_name(f".{self.target.name}.building")

    @property
    def building(self) -> Path:
        """What is needed until the panel is put together."""
        return self.panel / f"{BUILDING}-{self.fingerprint}"

    @property
    def is_built(self) -> bool:
        """Whether the panel is whole, and the rest was about to be removed."""
        return self._built.is_dir()

    @property
    def _built(self) -> Path:
        return self.panel / f"{BUILT}-{self.fingerprint}"

    def locked(self) -> AbstractContextManager[None]:
        """Keep other builds away from this place; the working folder itself, which takes another name, holds no lock.

        Raises
        ------
        PanelError
            If another build is at work there, or the target exists or its parent does not.
        """
        check_new(self.target)
        busy = f"another build of {self.target.name!r} is under way"
        return locked(self.panel.with_name(f"{self.panel.name}.lock"), busy)

    def open(self, *, resume: bool) -> None:
        """Make the folders, or go on with those of an earlier run of the same build.

        Raises
        ------
        PanelError
            If the target exists, its parent does not, or the name of the working folder is taken by something else.
        """
        check_new(self.target)
        if resume and (self.is_built or self.building.is_dir()):
            self._clear()
            return
        if self.panel.exists() or self.panel.is_symlink():
            _discard(self.panel)
        self.panel.mkdir(mode=0o700)
        (self.panel / MARKER).write_text(NOTICE, encoding="utf-8")
        self.building.mkdir()

    @contextmanager
    def folder(self, path: Path) -> Iterator[Path]:
        """Give a folder to fill that becomes `path` when all went well, and is removed otherwise."""
        part = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.building))
        try:
            yield part
            if path.is_dir():  # an earlier run was stopped just after it had made the same
                shutil.rmtree(part)
            else:
                os.rename(part, path)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise

    @contextmanager
    def file(self, path: Path) -> Iterator[Path]:
        """Give a file to write that becomes `path` when all went well, and is removed otherwise."""
        handle, name = tempfile.mkstemp(prefix=UNFINISHED, dir=self.building)
        os.close(handle)
        try:
            yield Path(name)
            os.replace(name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise

    def _clear(self) -> None:
        """Remove what runs that were killed had not finished."""
        for entry in self.building.glob(f"{UNFINISHED}*"):
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def finish(self) -> None:
        """Remove all but the panel, and give it its name."""
        check_new(self.target)  # made by somebody else meanwhile
        if not self.is_built:
            os.rename(self.building, self._built)
        shutil.rmtree(self._built)
        os.rename(self.panel, self.target)


def _discard(folder: Path) -> None:
    """Remove the working folder of another build."""
    entries = {entry.name: entry for entry in folder.iterdir()} if folder.is_dir() and not folder.is_symlink() else None
    if entries is None or (entries and MARKER not in entries):
        raise PanelError(f"{folder.name!r} exists and is not what a build left; move it away")
    removed = folder / REMOVED
    if removed.exists():
        shutil.rmtree(removed)
    # The marker last: it tells that the folder is ours, should this be stopped.
    for name, entry in entries.items():
        if entry.is_dir() and name != REMOVED:
            os.rename(entry, removed)
            shutil.rmtree(removed)
        elif name not in (MARKER, REMOVED):
            entry.unlink()
    shutil.rmtree(folder)
