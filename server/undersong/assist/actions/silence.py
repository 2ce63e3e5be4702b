"""Silence a feature of this paragraph: not shown any more, and taken out of what is written."""

from __future__ import annotations

from undersong.assist.actions.base import KIND, Action, ActionContext

SILENCE = f"{KIND}.silence"
COMMAND = "undersong.silence"


def offer(context: ActionContext) -> list[Action]:
    return [Action(f"Silence ‹{target.name}›", SILENCE, COMMAND, context.about(target)) for target in context.others]
