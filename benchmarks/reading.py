"""Tokens a second through a model up to an SAE's layer and through the SAE, beside the model alone and SAELens.

    python benchmarks/reading.py --models default gpt2 --widths 4096 16384 65536 131072

`make bench-reading` runs it in the environment of the peers. What is measured is what undersong.engine.reading does
with a chunk of new tokens: the blocks up to the SAE's layer, its encoder, the active features of each token. SAELens
encodes the same residuals with the same weights, in this process; where it is missing its column is empty. SAEs have
random weights and realistic sparsity: TopK with K features a token, JumpReLU with a threshold that lets about ACTIVE
through. Ways take turns in every round; figures are medians over rounds. Writes benchmarks/reading.json.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.decoding_peers.job import Job
from benchmarks.decoding_peers.models import SHAPES, prepare
from benchmarks.drafts import draft
from benchmarks.elsewhere import Elsewhere
from benchmarks.figures import keep, machine
from undersong.hook_points import HookPoint
from undersong.model.kv_cache import WindowCache
from undersong.model.language_model import LanguageModel
from undersong.model.load import load_model
from undersong.model.tokens import encode
from undersong.sae.architectures import ARCHITECTURES
from undersong.sae.base import SAE
from undersong.sae.config import SAEConfig

Encode = Callable[[Tensor], Tensor]
OUT = Path(__file__).with_name("reading.json")
K, ACTIVE = 32, 64
KINDS = ("topk", "jumprelu")
WAYS = {
    "model": "the model alone",
    "both": "model and SAE",
    "sparse": "SAE, active features",
    "dense": "SAE, all features",
    "theirs": "SAELens",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=SHAPES, default=["default", "gpt2"])
    parser.add_argument("--widths", type=int, nargs="+", default=[4096, 16_384, 65_536, 131_072])
    parser.add_argument("--chunks", type=int, nargs="+", default=[128, 512], help="tokens read at once")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "undersong-decoding")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    rows: list[dict[str, Any]] = []
    problems: set[str] = set()
    settings = {"threads": arguments.threads, "rounds": arguments.rounds, "k": K, "active": ACTIVE}
    for row in measured(arguments, problems):
        rows.append(row)
        print(line(row), flush=True)
        keep(
            arguments.out,
            {"machine": machine(), "settings": settings, "not measured": sorted(problems), "rows": rows},
        )
    for problem in problems:
        print(f"not measured: {problem}")


def measured(arguments: argparse.Namespace, problems: set[str]) -> Iterator[dict[str, Any]]:
    """The rows as they are kept; `problems` gets why SAELens could not be measured."""
    for name in arguments.models:
        job = Job.read(prepare(name, arguments.work, arguments.threads, precisions=()))
        model = load_model(job.folder, "cpu")
        texts = [tokens_of(model, name, chunk) for chunk in arguments.chunks]
        for width in arguments.widths:
            weights = random_weights(model, job.layer, width, texts[0])
            for kind in arguments.kinds:
                sae, other = ours(kind, weights, job.layer), None
                try:
                    other = theirs(kind, weights)
                except ImportError as error:
                    problems.add(f"SAELens: {error}")
                for ids in texts:
                    what = {"model": name, "layer": job.layer, "kind": kind, "width": width, "chunk": len(ids)}
                    yield what | compared(model, job.layer, sae, other, ids, arguments.rounds)


def tokens_of(model: LanguageModel, name: str, n: int) -> list[int]:
    """Token ids of a draft; random ones for random models, whose tokenizer is borrowed."""
    if SHAPES[name].config is None:
        return list(encode(model.tokenizer, draft(2 * n)).ids[:n])
    return torch.randint(1, model.vocab_size, (n,), generator=torch.Generator().manual_seed(3)).tolist()


def random_weights(model: LanguageModel, layer: int, width: int, ids: Sequence[int]) -> dict[str, Tensor]:
    """Canonical weights whose encoder's columns are unit directions; `threshold` lets about ACTIVE features through."""
    resid = _read(WindowCache(model, [HookPoint(layer)]), ids, HookPoint(layer))
    random = torch.Generator().manual_seed(4)
    encoder = torch.randn((model.d_model, width), generator=random)
    encoder /= encoder.norm(dim=0)
    mean = resid.mean(dim=0)
    strongest = ((resid - mean) @ encoder).topk(ACTIVE, dim=1).values[:, -1]
    return {
        "W_enc": encoder,
        "W_dec": encoder.T.contiguous(),
        "b_enc": torch.zeros(width),
        "b_dec": mean,
        "threshold": torch.full((width,), float(strongest.median())),
    }


