from __future__ import annotations

from pathlib import Path

import pytest
import torch

from undersong.errors import BadText
from undersong.sae.evaluation.logistic import auc, fit, quality
from undersong.sae.evaluation.probing import Task, probe, read_tasks, source_tasks


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(200, 3), (30, 80)])
def test_at_the_optimum_the_gradient_is_zero(shape: tuple[int, int]) -> None:
    x, labels = normal(*shape), normal(shape[0], seed=1) > 0.3
    found = fit(x, labels)
    scale = x.double().std(0, correction=0)
    weights = (found.weights * scale).clone().requires_grad_()
    intercept = torch.tensor(found.intercept, dtype=torch.float64, requires_grad=True)
    signs = labels.double() * 2 - 1
    loss = torch.nn.functional.softplus(-signs * (x.double() / scale @ weights + intercept)).sum()
    (loss + weights.square().sum() / 2).backward()
    assert weights.grad is not None and intercept.grad is not None
    assert float(weights.grad.abs().max()) < 1e-4 and abs(float(intercept.grad)) < 1e-4


def test_a_constant_column_and_separable_rows_do_no_harm() -> None:
    x = torch.cat([torch.arange(40.0)[:, None], torch.ones(40, 1)], dim=1)
    labels = torch.arange(40) >= 20
    found = quality(fit(x, labels).scores(x), labels)
    assert (found.accuracy, found.f1, found.auc) == (1, 1, 1)
    with pytest.raises(ValueError, match="both kinds"):
        fit(x, torch.ones(40, dtype=torch.bool))


def test_ties_count_half() -> None:
    assert auc(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0])) == pytest.approx(0.875)


def test_the_feature_that_tells_the_texts_apart_is_found() -> None:
    labels = torch.arange(120) % 2 == 0
    residuals, codes = normal(120, 8), normal(120, 50, seed=2).relu()
    codes[:, 17] = labels * 3.0 + 0.1 * codes[:, 17]
    task = Task("even", tuple(f"text {n}" for n in range(120)), tuple(labels.tolist()))
    found = {(each.of, each.k): each for each in probe(task, codes, residuals)}
    assert set(found) == {(of, k) for of in ("features", "coordinates") for k in (1, 2, 5)} | {("residual", None)}
    assert found["features", 1].chosen == (17,) and found["features", 1].accuracy == 1
    assert found["residual", None].accuracy < 0.8 and found["features", 1].base == pytest.approx(0.5)
    with pytest.raises(BadText, match="expected 20 texts of each kind or more, found 15 and 15"):
        probe(Task("few", task.texts[:30], task.labels[:30]), codes[:30], residuals[:30])


def test_a_file_of_labels_gives_a_task_for_each(tmp_path: Path) -> None:
    file = tmp_path / "mood.tsv"
    file.write_text("# mood\nsad\tIt rained.\nglad\tIt shone.\nsad\tIt rained on.\ncalm\tIt was.\n")
    calm, _, sad = read_tasks(file)
    assert (calm.name, sad.name, sad.labels) == ("mood: calm", "mood: sad", (True, False, True, False))
    file.write_text("sad\tIt rained.\nglad\tIt shone.\n")
    assert [task.name for task in read_tasks(file)] == ["mood: glad"]
    with pytest.raises(BadText, match="expected a file of lines of label, tab, text"):
        read_tasks(tmp_path / "none.tsv")
    file.write_text("sad It rained.\n")
    with pytest.raises(BadText, match=r"line 1: expected label, tab, text; found 'sad It rained.'"):
        read_tasks(file)


def test_no_text_is_both_among_those_learnt_from_and_those_judged_on(tmp_path: Path) -> None:
    file = tmp_path / "mood.tsv"
    file.write_text("sad\tIt rained.\nglad\tIt shone.\nsad\tIt rained.\n")
    (task,) = read_tasks(file)
    assert task.texts == ("It rained.", "It shone.")
    file.write_text("sad\tIt rained.\nglad\tIt shone.\nglad\tIt rained.\n")
    with pytest.raises(BadText, match=r"line 3: expected one label a text, found 'glad' and 'sad' of 'It rained\.'"):
        read_tasks(file)
    own = [f"a{n}" for n in range(30)]
    (task,) = source_tasks({"a": [*own, *own, "licence"], "b": [f"b{n}" for n in range(40)] + ["licence"] * 9})
    assert len(task.texts) == 60 == len(set(task.texts)) and "licence" not in task.texts


def test_sources_are_told_from_as_many_passages_of_the_others() -> None:
    passages = {"a": [f"a{n}" for n in range(30)], "b": [f"b{n}" for n in range(50)], "c": ["c"]}
    tasks = source_tasks(passages)
    assert [task.name for task in tasks] == ["from a", "from b"]
    assert sum(tasks[0].labels) == 30 and len(tasks[0].texts) == 60
    assert [task.name for task in source_tasks({"b": passages["b"], "a": passages["a"]})] == ["from b"]
    assert all(text.startswith("a") == label for text, label in zip(tasks[0].texts, tasks[0].labels, strict=True))
