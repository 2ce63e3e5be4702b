"""How well SAEs stand for the residual stream of the held-out books: one reading of the model serves all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from estimates import Estimate, Sums, Terms
from heldout import Windows, batches
from model_figures import BATCH_TOKENS, token_nats
from torch import Tensor

from undersong.model.blocks import skipped
from undersong.model.language_model import LanguageModel
from undersong.sae.base import SAE

DENSE = 0.1
SEGMENT = 32
"""Tokens of a passage, where a dictionary does not state `segment_tokens`."""


@dataclass(frozen=True, slots=True)
class PassageFigures:
    """Of a dictionary of passages, on means over 32 tokens; the first 32 of a window, which have no context, left out.

    `explained_variance`: 1 - squared error / squared distance from the mean. `L0`: features active at once. `dead`:
    share of features that never are; `dense`: share active in more than a tenth of the inputs. `shrinkage`: slope of
    the reconstruction on the input, least squares, both from b_dec; 1 is none. `norm_ratio`: mean of |x_hat| / |x|.
    """

    explained_variance: Estimate
    L0: Estimate
    dead: Estimate
    dense: Estimate
    shrinkage: Estimate
    norm_ratio: Estimate


@dataclass(frozen=True, slots=True)
class TokenFigures:
    """As PassageFigures, on tokens, BOS left out.

    `ce_score`: (zero - sae) / (zero - clean) of the cross-entropies with the reconstruction or zeros in place of the
    residual stream, at all positions but BOS.
    """

    explained_variance: Estimate
    ce_score: Estimate
    L0: Estimate
    dead: Estimate
    dense: Estimate
    shrinkage: Estimate
    norm_ratio: Estimate


SAEFigures = TokenFigures | PassageFigures


def measure_saes(model: LanguageModel, saes: Mapping[str, SAE], rows: Windows) -> dict[str, SAEFigures]:
    """Figures by the SAE's name in `saes`. `rows`: windows of full length."""
    sums = {name: Sums(len(rows)) for name in saes}
    zeroed = {layer: _Zeroed(layer) for layer in {sae.hook_layer for sae in saes.values() if sae.grain == "token"}}
    for part in batches(rows, max(1, BATCH_TOKENS // rows.ids.shape[1]), "SAEs"):
        with model.sites.captured({sae.config.point for sae in saes.values()}) as found:
            clean = _clean_nats(model, part.ids)
        for name, sae in saes.items():
            resid = found[sae.config.point]
            if sae.grain == "passage":
                sums[name].add(_reconstruction(sae, segment_means(resid, segment_tokens(sae)))[0])
                continue
            terms, reconstructed = _reconstruction(sae, resid[:, 1:])
            spliced = torch.cat([resid[:, :1], reconstructed.to(resid.dtype)], dim=1)
            sums[name].add(
                terms
                | {
                    "clean": clean.sum(1),
                    "sae": token_nats(logits_after(model, part.ids, sae.hook_layer, spliced), part.ids).sum(1),
                    "zero": zeroed[sae.hook_layer].nats(model, part.ids, resid).sum(1),
                }
            )
    return {name: _figures(sae, sums[name]) for name, sae in saes.items()}


def segment_tokens(sae: SAE) -> int:
    own = (sae.config.extras or {}).get("undersong", {})
    return int(own.get("segment_tokens", SEGMENT))


def segment_means(resid: Tensor, size: int) -> Tensor:
    """[n, length, d] -> [n, segments, d]: means over `size` tokens side by side, the first (with BOS) left out."""
    count = resid.shape[1] // size
    return resid[:, : count * size].unflatten(1, (count, size))[:, 1:].mean(2)


@torch.inference_mode()
def _reconstruction(sae: SAE, x: Tensor) -> tuple[Terms, Tensor]:
    """Of inputs [n, inputs, d]: each row's terms, and the reconstruction [n, inputs, d]."""
    codes = sae.encode(x)
    x_hat = sae.decode(codes)
    wide, hat, centre = x.double(), x_hat.double(), sae.b_dec.double()
    active = codes > 0
    terms = {
        "n": torch.full((len(x),), x.shape[1]),
        "error": (wide - hat).square().sum((1, 2)),
        "sum": wide.sum(1),
        "square": wide.square().sum((1, 2)),
        "fired": active.sum(1),
        "along": ((hat - centre) * (wide - centre)).sum((1, 2)),
        "about": (wide - centre).square().sum((1, 2)),
        "ratio": (hat.norm(dim=-1) / wide.norm(dim=-1).clamp_min(1e-12)).sum(1),
    }
    return terms, x_hat


@torch.inference_mode()
def _clean_nats(model: LanguageModel, ids: Tensor) -> Tensor:
    return token_nats(model.network(input_ids=ids, use_cache=False).logits, ids)


@torch.inference_mode()
def logits_after(model: LanguageModel, ids: Tensor, layer: int, resid: Tensor) -> Tensor:
    """Logits [n, length, vocab] with `resid` [n, length, d_model] in place of what leaves block `layer`."""
    with skipped(model.blocks, range(layer + 1), {layer: resid}):
        return model.network(input_ids=ids, use_cache=False).logits


class _Zeroed:
    """Cross-entropy with zeros for the residual stream after `layer`, BOS kept.

    What the rest of the network then sees is the same in every window, so its predictions are worked out once.
    """

    def __init__(self, layer: int) -> None:
        self._layer = layer
        self._nats: Tensor | None = None

    def nats(self, model: LanguageModel, ids: Tensor, resid: Tensor) -> Tensor:
        """[n, length - 1] of `ids` [n, length], whose residuals are `resid` [n, length, d_model]."""
        if self._nats is None:
            zeros = torch.cat([resid[:1, :1], torch.zeros_like(resid[:1, 1:])], dim=1)
            self._nats = -logits_after(model, ids[:1], self._layer, zeros)[0, :-1].float().log_softmax(-1)
        return self._nats[torch.arange(ids.shape[1] - 1), ids[:, 1:]]


def _figures(sae: SAE, sums: Sums) -> SAEFigures:
    if sae.grain == "passage":
        return PassageFigures(**sums.estimate(_fidelity))
    return TokenFigures(**sums.estimate(lambda total: _fidelity(total) | _score(total)))


def _fidelity(sums: Terms) -> dict[str, float]:
    n, fired = sums["n"], sums["fired"]
    spread = sums["square"] - sums["sum"].square().sum() / n
    return {
        "explained_variance": float(1 - sums["error"] / spread),
        "L0": float(fired.sum() / n),
        "dead": float((fired == 0).double().mean()),
        "dense": float((fired / n > DENSE).double().mean()),
        "shrinkage": float(sums["along"] / sums["about"]),
        "norm_ratio": float(sums["ratio"] / n),
    }


def _score(sums: Terms) -> dict[str, float]:
    return {"ce_score": float((sums["zero"] - sums["sae"]) / (sums["zero"] - sums["clean"]))}
