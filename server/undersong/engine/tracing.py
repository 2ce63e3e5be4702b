"""Why this word: its trace in the draft, as a stream of graphs that get better.

1. The word's place is found as for writing: what the model sees before it. The last TRACED tokens of that are traced
   through, what stands before them is context.
2. A graph by attribution, at once; then exact effects of the strongest nodes, then exact edges between them; then
   the evidence for what is kept, how faithful it is, and the page.
3. The logit lens at the place, without and with the dials in force.

The last few traces are kept: asked again, with more nodes or another method, they go on from what was measured.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import torch

from undersong.circuit_graph import CircuitGraph, Lens, Method
from undersong.circuits.checking import checked
from undersong.circuits.clean import TOKENS, Clean, read
from undersong.circuits.coders import Coder, coders_of
from undersong.circuits.evidence import Gatherer
from undersong.circuits.graph import About, graph_of
from undersong.circuits.lens import lens_of, stream_at_end
from undersong.circuits.metrics import measure_of
from undersong.circuits.pruning import Cut
from undersong.circuits.rendering.page import page
from undersong.circuits.sources import zeros
from undersong.circuits.trace import Trace
from undersong.engine.conditions import gates
from undersong.engine.drafts import Outline
from undersong.engine.kept_traces import KeptTraces
from undersong.engine.loading import Loaded
from undersong.engine.memory import Memory
from undersong.engine.passages import PassageReader
from undersong.engine.places import Places
from undersong.engine.reading import Reader
from undersong.engine.reference import reference_passages
from undersong.engine.sizes import of_sae
from undersong.engine.steering import Control, hooks
from undersong.engine.writing import Writer
from undersong.errors import BadInput, BadText
from undersong.hook_points import HookPoint
from undersong.model.interventions import Steering
from undersong.model.steps import Wanted
from undersong.model.tokens import decode, encode_next
from undersong.sae.base import SAE
from undersong.sae.load import load_sae
from undersong.wire import Traced, TraceRequest, WriteProgress, WriteRequest

TRACED = 96
"""Tokens before the word that are traced through, at most."""
ABLATED = 384
"""Nodes taken to the baseline in turn for a graph in the editor: the strongest. `undersong trace` takes all."""
GRAPHS = 4
"""As how many graphs exact effects arrive."""
MOST_NODES = 1000
EXPANDED = 256
"""Features and errors that edges are found for."""
PASSAGES = 150

Steps = Generator[WriteProgress | Traced | Wanted | None, None, None]


@dataclass(frozen=True, slots=True)
class _Word:
    """What is to be explained: `ids` before it, the token, the rest of the word, and the text."""

    ids: tuple[int, ...]
    word: int
    rest: str


class Tracer:
    """Used on the device thread only. The SAEs that are there to trace through are a Cache (memory.py)."""

    def __init__(
        self,
        loaded: Loaded,
        reader: Reader,
        passages: PassageReader,
        writer: Writer,
        memory: Memory | None = None,
    ) -> None:
        self._loaded, self._writer, self._places = loaded, writer, Places(loaded, reader, passages)
        self._memory = memory or Memory()
        self._traces = KeptTraces(self._memory)
        self._coders: tuple[Coder, ...] | None = None
        self._gatherer: Gatherer | None = None
        self.nbytes, self._used = 0, 0
        self._memory.watch(self)

    @property
    def last_used(self) -> int | None:
        return self._used if self.nbytes else None

    def give_way(self) -> None:
        self._coders = self._gatherer = None
        self.nbytes = 0

    def trace(self, outline: Outline, request: TraceRequest) -> Steps:
        """Steps; the last event is the finished graph. BadInput where there are not SAEs enough to trace through."""
        if not 1 <= request.nodes <= MOST_NODES:
            raise BadInput(f"nodes: expected 1 to {MOST_NODES}, found {request.nodes}")
        yield WriteProgress("trace", 0, 1)
        coders = self._all_coders()
        word = self._word(outline, request)
        by_slope: Method = "attribution" if request.method == "ablation" else request.method
        trace = self._begun(coders, word, by_slope)
        clean = trace.clean
        about = About(
            text=self._before(clean),
            word=word.word,
            rest=word.rest,
            method=by_slope,
            baseline="zero",
            metric="logit",
        )
        cut = Cut(nodes=request.nodes, edges=4 * request.nodes)
        if trace.method is None:
            for done, total in trace.attribute(about.method):
                yield WriteProgress("trace", done, total)
        lenses: tuple[Lens, ...] = (self._lens(clean, word.word),)
        yield Traced(self._graph(trace, about, cut), lenses)
        if any(dial.strength for dial in request.dials):
            controls, factor = yield from self._writer.adapted(request.dials, word.ids)
            lenses = (*lenses, self._steered_lens(clean, word.word, controls, factor))
        if request.method == "ablation":
            shown = 0
            for done, total in trace.ablate(ABLATED):
                yield WriteProgress("ablate", done, total)
                # What was measured takes its place in the graph now and then.
                if GRAPHS * done // total > shown and done < total:
                    shown = GRAPHS * done // total
                    yield Traced(self._graph(trace, about, cut), lenses)
            trace.rechoose()
            yield Traced(self._graph(trace, about, cut), lenses)
            for done, total in trace.ablate_edges():
                yield WriteProgress("edges", done, total)
        graph = self._graph(trace, about, cut)
        yield Traced(graph, lenses)
        for done, total in self._evidence().gather(_labels(graph)):
            yield WriteProgress("evidence", done, total)
        graph = checked(trace, replace(graph, evidence=self._evidence().known(_labels(graph)))).graph
        yield Traced(graph, lenses, page(graph, lenses))

    def _graph(self, trace: Trace, about: About, cut: Cut) -> CircuitGraph:
        # Also where attribution is asked for: what was ablated before is told as what it is.
        measured = bool((~trace.exact[:-1].isnan()).any())
        graph = graph_of(trace, replace(about, method="ablation") if measured else about, cut)
        return replace(graph, evidence=self._evidence().known(_labels(graph)))

    def _begun(self, coders: tuple[Coder, ...], word: _Word, by_slope: Method) -> Trace:
        """The trace of this place; a new one where it is not kept."""
        key = (word.ids, word.word, by_slope)
        trace = self._traces.get(key)
        if trace is None:
            model = self._loaded.model
            first = 0 if model.bos_id is None else 1
            clean = read(model, coders, word.ids, max(first, len(word.ids) - TRACED))
            trace = Trace(clean, zeros(clean), measure_of("logit", word.word), EXPANDED)
        self._traces.keep(key, trace)
        # After the traces: as long as one is kept, it has the SAEs all the same.
        self._used = self._memory.now()
        if not self._memory.settle():
            raise self._memory.refusal()
        return trace

    def _word(self, outline: Outline, request: TraceRequest) -> _Word:
        if not outline.passages:
            raise BadText("expected a draft with a paragraph, found an empty draft")
        if not 0 <= request.paragraph < len(outline.passages):
            raise BadText(f"paragraph: expected 0 to {len(outline.passages) - 1}, found {request.paragraph}")
        plain, start = outline.passages[request.paragraph].plain, request.start
        if not 0 <= start <= request.end <= plain.prose_length:
            raise BadText(f"expected a span within 0:{plain.prose_length}, found {start}:{request.end}")
        asked = WriteRequest(request.update, request.paragraph, start, start, "continue", ())
        place = self._places.find(outline, asked)
        begin, end = plain.to_plain_offset(start), plain.to_plain_offset(request.end)
        said = plain.text[begin:end].strip()
        # A span may begin with the blank before its word.
        begin += len(plain.text[begin:end]) - len(plain.text[begin:end].lstrip())
        ids = tuple(place.prompt)
        model = self._loaded.model
        if not said:
            window = read(model, self._all_coders(), ids, len(ids) - 1)
            return _Word(ids, int(window.logits.argmax()), "")
        _, (word, *rest) = encode_next(model.tokenizer, plain.text[:begin], said)
        return _Word(ids, word, decode(model.tokenizer, rest))

    def _lens(self, clean: Clean, word: int) -> Lens:
        return lens_of(self._loaded.model, stream_at_end(clean), self._before(clean), word)

    def _steered_lens(self, clean: Clean, word: int, controls: Sequence[Control], factor: float) -> Lens:
        """With the dials turned at the last position, as when a suggestion is written there."""
        model, n = self._loaded.model, len(clean.ids)
        shut = gates(self._loaded, controls, clean.window, n, 1)
        with torch.inference_mode(), Steering(model, hooks(controls, torch.tensor([factor]), shut)):
            # Captured after the steering: what is told is what came of it.
            with model.sites.captured(_ends(clean)) as found:
                cache = clean.window.fork(n - 1, 1)
                model.body(input_ids=model.tensor([[clean.ids[-1]]]), past_key_values=cache, use_cache=True)
        stream = [clean.values[TOKENS][-1], *(found[point][0, -1] for point in _ends(clean))]
        said = ", ".join(f"{self._loaded.name(c.dial.feature)} {c.dial.strength:+g}" for c in controls)
        return lens_of(model, stream, self._before(clean), word, said)

    def _before(self, clean: Clean) -> str:
        return decode(self._loaded.model.tokenizer, clean.ids[clean.start :])

    def _all_coders(self) -> tuple[Coder, ...]:
        """Of all SAEs that read tokens; those of the default weights that are only there to trace through are loaded
        when they are first asked for."""
        if self._coders is None:
            loaded = [d.sae for d in self._loaded.dictionaries.values() if d.sae.grain == "token"]
            device = str(self._loaded.model.device)
            more = [load_sae(each.path, device=device, id=each.id) for each in self._loaded.traceable]
            more = [sae for sae in more if sae.grain == "token"]
            self.nbytes = sum(map(of_sae, more))
            self._coders = coders_of(self._loaded.model, _one_a_place([*loaded, *more]))
        return self._coders

    def _evidence(self) -> Gatherer:
        if self._gatherer is None:
            names = self._loaded.names
            texts = reference_passages()[:PASSAGES]
            self._gatherer = Gatherer(self._loaded.model, self._all_coders(), texts, lambda label: names.get(label, ""))
        return self._gatherer


def _ends(clean: Clean) -> list[HookPoint]:
    return [HookPoint(layer) for layer in range(clean.model.n_layers)]


def _labels(graph: CircuitGraph) -> list[str]:
    return [node.label for node in graph.nodes if node.kind == "feature"]


def _one_a_place(saes: Sequence[SAE]) -> list[SAE]:
    """The first of those that write one place."""
    found: dict[HookPoint, SAE] = {}
    for sae in saes:
        found.setdefault(sae.config.point_out, sae)
    return list(found.values())
