"""What an SAE keeps of what it reads, and of what the model says: the figures of sae_lens' `evals`, under its names.

x is what the SAE rebuilds, y its reconstruction, f its activations, means over all tokens counted:

    mse                             |x - y|^2
    explained_variance              1 - mse / total variance of x, (mean of |x|^2) - |mean of x|^2
    explained_variance_legacy       mean of 1 - |x - y|^2 / |x - m|^2, m the batch's mean: a token near the mean weighs
                                    without bound. What older releases of sae_lens and many published tables report
    cossim                          cosine of x and y
    l2_norm_in, l2_norm_out         |x|, |y|;  l2_ratio: mean of |y| / |x|
    relative_reconstruction_bias    (mean of |y|^2) / (mean of x.y); below 1 is shrinkage (arXiv 2404.16014, eq. 10)
    l0, l1                          active features, and the sum of |f|
    ce_loss_*, kl_div_*             nats; with the SAE: y in place of x; with ablation: zeros in place of x, everywhere
    ce_loss_score                   (ablation - sae) / (ablation - without)
    kl_div_score                    (ablation - sae) / ablation

Positions of special tokens are not counted, and keep their own x when y takes its place; their successors are
predicted from them and count for nothing either. tests/peers/test_sae_lens_evals.py compares all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undersong.sae.evaluation.estimates import Estimate, Sums, Terms
from undersong.sae.evaluation.joined import Dictionary
from undersong.sae.evaluation.subject import Seen, Subject, counted

# sae_lens divides by |x| only above it.
_SMALL_NORM = 1e-4


@dataclass(frozen=True, slots=True)
class Fidelity:
    """See the module's docstring."""

    explained_variance: Estimate
    explained_variance_legacy: Estimate
    mse: Estimate
    cossim: Estimate
    l2_norm_in: Estimate
    l2_norm_out: Estimate
    l2_ratio: Estimate
    relative_reconstruction_bias: Estimate
    l0: Estimate
    l1: Estimate


@dataclass(frozen=True, slots=True)
class Behaviour:
    """See the module's docstring."""

    ce_loss_score: Estimate
    ce_loss_without_sae: Estimate
    ce_loss_with_sae: Estimate
    ce_loss_with_ablation: Estimate
    kl_div_score: Estimate
    kl_div_with_sae: Estimate
    kl_div_with_ablation: Estimate


@dataclass(frozen=True, slots=True, eq=False)
class FeatureFigures:
    """Feature by feature, each [d_sae], on the CPU.

    `density`: share of counted tokens on which it is active. `consistency`: tokens on which it is active in a text
    that has it (sae_lens' consistent_activation_heuristic; 0 where it never is). `maximum`: largest activation.
    `cosine`: of its encoder column and decoder row; NaN where the architecture has no encoder column.
    """

    density: Tensor
    consistency: Tensor
    maximum: Tensor
    cosine: Tensor


