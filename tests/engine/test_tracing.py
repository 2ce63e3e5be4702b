"""Why this word, of a draft: what is told and in which order, what is kept, and that a draft is left as it was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Generator
from dataclasses import asdict, replace
from typing import Any

import httpx2
import pytest

from tests.engine.conftest import Bench, play, update
from tests.engine.test_writing import request as to_write
from tests.support.graphs import connected
from undersong.circuit_graph import CircuitGraph
from undersong.circuits.trace import Trace
from undersong.client.endpoint import EngineChoice
from undersong.engine import kept_traces, tracing
from undersong.engine.app import create_app
from undersong.engine.drafts import Draft
from undersong.engine.loading import Loaded, load
from undersong.engine.passages import PassageReader
from undersong.engine.scheduler import Rank, Scheduler
from undersong.engine.tracing import Tracer
from undersong.errors import BadInput, BadText, Cancelled, UndersongError, UnknownFeature
from undersong.wire import Dial, Dose, Splice, Traced, TraceRequest, WriteProgress

PARAGRAPHS = ("The sea was grey. She looked at it.", "He said, “The sea is gray.” Then he ran—there and back.")
STEERED = (Dial("1.0", 1.0),)


def short_reference() -> list[str]:
    return ["The sea was gray.", "It rained."]


@pytest.fixture(autouse=True)
def few_passages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidence is looked for in two short texts, and reference statistics are of them."""
    monkeypatch.setattr(tracing, "reference_passages", short_reference)
    monkeypatch.setattr("undersong.engine.reference.reference_passages", short_reference)


@pytest.fixture(scope="module")
def loaded(weights, tmp_path_factory) -> Loaded:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNDERSONG_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setattr("undersong.engine.reference.reference_passages", short_reference)
        (*_, found) = load(str(weights.model), tuple(map(str, weights.saes.values())), "cpu", lambda *said: None)
    assert found is not None
    return found


class Tracing:
    """A tracer on a bench, and a draft of PARAGRAPHS unless another is given."""

    def __init__(self, bench: Bench, *paragraphs: str, typography: str | None = None) -> None:
        loaded = bench.loaded if typography is None else replace(bench.loaded, typography=typography)
        passages = PassageReader(loaded.encode, loaded.typography, loaded.paragraph_break, max_atom=40)
        bench.outliner.reader = passages
        self.bench, self.tracer = bench, Tracer(loaded, bench.reader, passages, bench.writer)
        self.draft: Draft = bench.draft(*(paragraphs or PARAGRAPHS))

    def at(self, word: str, paragraph: int = 0, **changes: Any) -> TraceRequest:
        """Of the first place where `word` stands, the whole word; of its beginning where it begins with "|"."""
        start = self.draft.outline.passages[paragraph].prose.index(word.removeprefix("|"))
        end = start if word.startswith("|") else start + len(word)
        return replace(TraceRequest(update(1, 1, Splice(0, 0, ())), paragraph, start, end), **changes)

    def steps(self, asked: TraceRequest) -> Generator[Any, None, None]:
        return self.tracer.trace(self.draft.outline, asked)

    def events(self, word: str = "was", paragraph: int = 0, **changes: Any) -> list[Any]:
        told = self.steps(self.at(word, paragraph, **changes))
        return [event for event in told if isinstance(event, Traced | WriteProgress)]

    def last(self, word: str = "was", paragraph: int = 0, **changes: Any) -> Traced:
        return self.events(word, paragraph, **changes)[-1]

    def attributed(self, word: str, paragraph: int = 0, **changes: Any) -> CircuitGraph:
        return self.last(word, paragraph, method="attribution", **changes).graph


@pytest.fixture
def traced(bench: Bench) -> Tracing:
    for index in range(4):
        bench.doses.put(bench.loaded.fingerprint, f"1.{index}", Dose(4.0, 4.0, 1.0))
    return Tracing(bench)


