"""Trains the passage dictionary: a TopK SAE on the layer-3 residual averaged over 32 tokens.

Trained on centred and scaled means; both are folded into the weights, so the SAE is an ordinary one in the
residual's own coordinates, with decoder rows of unit norm.

Tried and not taken: squared error in partly whitened coordinates, to leave fewer features to the directions of
largest variance (talk against narration, tense, person). TopK chooses by activation, which in a direction of small
variance is small, so most features fell silent (60 % at power 0.25 after 10 epochs, 1 % without whitening).
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

WIDTH, K = 768, 10
EPOCHS, BATCH, RATE = 32, 2048, 1e-3
AUX_K, AUX_SHARE, DEAD_AFTER = 64, 1 / 32, 60_000
SEED = 11


def train(segments: torch.Tensor) -> dict[str, torch.Tensor]:
    """segments [n, d] -> W_enc [d, WIDTH], b_enc, W_dec [WIDTH, d] (rows of unit norm), b_dec, in residual units."""
    torch.manual_seed(SEED)
    centre = segments.mean(0)
    scale = (segments - centre).norm(dim=-1).mean() / segments.shape[1] ** 0.5
    data = (segments - centre) / scale
    decoder = F.normalize(data[torch.randperm(len(data))[:WIDTH]], dim=1)
    parameters = [(decoder.t() * 0.5).contiguous(), torch.zeros(WIDTH), decoder.clone(), torch.zeros(data.shape[1])]
    for parameter in parameters:
        parameter.requires_grad_(True)
    w_enc, b_enc, w_dec, b_dec = parameters
    optimizer = torch.optim.Adam(parameters, lr=RATE, betas=(0.9, 0.999))
    since = torch.zeros(WIDTH)
    steps, step, began = EPOCHS * (len(data) // BATCH), 0, time.time()
    for epoch in range(EPOCHS):
        order = torch.randperm(len(data))
        for start in range(0, len(data) - BATCH + 1, BATCH):
            x = data[order[start : start + BATCH]]
            share = step / steps
            for group in optimizer.param_groups:
                group["lr"] = RATE * min(1, (step + 1) / 50) * (1 if share < 0.6 else max(0.02, (1 - share) / 0.4))
            with torch.enable_grad():
                before = (x - b_dec) @ w_enc + b_enc
                values, indices = before.topk(K, dim=-1)
                codes = torch.zeros_like(before).scatter(-1, indices, values.relu())
                wrong = x - codes @ w_dec - b_dec
                loss = wrong.pow(2).sum(-1).mean()
                dead = since > DEAD_AFTER
                if dead.any():
                    loss = loss + AUX_SHARE * _auxiliary(before, dead, wrong.detach(), w_dec)
                optimizer.zero_grad()
                loss.backward()
            grad = w_dec.grad
            grad -= (grad * w_dec).sum(1, keepdim=True) * w_dec
            optimizer.step()
            w_dec.copy_(F.normalize(w_dec, dim=1))
            since += BATCH
            since[indices[values > 0].unique()] = 0
            step += 1
        if epoch % 8 == 7:
            print(
                f"epoch {epoch + 1}, loss {loss.item():.2f}, silent {dead.sum().item()}, {time.time() - began:.0f} s",
                flush=True,
            )
    # f = scale * f_scaled keeps the decoder's rows at unit norm: x = centre + scale (b_dec + f_scaled W_dec).
    folded = {"W_enc": w_enc, "b_enc": b_enc * scale, "W_dec": w_dec, "b_dec": centre + scale * b_dec}
    return {name: tensor.detach().clone().contiguous() for name, tensor in folded.items()}


def _auxiliary(before, dead, wrong, w_dec) -> torch.Tensor:
    """What the strongest silent features could make of the error, so that they find something to do."""
    masked = before.masked_fill(~dead, float("-inf"))
    values, indices = masked.topk(min(AUX_K, int(dead.sum())), dim=-1)
    codes = torch.zeros_like(before).scatter(-1, indices, values.relu())
    return (wrong - codes @ w_dec).pow(2).sum(-1).mean()


def encode(sae: dict[str, torch.Tensor], pooled: torch.Tensor) -> torch.Tensor:
    """pooled [n, d] -> activations [n, WIDTH]."""
    before = (pooled - sae["b_dec"]) @ sae["W_enc"] + sae["b_enc"]
    values, indices = before.topk(K, dim=-1)
    return torch.zeros_like(before).scatter(-1, indices, values.relu())


def evaluate(sae: dict[str, torch.Tensor], segments: torch.Tensor) -> dict[str, float]:
    codes = encode(sae, segments)
    wrong = segments - codes @ sae["W_dec"] - sae["b_dec"]
    spread = segments - segments.mean(0)
    frequency = (codes > 0).float().mean(0)
    return {
        "explained_variance": round(1 - (wrong.pow(2).sum() / spread.pow(2).sum()).item(), 4),
        "L0": round((codes > 0).float().sum(-1).mean().item(), 2),
        "silent_share": round((frequency == 0).float().mean().item(), 4),
        "denser_than_a_tenth": int((frequency > 0.1).sum()),
        "segments": len(segments),
    }


def save(sae: dict[str, torch.Tensor], folder: Path, model_name: str, measured: dict[str, object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(sae, folder / "sae_weights.safetensors")
    config = {
        "architecture": "topk",
        "d_in": sae["W_enc"].shape[0],
        "d_sae": WIDTH,
        "k": K,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "rescale_acts_by_decoder_norm": False,
        "metadata": {
            "model_name": model_name,
            "hook_name": "blocks.3.hook_resid_post",
            "hf_hook_name": "model.layers.3",
            "prepend_bos": True,
            "context_size": 512,
            "undersong": {"grain": "passage", "segment_tokens": 32, "prior_tokens": 8},
            "measured": measured,
        },
    }
    (folder / "cfg.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
