"""`undersong engine`: the process that owns the model. Editors start it themselves; run it by hand to see its log."""

from __future__ import annotations

import argparse
import gc
import logging

from undersong.cli.attaching import add_engine_arguments
from undersong.errors import EngineUnavailable
from undersong.garbage import set_aside_what_survives


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_engine_arguments(parser)
    parser.add_argument("--idle-minutes", type=float, default=5.0, help="end this long after the last editor left")
    parser.add_argument(
        "--memory-mb",
        type=_megabytes,
        default=0,
        help="budget of memory in MB, of which caches give way (default: 0, automatic)",
    )
    parser.add_argument("--tcp", action="store_true", help="listen on a loopback port with a token, not on a socket")


def _megabytes(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number of MB, 0 or more, found {text!r}")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    from undersong.client.endpoint import EngineChoice

    # What is imported stays. The engine collects again when it is loaded.
    gc.disable()
    from undersong.engine.importing import missing

    if (lacking := missing()) is not None:
        raise EngineUnavailable(
            f'the engine needs {lacking}, which is not installed; expected: pip install "undersong[engine]"'
        )
    set_aside_what_survives()
    from undersong.engine.host import run as serve

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    choice = EngineChoice(
        arguments.model,
        tuple(arguments.sae),
        arguments.device,
        arguments.idle_minutes,
        adapter=arguments.adapter,
        memory_mb=arguments.memory_mb,
    )
    return serve(choice, arguments.tcp)
