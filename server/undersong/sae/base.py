"""What every SAE is: weights in one canonical form, an encoder of its architecture, directions in the model's space.

Canonical form, whatever the file's: W_enc [d_in, d_sae], W_dec [d_sae, d_out], b_enc [d_sae], b_dec [d_out]. A file
that cannot be brought to it is refused by its format's reader. An SAE rebuilds what it reads; a transcoder reads one
place and rebuilds what another holds, d_out wide.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from undersong.sae.active import Active, joined, nonzero
from undersong.sae.config import Grain, SAEConfig
from undersong.sae.encoder import Encoder

# Numbers that an encoder may hold at once beside its result: 64 Mi of them, 256 MB in float32.
_CHUNK = 1 << 26
# The same where only the active features are answered: few enough that the next pass over them finds them in a cache
# or in memory already in use, many enough rows for a fast product.
_SPARSE_CHUNK = 1 << 23
_FEWEST_ROWS = 256

# sae_lens adds it to the standard deviation (saes/sae.py).
_LAYER_NORM_EPS = 1e-5


class SAE(ABC):
    """An SAE with its weights. All methods take any float dtype and leading shape, and answer in the SAE's dtype.

    That is the dtype of `b_dec`. W_enc and W_dec may be narrower: as they are stored, widened where they are used.
    """

    # The tensors of the architecture in canonical form and their shapes, in terms of d_in, d_sae and d_out.
    shapes: ClassVar[Mapping[str, tuple[str, ...]]]

    def __init__(self, id: str, config: SAEConfig, weights: Mapping[str, Tensor]) -> None:
        self.id = id
        self.config = config
        self._decoder = weights["W_dec"].contiguous()
        self.b_dec = weights["b_dec"]
        self.encoder = Encoder(weights["W_enc"], weights.get("b_enc"), self.b_dec.dtype)

    @property
    def W_enc(self) -> Tensor:
        """[d_in, d_sae]; a copy, where it is stored in a narrower dtype."""
        return self.encoder.whole

    @property
    def W_dec(self) -> Tensor:
        """[d_sae, d_out]; a copy, where it is stored in a narrower dtype. `directions` widens only what it answers."""
        return self._decoder.to(self.dtype)

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
    def d_out(self) -> int:
        return self.config.d_out or self.config.d_in

    @property
    def device(self) -> torch.device:
        return self.b_dec.device

    @property
    def dtype(self) -> torch.dtype:
        return self.b_dec.dtype

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        tensors = {id(value): value for value in vars(self).values() if isinstance(value, Tensor)}
        return self.encoder.nbytes + sum(tensor.nbytes for tensor in tensors.values())

    @abstractmethod
    def _encode(self, x: Tensor) -> Tensor:
        """Activations [n, d_sae] of inputs [n, d_in] as `_input` gives them."""

    def _active(self, x: Tensor) -> Active:
        """`_encode` without what is 0. An architecture that can finds it with no activations [n, d_sae] between."""
        return nonzero(self._encode(x))

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

    @torch.no_grad()
    def reader(self, indices: Sequence[int] | Tensor) -> Callable[[Tensor], Tensor]:
        """`encode_columns` for these features with their columns gathered once: what steering calls at every token.

        Gradients pass where they are recorded.
        """
        picked = torch.as_tensor(indices, dtype=torch.long, device=self.device).reshape(-1)
        read = self._reader(picked)

        def columns(resid: Tensor) -> Tensor:
            return read(self._input(resid.reshape(-1, self.d_in))).reshape(*resid.shape[:-1], len(picked))

        return columns

    @torch.inference_mode()
    def encode_sparse(self, resid: Tensor) -> Active:
        """The active features of residuals [..., d_in], as `encode` has them, token after token.

        Never more than a chunk of pre-activations is held, however wide the SAE and long the text.
        """
        flat = resid.reshape(-1, self.d_in)
        rows = max(_FEWEST_ROWS, _SPARSE_CHUNK // self.d_sae)
        starts = range(0, max(1, len(flat)), rows)
        return joined([self._active(self._input(flat[start : start + rows])) for start in starts])

    @torch.inference_mode()
    def decode(self, acts: Tensor) -> Tensor:
        """Reconstruction [..., d_out] of activations [..., d_sae], in the SAE's own units.

        They are the model's unless `config.normalization` says otherwise; `rebuild` answers in the model's always.
        """
        return acts.to(self.device, self.dtype) @ self.W_dec + self.b_dec

    @torch.inference_mode()
    def decode_sparse(self, code: Active) -> Tensor:
        """`decode` [n, d_out] of n tokens' active features: it reads their rows of W_dec where `decode` reads all."""
        return code.times(self._decoder) + self.b_dec

    @torch.inference_mode()
    def rebuild(self, resid: Tensor, acts: Tensor | None = None) -> Tensor:
        """Reconstruction [..., d_out], in the model's units, of what `resid` [..., d_in] encodes to.

        `acts` [..., d_sae] stand in for its activations: what the reconstruction would be with those.
        """
        flat = resid.reshape(-1, self.d_in)
        code = self.encode_sparse(flat) if acts is None else self._code(acts)
        rebuilt = self._output(self.decode_sparse(code), flat)
        return rebuilt.reshape(*resid.shape[:-1], self.d_out)

    @torch.inference_mode()
    def unit(self, resid: Tensor) -> Tensor:
        """[..., 1]: what `directions` are multiplied by on each token to be in the model's units: 1 unless normalised.

        Undoing constant_norm_rescale and layer_norm is this factor, and for layer_norm the token's mean beside it.
        """
        x = resid.to(self.device, self.dtype)
        match self.config.normalization if self.config.hook_out is None else "none":
            case "layer_norm":
                return x.std(dim=-1, keepdim=True)
            case "constant_norm_rescale":
                return x.norm(dim=-1, keepdim=True) / self.d_in**0.5
            case _:
                return torch.ones_like(x[..., :1])

    @torch.inference_mode()
    def directions(self, indices: Sequence[int] | Tensor) -> Tensor:
        """[k, d_out]: what one unit of activation of each feature adds to what is rebuilt, per `unit`."""
        return self._decoder[torch.as_tensor(indices, dtype=torch.long, device=self.device).reshape(-1)].to(self.dtype)

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
        match self.config.normalization:
            case "layer_norm":
                x = x - x.mean(dim=-1, keepdim=True)
                # Unbiased, as torch's std is, where a network's own layer norm is not.
                x = x / (x.std(dim=-1, keepdim=True) + _LAYER_NORM_EPS)
            case "constant_norm_rescale":
                x = x * (self.d_in**0.5 / x.norm(dim=-1, keepdim=True))
            case "none":
                pass
        return x - self.b_dec if self.config.apply_b_dec_to_input else x

    def _output(self, rebuilt: Tensor, flat: Tensor) -> Tensor:
        """`rebuilt` [n, d_out] in the model's units, for inputs `flat` [n, d_in]."""
        if self.config.normalization == "none" or self.config.hook_out is not None:
            return rebuilt
        x = flat.to(self.device, self.dtype)
        rebuilt = rebuilt * self.unit(x)
        return rebuilt + x.mean(dim=-1, keepdim=True) if self.config.normalization == "layer_norm" else rebuilt

    def _chunk_rows(self) -> int:
        return max(1, _CHUNK // self.d_sae)

    def _code(self, acts: Tensor) -> Active:
        return nonzero(acts.reshape(-1, self.d_sae).to(self.device, self.dtype))
