"""What every action takes and answers. An action is listed without the model; its command does the work."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from undersong.assist.anchors import anchor
from undersong.assist.draft import NOT_SHOWN, Draft
from undersong.assist.salience import Background, Salient, salient
from undersong.text.span import Span

KIND = "refactor.rewrite.undersong"
SALIENT_OFFERED = 3
MORE, AWAY = 0.5, -1.0
"""What "more" and "less" mean for a feature that is not pinned. More is half the calibrated dose: the whole one costs
the small default model much of its fluency, and a writer who wants it can pin the feature at 1.0.
"""
NOT_READ = "This paragraph has not been read yet."


@dataclass(frozen=True, slots=True)
class Action:
    """`arguments`: the one JSON object that `command` takes. `disabled_reason`: shown greyed out, with this."""

    title: str
    kind: str
    command: str
    arguments: dict[str, Any]
    disabled_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A feature to act on. `presence`: None where the paragraph's reading does not list it."""

    feature: str
    name: str
    presence: float | None
    pinned_strength: float | None


@dataclass(frozen=True, slots=True)
class ActionContext:
    """`span`: the selection or cursor, in the source. `unavailable`: why the engine cannot work now, else None."""

    draft: Draft
    span: Span
    unavailable: str | None = None
    paragraph: int | None = field(init=False)
    """The paragraph where the selection begins."""
    targets: tuple[Target, ...] = field(init=False)
    """The pinned features, then the most salient others of the paragraph."""

    def __post_init__(self) -> None:
        index = self.draft.segments.paragraph_at(self.span.start)
        object.__setattr__(self, "paragraph", index)
        object.__setattr__(self, "targets", _targets(self.draft, index))

    @property
    def is_prose(self) -> bool:
        return self.paragraph is not None and self.draft.paragraph(self.paragraph).kind not in NOT_SHOWN

    @property
    def others(self) -> tuple[Target, ...]:
        """The targets that are not pinned."""
        return tuple(target for target in self.targets if target.pinned_strength is None)

    def place(self, index: int, offset: int | None = None) -> dict[str, Any]:
        """The arguments that say where: the document, its version, the paragraph (and a place in it)."""
        document = self.draft.document
        where = anchor(document, self.draft.segments, index, offset)
        return {"uri": document.uri, "version": document.version, "anchor": where.to_json()}

    def about(self, target: Target) -> dict[str, Any]:
        """The arguments of an action that changes settings."""
        return {"uri": self.draft.document.uri, "feature": target.feature, "name": target.name}


def _targets(draft: Draft, index: int | None) -> tuple[Target, ...]:
    limit = len(draft.settings.features) + SALIENT_OFFERED
    found = salient(draft, index, limit, Background.of(draft.readings)) if index is not None else ()
    others = [_target(one, None) for one in found if not one.pinned][:SALIENT_OFFERED]
    return (*_pinned(draft, found), *others)


def _pinned(draft: Draft, found: tuple[Salient, ...]) -> list[Target]:
    """Every pin, those the paragraph lacks too: these are what one most wants to steer toward."""
    pinned: list[Target] = []
    for pin in draft.settings.features:
        present = next((one for one in found if pin.name in (one.reading.feature, one.reading.name)), None)
        pinned.append(_target(present, pin.strength) if present else Target(pin.name, pin.name, None, pin.strength))
    return pinned


def _target(one: Salient, strength: float | None) -> Target:
    return Target(one.reading.feature, one.reading.name, one.reading.presence, strength)
