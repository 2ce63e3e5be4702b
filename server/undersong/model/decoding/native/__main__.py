"""Compile the kernels into a folder: see __init__.py."""

from __future__ import annotations

import sys
from pathlib import Path

from undersong.model.decoding.native import load

if __name__ == "__main__":
    load(Path(sys.argv[1]))
