"""What subcommands that need a model, SAEs and texts have in common."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from undersong.errors import BadInput, EngineUnavailable

if TYPE_CHECKING:
    from undersong.model.language_model import LanguageModel
    from undersong.sae.base import SAE
    from undersong.sae.evaluation.joined import Dictionary


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", help="folder or hub id of a transformers causal model (default: the shipped one)")
    add_adapter(parser)
    parser.add_argument("--device", help="cpu, cuda, mps (default: the best there is)")
    parser.add_argument("--offline", action="store_true", help="look nothing up on the hub")


def add_adapter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--adapter", metavar="FOLDER", help="a LoRA adapter for that model, as peft writes it")


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        nargs="+",
        required=True,
        metavar="PATH",
        help="text: .txt, .md, .jsonl (any of them .zst), or folders",
    )


def add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tokens", type=count, default=50_000, help="tokens read at most (default: 50000)")
    parser.add_argument("--context", type=count, default=128, help="tokens a text (default: 128)")
    parser.add_argument("--batch", type=count, default=8, help="texts at once (default: 8)")


def count(stated: str) -> int:
    """A number of things, 1 or more: what argparse takes for `type`."""
    found = int(stated)
    if found < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, found {found}")
    return found


def write_whole(path: Path, text: str) -> None:
    """Written beside `path`, then moved there: a run that is stopped leaves the file as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, "utf-8")
    os.replace(partial, path)


def open_model(arguments: argparse.Namespace) -> LanguageModel:
    # Large operations, for minutes or hours, beside whatever else runs: threads that sleep when they wait lose little
    # where the machine is idle, and nobody is waited for by a spinning one where it is not (docs/decisions/0005).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        from undersong.model.adapters import adapted, find_adapter
        from undersong.model.load import load_model
    except ModuleNotFoundError as error:
        raise EngineUnavailable(
            f'this needs {error.name}, which is not installed; expected: pip install "undersong[engine]"'
        ) from error
    # What can be refused is refused before the model is loaded.
    adapter = None if arguments.adapter is None else find_adapter(arguments.adapter)
    model = load_model(arguments.model or default_model(), arguments.device, offline=arguments.offline)
    return model if adapter is None else adapted(model, adapter)


def default_model() -> Path:
    from undersong.engine.weights import find_default, read_manifest

    folder = find_default()
    return folder / read_manifest(folder).model


def open_sae(path: str, model: LanguageModel, id: str | None = None) -> SAE:
    """In float32, where the model is."""
    from undersong.sae.load import load_sae

    return load_sae(path, model.device, id=id)


def open_dictionary(path: str, model: LanguageModel) -> Dictionary:
    """As `open_sae`; cross-layer transcoders too."""
    from undersong.sae.evaluation.joined import JoinedCLT
    from undersong.sae.load import clt_format_of, load_clt

    if clt_format_of(Path(path).expanduser()) is not None:
        return JoinedCLT(load_clt(path, model.device))
    return open_sae(path, model)


def named(paths: list[str]) -> list[tuple[str, str]]:
    """(a name of its own, path) of each: the folder's name, with those above it where names would be the same."""
    parts = [Path(path).expanduser().resolve().parts for path in paths]
    if len(set(parts)) < len(parts):
        raise BadInput(f"expected each SAE once, found {', '.join(paths)}")
    count = 1
    while len({own[-count:] for own in parts}) < len(parts):
        count += 1
    return [("/".join(own[-count:]), path) for own, path in zip(parts, paths, strict=True)]


def texts_of(paths: list[str], seed: int = 0) -> Iterator[str]:
    """Pieces of the files in an order drawn from `seed`, each once."""
    from undersong.sae.training.texts import TextFiles

    files = TextFiles(paths, seed)
    return islice(files.since(0), len(files))


def files_of(paths: list[str]) -> list[Path]:
    """The files themselves, those in folders among them."""
    from undersong.sae.training.texts import text_files

    return text_files(paths)