def stages(events: list[Any]) -> list[str]:
    """What was told of, in order, each stage and graph once while it goes on."""
    told = ["graph" if isinstance(event, Traced) else event.stage for event in events]
    return [each for index, each in enumerate(told) if told[index - 1 : index] != [each]]


def alike(found: CircuitGraph, expected: CircuitGraph) -> None:
    """The same nodes and edges; batches of other sizes add up in another order."""
    assert [node.id for node in found.nodes] == [node.id for node in expected.nodes]
    assert [node.effect for node in found.nodes] == pytest.approx([node.effect for node in expected.nodes], abs=1e-4)
    weights, wanted = ({(edge.source, edge.target): edge.weight for edge in graph.edges} for graph in (found, expected))
    assert weights == pytest.approx(wanted, abs=1e-4)
    assert found.exact == expected.exact


# --- what is told ---------------------------------------------------------------------------------------------------


def test_first_comes_attribution_then_exact_effects_then_exact_edges_then_the_page(traced):
    events = traced.events()
    arriving = ["graph", "ablate"] * tracing.GRAPHS
    assert stages(events) == ["trace", *arriving, "graph", "edges", "graph", "evidence", "graph"]
    graphs = [event for event in events if isinstance(event, Traced)]
    assert [event.graph.method for event in graphs] == ["attribution", *["ablation"] * (len(graphs) - 1)]
    assert [bool(event.page) for event in graphs] == [False] * (len(graphs) - 1) + [True]
    exact = [event.graph.exact / (len(event.graph.nodes) - 1) for event in graphs]
    assert exact[0] == 0 and 0 < exact[1] < 1 and exact[-3:] == [1, 1, 1] and exact == sorted(exact)
    assert len({event.graph.word_id for event in graphs}) == 1


def test_only_the_strongest_are_ablated_and_a_graph_says_how_many(traced, monkeypatch):
    monkeypatch.setattr(tracing, "ABLATED", 20)
    events = traced.events(nodes=60)
    assert [event.total for event in events if isinstance(event, WriteProgress) and event.stage == "ablate"][-1] == 20
    graph = events[-1].graph
    assert 0 < graph.exact <= 20 < len(graph.nodes)


def test_progress_goes_up_to_its_end(traced):
    events = traced.events()
    for stage in ("ablate", "edges", "evidence"):
        told = [
            (event.done, event.total) for event in events if isinstance(event, WriteProgress) and event.stage == stage
        ]
        assert told == sorted(set(told)) and len({total for _, total in told}) == 1
        assert told[-1][0] == told[-1][1] > 0


def test_attribution_alone_ablates_nothing(traced):
    events = traced.events(method="attribution")
    assert stages(events) == ["trace", "graph", "evidence", "graph"]
    assert events[-1].graph.exact == 0 and events[-1].page


def test_the_last_graph_is_connected_checked_and_has_evidence_of_its_features(traced):
    graph = traced.last().graph
    assert (graph.nodes, graph.edges) == connected(graph.nodes, graph.edges)
    assert {one.feature for one in graph.evidence} == {node.label for node in graph.nodes if node.kind == "feature"}
    assert any(one.passages for one in graph.evidence)
    assert all(value is not None for value in asdict(graph.scores).values())
    assert graph.saes == ("1", "2") and (graph.baseline, graph.metric) == ("zero", "logit")


def test_the_page_is_of_the_last_graph_and_asks_nothing_of_a_network(traced):
    found = traced.last()
    assert found.page.startswith("<!doctype html>".upper()) or found.page.lower().startswith("<!doctype html>")
    assert all(node.id in found.page for node in found.graph.nodes)
    assert 'src="http' not in found.page and "default-src 'none'" in found.page


def test_a_graph_keeps_as_many_nodes_as_are_asked_for(traced):
    for nodes in (5, 20):
        graph = traced.attributed("was", nodes=nodes)
        assert len(graph.nodes) <= nodes + 1 and len(graph.edges) <= 4 * nodes


