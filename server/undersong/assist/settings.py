"""Every setting: its default, what it may be, what it means. `docs/settings.md` says the same; a test compares.

Layers of them are read and put together in layers.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Annotated, Literal, get_args, get_type_hints

from undersong import wire
from undersong.assist.kinds import Choice, Choices, Kind, Number, Text, Texts, Truth, Whole
from undersong.catalogue.always_off import lists
from undersong.catalogue.queries import plain_name

Surface = Literal["inlay", "lens", "both", "off"]
Confirm = Literal["losses", "always", "never"]


@dataclass(frozen=True, slots=True)
class HintSettings:
    """What is shown of a draft, and where."""

    surface: Annotated[Surface, Choice(("inlay", "lens", "both", "off"))] = "inlay"
    """Where the features of a paragraph are shown: at its end, in a line above it, both, or nowhere."""
    characters_per_line: Annotated[int, Whole(8, 400)] = 40
    """Cells that all hints of one line may fill. VS Code cuts them at 43, unless it is told not to."""
    per_paragraph: Annotated[int, Whole(1, 12)] = 3
    """Features shown for one paragraph."""
    minimum_words: Annotated[int, Whole(0, 1000)] = 5
    """A paragraph of fewer words gets no hint."""
    pause_seconds: Annotated[float, Number(0, 60)] = 1.5
    """How long typing must rest before the paragraph at the cursor gets its hint."""
    minimum_presence: Annotated[float, Number(0, 1)] = 0.75
    """A feature that is not pinned is shown from this presence on (the share of reference passages it exceeds)."""


@dataclass(frozen=True, slots=True)
class WritingSettings:
    """How text is written: suggestions, continuations and ghost text."""

    temperature: Annotated[float, Number(0, 2)] = 0.8
    """0 always takes the likeliest token."""
    top_p: Annotated[float, Number(0.01, 1)] = 0.95
    """Tokens are drawn from the smallest set that has this share of the probability."""
    candidates: Annotated[int, Whole(1, 16)] = 4
    """Candidates written for each steer; the best is kept. Ghost text always writes one."""
    max_tokens: Annotated[int, Whole(1, 1024)] = 48
    """Longest continuation, in the model's tokens."""
    rewrite_tolerance: Annotated[float, Number(0.05, 3)] = 0.2
    """How much shorter or longer a rewrite may be than what it replaces: 0.2 is by a fifth."""
    keep: Annotated[tuple[str, ...], Choices(get_args(wire.Keep))] = ()
    """What of a paragraph its rewrite must have too: "names", "numbers", "quotations"."""
    always_off: Annotated[tuple[str, ...], Choices(tuple(lists()))] = ()
    """Shipped lists of features that are taken out of everything that is written: "violence", "slurs"."""
    seed: Annotated[int, Whole(0, 2**31 - 1)] = 0
    """The same draft, settings and seed give the same text."""
    ghost_text: Annotated[bool, Truth()] = True
    """Suggest a continuation at the cursor while typing."""
    confirm: Annotated[Confirm, Choice(("losses", "always", "never"))] = "losses"
    """When a suggestion is shown to be confirmed before it is put in, by editors that have a preview of edits.

    losses: where markup would go with the text it replaces.
    """
    operation: Annotated[wire.Operation, Choice(("floor", "clamp", "add"))] = "floor"
    """How a token feature is raised: to at least the target, to exactly the target, or by the dose.

    A passage feature is always raised by the dose.
    """
    notes_context: Annotated[bool, Truth()] = False
    """Give a continuation the passages of your notes that are most like the paragraph at hand, as context.

    Notes are what `undersong notes index` has read. Ghost text gets none.
    """


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What reads and writes, and where it runs. A change takes effect when the engine is started again."""

    model: Annotated[str, Text()] = ""
    """A folder or model id that transformers can load. Empty: the model that comes with Undersong."""
    adapter: Annotated[str, Text()] = ""
    """The folder of a LoRA adapter for that model, as peft writes it. Empty: none."""
    saes: Annotated[tuple[str, ...], Texts()] = ()
    """Folders of the SAEs for that model. Empty: those that come with Undersong."""
    device: Annotated[str, Text()] = "auto"
    """auto, cuda, cuda:1, mps, cpu. auto takes the first there is."""
    url: Annotated[str, Text()] = ""
    """Address of an engine that runs elsewhere. Empty: one on this machine, started when needed."""
    idle_minutes: Annotated[float, Number(0, 1440)] = 10.0
    """The engine ends this long after its last editor has gone."""
    memory_mb: Annotated[int, Whole(0, 1_000_000)] = 0
    """Budget of memory in MB: caches give way to keep to it. 0: automatic.

    The weights and the process itself take their part of it first.
    """


@dataclass(frozen=True, slots=True)
class ReadingSettings:
    """Which files are read."""

    exclude: Annotated[tuple[str, ...], Texts()] = ()
    """Files that are never read: globs relative to the workspace, such as "drafts/old/**"."""
    maximum_characters: Annotated[int, Whole(1, 100_000_000)] = 2_000_000
    """A longer file is not read."""


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What goes to the log."""

    level: Annotated[str, Choice(("debug", "info", "warning", "error"))] = "warning"
    """What goes to the log. The text of a draft never does, at any level."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A feature (id or exact name) that is always shown, and steered toward at `strength` (0: only shown).

    Above 0 it is only shown, too, where it is known to read and not to steer. `when`: as wire.Dial.when.
    """

    name: str
    strength: float
    when: str = ""


