"""Single pickles of two linear layers, whose model and layer are known by the file's name: Goodfire's and qresearch's.

    Goodfire    Llama-3.3-70B-Instruct-SAE-l50.pt, Llama-3.1-8B-Instruct-SAE-l19.pth: encoder_linear, decoder_linear
    qresearch   DeepSeek-R1-Distill-Llama-8B-SAE-l19.pt: encoder, decoder

ReLU, b_dec (the decoder's bias) not subtracted, no scaling; what leaves block N for `lN` (sae_lens `goodfire`,
`deepseek_r1`).
"""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor

from undersong.errors import WeightsFormat
from undersong.hook_points import HookPoint
from undersong.sae.config import Assumption, SAEConfig
from undersong.sae.formats.files import matrix, read_all, read_shapes, renamed
from undersong.sae.formats.naming import whole

EXPECTS = "a .pt or .pth with encoder and decoder as linear layers, named ...-lN"
_LAYERS = (("encoder_linear", "decoder_linear"), ("encoder", "decoder"))
# How a name tells the model, and what that is on the hub.
_MODELS = (
    ("Llama-3.3-70B-Instruct", "meta-llama/Llama-3.3-70B-Instruct"),
    ("Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"),
    ("DeepSeek-R1-Distill-Llama-8B", "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"),
)


def matches(path: Path) -> bool:
    return path.suffix in (".pt", ".pth") and path.is_file() and _names(set(read_shapes(path))) is not None


def read_config(path: Path) -> SAEConfig:
    shapes = read_shapes(path)
    names = _names(set(shapes))
    assert names is not None
    found = re.findall(r"(?<![A-Za-z])l(\d+)", path.stem)
    if not found:
        raise WeightsFormat(f"SAE: {path}: expected the layer in the file's name, such as -l19; found none")
    layer = int(found[-1])
    model = next((full for part, full in _MODELS if part in whole(path)), None)
    d_sae, d_in = matrix(path, shapes, names["W_enc"])
    why = "as SAELens loads them; the file holds weights only"
    return SAEConfig(
        architecture="standard",
        d_in=d_in,
        d_sae=d_sae,
        hook_name=str(HookPoint(layer)),
        hook_layer=layer,
        apply_b_dec_to_input=False,
        model_name=model,
        assumptions=(
            Assumption("model", model or "unknown", "the path's name"),
            Assumption("site", str(HookPoint(layer)), f"the file's name says l{layer}"),
            Assumption("activation", "ReLU", why),
            Assumption("b_dec", "not subtracted before encoding", why),
            Assumption("normalisation", "none", why),
            Assumption("BOS", "prepended", why),
        ),
    )


def read_weights(path: Path, config: SAEConfig) -> dict[str, Tensor]:
    held = read_all(path)
    names = _names(set(held))
    assert names is not None
    return renamed(path, held, names, flipped=frozenset({"W_enc", "W_dec"}))


def _names(held: set[str]) -> dict[str, str] | None:
    for encoder, decoder in _LAYERS:
        names = {
            "W_enc": f"{encoder}.weight", "b_enc": f"{encoder}.bias",
            "W_dec": f"{decoder}.weight", "b_dec": f"{decoder}.bias",
        }  # fmt: skip
        if set(names.values()) <= held:
            return names
    return None
