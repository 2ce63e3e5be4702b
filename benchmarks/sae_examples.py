"""What benchmarks/sae_architectures.py trains: every architecture at one layer, at several sparsities.

Penalties λ are of inputs with a mean norm of sqrt(d). They were chosen by short trials of the kinds, so that
L0 comes near the 16, 32 and 64 of the others in a run of a few hundred steps.
"""

from __future__ import annotations

from dataclasses import dataclass

from undersong.sae.annealing import Annealing
from undersong.sae.architectures import OBJECTIVES
from undersong.sae.learning import Objective

KS = (32, 16, 64)


@dataclass(frozen=True, slots=True)
class Example:
    """`kind`: the table's name for it. `hook`: as `undersong sae train` takes it. `width`: as a share of --width."""

    kind: str
    setting: str
    hook: str
    objective: Objective
    width: float = 1.0

    @property
    def name(self) -> str:
        return f"{self.kind} {self.setting}".replace(" ", "-").replace("λ", "lambda").replace("=", "")


def examples(layer: int, n_layers: int) -> list[Example]:
    """In the order in which they are trained: first one of each kind, then the other sparsities."""
    resid = f"blocks.{layer}.hook_resid_post"
    mlp = f"blocks.{layer}.mlp.hook_in->blocks.{layer}.hook_mlp_out"
    several = ",".join(f"blocks.{at}.hook_resid_post" for at in (layer - 1, layer, layer + 1))
    every = "->".join(
        ",".join(f"blocks.{at}.{site}" for at in range(n_layers)) for site in ("mlp.hook_in", "hook_mlp_out")
    )
    annealed = {"anneal": Annealing(end=0.2)}
    fronts: list[list[Example]] = [
        *(
            [Example(f"{name}{kind}", f"λ={s:g}", resid, OBJECTIVES[name](sparsity=s, **settings)) for s in penalties]
            for name, penalties in (("standard", (1.5, 1, 3)), ("gated", (3, 2, 5)))
            for kind, settings in (("", {}), (" p-annealed", annealed))
        ),
        [Example("jumprelu", f"L0={k}", resid, OBJECTIVES["jumprelu"](l0=float(k))) for k in KS],
        *(
            [Example(name, f"k={k}", resid, OBJECTIVES[name](k=k)) for k in KS]
            for name in ("topk", "batchtopk", "matryoshka")
        ),
        [Example("transcoder", f"λ={s:g}", mlp, OBJECTIVES["transcoder"](sparsity=s)) for s in (3, 1.5)],
        [Example("skip transcoder", f"λ={s:g}", mlp, OBJECTIVES["skip_transcoder"](sparsity=s)) for s in (3, 1.5)],
        [
            Example(
                "cross-layer transcoder", f"λ={s:g}", every, OBJECTIVES["cross_layer_transcoder"](sparsity=s), 1 / 8
            )
            for s in (3, 1.5)
        ],
        [Example("crosscoder", f"λ={s:g}", several, OBJECTIVES["crosscoder"](sparsity=s)) for s in (2, 4)],
    ]
    return [front[turn] for turn in range(max(map(len, fronts))) for front in fronts if turn < len(front)]
