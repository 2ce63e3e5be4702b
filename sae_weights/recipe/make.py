"""Makes the default weights from the seed model and the corpus. One command; see README.md.

    python make.py --seed-model DIR --corpus DIR --out ../default [--work DIR]

Every step leaves its result in the work folder and is skipped when that is there, so an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import filecmp
import shutil
import time
from pathlib import Path

import numpy as np
import passages
import torch
from collect import N_CHECK, collect
from corpus import cut_windows, read_books
from evidence import Texts
from features import describe_passages, write_features
from manifest import NAME, SAES, write_manifest
from reference import write_references
from tokenizers import Tokenizer

N_WINDOWS = 7600
SEED = 17


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed-model", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("work"))
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    copy_seed(options.seed_model, options.out)
    books = read_books(options.corpus)
    tokenizer = Tokenizer.from_file(str(options.out / "model" / "tokenizer.json"))
    if not (options.work / "segments.npy").exists():
        collect(options.out, cut_windows(books, tokenizer, N_WINDOWS, SEED), options.work)
    make_dictionary(options.out, options.work)
    vocabulary = [tokenizer.decode([i], skip_special_tokens=False) for i in range(tokenizer.get_vocab_size())]
    write_references(options.out, options.work, vocabulary.index("\n"))
    windows = np.load(options.work / "windows.npz")
    titles = [f"{book.title}, {book.author}" for book in books]
    texts = Texts(windows["ids"], windows["book"], titles, vocabulary)
    describe_passages(options.out, options.work, texts)
    write_features(options.out, options.work, options.seed_model, texts)
    write_manifest(options.out)


def make_dictionary(out: Path, work: Path) -> None:
    """Trained on all windows but the last N_CHECK, measured on those."""
    folder = out / "saes/blocks.3.passage_resid_post"
    if (folder / "sae_weights.safetensors").exists():
        return
    segments = torch.from_numpy(np.load(work / "segments.npy")).float()
    width, began = segments.shape[-1], time.time()
    seen, checked = segments[:-N_CHECK].reshape(-1, width), segments[-N_CHECK:].reshape(-1, width)
    sae = passages.train(seen)
    measured = passages.evaluate(sae, checked) | {"trained_on": len(seen), "seconds": round(time.time() - began)}
    print(measured, flush=True)
    passages.save(sae, folder, NAME, measured)


def copy_seed(seed: Path, out: Path) -> None:
    """The model and the token SAEs, file by file; their features.jsonl stays behind, the catalogue replaces it."""
    for folder in ("model", *(path for path, (_, grain, _) in SAES.items() if grain == "token")):
        (out / folder).mkdir(parents=True, exist_ok=True)
        for file in sorted((seed / folder).iterdir()):
            there = out / folder / file.name
            if file.name != "features.jsonl" and not (there.exists() and filecmp.cmp(file, there, shallow=False)):
                shutil.copyfile(file, there)


if __name__ == "__main__":
    main()
