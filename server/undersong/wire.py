"""The messages between front end and engine: the one file that both processes share.

JSON over HTTP; every request is `POST /v1/<name>` with the request's fields as the body. Text crosses only as
*prose paragraphs*: markup is removed by the front end, so nothing here is an offset into the user's file. Every
span counts code points in the prose of one paragraph, half open.

A client sends a draft once, then only what changed (`Splice` since `base_version`). An engine that no longer
holds the base answers `resync` and the client sends the draft whole.

Units: `presence` is the share of reference passages in which the feature is weaker, 0 to 1; `mean` and `peak` are
activations in the SAE's own units; `strength` 1.0 is the largest dose whose 95th percentile of per-token KL from
the unsteered model is 1 nat, -1.0 ablates (a passage feature gets a dose the other way).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from undersong.circuit_graph import CircuitGraph, Lens, Method

PROTOCOL_VERSION = 1

Priority = Literal["interactive", "background"]
Operation = Literal["floor", "clamp", "add", "ablate"]
WriteKind = Literal["continue", "rewrite", "bridge"]
Stop = Literal["sentence", "paragraph", "length", "fragment"]
Keep = Literal["names", "numbers", "quotations"]
EngineState = Literal["loading", "ready", "failed"]

MIN_STRENGTH, MAX_STRENGTH = -1.0, 1.5


# --- a draft, and what changed in it ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Splice:
    """Replace `removed` paragraphs from index `start` by `inserted` (the prose of each, markup removed)."""

    start: int
    removed: int
    inserted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DraftUpdate:
    """Brings the engine's copy of a draft from `base_version` to `version`; None: `splice` holds all of it."""

    document: str
    version: int
    base_version: int | None
    splice: Splice


# --- reading ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Read the paragraphs `wanted`, most urgent first. `watch`: ids or names always answered, however faint.

    `received`: `serial` of the last reply about this draft that arrived. A client that cancels requests must say it,
    so that the engine does not take a reply for delivered that was on its way; None: all arrived.
    """

    update: DraftUpdate
    wanted: tuple[int, ...]
    watch: tuple[str, ...] = ()
    priority: Priority = "interactive"
    received: int | None = None


@dataclass(frozen=True, slots=True)
class FeatureReading:
    """One feature in one stretch of prose. `peak_start:peak_end` is where it is strongest.

    `share`: of all that its SAE reads in the stretch, how much this feature is (sum of strengths = 1).
    `steers`: whether raising it was measured to do anything; None: not measured.
    """

    feature: str
    name: str
    presence: float
    mean: float
    peak: float
    peak_start: int
    peak_end: int
    share: float = 0.0
    steers: bool | None = None


@dataclass(frozen=True, slots=True)
class SentenceReading:
    start: int
    end: int
    features: tuple[FeatureReading, ...]


@dataclass(frozen=True, slots=True)
class ParagraphReading:
    """What one paragraph carries. `key` is the hash of all that the model saw, so equal keys mean equal readings."""

    index: int
    key: str
    features: tuple[FeatureReading, ...]
    sentences: tuple[SentenceReading, ...]


@dataclass(frozen=True, slots=True)
class ReadReply:
    """`pending`: paragraphs whose present reading this client has not been sent, in document order.

    `serial` rises from reply to reply (see ReadRequest.received).
    """

    version: int
    readings: tuple[ParagraphReading, ...]
    pending: tuple[int, ...]
    serial: int = 0


# --- writing ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dial:
    """A feature (id or exact name) and how far it is turned.

    `when`: where in what is written. "" everywhere; "dialogue" within quotation marks, "narration" outside them; else
    the id or exact name of a feature: only at tokens where that one is present.
    """

    feature: str
    strength: float
    operation: Operation = "floor"
    when: str = ""


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """Replace `start:end` of one paragraph's prose; a continuation has start == end at the cursor.

    A "bridge" is a paragraph of its own between `paragraph` and the next: start == end == the length of the prose.
    `max_tokens` bounds each candidate, and so does the model's context (what is replaced must fit it too); `stop`
    ends it earlier: after a "sentence", or a "paragraph" of several. Of either only whole sentences are answered: one
    that the bound cut is left out, and a candidate without a whole sentence has no text. "length" is cut where the
    bound is; "fragment" too, unless a sentence ends before.
    `keep`: what of the text replaced a rewrite must have too, in its order. `length`: a rewrite may be shorter or
    longer than what it replaces by this share of its tokens; None: `max_tokens` alone bounds it. `context`: passages
    that the model sees before the prompt, as many of the first ones as there is room for.
    `always_off`: names of shipped lists (catalogue/always_off.toml); their features are taken out where they are
    present, and a candidate with a word that such a list never lets through has no text.
    A feature that several of the `dials` turn is turned once, by the first. The same request gives the same text.
    """

    update: DraftUpdate
    paragraph: int
    start: int
    end: int
    kind: WriteKind
    dials: tuple[Dial, ...]
    candidates: int = 1
    max_tokens: int = 48
    stop: Stop = "sentence"
    temperature: float = 0.8
    top_p: float = 0.95
    seed: int = 0
    priority: Priority = "interactive"
    keep: tuple[Keep, ...] = ()
    length: float | None = None
    context: tuple[str, ...] = ()
    always_off: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EffectPart:
    """The same of one feature of a voice."""

    feature: str
    name: str
    weight: float
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Effect:
    """Presence of a feature before (in the text replaced, or an unsteered continuation) and after.

    Of a voice: the mean over its `parts`, by their weights.
    """

    feature: str
    name: str
    strength: float
    before: float
    after: float
    parts: tuple[EffectPart, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a suggestion does, measured by reading it again with the unsteered model.

    `fluency`: perplexity of an unsteered continuation over that of this text, both under the unsteered model
    (1.0 = as fluent, 0.8 = 20 % less). `fit`: log probability per token (nats) of the text that follows given the
    suggestion, minus the same given what it replaces (for a continuation: an unsteered one); None where nothing
    follows. `notes`: short sentences for a person, such as "braked on 3 of 41 tokens".
    """

    effects: tuple[Effect, ...]
    side_effects: tuple[Effect, ...]
    fluency: float
    fit: float | None
    tokens: int
    seed: int
    model: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WriteProgress:
    """`done` of `total` steps of `stage` ("dose", "budget", "write", "measure"; "score" of a calibration)."""

    stage: str
    done: int
    total: int
    event: Literal["progress"] = "progress"


