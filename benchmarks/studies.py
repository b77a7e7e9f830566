"""Simulation studies whose lines are kept in a file as they come, so that one that was stopped goes on where it was."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import leoreturns as lr


def finished(path: Path | None) -> list[dict[str, Any]]:
    """Read the lines of the file; one that was cut off when the study was stopped is taken out and run again."""
    text = path.read_text(encoding="utf-8") if path is not None and path.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    if path is not None and whole != text:
        path.write_text(whole, encoding="utf-8")
    return [json.loads(line) for line in whole.splitlines()]


def add(path: Path | None, lines: Sequence[dict[str, Any]]) -> None:
    """Add lines to the file, if there is one."""
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(line) + "\n" for line in lines))


def start_log(folder: Path | None, name: str) -> None:
    """Log to the terminal, and to a file of this name in the folder."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout)]
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(folder / f"{name}.log"))
    form = "%(asctime)s %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, datefmt="%Y-%m-%d %H:%M:%S", handlers=handlers)
    logging.info("leoreturns %s, NumPy %s, Python %s", lr.__version__, np.__version__, sys.version.split()[0])
