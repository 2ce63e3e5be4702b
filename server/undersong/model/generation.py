"""Writing: one token a row and step, so that whoever drives it can stop between any two."""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence

import torch
from torch import Tensor

from undersong.model.interventions import Intervention, Steering
from undersong.model.kv_cache import WindowCache
from undersong.model.language_model import LanguageModel
from undersong.model.sampling import Sampler, banned_bias, choose
from undersong.model.steps import Asked, Begin, Wanted, after_window, alone


class Generation:
    """Candidates written as one batch. Iterate (or `advance`): each step gives the rows' new ids, None for a row that
    is finished.

    Every position fed is steered: the last one of the prompt (`last_ids`), then what was written. `begin` is after the
    clean prompt before that one. It ends when all rows are finished, after `max_tokens`, or at the end
    of the context; an end-of-text token does not end a row by itself (`finish` it, or ban the token).

    `banned` ids are never chosen; `bias` [vocab] is added to the logits before choosing. `logprobs` are those of the
    (steered) model itself, without bias, ban, temperature or top-p.

    Hooks stand only during a step: other work may run on the same model between steps.
    """

    def __init__(
        self,
        model: LanguageModel,
        begin: Begin,
        last_ids: int | Sequence[int],
        samplers: Sequence[Sampler],
        *,
        max_tokens: int,
        interventions: Sequence[Intervention] = (),
        max_fraction: float | None = 1.0,
        banned: Collection[int] = (),
        bias: Tensor | None = None,
    ) -> None:
        self.rows = len(samplers)
        self.ids: list[list[int]] = [[] for _ in samplers]
        self.logprobs: list[list[float]] = [[] for _ in samplers]
        self._model = model
        self._samplers = list(samplers)
        self._next = [last_ids] * self.rows if isinstance(last_ids, int) else list(last_ids)
        if len(self._next) != self.rows:
            raise ValueError(f"last_ids: expected {self.rows}, found {len(self._next)}")
        self._running = [True] * self.rows
        self._steering = Steering(model, interventions, max_fraction)
        self._steps = begin(self._steering)
        self._left = max(0, min(max_tokens, model.context - self._steps.length))
        self._gates = tuple(dict.fromkeys(each.gate for each in interventions if each.gate is not None))
        self._bias = banned_bias(model, banned, bias)

    @property
    def done(self) -> bool:
        return self._left == 0 or not any(self._running)

    def finish(self, row: int) -> None:
        """Write no more in this row; what it has stays."""
        self._running[row] = False

    def __iter__(self) -> Generation:
        return self

    def __next__(self) -> list[int | None]:
        step = alone(self.advance())
        if step is None:
            raise StopIteration
        return step

    @torch.inference_mode()
    def advance(self) -> Generator[Wanted, None, list[int | None] | None]:
        """The next step as a generator: yields what may be taken together with the steps of others (steps.Wanted),
        returns what iterating gives, or None at the end."""
        if self.done:
            return None
        logits = yield from self._logits()
        self._left -= 1
        running = [row for row in range(self.rows) if self._running[row]]
        if len(running) < self.rows:
            logits = logits[running]
        biased = logits if self._bias is None else logits + self._bias
        chosen = choose(self._allowed(biased, running), [self._samplers[row] for row in running])
        logprobs = logits.log_softmax(dim=-1)[range(len(chosen)), chosen].tolist()
        step: list[int | None] = [None] * self.rows
        for row, token, logprob in zip(running, chosen, logprobs, strict=True):
            # A finished row feeds its last token again and again: the batch keeps its shape.
            self._next[row] = token
            self.ids[row].append(token)
            self.logprobs[row].append(logprob)
            step[row] = token
        for gate in self._gates:
            gate.advance(step)
        return step

    def _logits(self) -> Asked:
        """[rows, vocab] float32 of the next token, steered."""
        return self._steps.asked(self._next)

    def _allowed(self, logits: Tensor, running: Sequence[int]) -> Tensor:
        """`logits` [running, vocab] with -inf at what those rows may not choose now."""
        return logits


def generate(
    model: LanguageModel,
    window: WindowCache,
    n: int,
    samplers: Sequence[Sampler],
    *,
    max_tokens: int,
    interventions: Sequence[Intervention] = (),
    max_fraction: float | None = 1.0,
    banned: Collection[int] = (),
    bias: Tensor | None = None,
) -> Generation:
    """A Generation after the first `n` >= 1 tokens of `window`, one row a sampler; the window stays as it is.

    The fork ends before token n - 1, which is fed again under steering: its output is the first token written.
    """
    if not 1 <= n <= window.length:
        raise ValueError(f"generate: expected 1 to {window.length} tokens to write after, found {n}")
    return Generation(
        model,
        after_window(model, window, n - 1, len(samplers)),
        window.ids[n - 1],
        samplers,
        max_tokens=max_tokens,
        interventions=interventions,
        max_fraction=max_fraction,
        banned=banned,
        bias=bias,
    )
