"""A chat model of transformers in this process: nothing leaves the machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from jinja2 import TemplateError

from undersong.errors import BadInput, BadText
from undersong.sae.labelling.chat import Message

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class LocalChat:
    """BadInput where the tokenizer has no chat template: that model was not made to answer."""

    def __init__(self, network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str, context: int) -> None:
        if not getattr(tokenizer, "chat_template", None):
            raise BadInput(f"{name}: expected an instruct model with a chat template, found none")
        self._network: Any = network
        self._tokenizer: Any = tokenizer
        self._name, self._context = name, context

    @property
    def name(self) -> str:
        return self._name

    @torch.inference_mode()
    def ask(self, messages: Sequence[Message], max_tokens: int) -> str:
        """Greedy. BadText where prompt and answer do not fit the context."""
        stated = [{"role": message.role, "content": message.content} for message in messages]
        try:
            encoded = self._encoded(stated)
        except TemplateError:
            # Gemma's template, for one, knows no system: what it would say is said by the user.
            whole = "\n\n".join(message.content for message in messages)
            encoded = self._encoded([{"role": "user", "content": whole}])
        ids = encoded["input_ids"].to(self._network.device)
        if ids.shape[1] + max_tokens > self._context:
            raise BadText(f"{self._name}: expected at most {self._context} tokens, found {ids.shape[1]} + {max_tokens}")
        answer = self._network.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=max_tokens,
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            pad_token_id=self._tokenizer.pad_token_id or self._tokenizer.eos_token_id,
        )
        return self._tokenizer.decode(answer[0, ids.shape[1] :], skip_special_tokens=True)

    def _encoded(self, stated: list[dict[str, str]]) -> Any:
        # Models that can think first are told not to: there is no room for it.
        return self._tokenizer.apply_chat_template(
            stated, add_generation_prompt=True, return_tensors="pt", return_dict=True, enable_thinking=False
        )
