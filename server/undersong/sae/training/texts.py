"""Texts to train on, each with a number, so that a run that was cut short goes on where it stood.

Files are cut into pieces at line ends, and the pieces are taken in an order drawn from a seed, a new one each time all
have been taken: what stands together in a training buffer then comes from everywhere, and no file is ever held whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import mkdtemp
from typing import Protocol
from weakref import finalize

import torch

from undersong.errors import BadText, WeightsMissing
from undersong.sae.training.packed import SUFFIX as PACKED
from undersong.sae.training.packed import unpacked

PIECE_BYTES = 1 << 16
_PLAIN, _LINES = (".txt", ".md", ".text", ""), (".jsonl",)


class Texts(Protocol):
    def since(self, number: int) -> Iterator[str]:
        """The texts from `number`, counted from 0, on; always the same for the same number."""
        ...


@dataclass(frozen=True, slots=True)
class Listed:
    """The texts of any iterable that gives the same ones each time it is gone through."""

    texts: Iterable[str]

    def since(self, number: int) -> Iterator[str]:
        return islice(iter(self.texts), number, None)


@dataclass(frozen=True, slots=True)
class _Piece:
    path: Path
    begin: int
    end: int


class TextFiles:
    """Text files (.txt, .md: plain; .jsonl: a JSON object with "text" a line), and those in folders, without end.

    Those packed by zstandard (.txt.zst, ...) are unpacked first, into a folder that goes with this object.
    Raises WeightsMissing where there is no such file, BadText where one has another ending, is not UTF-8, or all are
    blank.
    """

    def __init__(self, paths: Sequence[str | Path], seed: int = 0, piece_bytes: int = PIECE_BYTES) -> None:
        self.seed = seed
        self._named = ", ".join(map(str, paths))
        self._pieces = [
            _Piece(path, begin, begin + piece_bytes)
            for path in self._plain(text_files(paths))
            for begin in range(0, path.stat().st_size, piece_bytes)
        ]
        if not self._pieces:
            raise BadText(f"texts: expected some in {self._named}, found only empty files")

    def __len__(self) -> int:
        """How many pieces there are before they come again."""
        return len(self._pieces)

    def _plain(self, files: Sequence[Path]) -> list[Path]:
        """`files`, packed ones unpacked."""
        if not any(path.suffix == PACKED for path in files):
            return list(files)
        folder = Path(mkdtemp(prefix="undersong-texts-"))
        finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return [unpacked(path, folder) if path.suffix == PACKED else path for path in files]

    def since(self, number: int) -> Iterator[str]:
        while True:
            turn, first = divmod(number, len(self._pieces))
            random = torch.Generator().manual_seed(self.seed * 1_000_003 + turn)
            order = torch.randperm(len(self._pieces), generator=random).tolist()
            blank = first == 0
            for index in order[first:]:
                text = _read(self._pieces[index])
                blank = blank and not text.strip()
                yield text
                number += 1
            if blank:
                # Who waits for tokens would wait for ever.
                raise BadText(f"texts: expected some in {self._named}, found nothing but blanks")


def text_files(paths: Sequence[str | Path]) -> list[Path]:
    """The files themselves, those in folders among them. WeightsMissing, BadText."""
    found: list[Path] = []
    for given in paths:
        path = Path(given).expanduser()
        if path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.is_file() and _kind(p) in (".txt", ".md", ".jsonl"))
        elif not path.exists():
            raise WeightsMissing(f"texts: there is no file or folder {path}")
        elif _kind(path) not in _PLAIN + _LINES:
            raise BadText(
                f"texts: {path}: expected .txt, .md or .jsonl (or one of these with .zst), found {path.suffix}"
            )
        else:
            found.append(path)
    return found


def _kind(path: Path) -> str:
    """The ending, that of packing left off."""
    return Path(path.name.removesuffix(PACKED)).suffix


def _read(piece: _Piece) -> str:
    """The lines that begin in the piece."""
    with piece.path.open("rb") as file:
        if piece.begin:
            # A line that began before belongs to the piece before.
            file.seek(piece.begin - 1)
            file.readline()
        begin = file.tell()
        held = file.read(max(0, piece.end - begin))
        if held and not held.endswith(b"\n"):
            held += file.readline()
    try:
        text = held.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadText(f"texts: {piece.path}: expected UTF-8, found {error} after byte {begin}") from error
    return _from_lines(piece.path, text) if piece.path.suffix in _LINES else text


def _from_lines(path: Path, lines: str) -> str:
    try:
        return "\n\n".join(json.loads(line)["text"] for line in lines.split("\n") if line.strip())
    except (ValueError, KeyError, TypeError) as error:
        raise BadText(f'texts: {path}: expected a JSON object with "text" on each line: {error!r}') from error
