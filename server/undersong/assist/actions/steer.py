"""Steer this paragraph: more or less of a pinned or salient feature."""

from __future__ import annotations

from undersong.assist.actions.base import AWAY, KIND, MORE, NOT_READ, Action, ActionContext, Target
from undersong.assist.phrases import READS_ONLY

STEER = f"{KIND}.steer"
COMMAND = "undersong.steer"
NOT_STEERED = f"What stands out in this paragraph {READS_ONLY}."
PIN_NOT_STEERED = f"What is pinned {READS_ONLY}."


def offer(context: ActionContext) -> list[Action]:
    """More of each feature that steers; less of those that the paragraph has."""
    index = context.paragraph
    if index is None or not context.is_prose:
        return []
    where = context.place(index)
    if not context.steerable:
        # Nothing to steer toward: one greyed line says why, rather than an empty menu.
        reason = context.unavailable or _why_nothing(context, index)
        return [Action("Steer this paragraph", STEER, COMMAND, where, reason)] if reason else []
    offered: list[Action] = []
    for target in context.steerable:
        offered.append(_action(context, "more", target, where, more(target)))
        if target.presence is not None:
            offered.append(_action(context, "less", target, where, AWAY))
    return offered


def _why_nothing(context: ActionContext, index: int) -> str | None:
    if context.draft.readings.at(index) is None:
        return NOT_READ
    if context.others:
        return NOT_STEERED
    return PIN_NOT_STEERED if context.pinned else None


def more(target: Target) -> float:
    """A pin's own strength; MORE for what is not pinned, or pinned only to be shown or lowered."""
    strength = target.pinned_strength
    return strength if strength is not None and strength > 0 else MORE


def _action(context: ActionContext, way: str, target: Target, where: dict[str, object], strength: float) -> Action:
    title = f"Steer this paragraph: {way} ‹{target.name}›"
    arguments = {**where, "feature": target.feature, "name": target.name, "strength": strength}
    return Action(title, STEER, COMMAND, arguments, context.unavailable)
