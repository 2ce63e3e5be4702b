"""The report as text: what a parser and a reader of its source can tell, for no browser runs here.

Looked at: that elements close, that nothing is linked, imported or run, that a policy forbids a browser to fetch
anything or to run a script, that what users named is escaped, and that each plot's numbers stand in a table. Not looked
at: how it is laid out.
"""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest
import torch

from tests.sae.evaluation.toys import Table, toy_ids, toy_sae
from undersong.sae.evaluation.absorption import Absorption, LetterAbsorption
from undersong.sae.evaluation.measure import measure, measure_inputs
from undersong.sae.evaluation.plots import Point, binned, front
from undersong.sae.evaluation.probing import Probe
from undersong.sae.evaluation.record import Evaluation, as_json, feature_tensors
from undersong.sae.evaluation.report import html
from undersong.sae.evaluation.sensitivity import Sensitivity

VOID = {"meta", "rect", "circle", "line", "polyline"}


class Balanced(HTMLParser):
    """Which elements there are; fails where one is closed that was not open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.links: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag, attrs) -> None:
        self.seen.append(tag)
        self.names |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name in ("src", "href") and value]
        if tag not in VOID or tag in ("rect", "circle"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.handle_starttag(tag, attrs)
        if tag in ("rect", "circle"):
            self.handle_endtag(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag


def evaluation(name: str, **more) -> Evaluation:
    sae = toy_sae("topk")
    return Evaluation(name, sae.config, "tiny <model>", 20, measure(sae, Table(), [toy_ids()]), **more)


def full() -> Evaluation:
    letter = LetterAbsorption("a", 0.9, 0.8, (3, 5), 0.1, 0.2, 40)
    return evaluation(
        "b & c",
        probes=(Probe("from <x>", "features", 1, 0.8, 0.7, 0.9, 0.5, (3,)), Probe("t", "residual", None, 1, 1, 1, 0.5)),
        absorption=Absorption(0.9, 1, (letter,)),
        sensitivities=(Sensitivity(3, 0.5, 0.1, 8),),
        notes=("absorption: <left out>",),
    )


def test_the_page_is_whole_and_fetches_nothing() -> None:
    page = html([evaluation("a"), full()])
    reader = Balanced()
    reader.feed(page)
    assert reader.open == [] and reader.links == []
    # No address, no import, and a policy that forbids all that might be forgotten; it stands before all it governs.
    assert "://" not in page and "@import" not in page and "url(" not in page
    policy = """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">"""
    assert page.count(policy) == 1 and page.index(policy) < page.index("<style>")
    assert not [name for name in reader.names if name.startswith("on") or name in ("style", "srcset", "action")]
    assert reader.seen.count("svg") == 1 + 2 * 3 and "script" not in reader.seen
    for expected in (
        "tiny &lt;model&gt;",
        "b &amp; c",
        "from &lt;x&gt;",
        "Absorption",
        "Sensitivity",
        "Sparser or truer",
    ):
        assert expected in page


def test_what_scrolls_and_what_is_drawn_is_there_for_the_keyboard_too() -> None:
    reader = Balanced()
    page = html([evaluation("a"), full()])
    reader.feed(page)
    assert page.count('class="wide" tabindex="0" role="region" aria-label="') == reader.seen.count("table")
    assert reader.seen.count("details") == 2 * 3
    assert 'scope="row">b &amp; c' in page and "prefers-color-scheme: dark" in page


@pytest.mark.parametrize(("known", "measured"), [(19, False), (20, True)])
def test_a_model_that_cannot_spell_is_said_so(known: int, measured: bool) -> None:
    letters = tuple(LetterAbsorption("a", 0.9, 0.8, (3,), 0.1, 0.2, 40) for _ in range(known))
    found = Absorption(0.3, 26, letters)
    assert found.measured == measured
    page, stated = html([evaluation("a", absorption=found)]), as_json(evaluation("a", absorption=found))["absorption"]
    assert ("probes know 19 of 26 first letters" in page) != measured
    assert stated["mean_absorption_fraction"] == (pytest.approx(0.2) if measured else None)


def test_the_front_is_of_those_that_no_other_beats() -> None:
    points = [Point(20, 0.9, "a"), Point(10, 0.8, "b"), Point(30, 0.85, "beaten"), Point(10, 0.7, "beaten")]
    assert [point.label for point in front(points)] == ["b", "a"]


def test_every_finite_value_is_in_a_bin() -> None:
    bins = binned([-9.0, 0.0, 0.05, 0.95, 1.0, 7.0, float("nan"), float("inf")], 0.0, 1.0, 10)
    assert [each.count for each in bins] == [3, 0, 0, 0, 0, 0, 0, 0, 0, 3]
    assert (bins[3].low, bins[3].high) == (pytest.approx(0.3), pytest.approx(0.4))


def test_the_json_is_strict_and_says_all() -> None:
    found = as_json(full())
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["fidelity"]["l0"]["value"] > 0 and found["behaviour"]["ce_loss_score"]["error"] > 0
    assert found["probes"][1]["k"] is None and found["absorption"]["letters"][0]["features"] == [3, 5]
    assert found["dense"].keys() == {"above_0.01", "above_0.1"} and found["sae"]["d_sae"] == 24


def test_figures_that_cannot_be_told_are_null() -> None:
    sae = toy_sae("topk")
    measured = measure_inputs(sae, [torch.randn(1, 5, 16, generator=torch.Generator().manual_seed(0))])
    found = as_json(Evaluation("p", sae.config, "m", 20, measured))
    assert found["behaviour"] is None and found["fidelity"]["l0"]["error"] is None
    assert "CE score" in html([Evaluation("p", sae.config, "m", 20, measured)])


def test_features_are_kept_as_tensors() -> None:
    found = feature_tensors(full())
    assert set(found) == {"density", "consistency", "maximum", "cosine"}
    assert all(tensor.shape == (24,) for tensor in found.values())
