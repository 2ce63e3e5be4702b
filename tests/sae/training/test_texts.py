"""Text files in pieces: every line once, in an order that is drawn and can be taken up anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
import zstandard

from undersong.errors import BadText, WeightsMissing
from undersong.sae.training.texts import Listed, TextFiles, text_files


def write_lines(path: Path, n: int, prefix: str) -> Path:
    path.write_text("".join(f"{prefix} line {i} — é𝄞\n" for i in range(n)), "utf-8")
    return path


def test_every_line_is_given_once_a_turn(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.txt", 50, "a")
    write_lines(tmp_path / "b.md", 30, "b")
    texts = TextFiles([tmp_path], seed=1, piece_bytes=97)
    turn = list(islice(texts.since(0), len(texts)))
    lines = [line for text in turn for line in text.split("\n") if line]
    expected = [f"a line {i} — é𝄞" for i in range(50)] + [f"b line {i} — é𝄞" for i in range(30)]
    assert sorted(lines) == sorted(expected)
    assert lines != expected
    again = list(islice(texts.since(len(texts)), len(texts)))
    assert sorted(again) == sorted(turn) and again != turn


def test_a_file_without_a_last_line_end_and_lines_longer_than_a_piece_are_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("short\n" + "x" * 300 + "\nlast", "utf-8")
    texts = TextFiles([path], piece_bytes=50)
    assert sorted(text for text in islice(texts.since(0), len(texts)) if text) == ["last", "short\n" + "x" * 300 + "\n"]


def test_texts_can_be_taken_up_anywhere(tmp_path: Path) -> None:
    texts = TextFiles([write_lines(tmp_path / "a.txt", 60, "a")], seed=3, piece_bytes=80)
    whole = list(islice(texts.since(0), 3 * len(texts)))
    for at in (0, 1, len(texts) - 1, len(texts), 2 * len(texts) + 3):
        assert list(islice(texts.since(at), 4)) == whole[at : at + 4]
    assert list(Listed(["x", "y", "z"]).since(1)) == ["y", "z"]


def test_lines_of_json_hold_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": f"text {i}\nof two lines"}) + "\n" for i in range(3)), "utf-8")
    assert next(TextFiles([path]).since(0)) == "text 0\nof two lines\n\ntext 1\nof two lines\n\ntext 2\nof two lines"


def test_packed_texts_are_read_and_their_copies_go_with_the_reader(tmp_path: Path) -> None:
    plain = write_lines(tmp_path / "a.txt", 50, "a").read_bytes()
    # Two frames, one after the other, as `zstd` writes when files are joined.
    (tmp_path / "b.txt.zst").write_bytes(zstandard.compress(plain[:700]) + zstandard.compress(plain[700:]))
    texts, expected = (
        TextFiles([tmp_path / "b.txt.zst"], piece_bytes=97),
        TextFiles([tmp_path / "a.txt"], piece_bytes=97),
    )
    assert list(islice(texts.since(0), 30)) == list(islice(expected.since(0), 30))
    assert [path.name for path in text_files([tmp_path])] == ["a.txt", "b.txt.zst"]
    copy = texts._pieces[0].path
    assert copy.is_file()
    del texts
    assert not copy.parent.exists()


@pytest.mark.parametrize(
    ("kept", "reason"), [(lambda held: held[:-9], "found it cut short"), (lambda held: b"x" + held, "found damage")]
)
def test_packed_texts_that_are_damaged_are_refused(tmp_path: Path, kept: Callable[[bytes], bytes], reason: str) -> None:
    (tmp_path / "a.txt.zst").write_bytes(kept(zstandard.compress(b"some words\n" * 99)))
    with pytest.raises(BadText, match=reason):
        TextFiles([tmp_path / "a.txt.zst"])


@pytest.mark.parametrize(
    ("name", "content", "error", "reason"),
    [
        ("a.pdf", b"x", BadText, "expected .txt, .md or .jsonl .*, found .pdf"),
        ("a.txt", b"\xff\xfe x\n", BadText, "expected UTF-8"),
        ("a.jsonl", b'{"body": "x"}\n', BadText, 'expected a JSON object with "text"'),
        ("a.txt", b"", BadText, "only empty files"),
        ("a.jsonl", b'{"text": " "}\n{"text": ""}\n', BadText, "found nothing but blanks"),
        ("missing", None, WeightsMissing, "there is no file or folder"),
    ],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, name: str, content: bytes | None, error: type[Exception], reason: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=reason):
        list(islice(TextFiles([tmp_path / name]).since(0), 2))
