"""Weights that cannot be used are refused with a code and a text; what is only a cache never stops anything."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.support.tiny_models import D_MODEL, write_sae, write_weights
from undersong.engine import reference, self_check
from undersong.engine.engine import _translated
from undersong.engine.loading import _fingerprint, _given, load
from undersong.engine.presence import LEVELS, POSITION_BOUND, Reference, load_reference
from undersong.engine.weights import find_default
from undersong.errors import BadWeights, HashMismatch, OutOfMemory, WeightsFormat
from undersong.sae.config import SAEConfig
from undersong.sae.writing import write_saelens


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder of weights that may be spoilt, and a cache of its own."""
    monkeypatch.setenv("UNDERSONG_CACHE_DIR", str(tmp_path / "cache"))
    return write_weights(tmp_path)


def loaded(weights, *saes: str):
    (*_, last) = load(str(weights.model), tuple(str(weights.saes[name]) for name in saes), "cpu", lambda *said: None)
    return last


def truncate(file) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def of_another_width(weights) -> None:
    shutil.rmtree(weights.saes["1"])
    write_sae(weights.saes["1"], d_in=16)


def with_nan(weights) -> None:
    file = weights.saes["1"] / "sae_weights.safetensors"
    from safetensors.torch import load_file

    tensors = load_file(file)
    tensors["b_enc"][3] = float("nan")
    save_file(tensors, file)