@pytest.mark.parametrize("nodes", [0, -5])
def test_a_graph_of_no_nodes_is_refused(traced, nodes):
    with pytest.raises(BadInput, match=f"nodes: expected 1 to 1000, found {nodes}"):
        traced.events(nodes=nodes, method="attribution")


# --- which word -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paragraphs", "paragraph", "word", "before", "expected"),
    [
        (("See the sea.",), 0, "the", "See", (" the", "")),
        (("See other seas.",), 0, "other", "See", (" ", "other")),
        (("It rained. See the sea.",), 0, "See", "It rained.", (" ", "See")),
        (("See the sea.",), 0, "See", "", ("S", "ee")),
        (("It rained.", "The sea."), 1, "The", "It rained.", ("T", "he")),
        (("He said, “There.”",), 0, "There", "He said, “", ("T", "here")),
        (("He ran—then stopped.",), 0, "then", "He ran—", ("the", "n")),
        (("He ran — then stopped.",), 0, "then", "He ran —", (" the", "n")),
        (("It’s the sea.",), 0, "It’s", "", ("I", "t’s")),
        (("It’s the sea.",), 0, "the", "It’s", (" the", "")),
        (("It rained…", "", "in vain."), 2, "in", "It rained…", ("in", "")),
    ],
)
def test_a_graph_explains_the_first_piece_of_the_word(bench, paragraphs, paragraph, word, before, expected):
    graph = Tracing(bench, *paragraphs).attributed(word, paragraph)
    assert (graph.word, graph.rest) == expected and graph.text.strip() == before
    assert graph.logit.kind == "logit" and len(graph.tokens) == len(graph.token_ids)


@pytest.mark.parametrize(
    ("prose", "word", "before", "expected"),
    [
        ("He said, “There.”", "There", 'He said, "', ("T", "here")),
        ("It’s the sea.", "It’s", "", ("I", "t's")),
        ("It’s the sea.", "the", "It's", (" the", "")),
        ("He ran… then stopped.", "then", "He ran...", (" the", "n")),
    ],
)
def test_typographic_text_is_seen_as_the_model_was_taught_to(bench, prose, word, before, expected):
    graph = Tracing(bench, prose, typography="plain").attributed(word)
    assert (graph.word, graph.rest) == expected and graph.text.strip() == before


def test_where_no_word_is_given_what_would_come_is_explained(traced):
    for place, paragraph in (("|The", 0), ("|grey", 0), ("|said", 1)):
        found = traced.last(place, paragraph, method="attribution")
        last = found.lenses[0].layers[-1]
        assert last.rank == 0 and last.top[0].token == found.lenses[0].word
        assert found.graph.probability == pytest.approx(last.top[0].probability, abs=1e-5) and found.graph.rest == ""


def test_a_word_and_what_would_come_there_have_the_same_text_before_them(traced):
    assert traced.attributed("looked").token_ids == traced.attributed("|looked").token_ids


def test_the_space_before_a_word_makes_no_difference(traced):
    assert traced.attributed(" looked") == traced.attributed("looked")


def test_a_long_text_is_traced_through_its_last_tokens_only(bench, monkeypatch):
    monkeypatch.setattr(tracing, "TRACED", 12)
    traced = Tracing(bench, "The sea was grey and still. " * 3 + "She looked.")
    graph = traced.attributed("looked")
    first = len(graph.tokens) - 12
    assert graph.text == "".join(graph.tokens[first:]) and min(node.position for node in graph.nodes) >= first


# --- what was done is not done again --------------------------------------------------------------------------------


def test_the_same_place_is_not_ablated_again(traced):
    first = traced.last()
    events = traced.events()
    assert "ablate" not in stages(events) and "evidence" not in stages(events)
    assert events[-1] == first