@dataclass(frozen=True, slots=True)
class WriteChunk:
    """More text of one candidate, as it is made. Concatenated chunks equal the suggestion's text.

    A rewrite comes sentence by sentence, each when it was chosen; a "fragment" or "length" as its tokens come.
    """

    candidate: int
    text: str
    event: Literal["chunk"] = "chunk"


@dataclass(frozen=True, slots=True)
class WriteResult:
    """One finished candidate; the best comes first."""

    candidate: int
    text: str
    receipt: Receipt
    event: Literal["result"] = "result"


@dataclass(frozen=True, slots=True)
class WriteFailed:
    """The stream ends with this when something went wrong after it had begun."""

    code: str
    message: str
    event: Literal["failed"] = "failed"


WriteEvent = WriteProgress | WriteChunk | WriteResult | WriteFailed


# --- features --------------------------------------------------------------------------------------------------


Purpose = Literal["reading", "steering"]


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """`purpose` "steering": what means the same is ranked by output score, and near-duplicates are folded together."""

    query: str
    limit: int = 10
    purpose: Purpose = "reading"


@dataclass(frozen=True, slots=True)
class SearchHit:
    """`steers` as in FeatureReading, `output_score` as in FeatureCard. `like`: near-duplicates folded into it, ids."""

    feature: str
    name: str
    words: str
    steers: bool | None
    output_score: float | None = None
    like: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchReply:
    hits: tuple[SearchHit, ...]


@dataclass(frozen=True, slots=True)
class CardRequest:
    """`feature`: an id or an exact name."""

    feature: str


@dataclass(frozen=True, slots=True)
class Passage:
    """Reference text in which a feature is strong; `token` is where it peaks."""

    before: str
    token: str
    after: str
    activation: float
    source: str


@dataclass(frozen=True, slots=True)
class Dose:
    """What strength 1.0 means for one feature: delta norm, target activation, and the KL that was measured."""

    norm: float
    activation: float
    kl_p95: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What strength 1.0 did to continuations of neutral openings, read again by the unsteered model (means).

    `perplexity_ratio`: of the steered texts over the unsteered ones.
    """

    presence_before: float
    presence_after: float
    perplexity_ratio: float


@dataclass(frozen=True, slots=True)
class BlendPart:
    """One feature of a voice. The squares of the weights add up to 1.

    `presence`: mean in the samples that it was made from; `against`: in what these were held against, None: the
    reference corpus alone.
    """

    feature: str
    name: str
    weight: float
    presence: float
    against: float | None = None


@dataclass(frozen=True, slots=True)
class FeatureCard:
    """`detection`: balanced accuracy of telling by the name which passages have the feature.

    `output_score`: how far raising the feature promotes its own tokens. `steers` False: it reads, does not steer. What
    is None was not measured. `parts`: what a voice is made of.
    """

    feature: str
    name: str
    provenance: str
    sae: str
    frequency: float | None
    max_activation: float | None
    promoted: tuple[str, ...]
    suppressed: tuple[str, ...]
    passages: tuple[Passage, ...]
    detection: float | None = None
    steers: bool | None = None
    dose: Dose | None = None
    output_score: float | None = None
    outcome: Outcome | None = None
    parts: tuple[BlendPart, ...] = ()


# --- calibration -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CalibrateRequest:
    """Measure what strength 1.0 is for `features` (ids or exact names); (): for all that are shown and steer.

    What was measured before is answered at once. The reply is a stream of CalibrateEvent.
    """

    features: tuple[str, ...] = ()
    priority: Priority = "background"


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What is known of one feature. `outcome` and `output_score` as on its card; None: not measured.

    `dose` None: it reads, does not steer.
    """

    feature: str
    name: str
    dose: Dose | None
    outcome: Outcome | None = None
    output_score: float | None = None
    event: Literal["calibrated"] = "calibrated"


