"""Unpin: for every pin, whether or not this paragraph has it."""

from __future__ import annotations

from undersong.assist.actions.base import KIND, Action, ActionContext

UNPIN = f"{KIND}.unpin"
COMMAND = "undersong.unpin"


def offer(context: ActionContext) -> list[Action]:
    return [Action(f"Unpin ‹{target.name}›", UNPIN, COMMAND, context.about(target)) for target in context.pinned]
