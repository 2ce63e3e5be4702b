"""Code actions: one file an action, each with `offer(context) -> list[Action]`, one line in ACTIONS."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from undersong.assist.actions import continue_toward, pin, report, silence, steer, unpin, unsilence
from undersong.assist.actions.base import KIND, Action, ActionContext

__all__ = ["ACTIONS", "COMMANDS", "KIND", "KINDS", "Action", "ActionContext", "is_asked", "offered"]

ACTIONS: dict[str, Callable[[ActionContext], list[Action]]] = {
    steer.STEER: steer.offer,
    continue_toward.CONTINUE: continue_toward.offer,
    pin.PIN: pin.offer,
    unpin.UNPIN: unpin.offer,
    silence.SILENCE: silence.offer,
    unsilence.UNSILENCE: unsilence.offer,
    report.REPORT: report.offer,
}
"""By kind, in the order in which they are listed."""

KINDS: tuple[str, ...] = tuple(ACTIONS)
COMMANDS: tuple[str, ...] = tuple(
    module.COMMAND for module in (steer, continue_toward, pin, unpin, silence, unsilence, report)
)


def offered(context: ActionContext, only: Sequence[str] | None = None) -> list[Action]:
    """Every action of the kinds asked for; what was not asked for is not computed."""
    return [action for kind, offer in ACTIONS.items() if is_asked(kind, only) for action in offer(context)]


def is_asked(kind: str, only: Sequence[str] | None) -> bool:
    """LSP's rule: kinds are paths, "refactor" asks for all that begin with "refactor."; "" asks for every kind."""
    if not only:
        return True
    return any(asked == "" or kind == asked or kind.startswith(asked + ".") for asked in only)
