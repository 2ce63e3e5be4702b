"""Where families of architectures keep attention, MLP and norms in a block. A new one is an entry in the table."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from torch import nn


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths inside a block. A norm that is not there is None."""

    attention: str
    attention_last: str
    mlp: str
    mlp_last: str
    before_mlp: str | None
    after_attention: str | None = None
    after_mlp: str | None = None

    def fits(self, block: nn.Module) -> bool:
        """Whether `block` has a module at each of the paths."""
        names = {name for name, _ in block.named_modules()}
        return all(path is None or path in names for path in astuple(self))


# The first whose paths a block has. Gemma-2's comes before Llama's: to the first, post_attention_layernorm follows
# attention; to the second it comes before the MLP.
LAYOUTS: tuple[Layout, ...] = (
    # Gemma-2, Gemma-3
    Layout(
        "self_attn", "self_attn.o_proj", "mlp", "mlp.down_proj",
        "pre_feedforward_layernorm", "post_attention_layernorm", "post_feedforward_layernorm",
    ),
    # OLMo-2: norms behind, none before
    Layout(
        "self_attn", "self_attn.o_proj", "mlp", "mlp.down_proj",
        None, "post_attention_layernorm", "post_feedforward_layernorm",
    ),
    # Llama, Mistral, Qwen-2, Qwen-3, Gemma, Phi-3
    Layout("self_attn", "self_attn.o_proj", "mlp", "mlp.down_proj", "post_attention_layernorm"),
    # GPT-2
    Layout("attn", "attn.c_proj", "mlp", "mlp.c_proj", "ln_2"),
    # GPT-NeoX, Pythia
    Layout("attention", "attention.dense", "mlp", "mlp.dense_4h_to_h", "post_attention_layernorm"),
)  # fmt: skip
