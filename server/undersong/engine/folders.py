"""Where the engine keeps what it measured: doses and reference statistics, never the writer's text."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """The user's cache folder for Undersong. Whoever writes there makes it, and does without if that cannot be."""
    return Path(os.environ.get("UNDERSONG_CACHE_DIR") or platformdirs.user_cache_dir("undersong", appauthor=False))
