"""Tokens a second of SAE training, ours and sae_lens' side by side: same activations, width, batch, rate, one run.

    PYTHONPATH=server python benchmarks/sae_training.py --activations residual.npy --width 4096

needs sae-lens 6.54 beside torch (its own environment will do); benchmarks/sae_activations.py makes the activations.
Both take the same batches of cached activations [n, d] that are already scaled to a mean norm of sqrt(d), in blocks of
steps that take turns, so that what else the machine does falls on both alike. What counts as a step is all that a step
of either trainer does: loss, gradients, clipping, Adam, counting who fired. After equally many tokens both are measured
on the same held-out activations.

Writes benchmarks/sae_training.json, anew after each architecture; after --minutes no further one is begun. The ratio is
that of the medians over blocks; its range is that of the blocks' ratios, pair by pair. benchmarks/sae_tables.py puts
the table into docs/sae-training.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.figures import keep
from undersong.sae.architectures import ARCHITECTURES, OBJECTIVES
from undersong.sae.config import SAEConfig
from undersong.sae.learning import Objective, Sizes
from undersong.sae.training.learner import Learner, LearnerPlan
from undersong.sae.training.schedules import Schedule

OUT = Path(__file__).with_name("sae_training.json")
HELD_OUT = 4096


@dataclass(frozen=True, slots=True)
class Row:
    """Tokens a second; `low` to `high`: the ratio over single blocks. What each explains, and its L0, held out."""

    architecture: str
    ours: float
    theirs: float
    ratio: float
    low: float
    high: float
    ours_explained: float
    theirs_explained: float
    ours_l0: float
    theirs_l0: float


def main() -> None:
    arguments = parsed()
    torch.set_num_threads(arguments.threads)
    x = activations(arguments)
    held_out, x = x[:HELD_OUT], x[HELD_OUT:]
    settings = {name: str(value) for name, value in vars(arguments).items() if name not in ("out", "activations")}
    rows: list[Row] = []
    deadline = time.monotonic() + 60 * arguments.minutes
    for name in arguments.arch:
        if time.monotonic() > deadline:
            sys.exit(f"time is up: {name} and what comes after it was left out")
        rows.append(compared(name, x, held_out, arguments))
        print(rows[-1], file=sys.stderr, flush=True)
        keep(
            arguments.out,
            {"machine": machine(), "settings": {**settings, "d_in": x.shape[1]}, "rows": [asdict(row) for row in rows]},
        )


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--arch", nargs="+", default=["topk", "batchtopk", "matryoshka", "standard", "gated", "jumprelu"]
    )
    parser.add_argument("--activations", type=Path, help=".npy [n, ..., d]; none: sparse mixtures")
    parser.add_argument("--d-in", type=int, default=512, help="of sparse mixtures")
    parser.add_argument("--most", type=int, default=300_000, help="tokens of them to keep in memory")
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--sparsity", type=float, default=5.0, help="of standard and gated")
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--steps", type=int, default=5, help="of a block")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin nothing after so many")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bfloat16", action="store_true", help="both in autocast")
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args()


def activations(arguments: argparse.Namespace) -> Tensor:
    """[n, d], centred, of mean norm sqrt(d), shuffled."""
    x = mixtures(arguments.d_in) if arguments.activations is None else stored(arguments.activations)
    x = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[: arguments.most]].float()
    x = x - x.mean(dim=0)
    return (x / x.norm(dim=1).mean() * x.shape[1] ** 0.5).to(arguments.device)


def stored(path: Path) -> Tensor:
    held = torch.from_numpy(np.load(path, mmap_mode="c"))
    return held.reshape(-1, held.shape[-1])


def mixtures(d: int, n: int = 65_536) -> Tensor:
    """Sums of 20 of 4 d directions, and noise."""
    random = torch.Generator().manual_seed(1)
    directions = torch.nn.functional.normalize(torch.randn(4 * d, d, generator=random), dim=1)
    which = torch.randint(4 * d, (n, 20), generator=random)
    amounts = torch.rand(n, 20, generator=random) + 0.2
    summed = torch.nn.functional.embedding_bag(which, directions, per_sample_weights=amounts, mode="sum")
    return summed + 0.05 * torch.randn(n, d, generator=random)


def compared(name: str, x: Tensor, held_out: Tensor, arguments: argparse.Namespace) -> Row:
    steps = arguments.blocks * arguments.steps + 2
    total = steps * arguments.batch
    learner, our_step = ours(name, x.shape[1], arguments, steps)
    their_sae, their_step = theirs(name, x.shape[1], arguments, total)
    rates: dict[str, list[float]] = {"ours": [], "theirs": []}
    sides = [("ours", our_step), ("theirs", their_step)]
    for number in range(2):
        for _, step in sides:
            step(batch_of(x, number, arguments.batch))
    at = 2
    for block in range(arguments.blocks):
        # Who is first changes from block to block.
        for side, step in sides if block % 2 == 0 else sides[::-1]:
            rates[side].append(timed(step, x, at, arguments))
        at += arguments.steps
        print(f"{name}: {rates['ours'][-1]:,.0f} and {rates['theirs'][-1]:,.0f} tokens/s", file=sys.stderr, flush=True)
    pairs = [a / b for a, b in zip(rates["ours"], rates["theirs"], strict=True)]
    middle = {side: statistics.median(found) for side, found in rates.items()}
    explained, l0 = measured(held_out, *opened(learner))
    their_explained, their_l0 = measured(held_out, their_sae.encode, their_sae.decode)
    return Row(
        name, middle["ours"], middle["theirs"], middle["ours"] / middle["theirs"], min(pairs), max(pairs),
        explained, their_explained, l0, their_l0,
    )  # fmt: skip


def batch_of(x: Tensor, number: int, size: int) -> Tensor:
    start = number * size % (len(x) - size)
    return x[start : start + size]


def timed(step: Callable[[Tensor], object], x: Tensor, at: int, arguments: argparse.Namespace) -> float:
    """Tokens a second over one block."""
    batches = [batch_of(x, at + number, arguments.batch) for number in range(arguments.steps)]
    if x.is_cuda:
        torch.cuda.synchronize()
    began = time.perf_counter()
    for batch in batches:
        step(batch)
    if x.is_cuda:
        torch.cuda.synchronize()
    return arguments.steps * arguments.batch / (time.perf_counter() - began)


def ours(name: str, d: int, arguments: argparse.Namespace, steps: int) -> tuple[Learner, Callable[[Tensor], object]]:
    settings: dict[str, Any] = {
        "standard": {"sparsity": arguments.sparsity},
        "gated": {"sparsity": arguments.sparsity},
        "jumprelu": {"l0": float(arguments.k)},
    }.get(name, {"k": arguments.k})
    objective: Objective = OBJECTIVES[name](**settings)
    plan = LearnerPlan(arguments.rate, Schedule(warm_up=0, decay_from=1.0), autocast=arguments.bfloat16)
    learner = Learner(objective, Sizes((d,), arguments.width, (d,)), plan, arguments.device)
    done = iter(range(steps))
    return learner, lambda batch: learner.step(batch, None, next(done) / steps)


def opened(learner: Learner) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """(encode, decode) of the finished SAE."""
    objective, sizes = learner.objective, learner.sizes
    config = SAEConfig(
        objective.architecture, sizes.d_in, sizes.d_sae, "blocks.0.hook_resid_post", 0, **objective.stated()
    )
    tensors = {name: tensor.to(learner.device) for name, tensor in learner.finished().items()}
    sae = ARCHITECTURES[objective.architecture]("0", config, tensors)
    return sae.encode, sae.decode


def theirs(name: str, d: int, arguments: argparse.Namespace, total: int) -> tuple[Any, Callable[[Tensor], object]]:
    import sae_lens.saes as saes
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    prefix = {
        "topk": "TopK", "batchtopk": "BatchTopK", "matryoshka": "MatryoshkaBatchTopK", "standard": "Standard",
        "gated": "Gated", "jumprelu": "JumpReLU",
    }[name]  # fmt: skip
    levels = [arguments.width // share for share in (16, 8, 4, 2, 1)]
    settings: dict[str, Any] = {
        "standard": {"l1_coefficient": arguments.sparsity},
        "gated": {"l1_coefficient": arguments.sparsity},
        "jumprelu": {"jumprelu_sparsity_loss_mode": "quadratic", "target_l0": float(arguments.k)},
        "matryoshka": {"k": arguments.k, "matryoshka_widths": levels},
    }.get(name, {"k": arguments.k})
    config = getattr(saes, f"{prefix}TrainingSAEConfig")(
        d_in=d, d_sae=arguments.width, device=arguments.device, **settings
    )
    sae = getattr(saes, f"{prefix}TrainingSAE")(config)
    plan = SAETrainerConfig(
        total_training_samples=total, train_batch_size_samples=arguments.batch, lr=arguments.rate,
        lr_end=arguments.rate, device=arguments.device, autocast=arguments.bfloat16,
    )  # fmt: skip
    trainer = SAETrainer(plan, sae, iter(()))

    def step(batch: Tensor) -> None:
        trainer.step(batch)
        trainer.n_training_steps += 1

    return sae, step


@torch.inference_mode()
def measured(x: Tensor, encode: Callable[[Tensor], Tensor], decode: Callable[[Tensor], Tensor]) -> tuple[float, float]:
    """(explained variance, L0)"""
    acts = encode(x)
    acts = acts.to_dense() if acts.is_sparse else acts
    wrong = (x - decode(acts)).double().pow(2).sum()
    total = (x - x.mean(dim=0)).double().pow(2).sum()
    return float(1 - wrong / total), float((acts > 0).sum(dim=1).double().mean())


def machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    processor = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "processor": processor or platform.machine(),
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "torch": version("torch"),
        "sae-lens": version("sae-lens"),
    }


if __name__ == "__main__":
    main()
