"""The stream of activations: all tokens once, shuffled, alike at every hook point, and taken up exactly."""

from __future__ import annotations

from itertools import islice

import pytest
import torch

from tests.sae.training import streams
from tests.sae.training.streams import FIRST, SECOND, TEXTS, stream, tokenize
from undersong.errors import BadInput
from undersong.sae.training.activations import ActivationStream, StoredStream
from undersong.sae.training.texts import Listed


def test_batches_hold_each_token_once_in_another_order_without_bos() -> None:
    texts = TEXTS[:20]
    given = [batch[FIRST] for batch in stream(Listed(texts), batch=15, buffer_tokens=150, rows_at_once=5)]
    assert all(batch.shape == (15, streams.D) for batch in given)
    tokens = [token for text in texts for token in tokenize(text)]
    whole = streams.read(torch.tensor([tokens[: len(given) * 15]]))[FIRST][0]
    found = torch.cat(given)
    # One buffer is 150 tokens: ten rows of 15.
    for begin in range(0, len(found) - 149, 150):
        part, expected = found[begin : begin + 150], whole[begin : begin + 150]
        assert not torch.equal(part, expected)
        assert torch.equal(part.sort(dim=0).values, expected.sort(dim=0).values)


def test_hook_points_are_shuffled_alike() -> None:
    for batch in islice(stream(context=2), 5):
        # Rows of BOS and one token: the second is the mean of both.
        bos = streams.read(torch.tensor([[0]]))[FIRST][0]
        torch.testing.assert_close(batch[SECOND], (batch[FIRST] + bos) / 2)


@pytest.mark.parametrize("at", [1, 5, 6, 7, 20])
def test_a_stream_is_taken_up_exactly(at: int) -> None:
    whole = stream(buffer_tokens=190)
    given = iter(whole)
    for _ in range(at):
        next(given)
    again = stream(buffer_tokens=190)
    again.restore(whole.state())
    for expected, found in zip(islice(given, 12), again, strict=False):
        assert torch.equal(expected[FIRST], found[FIRST]) and torch.equal(expected[SECOND], found[SECOND])


def test_processes_read_different_texts() -> None:
    texts = [chr(97 + i) * 30 for i in range(8)]
    parts = [stream(Listed(texts), context=16, batch=15, buffer_tokens=60, process=i, processes=2) for i in range(2)]
    rows = [torch.cat([batch[FIRST] for batch in part]).unique(dim=0) for part in parts]
    expected = [streams.read(torch.tensor([[ord(c) for c in letters]]))[FIRST][0] for letters in ("aceg", "bdfh")]
    for found, wanted in zip(rows, expected, strict=True):
        assert torch.equal(found, wanted.unique(dim=0))


def test_it_is_said_how_full_a_buffer_is() -> None:
    told: list[tuple[int, int]] = []
    texts = ActivationStream(
        Listed(TEXTS), tokenize, streams.read, stream().plan, lambda held, of: told.append((held, of))
    )
    next(iter(texts))
    assert told == [(0, 200), (45, 200), (90, 200), (135, 200), (180, 200), (200, 200)]


def test_texts_that_end_end_the_stream() -> None:
    assert list(stream(Listed(["short"]))) == []
    assert len(list(stream(Listed(TEXTS[:3]), buffer_tokens=10_000))) > 0


def test_activations_that_are_there_already_come_round_and_round() -> None:
    held = torch.arange(10.0)[:, None]
    batches = [batch[FIRST].flatten().tolist() for batch in islice(StoredStream({FIRST: held}, 5), 4)]
    assert sorted(batches[0] + batches[1]) == list(range(10)) == sorted(batches[2] + batches[3])
    assert batches[0] != batches[2]


@pytest.mark.parametrize("at", [1, 2, 3, 7])
def test_activations_that_are_there_already_are_taken_up_exactly(at: int) -> None:
    held = {FIRST: torch.arange(11.0)[:, None]}
    whole = StoredStream(held, 3)
    given = iter(whole)
    for _ in range(at):
        next(given)
    again = StoredStream(held, 3)
    again.restore(whole.state())
    for expected, found in zip(islice(given, 8), again, strict=False):
        assert torch.equal(expected[FIRST], found[FIRST])


@pytest.mark.parametrize("sizes", [(4, 4), (10, 9)])
def test_too_few_activations_or_unlike_ones_are_refused(sizes: tuple[int, int]) -> None:
    first, second = sizes
    with pytest.raises(BadInput, match="expected at least 5, a batch, as many at each hook point; found"):
        StoredStream({FIRST: torch.zeros(first, 1), SECOND: torch.zeros(second, 1)}, 5)
