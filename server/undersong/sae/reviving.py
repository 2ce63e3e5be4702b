"""What brings dead features back: they are shown the error that the living ones leave (Gao et al. 2024, appendix A.2).

The k largest pre-activations among the dead features, k = d/2, rebuild the error without a bias; the squared error of
that is added to the loss with the paper's share of 1/32, less where few are dead (sae_lens, which has a share of 1).
OpenAI's code and dictionary_learning divide it by the error's own variance, which the paper does not.
"""

from __future__ import annotations

import torch
from torch import Tensor

from undersong.sae.learning import Weights, square
from undersong.sae.sparse import Picks, decoded, picked

SHARE = 1 / 32


def revival(w: Weights, x: Tensor, pre: Tensor, bias: Tensor, error: Tensor, dead: Tensor | None) -> Tensor:
    """The loss of the dead features on error [n, d_out], from pre [n, d_sae] = x W_enc + bias; 0 where none is dead.

    Pre-activations count whatever their sign, as in sae_lens: a feature below 0 everywhere has no other way back.
    """
    among = None if dead is None else dead.nonzero()[:, 0]
    if among is None or not len(among):
        return error.new_zeros(())
    wanted = max(1, error.shape[1] // 2)
    k = min(wanted, len(among))
    chosen = pre.detach()[:, among].topk(k, dim=1, sorted=False).indices
    rows = torch.arange(len(x), device=x.device).repeat_interleave(k)
    picks = Picks(rows, among[chosen].reshape(-1), len(x), w["W_dec"].shape[0])
    values = picked(x, w["W_enc"], bias, pre.detach(), picks)
    return k / wanted * square(error.detach() - decoded(values, picks, w["W_dec"]))
