"""Files that are there whole or not at all, so that one that is there says that its step was done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(file: Path) -> Iterator[Path]:
    """Where to write; it becomes `file` when the block has ended. A step's tested file is written so, and last."""
    part = file.with_name(f"{file.name}.part")
    yield part
    part.replace(file)
