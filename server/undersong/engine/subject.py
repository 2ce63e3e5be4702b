"""A transformers model as an SAE's evaluation and labelling see it: at the place where the SAE reads and rebuilds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from undersong.errors import BadText, WeightsFormat
from undersong.model.blocks import skipped
from undersong.model.language_model import LanguageModel
from undersong.model.tokens import Tokens, decode, encode
from undersong.sae.base import SAE
from undersong.sae.evaluation.joined import Dictionary, places_of
from undersong.sae.evaluation.subject import Seen, counted

S = TypeVar("S", bound=Dictionary)

SEGMENT = 32
"""Tokens of a passage, where a dictionary of passages does not state `segment_tokens`."""


@dataclass(frozen=True, slots=True, eq=False)
class TextCodes:
    """What an SAE reads in one text of n tokens, BOS left out: `codes` [n, d_sae], `read` [n, d_in], `tokens`.

    For dictionaries of passages one row, of the whole text.
    """

    codes: Tensor
    read: Tensor
    tokens: Tokens


def check_fits(model: LanguageModel, sae: Dictionary) -> None:
    """WeightsFormat unless the model has the places where `sae` reads and writes, and they are as wide as it is."""
    reads, writes = places_of(sae)
    for what, points, found in (("d_in", reads, sae.d_in), ("d_out", writes, sae.d_out)):
        expected = sum(map(model.sites.width, points))
        if found != expected:
            where = ", ".join(map(str, points))
            raise WeightsFormat(f"SAE {sae.id}: expected {what} {expected}, the model's at {where}; found {found}")


class ModelSubject(Generic[S]):
    """A `Subject` of undersong.sae.evaluation; also reads texts. WeightsFormat if the SAE does not fit the model.

    Of a dictionary of several places the activations stand side by side.
    """

    def __init__(self, model: LanguageModel, sae: S) -> None:
        check_fits(model, sae)
        self.model, self.sae = model, sae
        self._reads, self._writes = places_of(sae)

    @property
    def special_ids(self) -> frozenset[int]:
        """The model's: those that its tokenizer names as such (rows of the embedding that mean nothing never occur)."""
        return self.model.special_ids

    @property
    def first(self) -> int | None:
        """The token that texts begin with for this SAE."""
        return self.model.bos_id if self.sae.config.prepend_bos else None

    @torch.inference_mode()
    def seen(self, ids: Tensor) -> Seen:
        with self.model.sites.captured({*self._reads, *self._writes}) as found:
            logits = self.model.network(input_ids=ids.to(self.model.device), use_cache=False).logits
        read, held = (_side_by_side([found[point] for point in points]) for points in (self._reads, self._writes))
        return Seen(read, held, logits)

    @torch.inference_mode()
    def read(self, ids: Tensor) -> Tensor:
        """[n, length, d_in] at the place where the SAE reads; the head is not run."""
        with self.model.sites.captured(self._reads) as found:
            self.model.body(input_ids=ids.to(self.model.device), use_cache=False)
        return _side_by_side([found[point] for point in self._reads])

    @torch.inference_mode()
    def logits(self, ids: Tensor, rebuilt: Tensor) -> Tensor:
        with self._put(rebuilt.to(self.model.device, self.model.dtype)):
            return self.model.network(input_ids=ids.to(self.model.device), use_cache=False).logits

    def codes(self, text: str) -> TextCodes | None:
        """What the SAE reads in a text, cut where the model's context ends; None of a text without tokens."""
        tokens = encode(self.model.tokenizer, text)
        begin = [] if self.first is None else [self.first]
        ids = tokens.ids[: self.model.context - len(begin)]
        if not ids:
            return None
        read = self._at([*begin, *ids])[len(begin) :]
        kept = Tokens(ids, tokens.spans[: len(ids)])
        if isinstance(self.sae, SAE) and self.sae.grain == "passage":
            read = self.sae.pool(read.sum(dim=0), len(read))
        return TextCodes(self.sae.encode(read), read, kept)

    def means(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """([n, d_sae], [n, d_in]) float32 on the CPU: mean codes and mean input of each text; zeros without tokens."""
        codes, read = torch.zeros(len(texts), self.sae.d_sae), torch.zeros(len(texts), self.sae.d_in)
        for row, text in enumerate(texts):
            if (found := self.codes(text)) is not None:
                codes[row], read[row] = found.codes.float().mean(0).cpu(), found.read.float().mean(0).cpu()
        return codes, read

    def strongest(self, texts: Sequence[str], feature: int) -> list[float]:
        """The feature's largest activation in each text."""
        found = (self.codes(text) for text in texts)
        return [0.0 if each is None else float(each.codes[:, feature].max()) for each in found]

    def windows(self, texts: Iterable[str], length: int, most_tokens: int) -> Iterator[Tensor]:
        """Rows [length] of token ids: the texts' tokens one after another, each row begun with BOS if the SAE expects
        it, until `most_tokens` were given. What does not fill a row is dropped."""
        begin = [] if self.first is None else [self.first]
        room = min(length, self.model.context) - len(begin)
        if room < 1:
            raise BadText(f"expected texts of {len(begin) + 1} tokens or more, BOS among them; found {length}")
        held: list[int] = []
        given = 0
        for text in texts:
            held += encode(self.model.tokenizer, text).ids
            while len(held) >= room:
                if given >= most_tokens:
                    return
                yield torch.tensor([*begin, *held[:room]], device=self.model.device)
                given += room
                del held[:room]

    def segments(self, ids: Tensor) -> Tensor:
        """[n, passages, d_in]: what a dictionary of passages reads in windows [n, length], passages side by side; the
        first, which has no context, is left out."""
        assert isinstance(self.sae, SAE)
        size = int(((self.sae.config.extras or {}).get("undersong") or {}).get("segment_tokens", SEGMENT))
        read, keep = self.read(ids), counted(ids, self.special_ids).to(self.model.device)
        parts = range(size, ids.shape[1] - size + 1, size)
        if not parts:
            raise BadText(f"passages of {size} tokens: expected texts of {2 * size} or more, found {ids.shape[1]}")
        rows = [
            torch.cat(
                [
                    self.sae.pool(row[at : at + size][kept[at : at + size]].sum(0), int(kept[at : at + size].sum()))
                    for at in parts
                ]
            )
            for row, kept in zip(read, keep, strict=True)
        ]
        return torch.stack(rows)

    def text(self, ids: Sequence[int]) -> str:
        return decode(self.model.tokenizer, ids)

    def _at(self, ids: Sequence[int]) -> Tensor:
        return self.read(torch.tensor([list(ids)]))[0]

    @contextmanager
    def _put(self, rebuilt: Tensor) -> Iterator[None]:
        """While active, `rebuilt` stands where the SAE's reconstruction belongs."""
        if all(point.site == "resid_post" for point in self._writes) and len(self._writes) == 1:
            # Nothing before it matters then, and need not be computed.
            layer = self._writes[0].layer
            with skipped(self.model.blocks, range(layer + 1), {layer: rebuilt}):
                yield
            return
        with ExitStack() as stack:
            widths = [self.model.sites.width(point) for point in self._writes]
            for point, part in zip(self._writes, rebuilt.split(widths, dim=-1), strict=True):
                stack.enter_context(self.model.sites.replaced(point, lambda _, part=part: part))
            yield


def _side_by_side(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts), dim=-1)
