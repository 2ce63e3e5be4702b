"""For clients that never ask again: let a request wait until what it asks for is fresh, and no longer than that.

Where the client can be told to refresh, nothing waits. The wait is an asyncio one: nothing else is held up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from undersong.lsp.drafts import OpenDraft
from undersong.text.span import Span

if TYPE_CHECKING:
    from undersong.lsp.session import Session

LONGEST_SECONDS = 3.0


async def until_fresh(session: Session, draft: OpenDraft, span: Span) -> None:
    """Return when the paragraphs in `span` are fresh and typing rests, when the text changes (the client asks again
    after that), when there is no engine to hope for, and after three seconds at the latest."""
    revision = draft.revision
    deadline = session.clock.now() + LONGEST_SECONDS
    timer = asyncio.ensure_future(session.clock.sleep(LONGEST_SECONDS))
    try:
        while draft.revision == revision and session.link.hopeful and session.clock.now() < deadline:
            reader = session.reader(draft.uri)
            if reader is None or draft.unread is not None:
                return
            if session.link.ready and reader.settled(span) and draft.typed_in(session.clock.now()) is None:
                return
            advanced = asyncio.ensure_future(reader.advanced())
            try:
                await asyncio.wait({advanced, timer}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                advanced.cancel()
    finally:
        timer.cancel()
