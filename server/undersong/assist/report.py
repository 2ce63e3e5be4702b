"""What a paragraph, or the draft, carries: Markdown reports to read beside the text."""

from __future__ import annotations

from undersong import wire
from undersong.assist.cells import fitted
from undersong.assist.draft import NOT_SHOWN, Draft
from undersong.assist.draft_map import foremost
from undersong.assist.hover import STALE
from undersong.assist.phrases import bar, evidence, line, markdown, percent, remarks
from undersong.assist.readings import Held
from undersong.assist.receipts import receipt_markdown
from undersong.assist.salience import Background, Salient, chosen, salient

PARAGRAPH_FEATURES = 12
SENTENCE_FEATURES = 3
DRAFT_FEATURES = 12
QUOTE = 60
NOT_READ = "It has not been read yet."
WRITTEN = "Undersong wrote in it last. Measured when it did:"
NOTHING = "Nothing in it stands out."


def paragraph_report(draft: Draft, index: int, receipt: wire.Receipt | None = None) -> str:
    """Its features with what they rest on and how the rest of the draft stands, then sentence by sentence.

    `receipt`: of the suggestion that wrote it.
    """
    prose = draft.paragraph(index).prose
    held = draft.readings.at(index)
    blocks = ["# What this paragraph carries", f"> {_quoted(prose)}"]
    if receipt is not None:
        blocks.append(f"{WRITTEN}\n\n{receipt_markdown(receipt)}")
    if held is None:
        return "\n\n".join([*blocks, NOT_READ])
    if not held.fresh:
        blocks.append(STALE)
    background = Background.of(draft.readings)
    features = salient(draft, index, PARAGRAPH_FEATURES, background)
    blocks.append(_table(draft, prose, held, features, background) if features else NOTHING)
    blocks += _sentences(draft, prose, held, background)
    return "\n\n".join(blocks)


def draft_report(draft: Draft) -> str:
    """What the draft as a whole carries, then the foremost features of each paragraph."""
    background = Background.of(draft.readings)
    of_all = len(draft.readings.said)
    blocks = ["# What this draft carries", f"Read: {background.paragraphs} of {of_all} paragraphs."]
    foremost = _foremost(draft, background)
    if foremost:
        blocks.append("\n".join(foremost))
    paragraphs = [_paragraph_line(draft, index, background) for index in range(of_all)]
    if paragraphs:
        blocks += ["## Paragraph by paragraph", "\n".join(line for line in paragraphs if line)]
    return "\n\n".join(blocks)


def _table(draft: Draft, prose: str, held: Held, features: tuple[Salient, ...], background: Background) -> str:
    rest = background.without(held.reading.features)
    rows = ["| feature | | more than in | rest of the draft | strongest at | |", "|---|---|---|---|---|---|"]
    for one in features:
        reading = one.reading
        elsewhere = percent(1 - 10 ** -rest.surprise(reading.feature)) if rest.paragraphs else ""
        cells = [
            f"**{markdown(reading.name)}**",
            bar(reading.presence),
            percent(reading.presence),
            elsewhere,
            markdown(evidence(prose, reading)),
            " · ".join(remarks(reading, draft.settings)),
        ]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _sentences(draft: Draft, prose: str, held: Held, background: Background) -> list[str]:
    rest = background.without(held.reading.features)
    blocks: list[str] = []
    for sentence in held.reading.sentences:
        features = chosen(sentence.features, draft.settings, SENTENCE_FEATURES, rest)
        if features:
            listed = "\n".join(line(one.reading, prose, draft.settings) for one in features)
            blocks.append(f"> {_quoted(prose[sentence.start : sentence.end])}\n\n{listed}")
    return ["## Sentence by sentence", *blocks] if blocks else []


def _foremost(draft: Draft, background: Background) -> list[str]:
    """The features that add up to most over the draft, each with the paragraph where it is strongest."""
    return [
        f"- **{markdown(one.name)}**: {percent(_typical(background, one.feature))} on the whole, "
        f"{percent(one.strongest)} in “{_quoted(draft.paragraph(one.paragraph).prose)}”"
        for one in foremost(draft)[:DRAFT_FEATURES]
    ]


def _typical(background: Background, feature: str) -> float:
    """The presence that the mean surprise over all paragraphs stands for."""
    return 1 - 10 ** -background.mean(feature)


def _paragraph_line(draft: Draft, index: int, background: Background) -> str:
    paragraph = draft.paragraph(index)
    if paragraph.kind in NOT_SHOWN:
        return f"\n### {markdown(fitted(paragraph.prose, QUOTE))}\n"
    features = salient(draft, index, draft.settings.hints.per_paragraph, background)
    if not features:
        return ""
    named = " · ".join(f"{markdown(one.reading.name)} {bar(one.reading.presence)}" for one in features)
    return f"- “{_quoted(paragraph.prose)}” {named}"


def _quoted(prose: str) -> str:
    return markdown(fitted(" ".join(prose.split()), QUOTE))
