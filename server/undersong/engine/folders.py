"""Where the engine keeps what it measured (doses, reference statistics, self-checks), never the writer's text."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import platformdirs
from safetensors import SafetensorError

logger = logging.getLogger(__name__)


def cache_folder() -> Path:
    """The user's cache folder for Undersong. Whoever writes there makes it, and does without if that cannot be."""
    return Path(os.environ.get("UNDERSONG_CACHE_DIR") or platformdirs.user_cache_dir("undersong", appauthor=False))


def kernels_folder() -> Path:
    """Where compiled kernels are kept: beside the rest, unless UNDERSONG_KERNELS_DIR says where."""
    return Path(os.environ.get("UNDERSONG_KERNELS_DIR") or cache_folder() / "kernels")


def keep(path: Path, write: Callable[[Path], object]) -> None:
    """`write` the file whole or not at all. Where that cannot be, it is measured again next time."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):
            partial.unlink()
        logger.warning("what was measured is not kept at %s: %s", path, error)
