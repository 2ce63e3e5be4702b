"""Feature sensitivity on a model: a language model writes passages like a feature's strongest, the SAE reads them."""

from __future__ import annotations

import random
from collections.abc import Callable

from undersong.engine.subject import ModelSubject
from undersong.sae.evaluation.sensitivity import SHOWN, Sensitivity, sensitivity
from undersong.sae.labelling.chat import Chat
from undersong.sae.labelling.explaining import marked
from undersong.sae.labelling.passages import Firings, held_out
from undersong.sae.labelling.similar import similar

OTHERS = 20
FEWEST = 4
ASKED_AT_MOST = 3
"""Features asked about for each that is wanted: a writer that writes nothing is not asked about all."""


def sensitivities(
    subject: ModelSubject,
    firings: Firings,
    chat: Chat,
    count: int,
    seed: int = 0,
    progress: Callable[[str, int, int], None] = lambda what, done, of: None,
) -> list[Sensitivity]:
    """Of `count` features drawn by `seed` from those that are active in enough passages to show; fewer where the writer
    writes nothing for most."""
    order = list(range(firings.d_sae))
    shuffler = random.Random(seed)
    shuffler.shuffle(order)
    # Whatever they are about: passages chosen to be silent would say that chance gives nothing.
    pool = [passage.text for number, passage in enumerate(firings.passages) if held_out(number)]
    others = shuffler.sample(pool, min(OTHERS, len(pool)))
    found: list[Sensitivity] = []
    asked = 0
    for feature in order:
        strongest = firings.strongest(feature, SHOWN, held=False)
        if len(strongest) < FEWEST:
            continue
        if len(found) >= count or asked >= ASKED_AT_MOST * count:
            break
        asked += 1
        progress("sensitivity", len(found), count)
        # What is new is compared with the passages as they are; what is shown has marks.
        plain = [" ".join(each.passage.text.split()) for each in strongest]
        shown = [
            marked(each) if len(each.passage.spans) > 1 else text for each, text in zip(strongest, plain, strict=True)
        ]
        own = sensitivity(feature, plain, others, lambda _, n, shown=shown: similar(chat, shown, n), subject.strongest)
        if own is not None:
            found.append(own)
    progress("sensitivity", count, count)
    return found