CalibrateEvent = WriteProgress | Calibrated | WriteFailed


# --- tracing ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TraceRequest:
    """Why does the model say the word `start:end` of one paragraph's prose? start == end: the one that would come.

    Of a word of several tokens the first is explained. The reply is a stream of TraceEvent: first a graph by
    attribution, then (`method` "ablation") others in which exact effects take its place, the last with a page.
    `dials`: the logit lens is shown with these turned, too. `nodes`: how many the graph keeps at most. What was traced
    of the same place before is not done again.
    """

    update: DraftUpdate
    paragraph: int
    start: int
    end: int
    method: Method = "ablation"
    dials: tuple[Dial, ...] = ()
    nodes: int = 60
    priority: Priority = "interactive"


@dataclass(frozen=True, slots=True)
class Traced:
    """A graph as far as it has come. `lenses`: without and, where dials are turned, with them.

    `page`: the graph as a web page that needs nothing beside it; "" while a better one will follow.
    """

    graph: CircuitGraph
    lenses: tuple[Lens, ...]
    page: str = ""
    event: Literal["traced"] = "traced"


TraceEvent = WriteProgress | Traced | WriteFailed


# --- voices ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BlendRequest:
    """Find at most `limit` features that `samples` carry more of than the reference corpus, and than `against`.

    Each text is its paragraphs' prose, markup removed. Only features that steer, or may.
    """

    samples: tuple[tuple[str, ...], ...]
    against: tuple[tuple[str, ...], ...] = ()
    limit: int = 12


@dataclass(frozen=True, slots=True)
class Blend:
    """What was found. `parts`: the largest weight first. `fingerprint`: of the weights, wherever their files lie."""

    parts: tuple[BlendPart, ...]
    model: str
    fingerprint: str
    event: Literal["blend"] = "blend"


BlendEvent = WriteProgress | Blend | WriteFailed


# --- notes -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VectorsRequest:
    """What each of these paragraphs carries, for an index; they are read one after the other, as those of one text."""

    paragraphs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SparseVector:
    """The features of a paragraph that are above a presence bar. `weights`: orders of magnitude of rarity, above 0."""

    features: tuple[str, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class VectorsReply:
    """In the order of the paragraphs. `fingerprint` as in Blend: vectors of other weights say nothing of these."""

    vectors: tuple[SparseVector, ...]
    model: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class NotesRequest:
    """Passages of the writer's notes that are like paragraph `wanted` of these; the others are its context."""

    paragraphs: tuple[str, ...]
    wanted: int = 0
    limit: int = 8


@dataclass(frozen=True, slots=True)
class SharedFeature:
    """`share`: of the likeness, 0 to 1."""

    feature: str
    name: str
    share: float


@dataclass(frozen=True, slots=True)
class NoteHit:
    """A paragraph of a file, which is read where it lies. `line`: from 0. `digest`: prose_files.prose_digest of it.

    `ordinal`: which of the file's paragraphs it was when the file was indexed. `score`: cosine, 0 to 1.
    """

    path: str
    line: int
    ordinal: int
    digest: str
    score: float
    shared: tuple[SharedFeature, ...]


@dataclass(frozen=True, slots=True)
class NotesReply:
    """`indexed`: how many paragraphs were compared."""

    hits: tuple[NoteHit, ...]
    indexed: int


# --- the engine itself -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CloseRequest:
    document: str


@dataclass(frozen=True, slots=True)
class Health:
    """`message` says what is being done while loading, or what failed; `warnings` what is likely wrong with an SAE that
    was loaded all the same.

    `memory_bytes` is what the process takes. Of the budget (`budget_bytes`, `engine.memory_mb`) the weights and the
    process itself take their part, caches (`caches_bytes`) the rest at most; 0 before the model is loaded.
    """

    state: EngineState
    message: str
    version: str
    protocol: int
    model: str = ""
    device: str = ""
    dtype: str = ""
    context: int = 0
    saes: tuple[str, ...] = ()
    clients: int = 0
    memory_bytes: int = 0
    progress: float = 0.0
    warnings: tuple[str, ...] = ()
    weights_bytes: int = 0
    caches_bytes: int = 0
    budget_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """The body of every answer that is not a success. `code` is that of a class in errors.py.

    `nearest`: where no feature has the name that was given, the names that may have been meant, the likeliest first.
    """

    code: str
    message: str
    nearest: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an engine listens: a Unix socket, or a loopback port with its token (kept in a 0600 file)."""

    pid: int
    version: str
    socket: str | None = None
    port: int | None = None
    token: str | None = field(default=None, repr=False)
