"""Which text the model sees before each sentence. Plain Python: no tensor is touched here.

A draft is a row of atoms (sentences, as token ids). It is cut into windows; the model reads each window by itself:
`BOS + lead-in + body`, where the lead-in repeats the last sentences before the body so that no sentence is read
without context. Every atom belongs to the body of exactly one window.

Cuts depend on the text near them, not on the distance from the start (content-defined chunking, as in rsync and
LBFS): past a minimum length, a body ends before a paragraph whose hash has a low bit of zero; at the maximum it ends
anyway. After an edit the cuts fall back into step within a few windows, so what an edit costs does not grow with
the draft, and the windows are the same however the draft came to be (typed, pasted, opened).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from undersong.engine.passages import Atom


@dataclass(frozen=True, slots=True)
class Limits:
    """In tokens. `lead_in + body_max + 1` is the longest window."""

    lead_in: int
    body_min: int
    body_max: int

    @staticmethod
    def of_context(context: int) -> Limits:
        """Three quarters of the context for reading, so that a suggestion fits behind it; 1,024 tokens at most."""
        window = min(context * 3 // 4, 1024)
        return Limits(lead_in=window // 4, body_min=window * 3 // 8, body_max=window - window // 4 - 1)


@dataclass(frozen=True, slots=True)
class Window:
    """Atoms `start:end` are its body; atoms `lead:start` its lead-in (indices into the draft's row of atoms)."""

    lead: int
    start: int
    end: int


def window_from(atoms: Sequence[Atom], start: int, limits: Limits) -> Window:
    """The window whose body begins at `start`. Where it ends rests on the atoms from `start` to its end alone."""
    return Window(_lead(atoms, start, limits.lead_in), start, body_end(atoms, start, limits))


def body_end(atoms: Sequence[Atom], start: int, limits: Limits) -> int:
    size = 0
    for index in range(start, len(atoms)):
        atom = atoms[index]
        n_tokens = len(atom.ids)
        full = size + n_tokens > limits.body_max
        at_mark = atom.opens_paragraph and size >= limits.body_min and atom.mark % 2 == 0
        if index > start and (full or at_mark):
            return index
        size += n_tokens
    return len(atoms)


def _lead(atoms: Sequence[Atom], start: int, budget: int) -> int:
    """The first atom of the lead-in: as many whole atoms before `start` as fit the budget."""
    lead = start
    while lead > 0 and len(atoms[lead - 1].ids) <= budget:
        lead -= 1
        budget -= len(atoms[lead].ids)
    return lead


def keys(atoms: Sequence[Atom], window: Window, fingerprint: bytes) -> tuple[bytes, ...]:
    """For each body atom the hash of all that the model saw up to its end: equal keys mean equal readings."""
    digest = blake2b(fingerprint, digest_size=16)
    for atom in atoms[window.lead : window.start]:
        digest.update(atom.digest)
    found: list[bytes] = []
    for atom in atoms[window.start : window.end]:
        digest.update(atom.digest)
        found.append(digest.copy().digest())
    return tuple(found)
