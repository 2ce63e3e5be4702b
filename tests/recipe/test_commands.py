"""The commands start as they are documented: from the repository, with nothing set."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


RECIPE = "sae_weights/recipe"
COMMANDS = {
    f"{RECIPE}/make.py": "--work WORK",
    f"{RECIPE}/compare.py": "--work WORK",
    f"{RECIPE}/candidates.py": "--work WORK",
    f"{RECIPE}/check.py": "--corpus CORPUS",
    f"{RECIPE}/figures.py": "--corpus CORPUS",
    f"{RECIPE}/detection.py": "--out OUT",
    f"{RECIPE}/feature_tables.py": "table",
    "benchmarks/steering_default.py": "--samples SAMPLES",
    "benchmarks/steering_less.py": "--samples SAMPLES",
}


@pytest.mark.parametrize("script", COMMANDS)
def test_a_script_says_what_it_takes(script):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, script, "--help"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert COMMANDS[script] in done.stdout
