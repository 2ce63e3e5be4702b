"""`undersong sae inspect` and `convert`, on files of every format."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.sae.formats import libraries, releases
from tests.sae.formats.making import inputs, random
from tests.sae.formats.samples import SAMPLES
from tests.sae.formats.test_cross_layer_transcoders import STATED as CLT_STATED
from tests.sae.formats.test_cross_layer_transcoders import gemma_scope_2
from tests.sae.formats.test_neuronpedia import export
from tests.sae.test_transcoders import clt_weights, write_clt
from tests.support.tiny_models import D_MODEL, write_model, write_sae
from undersong.cli import main
from undersong.cli.sae import inspect
from undersong.sae.formats.control_vectors import ControlVectors, read_control_vectors, write_control_vectors
from undersong.sae.load import load_sae, read_config


def stated(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    main(["sae", "inspect", str(path), "--json", *options])
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_format_is_named_with_its_facts_and_assumptions(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = SAMPLES[name][3](tmp_path / "hub")
    found = stated(sample.path, capsys)
    assert found["format"] == SAMPLES[name][0] and found["features"] == len(sample.weights["W_dec"])
    assert str(found["units"]).startswith("a feature's activation of 1 adds a vector of length")
    assert [each["what"] for each in found["assumed"]] == [each.what for each in read_config(sample.path).assumptions]


def test_a_person_is_told_in_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = releases.gemma_scope(tmp_path)
    assert main(["sae", "inspect", str(sample.path)]) == 0
    told = capsys.readouterr().out
    for line in (
        "Gemma Scope",
        "architecture   jumprelu",
        "reads          blocks.20.hook_resid_post (resid_post of block 20), 24 wide",
        "published L0   71.0",
        "assumed",
        "b_dec          not subtracted before encoding",
        "the path names a repository of 'res'; the file states nothing",
    ):
        assert line in told


def test_a_unit_is_told_with_how_far_features_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vector = write_control_vectors(tmp_path / "v.gguf", ControlVectors({1: torch.tensor([3.0, 4.0])}))
    assert main(["sae", "convert", str(vector), str(tmp_path / "one")]) == 0
    capsys.readouterr()
    assert stated(tmp_path / "one", capsys)["units"] == "a feature's activation of 1 adds a vector of length 5"
    weights = {"W_dec": torch.diag(torch.linspace(1.0, 2.0, 101))}
    expected = "a feature's activation of 1 adds a vector of length 1.5"
    spread = " (middle 98 % of features: 1.01 to 1.99)"
    assert inspect._numbers(weights, by_token=False)["units"] == expected + spread
    assert inspect._numbers(weights, by_token=True)["units"] == f"{expected}, times each token's own scale{spread}"


def test_headers_alone_can_be_inspected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = stated(libraries.dl_new(tmp_path).path, capsys, "--no-weights")
    assert "weights" not in found and found["b_dec"] == "not subtracted"


def test_what_stands_beside_saes_is_inspected_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clt = stated(write_clt(tmp_path / "clt", *clt_weights()), capsys)
    assert (clt["architecture"], clt["layers"]) == ("cross-layer transcoder", 3)
    folder = export(
        tmp_path, features=[[{"index": 0}, {"index": 1}]], explanations=[[{"index": 0, "description": "x"}]]
    )
    labels = stated(folder, capsys)
    assert (labels["source"], labels["features"], labels["explanations"]) == ("20-gemmascope-res-16k", 2, 1)


def test_a_cross_layer_transcoder_is_named_with_its_facts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = stated(gemma_scope_2(tmp_path / "clt/width_262k_l0_big", **CLT_STATED)[0], capsys)
    assert found["format"] == "Gemma Scope 2 cross-layer transcoder or crosscoder" and found["published L0"] == 150
    assert found["activation"] == "JumpReLU; a linear path of each layer to itself"
    assert {"input", "output", "b_dec", "normalisation", "decoders", "BOS"} == {
        each["what"] for each in found["assumed"]
    }
    streams = gemma_scope_2(tmp_path / "crosscoder/layer_5_9_12_width_65k_l0_big")[0]
    found = stated(streams, capsys, "--no-weights")
    assert found["reads"] == "resid_post of blocks 5, 9, 12, 24 wide" and "activation" not in found


def test_a_model_says_whether_it_was_read_rightly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sae = write_sae(tmp_path / "sae", metadata={"hook_name": "blocks.1.hook_resid_post", "l0": 8})
    model = write_model(tmp_path / "model")
    text = tmp_path / "text.txt"
    text.write_text("The sea was calm that day. " * 20)
    found = stated(sae, capsys, "--model", str(model), "--text", str(text))
    assert str(found["L0"]).endswith("; 8 published") and {"explained variance", "CE score"} <= set(found)
    # Random features explain nothing.
    assert "of the variance is explained" in found["warnings"][0]


@pytest.mark.parametrize(
    ("found", "options", "message"),
    [
        ("sae", ["--text", "nowhere.txt"], "--text: expected --model beside it"),
        ("sae", ["--model", "m", "--text", "nowhere.txt"], "--text: expected a text file in UTF-8, found nowhere.txt"),
        ("v.gguf", ["--model", "m"], "--model: expected an SAE to run on it, found control vectors"),
        ("p", ["--model", "m"], "/p: expected an SAE that reads token by token, found a dictionary of passages"),
    ],
)
def test_what_cannot_be_run_is_refused(
    tmp_path: Path, found: str, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sae(tmp_path / "sae")
    write_sae(tmp_path / "p", grain="passage")
    write_control_vectors(tmp_path / "v.gguf", ControlVectors({1: random(8)}))
    assert main(["sae", "inspect", str(tmp_path / found), *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", SAMPLES)
def test_every_format_is_converted_and_computes_the_same(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sample, out = SAMPLES[name][3](tmp_path / "hub"), tmp_path / "out"
    assert main(["sae", "convert", str(sample.path), str(out)]) == 0
    assert "→ SAELens v6" in capsys.readouterr().out
    before, after, x = load_sae(sample.path), load_sae(out), inputs()
    assert torch.equal(after.encode(x), before.encode(x)) and torch.equal(after.rebuild(x), before.rebuild(x))
    assert (after.config.point, after.config.point_out) == (before.config.point, before.config.point_out)
    assert after.config.published_l0 == before.config.published_l0
    assert after.config.prepend_bos == before.config.prepend_bos


def test_what_was_assumed_is_told_of_the_converted_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = releases.goodfire(tmp_path / "hub")
    for source, out in ((sample.path, "once"), (tmp_path / "once", "twice")):
        assert main(["sae", "convert", str(source), str(tmp_path / out)]) == 0
    capsys.readouterr()
    assert {each["what"]: (each["value"], each["why"]) for each in stated(tmp_path / "twice", capsys)["assumed"]} == {
        each.what: (each.value, "assumed when it was converted from Goodfire or qresearch")
        for each in read_config(sample.path).assumptions
    }


def test_a_conversion_that_was_stopped_does_not_stand_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = libraries.dl_standard(tmp_path / "hub").path
    with monkeypatch.context() as stopping:
        stopping.setattr("json.dumps", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        assert main(["sae", "convert", str(source), str(tmp_path / "out")]) == 130
    assert not (tmp_path / "out").exists()
    assert main(["sae", "convert", str(source), str(tmp_path / "out")]) == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["hub", "out"]


def test_a_centred_stream_is_folded_once(tmp_path: Path) -> None:
    metadata = {
        "hook_name": "blocks.1.hook_resid_post", "model_from_pretrained_kwargs": {"center_writing_weights": True},
    }  # fmt: skip
    source = write_sae(tmp_path / "sae", architecture="standard", apply_b_dec_to_input=False, metadata=metadata)
    assert main(["sae", "convert", str(source), str(tmp_path / "out")]) == 0
    x = random(20, 32) + 1
    assert torch.equal(load_sae(tmp_path / "out").encode(x), load_sae(source).encode(x))


def test_numbers_are_stored_as_asked(tmp_path: Path) -> None:
    source = libraries.dl_standard(tmp_path / "hub").path
    assert main(["sae", "convert", str(source), str(tmp_path / "out"), "--dtype", "bfloat16"]) == 0
    assert load_file(tmp_path / "out/sae_weights.safetensors")["W_enc"].dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["there"], "expected a place where nothing is yet"),
        (["v.gguf"], "expected NAME.gguf with --feature, or a folder without"),
        (["new", "--feature", "3"], "expected NAME.gguf with --feature, or a folder without"),
        (["v.gguf", "--feature", "72"], "--feature: expected 0 to 71, found 72"),
        (["v.gguf", "--feature", "3", "--dtype", "float16"], "--dtype: expected it without --feature"),
        (["new", "--block", "3"], "--block: expected control vectors"),
        (["nowhere/new"], "expected a folder to put it in; there is no"),
    ],
)
def test_what_cannot_be_written_is_refused(
    tmp_path: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = libraries.dl_standard(tmp_path / "hub").path
    (tmp_path / "there").mkdir()
    assert main(["sae", "convert", str(source), str(tmp_path / options[0]), *options[1:]]) == 2
    assert message in capsys.readouterr().err


def test_a_feature_becomes_a_control_vector_and_that_an_sae(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out, back = libraries.dl_standard(tmp_path / "hub").path, tmp_path / "v.gguf", tmp_path / "back"
    assert main(["sae", "convert", str(source), str(out), "--feature", "5", "--strength", "2.5"]) == 0
    direction = 2.5 * load_sae(source).W_dec[5]
    assert torch.equal(read_control_vectors(out).directions[3], direction)
    capsys.readouterr()
    assert stated(out, capsys)["blocks"] == "3"
    assert main(["sae", "convert", str(out), str(back)]) == 0
    sae = load_sae(back)
    assert (sae.d_sae, str(sae.config.point)) == (1, "blocks.3.hook_resid_post")
    assert torch.equal(sae.directions([0])[0], direction)
    converted: dict[str, Any] = dict(sae.config.extras or {})["converted"]
    assert converted["from"] == "control vectors (GGUF)" and "projection" in converted["assumed"]["encoder"]


def test_a_control_vector_is_not_judged_by_what_it_rebuilds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_control_vectors(tmp_path / "v.gguf", ControlVectors({1: random(D_MODEL)}))
    assert main(["sae", "convert", str(path), str(tmp_path / "one")]) == 0
    capsys.readouterr()
    found = stated(tmp_path / "one", capsys, "--model", str(write_model(tmp_path / "model")))
    assert found["warnings"] == []
    assert "not judged: a control vector says what to add, and was not trained" in found["explained variance"]


def test_a_file_can_be_read_by_whom_other_files_can(tmp_path: Path) -> None:
    source = libraries.dl_standard(tmp_path / "hub").path
    for mask, mode in ((0o022, 0o644), (0o077, 0o600)):
        before = os.umask(mask)
        try:
            assert main(["sae", "convert", str(source), str(tmp_path / f"{mask:o}")]) == 0
        finally:
            os.umask(before)
        written = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / f"{mask:o}").iterdir()}
        assert written == {"cfg.json": mode, "sae_weights.safetensors": mode}


def test_of_several_control_vectors_one_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    several = {1: random(8), 6: random(8, seed=1)}
    path = write_control_vectors(tmp_path / "v.gguf", ControlVectors(several))
    assert main(["sae", "convert", str(path), str(tmp_path / "out")]) == 2
    assert "expected --block, one of 1, 6" in capsys.readouterr().err and not (tmp_path / "out").exists()
    assert main(["sae", "convert", str(path), str(tmp_path / "out"), "--block", "6"]) == 0
    assert torch.equal(load_sae(tmp_path / "out").W_dec[0], several[6])


def test_a_precision_that_cannot_hold_the_numbers_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_control_vectors(tmp_path / "v.gguf", ControlVectors({1: torch.full((8,), 1e6)}))
    assert main(["sae", "convert", str(path), str(tmp_path / "out"), "--dtype", "float16"]) == 2
    assert "expected one that holds every number" in capsys.readouterr().err and not (tmp_path / "out").exists()
