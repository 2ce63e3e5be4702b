"""What is left out of torch and transformers while a model is loaded is there afterwards. In fresh interpreters."""

from __future__ import annotations

import subprocess
import sys

LOADING = """
import sys
import torch
available = torch.distributed.is_available()
from undersong.engine.importing import lean
with lean():
    from undersong.model.load import load_model
    model = load_model(sys.argv[1], "cpu")
ids = torch.tensor([[1, 2, 3]])
logits = model.network(input_ids=ids).logits
"""
AFTERWARDS = """
# Neither the compiler nor tensors spread over machines were imported; torch is as it was.
assert not {"torch._dynamo", "torch.distributed.tensor"} & set(sys.modules)
assert torch.distributed.is_available() == available
try:
    torch._check(False, lambda: "said")
except RuntimeError as error:
    assert "said" in str(error)
else:
    raise AssertionError

# Masks that are made by mapping a function are made.
from transformers.masking_utils import TransformGetItemToIndex
with TransformGetItemToIndex():
    rows = torch.vmap(lambda i: torch.arange(3)[i])(torch.tensor([2, 0]))
assert rows.tolist() == [2, 0]

# The compiler compiles, what was loaded without it too.
import torch._dynamo
assert torch._dynamo.__file__
network = torch.compile(model.network, backend="eager")
torch.testing.assert_close(network(input_ids=ids).logits, logits)

from torch.distributed.tensor import DTensor
assert not isinstance(logits, DTensor)
"""
ASKING = """
import torch
from undersong.engine.importing import lean
with lean():
    import torch._dynamo
    assert torch._dynamo.disable(len) is len and not hasattr(torch._dynamo, "__file__")
    assert torch._dynamo.config.cache_size_limit > 0
    import torch._dynamo.utils
    assert torch._dynamo.__file__
assert torch._dynamo.__file__
"""
SUBMODULE = """
import sys
from undersong.engine.importing import lean
with lean():
    import torch
    assert not hasattr(torch._dynamo, "__file__")
    from torch._dynamo.utils import warn_once
    assert sys.modules["torch._dynamo"].__file__ and torch._dynamo.utils.warn_once is warn_once
assert all(type(finder).__module__ != "undersong.engine.importing" for finder in sys.meta_path)
"""


def run(code: str, *arguments: str) -> None:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_model_is_loaded_without_the_compiler_which_is_there_afterwards(weights):
    run(LOADING + AFTERWARDS, str(weights.model))


def test_what_a_stand_in_does_not_have_brings_the_real_one():
    run(ASKING)


def test_whoever_imports_a_module_of_it_gets_the_real_one():
    """torchao does, which transformers imports where it is installed."""
    run(SUBMODULE)


def test_where_torchrun_started_us_nothing_is_left_out(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    run("from undersong.engine.importing import lean\nimport torch\nwith lean():\n    assert torch._dynamo.__file__")