def test_the_edges_of_the_same_place_are_not_measured_again(traced):
    traced.last()
    assert "edges" not in stages(traced.events())


def test_more_nodes_of_the_same_place_go_on_from_what_was_measured(traced):
    small = traced.last(nodes=20).graph
    events = traced.events(nodes=60)
    assert "ablate" not in stages(events)
    large = events[-1].graph
    assert len(large.nodes) > len(small.nodes)
    effects = {node.id: node.effect for node in large.nodes}
    both = [node for node in small.nodes if node.id in effects]
    assert len(both) > 1 and all(effects[node.id] == node.effect for node in both)


def test_a_trace_by_attribution_is_gone_on_from_by_ablation(traced, fresh):
    traced.last(method="attribution")
    alike(traced.last().graph, Tracing(fresh()).last().graph)


@pytest.mark.parametrize("before", ["attribution", "ablation"])
def test_integrated_gradients_are_taken_where_another_method_was_before(traced, fresh, before):
    expected = Tracing(fresh()).last(method="integrated").graph
    traced.last(method=before)
    found = traced.last(method="integrated").graph
    assert found.method == "integrated"
    alike(found, expected)


def test_only_the_last_places_are_kept(traced, monkeypatch):
    monkeypatch.setattr(kept_traces, "HELD", 2)
    words = ["The", "sea", "was"]
    for word in words:
        traced.last(word, nodes=5)
    assert "ablate" not in stages(traced.events(words[-1], nodes=5))
    assert "ablate" in stages(traced.events(words[0], nodes=5))


def test_the_text_behind_a_word_does_not_make_it_another_place(traced):
    traced.last()
    start = PARAGRAPHS[0].index("at it")
    traced.draft.apply(update(2, 1, Splice(0, 1, (PARAGRAPHS[0][:start] + "up.",))))
    assert "ablate" not in stages(traced.events())


# --- cancelling -----------------------------------------------------------------------------------------------------


