"""What paths say that files do not: a published SAE's layer, width and site are often in the names of its folders."""

from __future__ import annotations

import re
from pathlib import Path

from undersong.errors import WeightsFormat


def whole(path: Path) -> str:
    """The path from the root, "/" between its parts. Links are not followed: the hub's cache names files by hash."""
    return path.absolute().as_posix()


def number(path: Path, pattern: str, what: str) -> int:
    """The number that `pattern` (one group) finds last in the path; WeightsFormat with what it should have been."""
    found = re.findall(pattern, whole(path))
    if not found:
        raise WeightsFormat(f"SAE: {path}: expected {what} in its path, found none")
    return int(found[-1])


def files_of(path: Path, pattern: str) -> list[Path]:
    """The files in folder `path` whose whole name matches `pattern`, in the order of the numbers in their names."""
    if not path.is_dir():
        return []

    def numbers(file: Path) -> list[int]:
        return [int(n) for n in re.findall(r"\d+", file.name)]

    return sorted((file for file in path.iterdir() if re.fullmatch(pattern, file.name)), key=numbers)


def one_of(path: Path, pattern: str, what: str) -> Path:
    """`path` if it is a file, else the one file in it that matches; WeightsFormat where there are several."""
    if path.is_file():
        return path
    found = files_of(path, pattern)
    if len(found) == 1:
        return found[0]
    names = ", ".join(file.name for file in found[:4]) + (" ..." if len(found) > 4 else "")
    raise WeightsFormat(f"SAE: {path}: expected the path of {what}; found a folder with {len(found)}: {names}")
