"""Windows are the same however a draft came to be, and an edit moves only those near it."""

from __future__ import annotations

from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from tests.engine.slow_outlines import cut
from undersong.engine.passages import Atom
from undersong.engine.windows import Limits, keys
from undersong.text.span import Span

LIMITS = Limits(lead_in=30, body_min=40, body_max=100)


def atom(name: str, n_tokens: int, opens: bool) -> Atom:
    digest = blake2b(f"{name}{n_tokens}".encode(), digest_size=16).digest()
    return Atom(Span(0, 1), tuple(range(n_tokens)), (), opens, digest[0], digest)


def draft(sizes: list[int], name: str = "a") -> list[Atom]:
    return [atom(f"{name}{n}", size, n % 3 == 0) for n, size in enumerate(sizes)]


sizes = st.lists(st.integers(1, 100), min_size=1, max_size=80)


@given(sizes)
def test_every_atom_is_in_one_body_and_no_window_is_too_long(counts):
    atoms = draft(counts)
    windows = cut(atoms, LIMITS)
    assert [a for w in windows for a in range(w.start, w.end)] == list(range(len(atoms)))
    for window in windows:
        body = sum(len(a.ids) for a in atoms[window.start : window.end])
        lead = sum(len(a.ids) for a in atoms[window.lead : window.start])
        assert body <= LIMITS.body_max and lead <= LIMITS.lead_in


@given(sizes, st.integers(0, 79), st.integers(1, 100))
def test_keys_change_only_where_the_model_sees_another_text(counts, at, size):
    before = draft(counts)
    at %= len(counts)
    after = [*before[:at], atom("changed", size, before[at].opens_paragraph), *before[at + 1 :]]
    seen = [_seen(atoms) for atoms in (before, after)]
    for number in range(len(counts)):
        same_text = seen[0][number][0] == seen[1][number][0]
        assert (seen[0][number][1] == seen[1][number][1]) == same_text


def test_an_edit_in_a_long_draft_moves_few_windows():
    before = draft([20] * 1500)
    for at in range(30, 1470, 97):
        after = [*before[:at], atom("grown", 37, before[at].opens_paragraph), *before[at + 1 :]]
        old, new = ({key for _, key in _seen(atoms)} for atoms in (before, after))
        assert len(new - old) < 40


def _seen(atoms: list[Atom]) -> list[tuple[tuple[bytes, ...], bytes]]:
    """For each atom: the digests of all that the model sees up to its end, and its key."""
    found = []
    for window in cut(atoms, LIMITS):
        for number, key in enumerate(keys(atoms, window, b"model")):
            found.append((tuple(a.digest for a in atoms[window.lead : window.start + number + 1]), key))
    return found
