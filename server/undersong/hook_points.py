"""Where in a transformer a number is read: one name for each place, whatever a file calls it.

A `HookPoint` is a block and a site of it. `parse` takes TransformerLens' names and transformers' module paths (with
`.input` or `.output` at the end, output where neither stands); `str` gives TransformerLens' name. Which module that is
on an architecture, and which architectures lack it, is known to undersong.model.sites.

    embed               the tokens' embeddings, scaled where the model scales them, without positions
    resid_pre           what enters block 0, positions added; what enters a later block is the resid_post before it
    attn_z              what enters attention's output projection: the heads' results, side by side
    attn_out_raw        what attention puts out
    attn_out            what attention adds to the stream: after the norm that Gemma-2 and others put there
    resid_mid           the stream between attention and MLP; none where the two run side by side
    mlp_in_raw          what enters the norm before the MLP
    mlp_in_normalized   that norm's result before its gain (and bias)
    mlp_in              what enters the MLP: after the gain
    mlp_post            what enters the MLP's last projection: its neurons
    mlp_out_raw         what the MLP puts out
    mlp_out             what the MLP adds to the stream: after the norm that Gemma-2 and others put there
    resid_post          what leaves the block
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from undersong.errors import WeightsFormat

Site = Literal[
    "embed", "resid_pre", "attn_z", "attn_out_raw", "attn_out", "resid_mid", "mlp_in_raw", "mlp_in_normalized",
    "mlp_in", "mlp_post", "mlp_out_raw", "mlp_out", "resid_post",
]  # fmt: skip
SITES: tuple[Site, ...] = get_args(Site)

# What follows `blocks.N.` in TransformerLens. Its `attn.hook_out` and `mlp.hook_out` are those of TransformerBridge.
_LENS: dict[Site, str] = {
    "resid_pre": "hook_resid_pre",
    "attn_z": "attn.hook_z",
    "attn_out_raw": "attn.hook_out",
    "attn_out": "hook_attn_out",
    "resid_mid": "hook_resid_mid",
    "mlp_in_raw": "hook_mlp_in",
    "mlp_in_normalized": "ln2.hook_normalized",
    "mlp_in": "mlp.hook_in",
    "mlp_post": "mlp.hook_post",
    "mlp_out_raw": "mlp.hook_out",
    "mlp_out": "hook_mlp_out",
    "resid_post": "hook_resid_post",
}
_FROM_LENS: dict[str, Site] = {name: site for site, name in _LENS.items()}

# What follows `layers.N.` or `h.N.` in transformers, and the side: Llama, Gemma, Qwen, Mistral; GPT-2; GPT-NeoX.
_ATTENTION, _MLP = r"(?:self_attn|attn|attention)", r"mlp"
_MODULES: tuple[tuple[str, Site], ...] = (
    (r"(?:output)?", "resid_post"),
    (r"input", "resid_pre"),
    (rf"{_ATTENTION}\.(?:o_proj|c_proj|out_proj|dense)\.input", "attn_z"),
    (rf"{_ATTENTION}(?:\.output)?", "attn_out_raw"),
    (rf"{_ATTENTION}\.(?:o_proj|c_proj|out_proj|dense)(?:\.output)?", "attn_out_raw"),
    (rf"{_MLP}\.(?:down_proj|c_proj|dense_4h_to_h)\.input", "mlp_post"),
    (rf"{_MLP}(?:\.(?:down_proj|c_proj|dense_4h_to_h))?(?:\.output)?", "mlp_out_raw"),
    (rf"{_MLP}\.input", "mlp_in"),
    (r"pre_feedforward_layernorm(?:\.output)?", "mlp_in"),
    (r"pre_feedforward_layernorm\.input", "mlp_in_raw"),
    (r"post_feedforward_layernorm(?:\.output)?", "mlp_out"),
    (r"post_feedforward_layernorm\.input", "mlp_out_raw"),
    (r"ln_2(?:\.output)?", "mlp_in"),
    (r"ln_2\.input", "mlp_in_raw"),
)
_EMBEDDINGS = re.compile(r"hook_embed|(?:[a-z_]+\.)*(?:embed_tokens|wte|embed_in)(?:\.output)?")
_IN_LENS = re.compile(r"blocks\.(\d+)\.(.+)")
_IN_MODULES = re.compile(r"(?:[a-z_]+\.)*(?:layers|h)\.(\d+)(?:\.(.+))?")
# On Llama what enters the MLP, on Gemma-2 what attention adds.
_TWO_MEANINGS = re.compile(r"post_attention_layernorm(?:\.output)?")

EXPECTED = (
    "a TransformerLens name such as blocks.3.hook_resid_post, "
    "or a module path of transformers such as model.layers.3 or model.layers.3.mlp.input"
)


@dataclass(frozen=True, slots=True)
class HookPoint:
    """A site of block `layer`, counted from 0. `embed` and `resid_pre` lie before block 0 and have its number."""

    layer: int
    site: Site = "resid_post"

    def __str__(self) -> str:
        return "hook_embed" if self.site == "embed" else f"blocks.{self.layer}.{_LENS[self.site]}"


def order(point: HookPoint) -> tuple[int, int]:
    """To sort by: the order in which a token passes them."""
    return point.layer, SITES.index(point.site)


def parse(name: str) -> HookPoint:
    """The hook point called `name`. WeightsFormat where the name means nothing known, or two things."""
    if _EMBEDDINGS.fullmatch(name):
        return HookPoint(0, "embed")
    if (found := _IN_LENS.fullmatch(name)) and found[2] in _FROM_LENS:
        return _settled(int(found[1]), _FROM_LENS[found[2]])
    if found := _IN_MODULES.fullmatch(name):
        layer, inside = int(found[1]), found[2] or ""
        if _TWO_MEANINGS.fullmatch(inside):
            raise WeightsFormat(
                f"hook point: {name!r} is another place on each architecture: expected "
                f"{HookPoint(layer, 'mlp_in')} (Llama) or {HookPoint(layer, 'attn_out')} (Gemma-2)"
            )
        for pattern, site in _MODULES:
            if re.fullmatch(pattern, inside):
                return _settled(layer, site)
    raise WeightsFormat(f"hook point: expected {EXPECTED}; found {name!r}")


def _settled(layer: int, site: Site) -> HookPoint:
    # What enters block n is what left block n - 1.
    return HookPoint(layer - 1) if site == "resid_pre" and layer > 0 else HookPoint(layer, site)
