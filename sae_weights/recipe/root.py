"""Makes `benchmarks` importable: it lies in the repository's root and is not installed. Import this before it."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

if str(ROOT) not in sys.path:
    # Behind the recipe's own folder, so that no module here is hidden.
    sys.path.append(str(ROOT))
