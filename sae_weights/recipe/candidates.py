"""Trains dictionaries and directions for compare.py to judge beside the default's; nothing here is a step of make.py.

    python candidates.py KIND --weights FOLDER --work WORK [--layer 3] [--tokens 0.6] [--device cpu]

passages     the passage dictionary of another layer; the layer is read first, in the same windows
tokens       a TopK and a BatchTopK SAE, on the same tokens
temporal     a temporal SAE (temporal.py)
directions   directions for the default's passage features, trained end to end (steering_directions.py)

They lie in WORK/candidates, checkpoints too. `--tokens`: millions, of all kinds but passages.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import collect
import passages
import root  # noqa: F401
import steering_directions
import temporal
import token_saes
import torch
from learner import Plan
from making import Making
from manifest import PASSAGES, READ_LAYER, SAES

from undersong.sae.load import load_sae


def passage_dictionary(making: Making, layer: int, out: Path) -> None:
    collect.collect(making.model, making.stream, [layer], making.work, making.device)
    passages.make_passages(making.work, layer, out, making.device)


def token_saes_of_both_kinds(making: Making, layer: int, out: Path) -> None:
    for selection in ("topk", "batchtopk"):
        plan = Plan(token_saes.D_SAE, token_saes.K, selection)
        found = token_saes.train_token_saes(
            making.model, making.stream, [layer], plan, making.tokens, out, making.device
        )
        token_saes.write_token_saes(found, plan, making.tokens, out / selection)
        token_saes.checkpoint(out, plan, [layer]).unlink()


def temporal_sae(making: Making, layer: int, out: Path) -> None:
    temporal.train_temporal(making.model, making.stream, layer, making.tokens, out, making.device)


def directions(making: Making, layer: int, out: Path) -> None:
    """Of the default's passage dictionary, whatever the layer named."""
    sae = load_sae(making.out / SAES[PASSAGES].path, making.device)
    found = steering_directions.train_directions(making.model, sae, making.stream, making.tokens, making.device)
    steering_directions.write_directions(found, out)


KINDS: dict[str, Callable[[Making, int, Path], None]] = {
    "passages": passage_dictionary,
    "tokens": token_saes_of_both_kinds,
    "temporal": temporal_sae,
    "directions": directions,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--layer", type=int, default=READ_LAYER)
    parser.add_argument("--tokens", type=float, default=0.6, help="millions (default: %(default)s)")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    out = options.work / "candidates"
    out.mkdir(parents=True, exist_ok=True)
    # The text is read from WORK, where the tokens step has left it.
    making = Making(
        Path(), options.weights, options.work, round(options.tokens * 1_000_000), torch.device(options.device)
    )
    KINDS[options.kind](making, options.layer, out)


if __name__ == "__main__":
    main()
