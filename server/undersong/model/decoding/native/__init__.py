"""Kernels for decoding in float32 on the CPU, compiled by numba for the processor at hand (kernels.py).

They are loaded only when asked for: compiling takes some ten seconds or twenty, the first time on a machine; afterwards
what numba kept is read. Until then, or where numba is not installed, torch decodes (plain.py).

    python -m undersong.model.decoding.native FOLDER

compiles them and keeps them there, for a process that goes on answering meanwhile.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from hashlib import blake2b
from pathlib import Path

_KERNELS = f"{__name__}.kernels"
_SOURCES = ("kernels.py", "tables.py", "tiles.py")
"""Numba looks at the first alone, but what the others say is compiled in, too."""
_ENTRIES = 2


def is_installed() -> bool:
    return importlib.util.find_spec("numba") is not None


def is_loaded() -> bool:
    return hasattr(sys.modules.get(_KERNELS), "finish")


def is_compiled(folder: Path) -> bool:
    """Whether `load` finds them there (for another processor numba compiles them once more)."""
    return len(list(_versioned(folder).rglob("*.nbi"))) >= _ENTRIES


def load(folder: Path) -> None:
    """Compile the kernels and keep them in `folder`, or read what was kept. Nothing where numba is not installed.

    Where the folder cannot be written they are compiled for this process alone. Models find their decoder anew after
    `LanguageModel.refit`."""
    if is_loaded() or not is_installed():
        return
    from numba import config

    kept = _versioned(folder)
    try:
        kept.mkdir(parents=True, exist_ok=True)
        keeps = os.access(kept, os.W_OK)
    except OSError:
        keeps = False
    before, config.CACHE_DIR = config.CACHE_DIR, str(kept) if keeps else ""  # pyright: ignore[reportAttributeAccessIssue]
    try:
        importlib.import_module(_KERNELS)
    finally:
        config.CACHE_DIR = before  # pyright: ignore[reportAttributeAccessIssue]


def _versioned(folder: Path) -> Path:
    here = Path(__file__).parent
    version = blake2b(b"".join((here / name).read_bytes() for name in _SOURCES), digest_size=8).hexdigest()
    return folder / f"kernels-{version}"
