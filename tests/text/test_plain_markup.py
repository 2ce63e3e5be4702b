from __future__ import annotations

import pytest

from undersong.text.segments import segment

from .strategies import document

LONG = "The sea was grey and the wind came over it from the north, and nobody in the town could say " + "how long. " * 4
LONG = LONG.strip()


@pytest.mark.parametrize(
    ("text", "proses"),
    [
        ("One.\n\nTwo.", ("One.", "Two.")),
        ("\ufeffOne.", ("One.",)),
        ("The sea was\ngrey that day\nand cold.", ("The sea was grey that day and cold.",)),
        ("The sea was\r\n  \t\r\ngrey.\r\rNo.", ("The sea was", "grey.", "No.")),
        ("“Where to?”\n“Out.”\n“Out where?”", ("“Where to?”", "“Out.”", "“Out where?”")),
        (f"{LONG}\n{LONG}\nYes.\n{LONG}", (LONG, LONG, "Yes.", LONG)),
        (
            # Wrapped, though every line happens to end a sentence: none had room for the next word.
            "He went down to the sea in the grey light, and swam alone.\n"
            "Nobody saw him go. The wind had come up in the night.\nSnowflakes fell.",
            (
                "He went down to the sea in the grey light, and swam alone. "
                "Nobody saw him go. The wind had come up in the night. Snowflakes fell.",
            ),
        ),
        ("  He went down to\nthe sea.\n  She stayed at\nhome.", ("He went down to the sea.", "She stayed at home.")),
        ("One.\n\n* * *\n\n---\n\nTwo.", ("One.", "Two.")),  # what has no letter and no digit is no paragraph
        ("One.\u2028Two.\x0cThree.\x85Four.", ("One.\u2028Two.\x0cThree.\x85Four.",)),
    ],
)
def test_paragraphs_of_plain_text(text: str, proses: tuple[str, ...]) -> None:
    found = segment(document(text, "plaintext"))
    assert found.proses == proses
    assert {paragraph.kind for paragraph in found.paragraphs} == {"prose"}
