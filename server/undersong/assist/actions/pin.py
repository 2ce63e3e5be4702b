"""Pin a feature of this paragraph: always shown, and steered toward in what is written if it steers."""

from __future__ import annotations

from undersong.assist.actions.base import KIND, MORE, Action, ActionContext, Target

PIN = f"{KIND}.pin"
COMMAND = "undersong.pin"


def offer(context: ActionContext) -> list[Action]:
    return [
        Action(f"Pin ‹{target.name}›", PIN, COMMAND, {**context.about(target), "strength": _strength(target)})
        for target in context.others
    ]


def _strength(target: Target) -> float:
    """0, only shown, for what reads and does not steer."""
    return MORE if target.steers else 0.0
