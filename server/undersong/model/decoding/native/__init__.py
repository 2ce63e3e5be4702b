"""Kernels for decoding in float32 on the CPU, compiled by numba for the processor at hand (kernels.py).

They are loaded only when asked for: compiling takes some ten seconds the first time on a machine; afterwards numba
finds what it kept. Until then, or where numba is not installed, torch decodes (plain.py).
"""

from __future__ import annotations

import importlib
import importlib.util
import sys

_KERNELS = f"{__name__}.kernels"


def is_installed() -> bool:
    return importlib.util.find_spec("numba") is not None


def is_loaded() -> bool:
    return _KERNELS in sys.modules and hasattr(sys.modules[_KERNELS], "finish")


def load() -> None:
    """Compile the kernels, or read them where that was done before. Nothing is loaded where numba is not installed.

    Models find their decoder anew after `LanguageModel.refit`."""
    if is_installed():
        importlib.import_module(_KERNELS)
