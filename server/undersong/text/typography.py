"""Typography both ways: a draft's marks to the plain ones a model was trained on, and a model's text to the draft's.

`plain(prose)` is what the model reads, with every offset mapped; `detect(text)` is how a draft is set; `dress(text,
style, before)` sets a model's text so. `plain(dress(text, style)) == plain(text)` for every style with double-quoted
dialogue, and for well-formed dialogue where single quotes stand outside.
"""

from __future__ import annotations

from undersong.text.dressing import dress, settled
from undersong.text.plain_text import PLAIN, PlainText, plain
from undersong.text.style import Style, detect

__all__ = ["PLAIN", "PlainText", "Style", "detect", "dress", "plain", "settled"]
