"""What sae_lens computes with the shipped SAEs on fixed inputs, kept in sae_lens_codes.safetensors.

    PYTHON -m tests.weights.sae_lens_codes     with a Python that has sae_lens

sae_lens is not installed by default: so its numbers are kept, and the tests compare ours with them everywhere.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from undersong.engine.weights import find_default, read_manifest
from undersong.sae.base import SAE
from undersong.sae.load import load_sae

FILE = Path(__file__).with_suffix(".safetensors")
N_INPUTS = 4


def inputs(sae: SAE, count: int) -> Tensor:
    """[count, d_in]: of the size of a residual, around b_dec."""
    return sae.b_dec + 10 * torch.randn(count, sae.d_in, generator=torch.Generator().manual_seed(0))


def main() -> None:
    import sae_lens

    kept: dict[str, Tensor] = {}
    folder = find_default()
    for entry in read_manifest(folder).saes:
        theirs = sae_lens.SAE.load_from_disk(str(folder / entry.path), device="cpu").float()
        resid = inputs(load_sae(folder / entry.path), N_INPUTS)
        with torch.no_grad():
            codes = theirs.encode(resid)
            kept[f"{entry.id}.reconstruction"] = theirs.decode(codes)
        kept[f"{entry.id}.indices"] = codes.nonzero().int().contiguous()
        kept[f"{entry.id}.values"] = codes[codes != 0]
    save_file(kept, FILE, metadata={"sae_lens": sae_lens.__version__})


if __name__ == "__main__":
    main()
