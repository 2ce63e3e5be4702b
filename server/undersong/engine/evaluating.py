"""Everything that `undersong sae evaluate` measures of one SAE on one model."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from undersong.engine.spelling import EXAMPLES, residuals_of_words, single_token_words
from undersong.engine.subject import ModelSubject
from undersong.errors import BadText
from undersong.model.language_model import LanguageModel
from undersong.sae.base import SAE
from undersong.sae.evaluation.absorption import FEWEST_WORDS, LETTERS, Absorption, absorption
from undersong.sae.evaluation.joined import Dictionary, places_of
from undersong.sae.evaluation.measure import Measured, measure, measure_inputs
from undersong.sae.evaluation.probing import KS, Probe, Task, probe
from undersong.sae.evaluation.record import Evaluation

Progress = Callable[[str, int, int], None]
"""(what is being done, how much of it is done, of how much)"""


@dataclass(frozen=True, slots=True)
class Plan:
    """`tokens`: about this many are read; `context`: tokens a text; `batch`: texts at once.

    `words`: how many are asked about for absorption, 0 for none.
    """

    tokens: int = 50_000
    context: int = 128
    batch: int = 8
    ks: tuple[int, ...] = KS
    words: int = 0


def evaluate(
    model: LanguageModel,
    sae: Dictionary,
    name: str,
    texts: Iterable[str],
    tasks: Sequence[Task] = (),
    plan: Plan | None = None,
    progress: Progress = lambda what, done, of: None,
) -> Evaluation:
    """BadText where the texts do not fill a single window; WeightsFormat if the SAE does not fit the model."""
    plan = plan or Plan()
    subject = ModelSubject(model, sae)
    context = min(plan.context, model.context)
    measured = _measured(subject, texts, context, plan, progress)
    notes: list[str] = []
    probes: list[Probe] = []
    read: tuple[tuple[str, ...], tuple[Tensor, Tensor]] | None = None
    for number, task in enumerate(tasks):
        progress("probing", number, len(tasks))
        # Tasks of one file have the same texts, told apart by other labels.
        if read is None or read[0] != task.texts:
            read = task.texts, subject.means(task.texts)
        try:
            probes += probe(task, *read[1], plan.ks)
        except BadText as error:
            notes.append(error.message)
    found = None
    if plan.words:
        progress("absorption", 0, 1)
        found = _absorption(subject, plan.words, notes)
    return Evaluation(name, sae.config, model.name, context, measured, tuple(probes), found, (), tuple(notes))


def _measured(subject: ModelSubject, texts: Iterable[str], context: int, plan: Plan, progress: Progress) -> Measured:
    rows = subject.windows(texts, context, plan.tokens)
    first = next(rows, None)
    if first is None:
        raise BadText(f"evaluate: expected text of at least {context} tokens, found less")
    of = -(-plan.tokens // (context * plan.batch))
    batches = _counted(_batched(itertools.chain([first], rows), plan.batch), of, progress)
    if isinstance(subject.sae, SAE) and subject.sae.grain == "passage":
        return measure_inputs(subject.sae, (subject.segments(ids) for ids in batches))
    return measure(subject.sae, subject, batches)


def _absorption(subject: ModelSubject, most: int, notes: list[str]) -> Absorption | None:
    sae = subject.sae
    reads, writes = places_of(sae)
    if not isinstance(sae, SAE) or sae.grain != "token" or reads != writes:
        notes.append("absorption: expected an SAE that rebuilds the tokens it reads; it was left out")
        return None
    words = single_token_words(subject, most)
    if len(words) < FEWEST_WORDS * len(LETTERS) + EXAMPLES:
        notes.append(f"absorption: expected more words of one token than {len(words)}; it was left out")
        return None
    # The words of the prompt are not asked about.
    asked = words[EXAMPLES:]
    residuals = residuals_of_words(subject, words)[EXAMPLES:]
    return absorption(sae, asked, residuals, torch.arange(len(asked)) % 3 == 0)


def _batched(rows: Iterable[Tensor], size: int) -> Iterator[Tensor]:
    held: list[Tensor] = []
    for row in rows:
        held.append(row)
        if len(held) == size:
            yield torch.stack(held)
            held = []
    if held:
        yield torch.stack(held)


def _counted(batches: Iterable[Tensor], of: int, progress: Progress) -> Iterator[Tensor]:
    for number, batch in enumerate(batches):
        progress("reading", min(number, of), of)
        yield batch
    progress("reading", of, of)
