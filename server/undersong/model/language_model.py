"""A loaded causal language model, as the rest of the engine sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from undersong.errors import WeightsFormat
from undersong.model.blocks import Blocks, find_blocks, skipped
from undersong.model.kept import Kept, kept_by_blocks
from undersong.model.sites import Sites, find_sites

if TYPE_CHECKING:
    from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

    from undersong.model.decoding.decoder import Decoder

# Under these names configurations state how many positions the model was made for.
_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "max_sequence_length", "seq_length")


@dataclass(slots=True, eq=False)
class LanguageModel:
    """A network in evaluation mode with what was found out about it.

    `context` counts tokens. `sliding_window` is how many tokens the narrowest attention layers see, None where all
    see all. `special_ids` are the tokens that stand for no text: those so named (`bos_id` and `eos_ids` among
    them), and rows of the embedding that only round its size up. `kept` is what each block keeps of the tokens it has
    seen; `sites` are the hook points that the network has.
    """

    network: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    blocks: Blocks
    kept: tuple[Kept, ...]
    name: str
    n_layers: int
    d_model: int
    vocab_size: int
    context: int
    sliding_window: int | None
    bos_id: int | None
    eos_ids: frozenset[int]
    special_ids: frozenset[int]
    device: torch.device
    dtype: torch.dtype
    sites: Sites = field(init=False, repr=False)
    _decoders: list[Decoder | None] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        self.sites = find_sites(self)

    @property
    def decoder(self) -> Decoder | None:
        """What decodes faster than the network's own forward; None where there is nothing. Found when first asked
        for, and anew after `refit`."""
        if not self._decoders:
            from undersong.model.decoding import find_decoder

            self._decoders.append(find_decoder(self))
        return self._decoders[0]

    def refit(self) -> None:
        """To be called when modules of the network were replaced."""
        self._decoders.clear()

    @property
    def recurs(self) -> bool:
        """Whether some blocks keep something else than keys and values of every token."""
        return any(each != Kept(attends=True) for each in self.kept)

    @property
    def body(self) -> nn.Module:
        """The network without its head: tokens to the last hidden states."""
        return self.network.base_model

    @torch.inference_mode()
    def unembed(self, resid: Tensor) -> Tensor:
        """Logits [..., vocab_size] from the residual stream [..., d_model] after the last block.

        From an earlier layer's residual the same gives the logit lens.
        """
        return self.head(resid)

    def head(self, resid: Tensor) -> Tensor:
        """`unembed` through which gradients pass where they are recorded.

        The network itself does it, with its blocks skipped, so that the final norm, the head and any soft-capping are
        its own.
        """
        flat = resid.reshape(-1, 1, self.d_model).to(self.device, self.dtype)
        # One position a row: a positional embedding then never runs out.
        ids = torch.zeros((flat.shape[0], 1), dtype=torch.long, device=self.device)
        with skipped(self.blocks, range(self.n_layers), {self.n_layers - 1: flat}):
            logits = self.network(input_ids=ids, use_cache=False).logits
        return logits.reshape(*resid.shape[:-1], -1)

    @torch.inference_mode()
    def logits(self, ids: Tensor, cache: DynamicCache) -> Tensor:
        """Logits [rows, n, vocab_size] of `ids` [rows, n] after what `cache` holds; the cache grows by n."""
        return self.network(input_ids=ids, past_key_values=cache, use_cache=True).logits

    def tensor(self, rows: list[list[int]]) -> Tensor:
        """Token ids [rows, n] on the model's device."""
        return torch.tensor(rows, dtype=torch.long, device=self.device)


def describe(network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str) -> LanguageModel:
    """A LanguageModel around a network and its tokenizer. WeightsFormat where they do not suit each other or us."""
    network.eval().requires_grad_(False)
    config: Any = network.config.get_text_config(decoder=True)
    kept = kept_by_blocks(config, name)
    embeddings: Any = network.get_input_embeddings()
    vocab_size = int(embeddings.weight.shape[0])
    known_ids = frozenset(tokenizer.get_vocab().values())
    largest = max(known_ids, default=-1)
    if largest >= vocab_size:
        raise WeightsFormat(
            f"{name}: the tokenizer is not this model's: expected token ids below {vocab_size}, found {largest}"
        )
    if not tokenizer.is_fast:
        raise WeightsFormat(f"{name}: expected a tokenizer with a tokenizer.json (for offsets), found a slow one")
    n_layers, d_model = int(config.num_hidden_layers), int(config.hidden_size)
    eos: Any = getattr(network.generation_config, "eos_token_id", None)
    bos: Any = tokenizer.bos_token_id
    stated: list[Any] = [*(eos if isinstance(eos, list) else [eos]), tokenizer.eos_token_id]
    eos_ids = {int(token) for token in stated if token is not None}
    model = LanguageModel(
        network=network,
        tokenizer=tokenizer,
        blocks=find_blocks(network.base_model, n_layers, d_model, name),
        kept=kept,
        name=name,
        n_layers=n_layers,
        d_model=d_model,
        vocab_size=vocab_size,
        context=_context(config, tokenizer, name),
        sliding_window=_sliding_window(config),
        # The tokenizer says whether texts begin with one; some configurations name a token that is never used so.
        bos_id=bos,
        eos_ids=frozenset(eos_ids),
        special_ids=frozenset({*tokenizer.all_special_ids, *eos_ids, *(set(range(vocab_size)) - known_ids)}),
        device=embeddings.weight.device,
        dtype=embeddings.weight.dtype,
    )
    if model.recurs:
        _check_going_on(model)
    return model


def _check_going_on(model: LanguageModel) -> None:
    # Only now: it takes transformers' caches in.
    from undersong.model.recurrent import goes_on

    try:
        found = None if goes_on(model) else "other logits for a text read in parts than for the same read at once"
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        # Some networks refuse all caches but one of their own, each in its way.
        found = f"{type(error).__name__}: {error}"
    if found is not None:
        raise WeightsFormat(f"{model.name}: expected recurrent blocks that go on from their states; found {found}")


def _context(config: object, tokenizer: PreTrainedTokenizerBase, name: str) -> int:
    for key in _CONTEXT_KEYS:
        value = getattr(config, key, None)
        if isinstance(value, int) and value > 0:
            return value
    # A tokenizer without a limit states an absurdly large number.
    if tokenizer.model_max_length < 10**9:
        return tokenizer.model_max_length
    raise WeightsFormat(
        f"{name}: expected a context length in the configuration under one of {', '.join(_CONTEXT_KEYS)}"
    )


def _sliding_window(config: object) -> int | None:
    layer_types = getattr(config, "layer_types", None)
    window = getattr(config, "sliding_window", None) or getattr(config, "attention_chunk_size", None)
    if layer_types is not None and not {"sliding_attention", "chunked_attention"} & set(layer_types):
        return None
    return window
