"""The base protocol's frames: headers, an empty line, a body. Bytes in, bytes out; no JSON. Stdlib only."""

from __future__ import annotations

from typing import BinaryIO

# No editor sends a message of this size; a larger length is a broken stream, and to obey it would take the memory.
MAX_BODY_BYTES = 512 * 1024 * 1024
_MAX_HEADER_BYTES = 8192


class BadFrame(ValueError):
    """Headers without a usable Content-Length. What follows in the stream may still be read."""


class BrokenStream(ValueError):
    """The stream cannot be followed any further."""


def read_frame(stream: BinaryIO) -> bytes | None:
    """The body of the next frame; None at the end of the stream, also when it ends inside a frame.

    Raises BadFrame (go on reading) or BrokenStream (do not).
    """
    length: int | None = None
    seen = False
    while True:
        line = stream.readline(_MAX_HEADER_BYTES)
        if not line:
            return None
        if not line.endswith(b"\n"):
            raise BrokenStream("a header line longer than 8 KiB")
        stripped = line.strip()
        if not stripped:
            if length is not None:
                break
            if seen:
                raise BadFrame("headers without Content-Length")
            continue  # blank lines between frames
        seen = True
        name, _, value = stripped.partition(b":")
        if name.strip().lower() == b"content-length":
            digits = value.strip()
            if not digits.isdigit():
                raise BadFrame("Content-Length is not a number")
            length = int(digits)
    if length > MAX_BODY_BYTES:
        raise BrokenStream(f"Content-Length {length} is above {MAX_BODY_BYTES}")
    body = stream.read(length)
    return body if len(body) == length else None


def frame(body: bytes) -> bytes:
    """One message as it goes over the wire."""
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