REFUSED = {
    "a truncated model": (lambda w: truncate(w.model / "model.safetensors"), "weights-format", "damaged or cut short"),
    "a model that is not there": (lambda w: shutil.rmtree(w.model), "weights-missing", "there is no folder"),
    "a truncated SAE": (
        lambda w: truncate(w.saes["1"] / "sae_weights.safetensors"),
        "weights-format",
        "damaged or cut short",
    ),
    "an SAE of another model": (
        of_another_width,
        "weights-format",
        "SAE 1: expected d_in 32, the model's at blocks.1.hook_resid_post; found 16",
    ),
    "an SAE with numbers that are none": (with_nan, "weights-format", "b_enc: expected finite numbers"),
    "statistics that are no numbers": (
        lambda w: (w.saes["1"] / "reference.safetensors").write_bytes(b"once upon a time"),
        "weights-format",
        "expected a safetensors file of reference statistics",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_weights_are_refused_with_code_and_text(own, case):
    spoil, code, text = REFUSED[case]
    spoil(own)
    with pytest.raises(BadWeights) as caught:
        loaded(own, "1")
    assert caught.value.code == code
    assert text in caught.value.message


def test_default_weights_with_a_changed_file_are_refused_before_anything_is_read(tmp_path, monkeypatch):
    folder = tmp_path / "default"
    shutil.copytree(find_default(), folder)
    file = folder / json.loads((folder / "manifest.json").read_text())["model"] / "config.json"
    file.write_text(file.read_text() + " ")
    monkeypatch.setattr("undersong.engine.weights.find_default", lambda: folder)
    with pytest.raises(HashMismatch, match=r"config\.json: expected SHA-256 .*found"):
        list(load(None, (), "cpu", lambda *said: None))


@pytest.mark.parametrize(("model", "saes"), [("x", ()), (None, ("x",))])
def test_a_model_needs_saes_and_saes_a_model(model, saes):
    with pytest.raises(BadWeights, match="found none"):
        list(load(model, saes, "cpu", lambda *said: None))


def test_two_saes_of_one_hook_point_and_grain_are_refused(own):
    with pytest.raises(BadWeights, match="found a second one with id 1"):
        loaded(own, "1", "1")


def test_what_is_loaded_is_said_before_it_is_done(own):
    said = []
    for step in load(str(own.model), (str(own.saes["1"]),), "cpu", lambda *what: said.append(what[0])):
        if step is None and said[-1] == "loading the language model":
            break
    assert len(said) == 1


# --- what is tried on loading -------------------------------------------------------------------------------------


def exact(folder, apply_b_dec_to_input: bool):
    """An SAE that rebuilds its input whole if b_dec is subtracted first, and hardly any of it if not."""
    eye = torch.eye(D_MODEL)
    tensors = {"W_enc": torch.cat([eye, -eye], dim=1), "W_dec": torch.cat([eye, -eye])}
    tensors |= {"b_enc": torch.zeros(2 * D_MODEL), "b_dec": torch.full((D_MODEL,), 3.0)}
    config = SAEConfig(
        "standard", D_MODEL, 2 * D_MODEL, "blocks.1.hook_resid_post", 1, apply_b_dec_to_input=apply_b_dec_to_input
    )
    return write_saelens(folder, config, tensors)


def opened(own, *saes):
    (*_, last) = load(str(own.model), tuple(map(str, saes)), "cpu", lambda *said: None)
    return last


def test_an_sae_that_is_likely_read_wrongly_is_told_of_with_the_cause_each_time(own, tmp_path, monkeypatch):
    assert opened(own, exact(tmp_path / "right", True)).warnings == ()
    wrong = exact(tmp_path / "wrong", False)
    (warning,) = first = opened(own, wrong).warnings
    assert warning.startswith(f"SAE 1 ({wrong}): ")
    assert "likely because b_dec is to be subtracted before encoding" in warning
    monkeypatch.setattr(self_check, "check", None)
    assert opened(own, wrong).warnings == first


def test_the_default_weights_are_not_tried_again(monkeypatch):
    monkeypatch.setattr("undersong.engine.loading.check_once", None)
    (*_, last) = load(None, (), "cpu", lambda *said: None)
    assert last is not None and last.warnings == ()


def test_a_path_in_the_home_folder_finds_what_lies_beside_the_weights(own, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    tensors = {"frequency": torch.zeros(64), "max": torch.full((64,), 7.0), "presence_quantiles": torch.zeros(64, 1)}
    save_file(tensors, own.saes["1"] / "reference.safetensors", metadata={"levels": "[0.5]"})
    found = opened(own, "~/" + str(own.saes["1"].relative_to(tmp_path)))
    assert found.dictionaries["1"].reference.maximum.tolist() == [7.0] * 64


def test_the_fingerprint_changes_with_an_sae_in_a_single_file_and_with_what_describes_it(tmp_path):
    file, beside, other = tmp_path / "l3.pt", tmp_path / "config.json", tmp_path / "l4.pt"
    prints = []
    for number, changed in enumerate((file, beside, file, beside, other)):
        changed.write_text("x" * (number + 1))
        prints.append(_fingerprint("model", [_given(file)]))
    assert len(set(prints)) == 4 and prints[4] == prints[3]


def test_the_fingerprint_does_not_depend_on_how_paths_are_written(own, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    prints = {
        _fingerprint(f"{before}model", [_given(Path(f"{before}saes/1").expanduser())])
        for before in (f"{tmp_path}/", "", "./", "~/", "saes/../")
    }
    assert len(prints) == 1
    assert _fingerprint("model", [_given(Path("saes/2"))]) not in prints


# --- reference statistics that were measured here ----------------------------------------------------------------


def test_only_what_is_measured_is_said_to_be(own):
    def said() -> list[str]:
        told: list[str] = []
        list(load(str(own.model), (str(own.saes["1"]),), "cpu", lambda what, share: told.append(what)))
        return told

    once = ["trying 1 on a little text", "measuring reference statistics for 1"]
    always = ["loading the language model", "loading SAE 1 of 1"]
    assert said() == always + once
    assert said() == always


def test_statistics_are_measured_once(own, tmp_path, monkeypatch):
    first = loaded(own, "p2").dictionaries["p2"].reference
    (kept,) = (tmp_path / "cache/references").iterdir()
    beside = tmp_path / "beside"
    beside.touch()
    assert kept.stat().st_mode == beside.stat().st_mode
    monkeypatch.setattr(reference, "measure", None)
    assert torch.equal(loaded(own, "p2").dictionaries["p2"].reference.quantiles, first.quantiles)


def test_broken_statistics_in_the_cache_are_measured_anew(own, tmp_path):
    loaded(own, "p2")
    (kept,) = (tmp_path / "cache/references").iterdir()
    truncate(kept)
    assert loaded(own, "p2") is not None
    assert load_reference(kept, 64) is not None


def test_a_cache_that_cannot_be_written_does_not_stop_loading(own, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way of a folder")
    monkeypatch.setenv("UNDERSONG_CACHE_DIR", str(tmp_path / "file" / "below"))
    assert loaded(own, "p2") is not None


def test_statistics_of_a_wide_sae_are_those_of_its_parts(monkeypatch, own):
    whole = loaded(own, "1").dictionaries["1"].reference
    monkeypatch.setattr(reference, "QUANTILE_FEATURES", 7)
    monkeypatch.setattr(reference, "kept", lambda path, d_sae: None)
    assert torch.equal(loaded(own, "1").dictionaries["1"].reference.quantiles, whole.quantiles)


@pytest.mark.parametrize("levels", ["null", "3", '["a"]', "[0.9, 0.5]", "[0.5]"])
def test_statistics_with_other_levels_are_refused(tmp_path, levels):
    file = tmp_path / "reference.safetensors"
    tensors = {"frequency": torch.zeros(4), "max": torch.zeros(4), "presence_quantiles": torch.zeros(4, 2)}
    save_file(tensors, file, metadata={"levels": levels})
    with pytest.raises(WeightsFormat, match="levels"):
        load_reference(file, 4)


def test_statistics_may_tell_the_mean_and_the_position_bias_and_nothing_else(tmp_path):
    file = tmp_path / "reference.safetensors"
    tensors = {"frequency": torch.zeros(4), "max": torch.zeros(4), "presence_quantiles": torch.zeros(4, 1)}
    more = {"mean": torch.zeros(4), "position_bias": torch.tensor([1.0, 2.0, 9.0, 0.0])}
    for extra, expected in (({}, [1.0] * 4), (more, [1.0, 2.0, 9.0, 0.0])):
        save_file(tensors | extra, file, metadata={"levels": "[0.5]"})
        assert load_reference(file, 4).position_bias.tolist() == expected
    for extra, says in (
        ({"bias": torch.zeros(4)}, "bias"),
        ({"position_bias": torch.tensor([1.0, float("nan"), 1.0, 1.0])}, "position_bias: expected finite numbers"),
    ):
        save_file(tensors | extra, file, metadata={"levels": "[0.5]"})
        with pytest.raises(WeightsFormat, match=says):
            load_reference(file, 4)


@pytest.mark.parametrize(("bias", "expected"), [(1.0, True), (POSITION_BOUND, True), (POSITION_BOUND + 1, False)])
def test_a_feature_of_where_a_window_begins_is_not_shown(own, bias, expected):
    file = own.saes["1"] / "reference.safetensors"
    tensors = {"frequency": torch.zeros(64), "max": torch.ones(64), "presence_quantiles": torch.zeros(64, 1)}
    tensors["position_bias"] = torch.ones(64)
    tensors["position_bias"][5] = bias
    save_file(tensors, file, metadata={"levels": "[0.5]"})
    shown = loaded(own, "1").dictionaries["1"].shown
    assert shown.tolist() == [expected if index == 5 else True for index in range(64)]


def test_presence_rises_from_0_to_1():
    quantiles = torch.linspace(0, 8, len(LEVELS)).repeat(3, 1)
    marks = Reference(torch.tensor(LEVELS), quantiles, torch.zeros(3), torch.zeros(3), torch.ones(3))
    values = torch.linspace(0, 10, 50)
    found = marks.presence(torch.zeros(50, dtype=torch.long), values)
    assert found[0] == 0 and found[-1] == 1 and bool((found.diff() >= 0).all())
    assert float(marks.presence(torch.tensor([1]), torch.tensor([8.0]))[0]) == pytest.approx(1.0)


# --- memory -------------------------------------------------------------------------------------------------------


def test_too_little_memory_is_told_as_such_on_the_cpu_too():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    assert isinstance(_translated(caught.value), OutOfMemory)
    assert isinstance(_translated(MemoryError()), OutOfMemory)
    assert _translated(RuntimeError("another fault")) is None