def ours(kind: str, weights: dict[str, Tensor], layer: int) -> SAE:
    d_in, width = weights["W_enc"].shape
    config = SAEConfig(kind, d_in, width, f"blocks.{layer}.hook_resid_post", layer, k=K if kind == "topk" else None)
    shapes = ARCHITECTURES[kind].shapes
    return ARCHITECTURES[kind]("0", config, {name: weights[name] for name in shapes})


def theirs(kind: str, weights: dict[str, Tensor]) -> Encode:
    """SAELens' encoder of the same numbers. ImportError where it is missing."""
    from sae_lens import JumpReLUSAE, JumpReLUSAEConfig, TopKSAE, TopKSAEConfig

    d_in, width = weights["W_enc"].shape
    common: dict[str, Any] = {"d_in": d_in, "d_sae": width, "device": "cpu", "dtype": "float32"}
    sae: Any = TopKSAE(TopKSAEConfig(k=K, **common)) if kind == "topk" else JumpReLUSAE(JumpReLUSAEConfig(**common))
    for name, parameter in sae.named_parameters():
        parameter.data = weights[name]
    return sae.encode


def compared(
    model: LanguageModel, layer: int, sae: SAE, other: Encode | None, ids: Sequence[int], rounds: int
) -> dict[str, Any]:  # fmt: skip
    """Tokens a second by way (WAYS), ratios of medians, and whether both encoders find the same."""
    point = HookPoint(layer)
    window = WindowCache(model, [point])
    resid = _read(window, ids, point)
    ways: dict[str, Callable[[], object]] = {
        "model": lambda: _read(window, ids, point),
        "both": lambda: sae.encode_sparse(_read(window, ids, point)),
        "sparse": lambda: sae.encode_sparse(resid),
        "dense": lambda: sae.encode(resid),
    }
    if other is not None:
        ways["theirs"] = lambda: other(resid)
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    elsewhere = Elsewhere()
    for number in range(-1, rounds):
        for way in list(ways) if number % 2 else list(ways)[::-1]:
            began = time.perf_counter()
            ways[way]()
            if number >= 0:
                seconds[way].append(time.perf_counter() - began)
    middle = {way: statistics.median(each) for way, each in seconds.items()}
    acts = sae.encode(resid)
    return {
        "tokens_per_second": {way: len(ids) / each for way, each in middle.items()},
        "model over both": middle["model"] / middle["both"],
        "theirs over sparse": middle["theirs"] / middle["sparse"] if other is not None else None,
        "active": float((acts > 0).sum(dim=1).float().mean()),
        "most different": float((_dense(other(resid)) - acts).abs().max()) if other is not None else None,
        "cores_busy_elsewhere": elsewhere.cores(),
    }


def _read(window: WindowCache, ids: Sequence[int], point: HookPoint) -> Tensor:
    """What passes at `point` [n, d], the window read anew."""
    window.crop(0)
    return window.extend(ids)[point].float()


def _dense(acts: Tensor) -> Tensor:
    return acts.to_dense() if acts.is_sparse else acts


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    rates = row["tokens_per_second"]
    cells = (f"{said} {rates[way]:,.0f}" if way in rates else f"{said} -" for way, said in WAYS.items())
    ratio = "" if row["theirs over sparse"] is None else f"; {row['theirs over sparse']:.2f} of SAELens"
    return (
        f"{row['model']}, {row['kind']} of {row['width']:,}, {row['chunk']} tokens: {', '.join(cells)} tokens/s; "
        f"{row['model over both']:.0%} of the model's speed{ratio}"
    )


if __name__ == "__main__":
    main()
