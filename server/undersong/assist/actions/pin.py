"""Pin a feature of this paragraph: always shown, and steered toward in what is written."""

from __future__ import annotations

from undersong.assist.actions.base import KIND, MORE, Action, ActionContext

PIN = f"{KIND}.pin"
COMMAND = "undersong.pin"


def offer(context: ActionContext) -> list[Action]:
    return [
        Action(f"Pin ‹{target.name}›", PIN, COMMAND, {**context.about(target), "strength": MORE})
        for target in context.others
    ]
