"""Names are judged on passages with and without their feature, by what the name alone says."""

from __future__ import annotations

import hashlib

import detection
import numpy as np
import pytest
from detection import Quiz, balanced_accuracy, lexical, load_scores, make_quiz, read_answers, stems_of, write_quizzes

TEXTS = [f"the ship sailed {n}" for n in range(30)] + [f"a quiet\nroom {n}" for n in range(70)]
STRENGTH = np.array([0.1 * (n + 1) for n in range(30)] + [0.0] * 70)


def test_a_quiz_has_as_many_strong_as_silent_passages_and_shows_them_on_one_line():
    quiz = make_quiz("p3.1", "ships", STRENGTH, TEXTS)
    assert quiz is not None and sum(quiz.fits) == 8 and len(quiz.fits) == 16
    for text, fits in zip(quiz.texts, quiz.fits, strict=True):
        assert fits == text.startswith("the ship") and "\n" not in text
        assert not fits or int(text.split()[-1]) >= 14
    assert make_quiz("p3.1", "ships", STRENGTH, TEXTS) == quiz
    assert make_quiz("p3.2", "ships", STRENGTH, TEXTS) != quiz


@pytest.mark.parametrize("strong", [0, 3])
def test_a_feature_with_too_few_passages_has_no_quiz(strong):
    assert make_quiz("p3.1", "ships", np.array([1.0] * strong + [0.0] * 50), TEXTS) is None


@pytest.mark.parametrize(
    ("fits", "said", "expected"),
    [
        ([True, False], [True, False], 1.0),
        ([True, False], [False, True], 0.0),
        ([True, True, False], [True, True, True], 0.5),
        ([True, True, False, False], [True, False, False, False], 0.75),
    ],
)
def test_balanced_accuracy_gives_both_sides_the_same_weight(fits, said, expected):
    assert balanced_accuracy(fits, said) == expected


def test_answers_are_scored_against_the_key(tmp_path):
    quizzes = [Quiz("3.7", "cats", ("a", "b"), (False, True)), Quiz("p3.1", "sea", ("c", "d"), (True, False))]
    write_quizzes(quizzes, 2, tmp_path, [])
    shown = "".join(file.read_text() for file in sorted(tmp_path.glob("quiz_*.txt")))
    assert shown == "## 3.7\tcats\n1. a\n2. b\n## p3.1\tsea\n1. c\n2. d\n"
    (tmp_path / "answers_1.tsv").write_text("3.7\t2\n")
    (tmp_path / "answers_2.tsv").write_text("p3.1\t\n")
    assert read_answers(tmp_path) == {"3.7": 1.0, "p3.1": 0.5}


@pytest.mark.parametrize("line", ["3.8\t2", "3.7\tone", "3.7 2", "3.7\t1, 2", "3.7\t3", "3.7\t0"])
def test_an_answer_that_is_not_one_is_refused_with_its_place(tmp_path, line):
    write_quizzes([Quiz("3.7", "cats", ("a", "b"), (False, True))], 1, tmp_path, [])
    (tmp_path / "answers_1.tsv").write_text(f"3.7\t2\n{line}\n")
    with pytest.raises(SystemExit, match=r"answers_1\.tsv:2: expected a feature of key\.json"):
        read_answers(tmp_path)


def test_a_second_answer_about_a_feature_is_refused(tmp_path):
    write_quizzes([Quiz("3.7", "cats", ("a", "b"), (False, True))], 1, tmp_path, [])
    (tmp_path / "answers_1.tsv").write_text("3.7\t2\n3.7\t1\n")
    with pytest.raises(SystemExit, match=r"answers_1\.tsv:2: expected one answer for each feature, found a second"):
        read_answers(tmp_path)


HEAD = f"# p3: sae_weights.safetensors {hashlib.sha256(b'weights').hexdigest()}"
QUIZZES = [Quiz(f"p3.{n}", f"name {n}", ("a", "b", "c", "d"), (True, True, False, False)) for n in range(4)]


def test_the_scores_are_written_with_the_weights_that_they_are_of(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(detection, "SCORES", tmp_path / "detection.tsv")
    write_quizzes(QUIZZES, 1, tmp_path / "quizzes", [HEAD])
    (tmp_path / "quizzes/answers_1.tsv").write_text("p3.0\t1 2\np3.1\t1\np3.2\t3 4\n")
    detection.main([str(tmp_path)])
    lines = ["p3.0\tname 0\t1.0000", "p3.1\tname 1\t0.7500", "p3.2\tname 2\t0.0000"]
    assert detection.SCORES.read_text() == "\n".join([HEAD, detection.COMMENT, *lines, ""])
    said = capsys.readouterr().out
    assert "3 of 4 names judged: median 0.750" in said and "2 hold (0.65 or more): median 0.875" in said
    (tmp_path / "sae_weights.safetensors").write_bytes(b"weights")
    expected = {"p3.0": ("name 0", 1.0), "p3.1": ("name 1", 0.75), "p3.2": ("name 2", 0.0)}
    assert load_scores({"p3": tmp_path}) == expected
    (tmp_path / "sae_weights.safetensors").write_bytes(b"made anew")
    assert load_scores({"p3": tmp_path}) == {}


def test_quizzes_that_do_not_say_of_which_weights_they_are_get_scores_that_are_not_bound(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(detection, "SCORES", tmp_path / "detection.tsv")
    write_quizzes(QUIZZES, 1, tmp_path / "quizzes", [HEAD])
    (tmp_path / "quizzes/weights.txt").unlink()
    detection.main([str(tmp_path)])
    assert detection.SCORES.read_text() == f"{detection.COMMENT}\n" and "no median" in capsys.readouterr().out


@pytest.mark.parametrize("score", ["high", "-0.5", "1.5", "nan"])
def test_a_score_that_is_none_is_refused_with_its_place(tmp_path, monkeypatch, score):
    monkeypatch.setattr(detection, "SCORES", tmp_path / "detection.tsv")
    detection.SCORES.write_text(f"p3.0\tname\t{score}\n")
    with pytest.raises(SystemExit, match=r"detection\.tsv:1: expected a score from 0 to 1"):
        load_scores({"p3": tmp_path})


def test_the_lexical_judge_looks_for_any_form_of_the_words():
    assert lexical(("ships",), STRENGTH, stems_of(TEXTS)) == 1.0
    assert lexical(("shipping", "rooms"), STRENGTH, stems_of(TEXTS)) == 0.5
    assert lexical(("ships",), np.zeros(100), stems_of(TEXTS)) is None
