"""Take back a silence. A silenced feature is shown nowhere else, so this is the way back."""

from __future__ import annotations

from undersong.assist.actions.base import KIND, Action, ActionContext, Target

UNSILENCE = f"{KIND}.unsilence"
COMMAND = "undersong.unsilence"


def offer(context: ActionContext) -> list[Action]:
    if context.paragraph is None:
        return []
    return [
        Action(f"No longer silence ‹{name}›", UNSILENCE, COMMAND, context.about(Target(name, name, None, None)))
        for name in context.draft.settings.silence
    ]
