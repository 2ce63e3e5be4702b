"""Texts packed by zstandard (.txt.zst and the like), unpacked into a folder of ours before they are read in pieces."""

from __future__ import annotations

from pathlib import Path

from undersong.errors import BadInput, BadText

SUFFIX = ".zst"
_CHUNK = 1 << 20


def unpacked(path: Path, folder: Path) -> Path:
    """A new file in `folder` with what `path` holds, its name ending as that does without .zst.

    BadInput without the zstandard package; BadText where the file is damaged or cut short.
    """
    try:
        import zstandard
    except ImportError as error:
        raise BadInput(f"texts: {path}: expected the zstandard package: pip install 'undersong[zstd]'") from error
    out = folder / f"{sum(1 for _ in folder.iterdir())}-{path.name.removesuffix(SUFFIX)}"
    frame = zstandard.ZstdDecompressor().decompressobj()
    try:
        with path.open("rb") as packed, out.open("wb") as plain:
            while chunk := packed.read(_CHUNK):
                while chunk:
                    if frame.eof:
                        # One file may hold several frames, one after the other.
                        frame = zstandard.ZstdDecompressor().decompressobj()
                    plain.write(frame.decompress(chunk))
                    chunk = frame.unused_data
    except zstandard.ZstdError as error:
        raise BadText(f"texts: {path}: expected text packed by zstandard, found damage: {error}") from error
    if not frame.eof:
        raise BadText(f"texts: {path}: expected text packed by zstandard, found it cut short")
    return out
