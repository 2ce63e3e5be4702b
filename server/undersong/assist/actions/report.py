"""What does this paragraph carry? Its report, beside the text."""

from __future__ import annotations

from undersong.assist.actions.base import KIND, NOT_READ, Action, ActionContext

REPORT = f"{KIND}.report"
COMMAND = "undersong.report"


def offer(context: ActionContext) -> list[Action]:
    index = context.paragraph
    if index is None:
        return []
    # A report needs a reading, not the engine: what was read before is still worth telling.
    unread = context.draft.readings.at(index) is None
    reason = (context.unavailable or NOT_READ) if unread else None
    return [Action("What does this paragraph carry?", REPORT, COMMAND, context.place(index), reason)]