class FidelityMeter:
    """Takes what an SAE reads batch by batch; `figures` and `features` are of everything it was given."""

    def __init__(self, sae: Dictionary) -> None:
        self._sae = sae
        self._sums = Sums()
        self._fired = torch.zeros(sae.d_sae, dtype=torch.float64)
        self._texts = torch.zeros(sae.d_sae, dtype=torch.float64)
        self._maximum = torch.zeros(sae.d_sae)
        self.tokens = 0

    @torch.inference_mode()
    def add(self, read: Tensor, held: Tensor, keep: Tensor) -> Tensor:
        """`read` [n, length, d_in], `held` [n, length, d_out], `keep` [n, length] bool -> reconstruction of all.

        One call is one batch of explained_variance_legacy.
        """
        sae = self._sae
        held, keep = held.to(sae.device), keep.to(sae.device)
        mean = held[keep].float().mean(dim=0)
        rebuilt: list[Tensor] = []
        rows = max(1, (1 << 25) // (read.shape[1] * sae.d_sae))
        for start in range(0, len(read), rows):
            part = slice(start, start + rows)
            codes = sae.encode(read[part])
            rebuilt.append(sae.rebuild(read[part], codes))
            self._sums.add(_terms(held[part], rebuilt[-1], codes, keep[part], mean))
            self._count(codes.float().masked_fill(~keep[part][..., None], 0.0))
        self.tokens += int(keep.sum())
        return torch.cat(rebuilt)

    def figures(self) -> Fidelity:
        """ValueError where nothing was added."""
        return Fidelity(**self._sums.estimate(_fidelity))

    def features(self) -> FeatureFigures:
        return FeatureFigures(
            density=(self._fired / max(1, self.tokens)).float(),
            consistency=(self._fired / self._texts.clamp_min(1)).float(),
            maximum=self._maximum.clone(),
            cosine=encoder_decoder_cosine(self._sae),
        )

    def _count(self, codes: Tensor) -> None:
        active = codes != 0
        self._fired += active.sum(dim=(0, 1)).cpu()
        self._texts += active.any(dim=1).sum(dim=0).cpu()
        self._maximum = torch.maximum(self._maximum, codes.amax(dim=(0, 1)).cpu())


class BehaviourMeter:
    """Takes passes of the model; `figures` are of everything it was given."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._sums = Sums()

    @torch.inference_mode()
    def add(self, ids: Tensor, seen: Seen, rebuilt: Tensor) -> None:
        """`ids` [n, length], their clean pass, and the reconstruction [n, length, d_out] of what it holds."""
        ids = ids.to(seen.logits.device)
        keep = counted(ids, self._subject.special_ids)
        spliced = torch.where(keep[..., None].to(seen.held.device), rebuilt.to(seen.held), seen.held)
        clean = seen.logits.float().log_softmax(-1)
        terms: Terms = {"predicted": keep[:, :-1].sum(1), "n": keep.sum(1), "clean": _nats(clean, ids, keep)}
        for name, replacement in (("sae", spliced), ("zero", torch.zeros_like(seen.held))):
            own = self._subject.logits(ids, replacement).float().log_softmax(-1)
            terms[name] = _nats(own, ids, keep)
            terms[f"kl_{name}"] = ((clean.exp() * (clean - own)).sum(-1) * keep).sum(1)
        self._sums.add(terms)

    def figures(self) -> Behaviour:
        """ValueError where nothing was added."""
        return Behaviour(**self._sums.estimate(_behaviour))


def encoder_decoder_cosine(sae: Dictionary) -> Tensor:
    """[d_sae], float32, CPU; NaN where the two are not of one space or there is no such matrix."""
    w_enc, w_dec = getattr(sae, "W_enc", None), getattr(sae, "W_dec", None)
    if not isinstance(w_enc, Tensor) or not isinstance(w_dec, Tensor) or w_enc.shape != w_dec.T.shape:
        return torch.full((sae.d_sae,), torch.nan)
    return torch.nn.functional.cosine_similarity(w_enc.T.float(), w_dec.float(), dim=1).cpu()


def _terms(held: Tensor, rebuilt: Tensor, codes: Tensor, keep: Tensor, mean: Tensor) -> Terms:
    """Of each row of [n, length, ...], sums over its counted tokens."""
    x, y = held.double(), rebuilt.double()
    norm_in, norm_out = x.norm(dim=-1), y.norm(dim=-1)
    error = (x - y).square().sum(-1)
    dot = (x * y).sum(-1)
    safe = torch.where(norm_in < _SMALL_NORM, torch.ones_like(norm_in), norm_in)
    figures = {
        "n": torch.ones_like(error),
        "error": error,
        "square": norm_in.square(),
        "legacy": 1 - error / (x - mean.double()).square().sum(-1).clamp_min(1e-30),
        "cosine": dot / (norm_in * norm_out).clamp_min(1e-30),
        "norm_in": norm_in,
        "norm_out": norm_out,
        "ratio": norm_out / safe,
        "square_out": norm_out.square(),
        "dot": dot,
        "l0": (codes != 0).sum(-1).double(),
        "l1": codes.double().abs().sum(-1),
    }
    # Not a product with `keep`: what is not counted may be infinite.
    terms = {name: torch.where(keep, figure, 0.0).sum(1) for name, figure in figures.items()}
    terms["sum"] = torch.where(keep[..., None], x, 0.0).sum(1)
    return terms


def _fidelity(sums: Terms) -> dict[str, float]:
    n = sums["n"].clamp_min(1)
    mean = {name: float(term / n) for name, term in sums.items() if name not in ("n", "sum")}
    spread = mean["square"] - float((sums["sum"] / n).square().sum())
    return {
        "explained_variance": 1 - mean["error"] / spread if spread > 0 else 0.0,
        "explained_variance_legacy": mean["legacy"],
        "mse": mean["error"],
        "cossim": mean["cosine"],
        "l2_norm_in": mean["norm_in"],
        "l2_norm_out": mean["norm_out"],
        "l2_ratio": mean["ratio"],
        "relative_reconstruction_bias": mean["square_out"] / mean["dot"] if mean["dot"] else 0.0,
        "l0": mean["l0"],
        "l1": mean["l1"],
    }


def _behaviour(sums: Terms) -> dict[str, float]:
    clean, sae, zero = (float(sums[name] / sums["predicted"].clamp_min(1)) for name in ("clean", "sae", "zero"))
    kl_sae, kl_zero = (float(sums[name] / sums["n"].clamp_min(1)) for name in ("kl_sae", "kl_zero"))
    return {
        "ce_loss_score": (zero - sae) / (zero - clean) if zero != clean else 0.0,
        "ce_loss_without_sae": clean,
        "ce_loss_with_sae": sae,
        "ce_loss_with_ablation": zero,
        "kl_div_score": (kl_zero - kl_sae) / kl_zero if kl_zero else 0.0,
        "kl_div_with_sae": kl_sae,
        "kl_div_with_ablation": kl_zero,
    }


def _nats(log_probabilities: Tensor, ids: Tensor, keep: Tensor) -> Tensor:
    """[n]: cross-entropy of the tokens that follow counted ones."""
    following = log_probabilities[:, :-1].gather(-1, ids[:, 1:, None])[..., 0]
    return -torch.where(keep[:, :-1], following, 0.0).sum(1)
