"""GGUF, llama.cpp's container, as far as control vectors need it: values by key, tensors in float32.

    "GGUF", version (2 or 3), how many tensors, how many values
    values    key, type, value
    tensors   name, sizes (the fastest first), type (0: float32), offset from where data begin
    data      each tensor at a multiple of general.alignment (32 where it is not stated)

All little-endian; a text is its length and its bytes in UTF-8 (ggml's docs/gguf.md).
"""

from __future__ import annotations

import math
import mmap
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from undersong.errors import WeightsFormat, WeightsMissing

_MAGIC, _VERSIONS, _ALIGNMENT = b"GGUF", (2, 3), 32
_FLOAT32 = 0
# Types of values that have a fixed size, as struct has them.
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_COUNT, _WHOLE, _TEXT, _LIST = "Q", 4, 8, 9


@dataclass(frozen=True, slots=True)
class Entry:
    """A tensor in the file: `sizes` the fastest first; `begin` in bytes from the file's begin; `type` as ggml's."""

    name: str
    sizes: tuple[int, ...]
    type: int
    begin: int


class GGUF:
    """A file's values and the entries of its tensors; numbers are read when asked for.

    Raises WeightsMissing; WeightsFormat where it is no GGUF, is cut short, or is of a version or kind not known here.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise WeightsMissing(f"GGUF: there is no file {path}")
        self.path = path
        try:
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
                cursor = _Cursor(held)
                if cursor.take(4) != _MAGIC or (version := cursor.number("I")) not in _VERSIONS:
                    raise ValueError("it does not begin with GGUF and version 2 or 3")
                n_tensors, n_values = cursor.number(_COUNT), cursor.number(_COUNT)
                self.version: int = version
                self.values = {cursor.text(): cursor.value(cursor.number("I")) for _ in range(n_values)}
                entries = [_entry(cursor) for _ in range(n_tensors)]
                alignment = int(self.values.get("general.alignment", _ALIGNMENT))
                data = -(-cursor.at // alignment) * alignment
                self.entries = tuple(Entry(e.name, e.sizes, e.type, data + e.begin) for e in entries)
        except (ValueError, struct.error, OSError, ZeroDivisionError, TypeError) as error:
            raise WeightsFormat(f"GGUF: {path} is damaged or no GGUF: {error}") from error

    def tensor(self, entry: Entry) -> Tensor:
        """[sizes, slowest first], in float32. WeightsFormat where it is of another type or the file is cut short."""
        if entry.type != _FLOAT32:
            raise WeightsFormat(f"GGUF: {self.path}: {entry.name}: expected float32, found ggml type {entry.type}")
        shape = tuple(reversed(entry.sizes))
        count, there = math.prod(shape), max(0, self.path.stat().st_size - entry.begin)
        if not 0 < 4 * count <= there:
            raise WeightsFormat(
                f"GGUF: {self.path} is damaged or cut short: {entry.name}: expected 4 bytes for each of {count} "
                f"numbers, found {there}"
            )
        with self.path.open("rb") as file:
            file.seek(entry.begin)
            held = bytearray(file.read(4 * count))
        return torch.frombuffer(held, dtype=torch.float32).reshape(shape)


def write(path: Path, values: Mapping[str, str | int], tensors: Mapping[str, Tensor]) -> Path:
    """Texts and whole numbers of 32 bits by key, and tensors in float32, in one move."""
    infos, data, header = b"", b"", b""
    for key, value in values.items():
        kind, held = (_TEXT, _text(value)) if isinstance(value, str) else (_WHOLE, struct.pack("<I", value))
        header += _text(key) + struct.pack("<I", kind) + held
    for name, tensor in tensors.items():
        sizes = tuple(reversed(tensor.shape))
        infos += _text(name) + struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes)
        infos += struct.pack("<IQ", _FLOAT32, len(data))
        data += _padded(tensor.detach().to("cpu", torch.float32).contiguous().numpy().astype("<f4").tobytes())
    begin = _MAGIC + struct.pack("<IQQ", _VERSIONS[-1], len(tensors), len(values))
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(_padded(begin + header + infos) + data)
    os.replace(part, path)
    return path


class _Cursor:
    """What stands where, read from the front. ValueError past the end."""

    def __init__(self, held: mmap.mmap) -> None:
        self._held = held
        self.at = 0

    def take(self, count: int) -> bytes:
        if count > len(self._held) - self.at:
            raise ValueError(f"expected {count} bytes from {self.at} on, found {len(self._held) - self.at}")
        self.at += count
        return self._held[self.at - count : self.at]

    def number(self, code: str) -> Any:
        return struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))[0]

    def text(self) -> str:
        return self.take(self.number(_COUNT)).decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        if kind == _TEXT:
            return self.text()
        if kind == _LIST:
            of, count = self.number("I"), self.number(_COUNT)
            return [self.value(of) for _ in range(count)]
        if kind not in _NUMBERS:
            raise ValueError(f"expected types of values from 0 to 12, found {kind}")
        return self.number(_NUMBERS[kind])


def _entry(cursor: _Cursor) -> Entry:
    name, dimensions = cursor.text(), cursor.number("I")
    sizes = tuple(cursor.number(_COUNT) for _ in range(dimensions))
    return Entry(name, sizes, cursor.number("I"), cursor.number(_COUNT))


def _text(text: str) -> bytes:
    held = text.encode("utf-8")
    return struct.pack("<Q", len(held)) + held


def _padded(held: bytes) -> bytes:
    return held + bytes(-len(held) % _ALIGNMENT)