def test_a_trace_cancelled_after_any_step_is_gone_on_from(bench, fresh):
    expected = Tracing(fresh()).last("sea")
    taken = len(list(Tracing(fresh()).steps(Tracing(fresh()).at("sea"))))
    traced = Tracing(bench)
    for cut in [1, 2, 3, 5, 9, *range(17, taken, taken // 6)]:
        traced.tracer._traces._traces.clear()
        steps = traced.steps(traced.at("sea"))
        for _ in range(cut):
            next(steps)
        steps.close()
        found = traced.last("sea")
        alike(found.graph, expected.graph)
        assert found.lenses == expected.lenses


def test_what_was_ablated_before_it_was_cancelled_is_not_ablated_again(traced):
    def total(events: list[Any]) -> int:
        return next(event.total for event in events if isinstance(event, WriteProgress) and event.stage == "ablate")

    seen: list[Any] = []
    steps = traced.steps(traced.at("was"))
    for event in steps:
        seen.append(event)
        if isinstance(event, WriteProgress) and event.stage == "ablate" and event.done > 40:
            break
    steps.close()
    assert total(traced.events()) == total(seen) - seen[-1].done


def test_a_step_that_fails_is_done_again_the_next_time(traced, fresh, monkeypatch):
    """Memory that ran out in the middle of attribution."""
    expected = Tracing(fresh()).last(method="attribution").graph

    def fail(*_: object) -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(Trace, "_slope_edges", fail)
        with pytest.raises(RuntimeError, match="out of memory"):
            traced.events(method="attribution")
    alike(traced.last(method="attribution").graph, expected)


async def test_a_cancelled_ticket_ends_the_work_and_the_next_one_finishes_it(bench, fresh):
    expected = Tracing(fresh()).last("sea").graph
    traced = Tracing(bench)
    scheduler = Scheduler()
    scheduler.start()
    try:
        ticket = scheduler.submit(traced.steps(traced.at("sea")), Rank.WRITE)
        events = ticket.events()
        while getattr(await anext(events), "stage", "") != "ablate":
            pass
        ticket.cancel()
        with pytest.raises(Cancelled):
            await ticket.result()
        told = [event async for event in scheduler.submit(traced.steps(traced.at("sea")), Rank.WRITE).events()]
    finally:
        scheduler.close()
    alike(told[-1].graph, expected)


# --- with dials -----------------------------------------------------------------------------------------------------


def test_dials_give_a_second_lens_that_differs_from_their_layer_on(traced):
    plain, steered = traced.last(dials=STEERED, method="attribution").lenses
    assert plain.steered == "" and steered.steered == "1.0 +1"
    assert (plain.before, plain.word) == (steered.before, steered.word)
    surprises = [[layer.surprise for layer in lens.layers] for lens in (plain, steered)]
    # The embeddings and block 0 first; the SAE is of block 1.
    assert surprises[0][:2] == pytest.approx(surprises[1][:2], abs=1e-4)
    assert all(abs(one - other) > 1e-3 for one, other in zip(*(each[2:] for each in surprises), strict=True))


def test_the_lens_with_dials_follows_the_one_without(traced):
    lenses = [len(e.lenses) for e in traced.events(dials=STEERED, method="attribution") if isinstance(e, Traced)]
    assert lenses == [1, 2, 2]


@pytest.mark.parametrize("dials", [(), (Dial("1.0", 0.0),), (Dial("1.0", 0.0), Dial("1.1", 0.0))])
def test_dials_at_zero_give_one_lens(traced, dials):
    assert [lens.steered for lens in traced.last(dials=dials, method="attribution").lenses] == [""]


def test_a_dial_at_zero_beside_another_changes_nothing(traced):
    alone = traced.last(dials=STEERED, method="attribution").lenses[1]
    both = traced.last(dials=(*STEERED, Dial("1.1", 0.0)), method="attribution").lenses[1]
    assert both.layers == alone.layers


def test_a_dial_that_is_shut_where_the_word_stands_changes_nothing(traced):
    outside = (Dial("1.0", 1.0, when="dialogue"),)
    plain, steered = traced.last("was", dials=outside, method="attribution").lenses
    assert [layer.rank for layer in plain.layers] == [layer.rank for layer in steered.layers]
    assert [x.surprise for x in plain.layers] == pytest.approx([x.surprise for x in steered.layers], abs=1e-4)
    plain, steered = traced.last("sea", 1, dials=outside, method="attribution").lenses
    assert [x.surprise for x in plain.layers] != pytest.approx([x.surprise for x in steered.layers], abs=1e-4)


def test_dials_do_not_touch_the_graph(traced, fresh):
    assert traced.last(dials=STEERED).graph == Tracing(fresh()).last().graph


def test_a_feature_without_a_dose_is_calibrated_first_and_that_is_told(bench):
    traced = Tracing(bench)
    assert bench.writer.known_dose("2.7") is None
    events = traced.events(dials=(Dial("2.7", 1.0),), method="attribution")
    assert bench.writer.known_dose("2.7") is not None
    assert stages(events)[:3] == ["trace", "graph", "dose"] and len(events[-1].lenses) == 2


# --- what cannot be traced ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"paragraph": 9}, BadText, "paragraph: expected 0 to 1, found 9"),
        ({"paragraph": -1}, BadText, "paragraph: expected 0 to 1, found -1"),
        ({"start": -1, "end": 3}, BadText, "expected a span within 0:35, found -1"),
        ({"start": 99, "end": 99}, BadText, "expected a span within 0:35, found 99"),
        pytest.param({"start": 4, "end": 99}, BadText, "expected a span within 0:35, found 4:99"),
        pytest.param({"start": 7, "end": 4}, BadText, "expected a span within 0:35, found 7:4"),
        ({"dials": (Dial("nothing", 1.0),)}, UnknownFeature, "no feature has the id or name “nothing”"),
    ],
)
def test_bad_requests_say_what_was_expected_and_found(
    traced, changes: dict[str, Any], error: type[UndersongError], says
):
    with pytest.raises(error, match=says):
        list(traced.steps(replace(traced.at("sea", method="attribution"), **changes)))


