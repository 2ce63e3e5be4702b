"""What a straight quote is: a quotation mark that opens or closes, or an apostrophe."""

from __future__ import annotations

import re

# Words whose first letters an apostrophe replaces. After a space it is not a quotation mark.
_ELISION = re.compile(
    r"'(?:(?:tis|twas|twere|twill|twould|tisn't|twasn't|twouldn't|em|im|til|till|cause|cos|bout|round|neath|gainst"
    r"|twixt|tween|mongst|midst|cept|fraid|nother|n|ere|er|e|ave|avin|ad|ow|ello|ullo|ome|ouse|orse|eart|eaven|ead"
    r"|undred|urt|elp|ell|ope|ard|alf|appen|appened|isself|ammer)|\d\ds?)(?!\w)",
    re.IGNORECASE,
)
# No paragraph of dialogue is as long; the rule looks ahead from every quote.
LONGEST = 50_000
_OPENS_AFTER = frozenset(" ([{-\"'/")
_BEFORE_OPEN = re.compile(r"'(?=['\"]?\w|--|\.\.\.)")


def is_elision(text: str, at: int) -> bool:
    """Whether the straight single quote at `at` begins a shortened word ('tis, '90s)."""
    return _ELISION.match(text, at) is not None


def opens_at(text: str, at: int) -> bool:
    """Whether the straight single quote at `at` stands where a quotation can open."""
    before = text[at - 1] if at else " "
    return before in _OPENS_AFTER and bool(_BEFORE_OPEN.match(text, at)) and not is_elision(text, at)


def closes_at(text: str, at: int) -> str:
    """How surely the single quote at `at` closes a quotation: "strong" after punctuation, "weak" after a word."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if not before or before.isspace() or after.isalnum():
        return ""
    return "weak" if before.isalnum() or before == "'" else "strong"


def double_outside(text: str) -> str:
    """`text` with double quotes outside and single ones inside; as it stands where they do so already.

    Of a flat text (straight quotes). The first mark decides: a single quote that opens, and closes again or begins
    a sentence. Nothing but quotes changes, one for one.
    """
    if "'" not in text or '""' in text or len(text) > LONGEST:
        return text
    first = next((at for at, mark in enumerate(text) if mark == "'" and opens_at(text, at)), -1)
    double = text.find('"')
    if first < 0 or 0 <= double < first:
        return text
    marks = _outer_marks(text, first)
    if not marks:
        return text
    swapped = "".join(
        '"' if at in marks else "'" if mark == '"' else mark for at, mark in enumerate(text)
    )  # apostrophes stay
    return text if "''" in swapped else swapped


def _outer_marks(text: str, first: int) -> set[int]:
    """Where the single quotes stand that are quotation marks; none when the first of them may be an apostrophe."""
    singles = [at for at in range(first, len(text)) if text[at] == "'"]
    marks: set[int] = set()
    opened = -1
    for index, at in enumerate(singles):
        if opened < 0:
            if opens_at(text, at):
                opened = at
            continue
        how = closes_at(text, at)
        if how == "strong" or (how == "weak" and not _closed_later(text, singles[index + 1 :])):
            marks |= {opened, at}
            opened = -1
    # Speech that goes on in the next paragraph, or is still being written, has no closing mark.
    before = text[max(opened - 2, 0) : max(opened, 0)]
    begins = opened == 0 or before in ((", ", ": ", ". ", "! ", "? ") if marks else (", ", ": "))
    if opened >= 0 and begins and (marks or text[opened + 1 :].lstrip("'\"")[:1].isupper()):
        marks.add(opened)
    return marks if first in marks else set()


def _closed_later(text: str, singles: list[int]) -> bool:
    """Whether a sure closing mark comes before the next opening one: then a weak one was an apostrophe (the boys')."""
    for at in singles:
        if opens_at(text, at):
            return False
        if closes_at(text, at) == "strong":
            return True
    return False