def means(written: str, feature: str, name: str) -> bool:
    """Whether what the settings say means a feature: its id, or its name whatever the case and spacing."""
    return written == feature or _plain(written) == _plain(name)


@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    return plain_name(name)


@dataclass(frozen=True, slots=True)
class Condition:
    """`name`: of the pin; `when`: as wire.Dial.when."""

    name: str
    when: str


@dataclass(frozen=True, slots=True)
class Settings:
    hints: HintSettings = HintSettings()
    writing: WritingSettings = WritingSettings()
    engine: EngineSettings = EngineSettings()
    reading: ReadingSettings = ReadingSettings()
    log: LogSettings = LogSettings()
    features: tuple[Pin, ...] = ()
    """Pinned features (ids or exact names) with their strengths: shown first, and steered toward.

    1 is the feature's calibrated dose, 0 only shows it, -1 is for less of it. They are shown in the order they have.
    """
    silence: tuple[str, ...] = ()
    """Features (ids or exact names) that are not shown, and taken out of what is written.

    Token features are ablated, passage features get a dose the other way.
    """

    when: tuple[Condition, ...] = ()
    """Where a pinned feature is turned: "dialogue", "narration", or where another feature is present (its id or name).

    By the pin's name as it is pinned; elsewhere the text is written as if it were not.
    """

    @property
    def watch(self) -> tuple[str, ...]:
        """What every reading must answer, however faint."""
        return tuple(pin.name for pin in self.features)

    @property
    def names(self) -> tuple[str, ...]:
        """The features that are pinned, silenced or a condition, as they are written."""
        return (*self.watch, *self.silence, *(one.when for one in self.when if one.when not in WHERE))

    def pin_for(self, feature: str, name: str) -> Pin | None:
        """The pin of a feature, whether it was pinned by id or by name; the first, where it has several."""
        return next((pin for pin in self.features if means(pin.name, feature, name)), None)

    def condition_of(self, pin: Pin) -> str:
        """Where a pin is turned: what it says itself goes before."""
        plain = _plain(pin.name)
        return pin.when or next((one.when for one in self.when if _plain(one.name) == plain), "")

    def silences(self, feature: str, name: str) -> bool:
        return any(means(silenced, feature, name) for silenced in self.silence)


SECTIONS: dict[str, type] = {
    "hints": HintSettings,
    "writing": WritingSettings,
    "engine": EngineSettings,
    "reading": ReadingSettings,
    "log": LogSettings,
}
WHERE = ("dialogue", "narration")
"""Conditions that are no feature."""
EXPECTED_WHEN = '"dialogue", "narration" or a feature'
KEYS = (*SECTIONS, "features", "silence", "when")
"""All that a layer may have at its top."""
STRENGTH = Number(wire.MIN_STRENGTH, wire.MAX_STRENGTH)


@cache
def kinds_of(section: str) -> dict[str, Kind]:
    """The kind of each setting of a section, in the order they are written."""
    hints = get_type_hints(SECTIONS[section], include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items()}


def default_of(key_path: str) -> object:
    section, _, name = key_path.partition(".")
    return getattr(SECTIONS[section](), name)
