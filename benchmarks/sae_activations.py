"""Activations of a model on a corpus, read once and kept: what several SAEs are trained on, or ours beside another's.

    python benchmarks/sae_activations.py --model sae_weights/default/model --hook blocks.3.hook_resid_post \
        --data corpus/fiction-core.txt.zst --tokens 1000000 --out activations

writes one float16 .npy [tokens, d] a hook point, shuffled in stretches of `BUFFER` tokens, BOS left out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

from undersong.engine.training import reader, tokenizer
from undersong.errors import BadText
from undersong.hook_points import HookPoint, parse
from undersong.model.language_model import LanguageModel
from undersong.model.load import load_model
from undersong.sae.training.activations import ActivationStream, StreamPlan
from undersong.sae.training.texts import Listed, TextFiles

BUFFER, BATCH, CONTEXT = 65_536, 4096, 512


def unpacked(files: Sequence[str | Path], folder: Path) -> list[Path]:
    """`files`, those that end in .zst as text files in `folder`."""
    return [_unpacked(Path(file), folder) if Path(file).suffix == ".zst" else Path(file) for file in files]


def _unpacked(packed: Path, folder: Path) -> Path:
    out = folder / packed.stem
    if not out.exists():
        import zstandard

        folder.mkdir(parents=True, exist_ok=True)
        part = out.with_suffix(".part")
        with packed.open("rb") as source, part.open("wb") as target:
            zstandard.ZstdDecompressor().copy_stream(source, target)
        os.replace(part, out)
    return out


def read_once(
    model: LanguageModel, points: Sequence[HookPoint], files: Sequence[str | Path], tokens: int, folder: Path
) -> dict[HookPoint, Tensor]:
    """Hook point -> [tokens or fewer, d] float16, mapped from files in `folder`; read by the model if not there yet.

    A file is written whole or not at all, and named by what is in it: text, tokens, model.
    """
    stated = [model.name, tokens, CONTEXT, [(path.name, path.stat().st_size) for path in map(Path, files)]]
    sign = hashlib.sha256(json.dumps(stated).encode()).hexdigest()[:8]
    paths = {point: folder / f"{point}.{sign}.npy" for point in points}
    missing = [point for point, path in paths.items() if not path.exists()]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        _write(model, {point: paths[point] for point in missing}, files, tokens)
    # Copied on writing, which nobody does: a mapping that cannot be written makes torch warn.
    return {point: torch.from_numpy(np.load(path, mmap_mode="c")) for point, path in paths.items()}


def _write(model: LanguageModel, paths: dict[HookPoint, Path], files: Sequence[str | Path], tokens: int) -> None:
    read = reader(model, list(paths))
    pieces = TextFiles(files)
    texts = Listed(list(islice(pieces.since(0), min(len(pieces), 1 + tokens // 4000))))
    plan = StreamPlan(CONTEXT, BATCH, min(BUFFER, max(BATCH, tokens)), model.bos_id, model.special_ids)
    parts = {point: path.with_suffix(".part") for point, path in paths.items()}
    held = {
        point: np.lib.format.open_memmap(parts[point], "w+", np.float16, (tokens, model.sites.width(point)))
        for point in parts
    }
    done, began = 0, time.monotonic()
    for batch in ActivationStream(texts, tokenizer(model), read, plan):
        kept = min(BATCH, tokens - done)
        for point, found in batch.items():
            held[point][done : done + kept] = found[:kept].to(torch.float16).cpu().numpy()
        done += kept
        if done % (16 * BATCH) == 0 or done == tokens:
            speed = done / (time.monotonic() - began)
            print(f"activations: {done:,} of {tokens:,} tokens, {speed:,.0f}/s", file=sys.stderr, flush=True)
        if done == tokens:
            break
    if not done:
        raise BadText(f"activations: expected text of at least {BATCH} tokens in {', '.join(map(str, files))}")
    for point, path in paths.items():
        held[point].flush()
        if done < tokens:
            np.save(parts[point].with_suffix(".short.npy"), held[point][:done])
            os.replace(parts[point].with_suffix(".short.npy"), parts[point])
        os.replace(parts[point], path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model", required=True)
    add("--hook", nargs="+", required=True)
    add("--data", nargs="+", required=True, help=".txt, .md, .jsonl, or one of these packed as .zst")
    add("--tokens", type=int, default=1_000_000)
    add("--out", type=Path, required=True)
    arguments = parser.parse_args()
    files = unpacked(arguments.data, arguments.out / "text")
    found = read_once(
        load_model(arguments.model), [parse(name) for name in arguments.hook], files, arguments.tokens, arguments.out
    )
    for point, held in found.items():
        print(f"{point}: {tuple(held.shape)}")


if __name__ == "__main__":
    main()
