"""Import torch and transformers for a process that runs a model on one device and compiles nothing.

Nearly half of what importing transformers' models takes is spent on what such a process never uses: the compiler
(`torch._dynamo`, and sympy with it), which transformers asks for at its top only to mark functions that are to be left
alone by it, and tensors spread over machines (`torch.distributed.tensor`), of which it only asks whether it has one.
Inside `lean()`

- `torch._dynamo` is a stand-in whose markers mark nothing; any other name or module asked of it brings the real one;
- torch says that it was built without `torch.distributed`, as some builds are, which transformers provides for;
- torch does not ask its symbolic shapes whether what it checks and what is true is true.

Afterwards everything is as it was, and whoever asks for the compiler gets it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import ModuleType
from typing import Any, ClassVar

COMPILER = "torch._dynamo"
WRAPPING = f"{COMPILER}._trace_wrapped_higher_order_op"
NEEDED = ("torch", "transformers", "safetensors", "fastapi", "uvicorn")


def missing() -> str | None:
    """The first library that an engine needs and that is not installed, found without importing any."""
    return next((name for name in NEEDED if find_spec(name) is None), None)


@contextmanager
def lean() -> Iterator[None]:
    """See above. Where the compiler is there already, or torchrun started us, nothing is left out."""
    import torch

    if COMPILER in sys.modules or "WORLD_SIZE" in os.environ:
        yield
        return
    spread, check = torch.distributed.is_available, torch._check_with

    def checked(error: Any, condition: Any, message: Any) -> None:
        if condition is not True:
            check(error, condition, message)

    torch.distributed.is_available, torch._check_with = lambda: False, checked
    compiler = _Compiler(COMPILER)
    sys.modules[COMPILER] = compiler
    sys.modules[WRAPPING] = _Wrapping(WRAPPING)
    torch._dynamo = compiler
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        torch.distributed.is_available, torch._check_with = spread, check
        _withdraw()


class _Compiler(ModuleType):
    """What stands for `torch._dynamo`."""

    __path__: ClassVar[list[str]] = []

    @staticmethod
    def disable(function: Callable[..., Any] | None = None, *_: Any, **__: Any) -> Callable[..., Any]:
        """Also as `@disable(recursive=False)`."""
        return _same if function is None else function

    @staticmethod
    def allow_in_graph(function: Any) -> Any:
        return function

    @staticmethod
    def assume_constant_result(function: Any) -> Any:
        return function

    def __getattr__(self, name: str) -> Any:
        return _asked(COMPILER, name)


class _Wrapping(ModuleType):
    """What stands for the module that transformers takes `TransformGetItemToIndex` from, to make masks."""

    @staticmethod
    def TransformGetItemToIndex() -> Any:
        return _asked(WRAPPING, "TransformGetItemToIndex")()

    def __getattr__(self, name: str) -> Any:
        return _asked(WRAPPING, name)


class _Finder(MetaPathFinder):
    """Brings the real one where somebody imports a module of it, as torchao does."""

    def find_spec(self, fullname: str, path: object, target: ModuleType | None = None) -> ModuleSpec | None:
        if not fullname.startswith(f"{COMPILER}.") or not isinstance(sys.modules.get(COMPILER), _Compiler):
            return None
        _withdraw()
        return PathFinder.find_spec(fullname, import_module(COMPILER).__path__)


def _same(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def _asked(module: str, name: str) -> Any:
    """What the real one has. What importing itself looks for, such as `__path__`, brings nothing."""
    if name.startswith("__"):
        raise AttributeError(name)
    _withdraw()
    return getattr(import_module(module), name)


def _withdraw() -> None:
    """The stand-ins go, if they are still there: the next import finds the real ones."""
    import torch

    for name, kind in ((COMPILER, _Compiler), (WRAPPING, _Wrapping)):
        if isinstance(sys.modules.get(name), kind):
            del sys.modules[name]
    if isinstance(torch.__dict__.get("_dynamo"), _Compiler):
        del torch._dynamo
