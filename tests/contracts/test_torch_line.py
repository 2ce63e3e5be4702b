"""Nothing above the torch line reaches torch: seen in fresh interpreters, since other tests have imported it here."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "transformers", "safetensors", "numpy", "fastapi", "uvicorn", "peft"}
ABOVE = (
    "undersong.errors",
    "undersong.wire",
    "undersong.text.segments",
    "undersong.catalogue.store",
    "undersong.catalogue.doses",
    "undersong.client.launch",
    "undersong.assist.suggestions",
    "undersong.lsp.run",
    "undersong.cli.serve",
    "undersong.cli",
    "undersong.cli.features",
)


def imported_by(module: str) -> set[str]:
    """The top-level modules that importing `module` brings into a new interpreter."""
    code = f"import json, sys, {module}; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("module", ABOVE)
def test_a_module_above_the_line_brings_no_torch(module):
    assert not imported_by(module) & HEAVY


def test_greeting_an_editor_needs_neither_pygls_nor_attrs():
    assert not imported_by("undersong.lsp.greeting") & {"pygls", "lsprotocol", "attrs", "attr", "cattrs", *HEAVY}


def test_the_test_sees_torch_where_it_is_imported():
    assert "torch" in imported_by("undersong.engine.parts")


def test_an_engine_listens_before_it_imports_torch():
    assert not imported_by("undersong.engine.host") & {"torch", "transformers", "numpy", "peft"}
