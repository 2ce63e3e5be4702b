"""What every SAE is: weights in one canonical form, an encoder of its architecture, directions in the model's space.

Canonical form, whatever the file's: W_enc [d_in, d_sae], W_dec [d_sae, d_in], b_enc [d_sae], b_dec [d_in]. A file
that cannot be brought to it is refused by its format's reader.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from undersong.errors import WeightsFormat

Grain = Literal["token", "passage"]

# Numbers that an encoder may hold at once beside its result: 64 Mi of them, 256 MB in float32.
_CHUNK = 1 << 26


@dataclass(frozen=True, slots=True)
class SAEConfig:
    """What a file says about its SAE. `hook_layer` counts blocks from 0: it reads what leaves that block.

    `grain`: `token` SAEs read residuals token by token, `passage` dictionaries read their mean over a passage, drawn
    towards an ordinary one as if by `prior_tokens` more tokens.
    `extras`: the rest of the file's own metadata, unread.
    """

    architecture: str
    d_in: int
    d_sae: int
    hook_name: str
    hook_layer: int
    grain: Grain = "token"
    prior_tokens: int = 0
    apply_b_dec_to_input: bool = True
    k: int | None = None
    rescale_acts_by_decoder_norm: bool = False
    prepend_bos: bool = True
    context_size: int | None = None
    model_name: str | None = None
    extras: Mapping[str, Any] | None = None


class SAE(ABC):
    """An SAE with its weights. All methods take any float dtype and leading shape, and answer in the SAE's dtype."""

    # The tensors of the architecture in canonical form and their shapes, in terms of d_in and d_sae.
    shapes: ClassVar[Mapping[str, tuple[str, ...]]]

    def __init__(self, id: str, config: SAEConfig, weights: Mapping[str, Tensor]) -> None:
        self.id = id
        self.config = config
        self.W_dec = weights["W_dec"].contiguous()
        self.b_dec = weights["b_dec"]

    @property
    def hook_layer(self) -> int:
        return self.config.hook_layer

    @property
    def hook_name(self) -> str:
        return self.config.hook_name

    @property
    def grain(self) -> Grain:
        return self.config.grain

    @property
    def d_in(self) -> int:
        return self.config.d_in

    @property
    def d_sae(self) -> int:
        return self.config.d_sae

    @property
    def device(self) -> torch.device:
        return self.W_dec.device

    @property
    def dtype(self) -> torch.dtype:
        return self.W_dec.dtype

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        tensors = {id(value): value for value in vars(self).values() if isinstance(value, Tensor)}
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())

    @abstractmethod
    def _encode(self, x: Tensor) -> Tensor:
        """Activations [n, d_sae] of inputs [n, d_in] as `_input` gives them."""

    @abstractmethod
    def _reader(self, indices: Tensor) -> Callable[[Tensor], Tensor]:
        """Inputs [n, d_in] as `_input` gives them -> activations [n, k] of the features `indices` [k]."""

    @torch.inference_mode()
    def encode(self, resid: Tensor) -> Tensor:
        """Activations [..., d_sae] of residuals [..., d_in]."""
        flat = resid.reshape(-1, self.d_in)
        if len(flat) <= self._chunk_rows():
            return self._encode(self._input(flat)).reshape(*resid.shape[:-1], self.d_sae)
        acts = torch.empty((len(flat), self.d_sae), dtype=self.dtype, device=self.device)
        for rows, chunk in self.encode_chunks(flat):
            acts[rows.start : rows.stop] = chunk
        return acts.reshape(*resid.shape[:-1], self.d_sae)

    def encode_chunks(self, resid: Tensor, rows: int | None = None) -> Iterator[tuple[range, Tensor]]:
        """(which rows, their activations [m, d_sae]) of `resid` [n, d_in], `rows` at a time.

        A wide SAE over a long text need then never be held whole.
        """
        rows = rows or self._chunk_rows()
        for start in range(0, len(resid), rows):
            stop = min(start + rows, len(resid))
            with torch.inference_mode():
                acts = self._encode(self._input(resid[start:stop]))
            yield range(start, stop), acts

    def encode_columns(self, resid: Tensor, indices: Sequence[int] | Tensor) -> Tensor:
        """encode(resid)[..., indices], without computing the rest where the architecture allows that: [..., k]."""
        return self.reader(indices)(resid)

    @torch.inference_mode()
    def reader(self, indices: Sequence[int] | Tensor) -> Callable[[Tensor], Tensor]:
        """`encode_columns` for these features with their columns gathered once: what steering calls at every token."""
        picked = torch.as_tensor(indices, dtype=torch.long, device=self.device).reshape(-1)
        read = self._reader(picked)

        @torch.inference_mode()
        def columns(resid: Tensor) -> Tensor:
            return read(self._input(resid.reshape(-1, self.d_in))).reshape(*resid.shape[:-1], len(picked))

        return columns

    @torch.inference_mode()
    def decode(self, acts: Tensor) -> Tensor:
        """Reconstruction [..., d_in] of activations [..., d_sae]."""
        return acts.to(self.device, self.dtype) @ self.W_dec + self.b_dec

    @torch.inference_mode()
    def directions(self, indices: Sequence[int] | Tensor) -> Tensor:
        """[k, d_in]: what one unit of activation of each feature adds to the residual stream."""
        return self.W_dec[torch.as_tensor(indices, dtype=torch.long, device=self.device).reshape(-1)]

    @torch.inference_mode()
    def pool(self, total: Tensor, n_tokens: int) -> Tensor:
        """[1, d_in]: what a passage dictionary encodes, from the sum [d_in] of residuals over n_tokens >= 1 tokens.

        Their mean, drawn towards `b_dec` (an ordinary passage) as if by `prior_tokens` more tokens: the mean of a few
        tokens is extreme by chance.
        """
        if n_tokens < 1:
            raise ValueError(f"pool: expected at least one token, found {n_tokens}")
        prior = self.config.prior_tokens
        ordinary = self.b_dec.to(total.device, torch.float32)
        return ((total.to(torch.float32) + prior * ordinary) / (n_tokens + prior))[None].to(self.device)

    def _input(self, flat: Tensor) -> Tensor:
        x = flat.to(self.device, self.dtype)
        return x - self.b_dec if self.config.apply_b_dec_to_input else x

    def _chunk_rows(self) -> int:
        return max(1, _CHUNK // self.d_sae)


def check_fits(sae: SAE, d_model: int, n_layers: int) -> None:
    """WeightsFormat unless `sae` reads a residual stream of width `d_model` after one of `n_layers` blocks."""
    if sae.d_in != d_model:
        raise WeightsFormat(f"SAE {sae.id}: expected d_in {d_model}, the model's width; found {sae.d_in}")
    if not 0 <= sae.hook_layer < n_layers:
        raise WeightsFormat(
            f"SAE {sae.id}: expected a layer from 0 to {n_layers - 1}; found {sae.hook_layer} ({sae.hook_name})"
        )
