"""A model that explains a feature of its own: see undersong.sae.labelling.self_explanation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from undersong.errors import BadInput
from undersong.hook_points import HookPoint
from undersong.model.language_model import LanguageModel
from undersong.model.tokens import decode, encode
from undersong.sae.base import SAE
from undersong.sae.labelling.self_explanation import ANSWER, PLACEHOLDER, QUESTION, Tried

LAYER = 2
"""The block after which the direction is put, or a quarter of the way up where that is lower: early, so that most of
the model can work with it."""


class ModelSpeaker:
    """A Speaker. BadInput for an SAE that does not rebuild the residual stream."""

    def __init__(self, model: LanguageModel, sae: SAE) -> None:
        if sae.d_out != model.d_model or sae.config.point_out.site != "resid_post":
            raise BadInput(f"self-explanation: expected an SAE of the residual stream, found {sae.hook_name}")
        self._model, self._sae = model, sae
        self._layer = min(LAYER, model.n_layers // 4)
        # The first block after it sees the direction normalised, alike at every scale; others see it through that one.
        self._read_at = HookPoint(min(max(sae.config.point_out.layer, self._layer + 2), model.n_layers - 1))
        self._ids, self._at = self._prompt()
        with model.sites.captured([HookPoint(self._layer)]) as found, torch.inference_mode():
            model.network(input_ids=model.tensor([self._ids]), use_cache=False)
        self._length = float(found[HookPoint(self._layer)][0, 1:].float().norm(dim=-1).mean())

    @torch.inference_mode()
    def tried(self, feature: int, scale: float) -> Tried:
        direction = self._direction(feature)
        with self._put(direction, scale), self._model.sites.captured([self._read_at]) as found:
            logits = self._model.network(input_ids=self._model.tensor([self._ids]), use_cache=False).logits
        spoken = logits[0, -1].float().log_softmax(-1)
        similarity = torch.cosine_similarity(found[self._read_at][0, -1].float(), direction, dim=0)
        return Tried(scale, float(-(spoken.exp() * spoken).sum()), float(similarity))

    @torch.inference_mode()
    def written(self, feature: int, scale: float, max_tokens: int) -> str:
        """Greedy, the prompt read again for each token: short answers only."""
        written: list[int] = []
        with self._put(self._direction(feature), scale):
            while len(written) < min(max_tokens, self._model.context - len(self._ids)):
                ids = self._model.tensor([[*self._ids, *written]])
                token = int(self._model.network(input_ids=ids, use_cache=False).logits[0, -1].argmax())
                if token in self._model.eos_ids:
                    break
                written.append(token)
        return decode(self._model.tokenizer, written)

    def _direction(self, feature: int) -> Tensor:
        return torch.nn.functional.normalize(self._sae.directions([feature])[0].float(), dim=0)

    def _prompt(self) -> tuple[list[int], list[int]]:
        """(the prompt's tokens, those of them that are the placeholder)."""
        tokenizer: Any = self._model.tokenizer
        if getattr(tokenizer, "chat_template", None):
            text = tokenizer.apply_chat_template(
                [{"role": "user", "content": QUESTION}], add_generation_prompt=True, tokenize=False
            )
            found = tokenizer(text + ANSWER, add_special_tokens=False, return_offsets_mapping=True)
            text, ids, spans = (
                text + ANSWER,
                list(found["input_ids"]),
                [tuple(span) for span in found["offset_mapping"]],
            )
        else:
            text = f"{QUESTION}\n{ANSWER}"
            tokens = encode(tokenizer, text)
            begin = [] if self._model.bos_id is None else [self._model.bos_id]
            ids, spans = [*begin, *tokens.ids], [*[(0, 0)] * len(begin), *((s.start, s.end) for s in tokens.spans)]
        places = [n for n, (start, end) in enumerate(spans) if f'"{PLACEHOLDER}"' in text[max(0, start - 1) : end + 1]]
        at = [n for n in places if PLACEHOLDER in text[spans[n][0] : spans[n][1]]]
        if not at:
            raise BadInput(f"self-explanation: expected a token with {PLACEHOLDER} in the prompt, found none")
        return ids, at

    @contextmanager
    def _put(self, direction: Tensor, scale: float) -> Iterator[None]:
        """While active, the direction stands at the placeholder's tokens after the block of `self._layer`."""
        vector = (direction * scale * self._length).to(self._model.device, self._model.dtype)

        def put(stream: Tensor) -> Tensor:
            changed = stream.clone()
            changed[:, self._at] = vector
            return changed

        with self._model.sites.replaced(HookPoint(self._layer), put):
            yield
