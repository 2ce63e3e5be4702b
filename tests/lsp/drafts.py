"""A draft that the tests of this folder read."""

from __future__ import annotations

from tests.lsp.harness import Editor

SEA = "The sea was grey that morning and it went on for a long way."
GRIEF = "She wept for him, and her grief was a thing that nobody saw."
PLAINLY = "Nothing of the kind was to be found in the house that day."
DRAFT = f"{SEA}\n\n{PLAINLY}\n\n{GRIEF}\n"
MORE_GRIEF = "Steer this paragraph: more ‹grief›"
WRITTEN = f"{GRIEF} There was grief in it, 0."
APPLY, REFRESH = "workspace/applyEdit", "workspace/inlayHint/refresh"


async def reading_editor(text: str = DRAFT, capabilities: dict[str, object] | None = None) -> Editor:
    """An editor with one draft that has been read."""
    editor = Editor(capabilities) if capabilities is not None else Editor()
    await editor.start()
    editor.open(text)
    await editor.clock.advance(3)
    return editor
