"""`undersong sae ...`: one file a subcommand, named in one table and imported when it is asked for.

A module has `add_arguments(parser)` and `run(arguments) -> int`, as those of undersong.cli.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from typing import Any

SUBCOMMANDS: dict[str, tuple[str, str]] = {
    "inspect": ("undersong.cli.sae.inspect", "what a file or folder holds, and every convention that was assumed"),
    "convert": ("undersong.cli.sae.convert", "write any format that can be read as SAELens v6"),
    "train": ("undersong.cli.sae.train", "train SAEs on a model and text of your own"),
    "evaluate": ("undersong.cli.sae.evaluate", "how well an SAE stands for what it reads: JSON and an HTML report"),
    "stitch": ("undersong.cli.sae.stitch", "which features of a wider SAE are new, and which refine another's"),
    "label": ("undersong.cli.sae.label", "name features and score the names"),
}
"""name: (module, what it is)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    subparsers = parser.add_subparsers(
        dest="sae_subcommand", required=True, metavar="COMMAND", parser_class=_Subcommand
    )
    for name, (_, summary) in SUBCOMMANDS.items():
        subparsers.add_parser(name, help=summary, description=summary)


def run(arguments: argparse.Namespace) -> int:
    return int(importlib.import_module(SUBCOMMANDS[arguments.sae_subcommand][0]).run(arguments))


class _Subcommand(argparse.ArgumentParser):
    """Takes its arguments from its module when it parses: only the subcommand that was asked for does."""

    _filled = False

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # pyright: ignore
        if not self._filled:
            self._filled = True
            importlib.import_module(SUBCOMMANDS[self.prog.split()[-1]][0]).add_arguments(self)
        return super().parse_known_args(args, namespace)
