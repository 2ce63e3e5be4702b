"""The outline of a draft by itself, with no version before it: every atom is looked at, every window hashed."""

from __future__ import annotations

from collections.abc import Sequence

from undersong.engine.outlines import Outline
from undersong.engine.passages import Atom, Passage
from undersong.engine.windows import Limits, Window, keys


def cut(atoms: Sequence[Atom], limits: Limits) -> tuple[Window, ...]:
    """The windows of a draft, in order; together their bodies hold every atom once."""
    windows: list[Window] = []
    start, size = 0, 0
    for index, atom in enumerate(atoms):
        n_tokens = len(atom.ids)
        full = size + n_tokens > limits.body_max
        at_mark = atom.opens_paragraph and size >= limits.body_min and atom.mark % 2 == 0
        if index > start and (full or at_mark):
            windows.append(Window(_lead(atoms, start, limits.lead_in), start, index))
            start, size = index, 0
        size += n_tokens
    if start < len(atoms):
        windows.append(Window(_lead(atoms, start, limits.lead_in), start, len(atoms)))
    return tuple(windows)


def _lead(atoms: Sequence[Atom], start: int, budget: int) -> int:
    lead = start
    while lead > 0 and len(atoms[lead - 1].ids) <= budget:
        lead -= 1
        budget -= len(atoms[lead].ids)
    return lead


def outline(version: int, passages: tuple[Passage, ...], limits: Limits, fingerprint: bytes) -> Outline:
    atoms: list[Atom] = []
    firsts = [0]
    for passage in passages:
        atoms.extend(passage.atoms)
        firsts.append(len(atoms))
    windows = cut(atoms, limits)
    homes = [number for number, window in enumerate(windows) for _ in range(window.start, window.end)]
    all_keys = [key for window in windows for key in keys(atoms, window, fingerprint)]
    return Outline(version, passages, tuple(atoms), tuple(firsts), windows, tuple(homes), tuple(all_keys))


def pending(outline: Outline, sent: Sequence[bytes | None]) -> tuple[int, ...]:
    """The paragraphs of which something else was sent, or nothing."""
    return tuple(p for p, key in enumerate(sent) if key is None or key != outline.paragraph_key(p))
