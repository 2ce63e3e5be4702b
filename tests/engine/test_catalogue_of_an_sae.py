"""Which features are shown where a catalogue names some of them."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from tests.engine.test_loading import loaded, own
from undersong.engine.loading import load
from undersong.errors import WeightsFormat
from undersong.sae.labelling.labels import Label, write_labels

__all__ = ["own"]


def label(feature: int, name: str | None, detection: float | None = None) -> Label:
    return Label(feature, name, "", "by hand", detection=detection)


@pytest.mark.parametrize(
    ("labels", "hidden"),
    [
        ([], set()),
        ([label(3, "sea"), label(4, None), label(5, "fog", 0.5)], {4, 5}),
        ([label(0, None)], {0}),
        ([label(3, "sea"), *(label(n, None) for n in range(64) if n != 3)], set(range(64)) - {3}),
    ],
)
def test_what_nobody_tried_to_name_is_shown_by_id(own, labels, hidden):
    write_labels(own.saes["1"] / "catalogue.sqlite", labels, "1")
    tensors = {"frequency": torch.zeros(64), "max": torch.ones(64), "presence_quantiles": torch.zeros(64, 1)}
    save_file(tensors, own.saes["1"] / "reference.safetensors", metadata={"levels": "[0.5]"})
    found = loaded(own, "1")
    assert set((~found.dictionaries["1"].shown).nonzero()[:, 0].tolist()) == hidden
    assert (found.name("1.3"), found.name("1.6")) == ("sea" if len(labels) > 1 else "1.3", "1.6")


def test_of_the_default_weights_only_what_has_a_name_is_shown():
    (*_, last) = load(None, (), "cpu", lambda *said: None)
    shown = {
        f"{name}.{index}" for name, own in last.dictionaries.items() for index in own.shown.nonzero()[:, 0].tolist()
    }
    assert shown and shown <= set(last.names)


def test_a_catalogue_of_a_wider_sae_is_refused(own):
    write_labels(own.saes["1"] / "catalogue.sqlite", [label(64, None)], "1")
    with pytest.raises(WeightsFormat, match=r"expected a catalogue of its 64 features, found one with 1\.64"):
        loaded(own, "1")
