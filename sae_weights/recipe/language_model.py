"""The default language model while it is trained: a Llama whose matrices lie stacked, layer upon layer.

Stacked, all matrices of one shape are orthogonalised in one batched call (muon.py); `export` writes them apart under
the names that transformers' LlamaForCausalLM expects. Everything is float32: bfloat16 pays only on processors that
multiply it natively, which `train_language_model.py` finds out.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tokenizer import BOS_ID
from torch import Tensor, nn
from whole_files import written_whole

EPS = 1e-5
# Rows of logits made at a time: 512 x 8,192 floats stay in the processor's cache.
CHUNK = 512

NAMES = (
    "input_layernorm",
    "post_attention_layernorm",
    *(f"self_attn.{part}_proj" for part in "qkvo"),
    *(f"mlp.{part}_proj" for part in ("gate", "up", "down")),
)
"""A layer's tensors as transformers names them, in the order of LanguageModel's stacks."""


@dataclass(frozen=True, slots=True)
class Shape:
    vocab_size: int = 8192
    d_model: int = 192
    n_layers: int = 6
    n_heads: int = 4
    d_mlp: int = 512
    context: int = 1024
    rope_theta: float = 10_000.0


class LanguageModel(nn.Module):
    """`attention` [n_layers, 4, d, d]: q, k, v, o. `gate_up` [n_layers, 2, d_mlp, d]. `down` [n_layers, d, d_mlp]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        n, d, m = shape.n_layers, shape.d_model, shape.d_mlp
        into, back = 0.7 * d**-0.5, 0.7 * (2 * n) ** -0.5
        self.embedding = nn.Parameter(torch.randn(shape.vocab_size, d) * 0.02)
        self.attention = nn.Parameter(torch.randn(n, 4, d, d) * into)
        self.gate_up = nn.Parameter(torch.randn(n, 2, m, d) * into)
        self.down = nn.Parameter(torch.randn(n, d, m) * back * m**-0.5)
        with torch.no_grad():
            self.attention[:, 3].mul_((2 * n) ** -0.5)
        # Two a layer, before attention and before the MLP, and the last one.
        self.norms = nn.Parameter(torch.ones(2 * n + 1, d))
        half = d // shape.n_heads // 2
        angles = torch.outer(
            torch.arange(shape.context).float(), shape.rope_theta ** (-torch.arange(half).float() / half)
        )
        self.register_buffer("cos", torch.cat((angles, angles), -1).cos(), persistent=False)
        self.register_buffer("sin", torch.cat((angles, angles), -1).sin(), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """ids [batch, n_tokens] -> what is multiplied with the embedding to give logits: [batch, n_tokens, d]."""
        return self.finish(F.embedding(ids, self.embedding), 0)

    def residuals(self, ids: Tensor) -> list[Tensor]:
        """resid_post of every layer, each [batch, n_tokens, d]."""
        x, found = F.embedding(ids, self.embedding), []
        for number in range(self.shape.n_layers):
            x = self.block(x, number)
            found.append(x)
        return found

    def finish(self, x: Tensor, start: int) -> Tensor:
        """As `forward`, from the residual stream x [batch, n_tokens, d] that enters layer `start`."""
        for number in range(start, self.shape.n_layers):
            x = self.block(x, number)
        return _rms(x, self.norms[-1])

    def block(self, x: Tensor, number: int) -> Tensor:
        cos, sin = self.cos[: x.shape[1]], self.sin[: x.shape[1]]
        x = x + self._attend(_rms(x, self.norms[2 * number]), self.attention[number], cos, sin)
        gate, up = F.linear(_rms(x, self.norms[2 * number + 1]), self.gate_up[number].flatten(0, 1)).chunk(2, -1)
        return x + F.linear(F.silu(gate) * up, self.down[number])

    def _attend(self, x: Tensor, weights: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, d = x.shape
        parts = F.linear(x, weights[:3].flatten(0, 1)).view(batch, length, 3, self.shape.n_heads, -1)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        found = F.scaled_dot_product_attention(_rotate(q, cos, sin), _rotate(k, cos, sin), v, is_causal=True)
        return F.linear(found.transpose(1, 2).reshape(batch, length, d), weights[3])


def _rms(x: Tensor, weight: Tensor) -> Tensor:
    return F.rms_norm(x, (x.shape[-1],), weight, EPS)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin


class ChunkedCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of x @ embedding.T. Its gradients are made on the way, so that no logits are kept."""

    @staticmethod
    def forward(ctx, x: Tensor, embedding: Tensor, targets: Tensor) -> Tensor:
        """x [n, d], embedding [vocab, d], targets [n] -> nats."""
        grad_x = torch.empty_like(x)
        grad_embedding = torch.zeros_like(embedding) if ctx.needs_input_grad[1] else None
        total = x.new_zeros(())
        for at in range(0, len(x), CHUNK):
            part, wanted = x[at : at + CHUNK], targets[at : at + CHUNK, None]
            logits = part @ embedding.t()
            own = logits.gather(1, wanted)
            logits -= logits.amax(-1, keepdim=True)
            top = logits.gather(1, wanted)
            logits.exp_()
            norm = logits.sum(-1, keepdim=True)
            total += (norm.log() - top).sum()
            logits /= norm
            logits.scatter_add_(1, wanted, torch.full_like(own, -1.0))
            torch.mm(logits, embedding, out=grad_x[at : at + CHUNK])
            if grad_embedding is not None:
                grad_embedding.addmm_(logits.t(), part)
        ctx.save_for_backward(grad_x.div_(len(x)), None if grad_embedding is None else grad_embedding.div_(len(x)))
        return total / len(x)

    @staticmethod
    def backward(ctx, grad: Tensor):
        grad_x, grad_embedding = ctx.saved_tensors
        return grad_x * grad, None if grad_embedding is None else grad_embedding * grad, None


def export(model: LanguageModel, folder: Path, trained: dict[str, object]) -> None:
    """config.json and model.safetensors (bfloat16) as AutoModelForCausalLM reads them, and training.json."""
    shape = model.shape
    tensors = {"model.embed_tokens.weight": model.embedding, "model.norm.weight": model.norms[-1]}
    for number in range(shape.n_layers):
        norms = model.norms[2 * number], model.norms[2 * number + 1]
        own = [*norms, *model.attention[number], *model.gate_up[number], model.down[number]]
        tensors |= {f"model.layers.{number}.{name}.weight": tensor for name, tensor in zip(NAMES, own, strict=True)}
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.d_model,
        "intermediate_size": shape.d_mlp,
        "num_hidden_layers": shape.n_layers,
        "num_attention_heads": shape.n_heads,
        "num_key_value_heads": shape.n_heads,
        "max_position_embeddings": shape.context,
        "rms_norm_eps": EPS,
        "rope_theta": shape.rope_theta,
        "rope_parameters": {"rope_theta": shape.rope_theta, "rope_type": "default"},
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "bos_token_id": BOS_ID,
        "eos_token_id": BOS_ID,
        "pad_token_id": BOS_ID,
        "dtype": "bfloat16",
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    (folder / "training.json").write_text(json.dumps({"shape": asdict(shape)} | trained, indent=1) + "\n")
    # clone: a slice of a stack would drag the whole stack into the file.
    stored = {name: tensor.detach().to(torch.bfloat16).clone().contiguous() for name, tensor in tensors.items()}
    with written_whole(folder / "model.safetensors") as part:
        save_file(stored, part, metadata={"format": "pt"})


def load(folder: Path) -> LanguageModel:
    """What `export` wrote, in float32."""
    shape = Shape(**json.loads((folder / "training.json").read_text())["shape"])
    tensors = {name.removeprefix("model."): t.float() for name, t in load_file(folder / "model.safetensors").items()}
    model = LanguageModel(shape).requires_grad_(False)
    model.embedding.copy_(tensors["embed_tokens.weight"])
    model.norms[-1].copy_(tensors["norm.weight"])
    for number in range(shape.n_layers):
        own = {name: tensors[f"layers.{number}.{name}.weight"] for name in NAMES}
        model.norms[2 * number].copy_(own["input_layernorm"])
        model.norms[2 * number + 1].copy_(own["post_attention_layernorm"])
        model.attention[number].copy_(torch.stack([own[f"self_attn.{part}_proj"] for part in "qkvo"]))
        model.gate_up[number].copy_(torch.stack([own["mlp.gate_proj"], own["mlp.up_proj"]]))
        model.down[number].copy_(own["mlp.down_proj"])
    return model.eval()