def test_a_draft_without_paragraphs_has_no_word(bench):
    traced = Tracing(bench)
    traced.draft.apply(update(2, 1, Splice(0, 2, ())))
    asked = TraceRequest(update(2, 2, Splice(0, 0, ())), 0, 0, 0)
    with pytest.raises(BadText, match="expected a draft with a paragraph, found an empty draft"):
        list(traced.steps(asked))


@pytest.mark.parametrize("prose", ["", " ", "…", "\ud800"])
def test_in_a_paragraph_without_words_what_would_come_is_explained(bench, prose):
    traced = Tracing(bench, prose)
    asked = TraceRequest(update(1, 1, Splice(0, 0, ())), 0, len(prose), len(prose), "attribution")
    assert list(traced.steps(asked))[-1].page


def test_saes_on_one_layer_are_too_few(loaded: Loaded, tmp_path):
    one = replace(loaded, dictionaries={name: loaded.dictionaries[name] for name in ("1", "p2")})
    traced = Tracing(Bench(one, tmp_path))
    for _ in range(2):
        with pytest.raises(BadInput, match="expected SAEs on at least two layers of the model, found 1"):
            traced.events()


def test_a_model_without_a_token_for_the_beginning_is_traced_from_its_first_token(loaded: Loaded, tmp_path):
    traced = Tracing(Bench(replace(loaded, model=replace(loaded.model, bos_id=None)), tmp_path))
    graph = traced.attributed("sea")
    assert graph.text == "".join(graph.tokens) and graph.text.strip() == "The"


# --- the draft ------------------------------------------------------------------------------------------------------


def texts(results: Any) -> list[tuple[str, Any]]:
    return [(result.text, result.receipt) for result in results]


def test_reading_and_writing_after_a_trace_are_as_before_it(traced):
    def write(**changes: Any) -> list[tuple[str, Any]]:
        asked = to_write(paragraph=0, start=17, end=17, **changes)
        return texts(play(traced.bench.writer.write(traced.draft.outline, asked)))

    before = traced.bench.read(traced.draft)
    plain, steered = write(), write(dials=STEERED)
    traced.last(dials=STEERED)
    traced.last("|said", 1)
    assert (write(), write(dials=STEERED)) == (plain, steered)
    traced.bench.reader._codes.clear()
    assert traced.bench.read(traced.draft) == before


def test_a_trace_in_the_middle_of_writing_changes_neither(traced, fresh):
    """The scheduler gives each a step in turn."""
    expected = Tracing(fresh()).last("sea", dials=STEERED)
    asked = to_write(paragraph=0, start=17, end=17, dials=STEERED)
    alone = texts(play(traced.bench.writer.write(traced.draft.outline, asked)))
    writing = traced.bench.writer.write(traced.draft.outline, asked)
    steps = traced.steps(traced.at("sea", dials=STEERED))

    def in_turn() -> Generator[Any, None, Any]:
        """Ends as the writing does."""
        while True:
            told.append(next(steps, None))
            try:
                yield next(writing)
            except StopIteration as end:
                return end.value

    told: list[Any] = []
    assert texts(play(in_turn())) == alone
    assert [event for event in [*told, *steps] if event is not None][-1] == expected


# --- POST /v1/trace -------------------------------------------------------------------------------------------------


@pytest.fixture
def choice(weights, tmp_path, monkeypatch) -> EngineChoice:
    for name in ("RUNTIME", "CACHE", "LOG"):
        monkeypatch.setenv(f"UNDERSONG_{name}_DIR", str(tmp_path / name[0]))
    return EngineChoice(str(weights.model), (str(weights.saes["1"]), str(weights.saes["2"])), "cpu")


