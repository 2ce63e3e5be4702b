from __future__ import annotations

import torch

from tests.sae.labelling.texts import codes, firings, written
from undersong.sae.labelling.passages import Firings, Passage, held_out


def test_firings_are_those_of_the_codes() -> None:
    found, passages = firings(30), written(30)
    dense = torch.cat([codes(each) for each in passages])
    for feature in range(4):
        places, values = found.of(feature)
        row = torch.zeros(found.n_spans).scatter(0, places, values)
        assert torch.equal(row, dense[:, feature])
        assert found.frequency(feature) == float((dense[:, feature] > 0).double().mean())
        assert found.maximum(feature) == float(dense[:, feature].max())
    numbers, strengths = found.by_passage(0)
    assert numbers.tolist() == list(range(0, 30, 3))
    assert strengths.tolist() == [float(codes(passages[n])[:, 0].max()) for n in numbers.tolist()]
    assert found.example(4, 1).values == tuple(codes(passages[4])[:, 1].tolist())


def test_halves_do_not_mix_and_silence_is_silent() -> None:
    found = firings()
    of = {id(each): number for number, each in enumerate(found.passages)}
    for held in (False, True):
        for chosen in (found.strongest(0, 9, held), found.ranged(0, 9, held), found.silent(0, 9, held)):
            assert len(chosen) == 9 and len({id(each.passage) for each in chosen}) == 9
            assert all(held_out(of[id(each.passage)]) == held for each in chosen)
        assert all(each.strength == 0 for each in found.silent(0, 9, held))
        assert all(each.strength > 0 for each in found.ranged(0, 9, held))


def test_the_strongest_come_first_from_different_sources() -> None:
    chosen = firings().strongest(0, 5, held=False)
    strengths = [each.strength for each in chosen]
    assert strengths == sorted(strengths, reverse=True)
    assert len({each.passage.source for each in chosen}) == 5
    assert chosen[0].passage.text[slice(*chosen[0].peak)] == " sea"


def test_all_ranges_of_strength_are_asked_about_and_the_same_again() -> None:
    found = firings()
    assert len({round(each.strength, 3) for each in found.ranged(0, 20, held=True)}) >= 6
    assert found.ranged(0, 20, True) == firings().ranged(0, 20, True)


def test_a_feature_that_never_fires_has_nothing() -> None:
    found = firings()
    assert found.strongest(3, 5, False) == [] and found.ranged(3, 5, True) == [] and found.maximum(3) == 0
    assert len(found.silent(3, 5, False)) == 5
    empty = Firings(2, [])
    assert empty.strongest(0, 3, False) == [] and empty.silent(0, 3, True) == [] and empty.frequency(1) == 0


def test_of_the_passage_grain_the_passage_is_the_span() -> None:
    passages = [Passage(f"passage {n}", ((0, 9),), "book") for n in range(20)]
    found = Firings(2, ((each, torch.tensor([[float(n), 0.0]])) for n, each in enumerate(passages)))
    strongest = found.strongest(0, 2, held=False)
    assert [each.strength for each in strongest] == [19, 18] and strongest[0].peak == (0, 9)