async def posted(choice: EngineChoice, talk: Callable[[Any], Any]) -> Any:
    """What `talk` makes of a function that posts a TraceRequest: (status, its events or its failure)."""
    app = create_app(choice)
    async with app.router.lifespan_context(app):
        while app.state.engine.health.state == "loading":
            await asyncio.sleep(0.02)
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://engine") as client:

            async def post(asked: TraceRequest) -> tuple[int, list[dict[str, Any]]]:
                answer = await client.post("/v1/trace", json=asdict(asked))
                return answer.status_code, [json.loads(line) for line in answer.text.splitlines()]

            return await talk(post)


def opening(word: str, paragraph: int = 0, document: str = "draft", **changes: Any) -> TraceRequest:
    """With the whole draft in its update."""
    start = PARAGRAPHS[paragraph].index(word)
    whole = replace(update(1, None, Splice(0, 0, PARAGRAPHS)), document=document)
    return replace(TraceRequest(whole, paragraph, start, start + len(word)), **changes)


async def test_a_trace_is_a_stream_of_lines_that_ends_with_the_page(choice):
    async def talk(post):
        first = await post(opening("sea"))
        again = replace(opening("sea"), update=update(1, 1, Splice(0, 0, ())))
        return first, await post(again)

    (status, events), (_, again) = await posted(choice, talk)
    assert (
        status == 200
        and events[0]["event"] == "progress"
        and {event["event"] for event in events}
        == {
            "progress",
            "traced",
        }
    )
    graphs = [event for event in events if event["event"] == "traced"]
    assert [bool(event["page"]) for event in graphs] == [False] * (len(graphs) - 1) + [True]
    last = graphs[-1]["graph"]
    assert (last["word"], last["rest"], last["method"]) == (" ", "sea", "ablation")
    assert "ablate" not in [event.get("stage") for event in again] and again[-1] == events[-1]


async def test_what_is_wrong_is_a_plain_failure_or_the_last_line(choice):
    wrong = {
        "a feature that is not there": opening("sea", dials=(Dial("1.9999", 1.0),)),
        "a strength that is none": opening("sea", dials=(Dial("1.0", 7.0),)),
        "a draft that is not open": replace(opening("sea"), update=update(4, 3, Splice(0, 0, ()))),
        "a paragraph that is not there": replace(opening("sea"), paragraph=5),
    }

    async def talk(post):
        return {name: await post(asked) for name, asked in wrong.items()}

    found = await posted(choice, talk)
    told = {name: (status, lines[-1]["code"]) for name, (status, lines) in found.items()}
    assert told == {
        "a feature that is not there": (404, "unknown-feature"),
        "a strength that is none": (422, "bad-strength"),
        "a draft that is not open": (409, "resync"),
        "a paragraph that is not there": (200, "bad-text"),
    }
    last = found["a paragraph that is not there"][1][-1]
    assert last["event"] == "failed" and last["message"] == "paragraph: expected 0 to 1, found 5"


async def test_an_engine_with_saes_on_one_layer_says_so(choice):
    _, events = await posted(replace(choice, saes=choice.saes[:1]), lambda post: post(opening("sea")))
    assert (events[-1]["event"], events[-1]["code"]) == ("failed", "bad-input")
    assert "expected SAEs on at least two layers of the model, found 1" in events[-1]["message"]


async def test_a_newer_trace_of_a_document_takes_the_place_of_the_one_before(choice):
    async def talk(post):
        return await asyncio.gather(
            post(opening("sea")), post(opening("looked")), post(opening("grey", document="other"))
        )

    (_, older), (_, newer), (_, other) = await posted(choice, talk)
    assert (older[-1]["event"], older[-1]["code"]) == ("failed", "superseded")
    assert newer[-1]["page"] and other[-1]["page"]
