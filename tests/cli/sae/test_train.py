"""`undersong sae train` on a tiny model: every architecture's file opens, a run that was stopped goes on exactly."""

from __future__ import annotations

import argparse
import io
import json
import re
import signal
from contextlib import nullcontext
from itertools import chain, repeat
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.sae.training.streams import TEXTS
from tests.support.tiny_models import D_MODEL, N_LAYERS, write_model
from undersong.cli.sae import train
from undersong.cli.sae.training_progress import ProgressBar, lines_of
from undersong.errors import BadInput, UndersongError
from undersong.model.load import load_model
from undersong.model.sites import find_sites
from undersong.sae.architectures.crosscoder import CrosscoderSAE
from undersong.sae.load import load_clt, load_sae
from undersong.sae.training.learner import Told
from undersong.sae.training.trainer import Progress

HOOKS = ["blocks.0.hook_resid_post", "model.layers.2"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "a.txt"
    path.write_text("\n".join(TEXTS), "utf-8")
    return path


def arguments(model: Path, data: Path, out: Path, *given: str, hooks: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    arch = [] if "--arch" in given else ["--arch", "topk", "--k", "4"]
    return parser.parse_args([
        "--model", str(model), "--data", str(data), "--out", str(out), "--hook", *(hooks or HOOKS), *arch,
        "--width", "64", "--tokens", "2560", "--batch", "128", "--context", "32", "--buffer", "600", "--rows", "4",
        "--learning-rate", "0.003", "--warm-up", "2", "--device", "cpu", *given,
    ])  # fmt: skip


def test_several_layers_are_trained_in_one_pass(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train.run(arguments(model, data, tmp_path, "--tokens", "12800", "--learning-rate", "0.01")) == 0
    spoken = capsys.readouterr()
    folders = [Path(line) for line in spoken.out.split("\n") if line]
    assert [folder.name for folder in folders] == ["blocks.0.hook_resid_post", "blocks.2.hook_resid_post"]
    assert "12,800/12,800 tokens" in spoken.err and "L0 4.0" in spoken.err
    saes = [load_sae(folder) for folder in folders]
    assert [(sae.hook_layer, sae.d_sae, sae.config.k, sae.config.architecture) for sae in saes] == [
        (0, 64, 4, "topk"), (2, 64, 4, "topk"),
    ]  # fmt: skip
    stated = json.loads((folders[0] / "cfg.json").read_text("utf-8"))["metadata"]
    assert stated["trained"]["tokens"] == 12800 and stated["context_size"] == 32 and stated["prepend_bos"] is True
    # They rebuild what the model computes, better than the mean does.
    language_model = load_model(model, "cpu")
    ids = torch.tensor([[language_model.bos_id, *TEXTS[3].encode()[:30]]])
    with torch.inference_mode(), find_sites(language_model).captured([sae.config.point for sae in saes]) as found:
        language_model.body(input_ids=ids)
    for sae in saes:
        x = found[sae.config.point][0, 1:]
        assert (x - sae.rebuild(x)).pow(2).sum() < 0.8 * (x - x.mean(dim=0)).pow(2).sum()


@pytest.mark.parametrize(
    ("arch", "hook", "stored_as"),
    [
        ("standard", HOOKS[0], "standard"),
        ("gated", HOOKS[0], "gated"),
        ("jumprelu", HOOKS[0], "jumprelu"),
        ("batchtopk", HOOKS[0], "jumprelu"),
        ("matryoshka", HOOKS[0], "jumprelu"),
        ("crosscoder", ",".join(HOOKS), "crosscoder"),
        ("skip_transcoder", "blocks.1.mlp.hook_in->blocks.1.hook_mlp_out", "skip_transcoder"),
        ("topk_transcoder", "blocks.1.mlp.hook_in->blocks.1.hook_mlp_out", "topk_transcoder"),
    ],
)
def test_every_architecture_is_written_in_a_form_that_opens(
    model: Path, data: Path, tmp_path: Path, arch: str, hook: str, stored_as: str
) -> None:
    assert train.run(arguments(model, data, tmp_path, "--arch", arch, "--tokens", "640", hooks=[hook])) == 0
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    sae = load_sae(folder)
    assert sae.config.architecture == stored_as
    if isinstance(sae, CrosscoderSAE):
        assert [(place.hook_name, place.width) for place in sae.places] == [
            ("blocks.0.hook_resid_post", D_MODEL), ("blocks.2.hook_resid_post", D_MODEL),
        ]  # fmt: skip
        torch.testing.assert_close(sae.shares().sum(dim=1), torch.ones(64))
    assert sae.rebuild(torch.randn(5, sae.d_in)).shape == (5, sae.d_in)


def test_a_cross_layer_transcoder_is_written_as_circuit_tracer_has_it(model: Path, data: Path, tmp_path: Path) -> None:
    read, rebuilt = (
        ",".join(f"blocks.{i}.{site}" for i in range(N_LAYERS)) for site in ("mlp.hook_in", "hook_mlp_out")
    )
    given = ["--arch", "cross_layer_transcoder", "--tokens", "640", "--width", "16"]
    assert train.run(arguments(model, data, tmp_path, *given, hooks=[f"{read}->{rebuilt}"])) == 0
    folder = tmp_path / "cross_layer_transcoder"
    for i in range(N_LAYERS):
        encoder, decoder = (load_file(folder / f"W_{side}_{i}.safetensors") for side in ("enc", "dec"))
        assert {name: tuple(tensor.shape) for name, tensor in (encoder | decoder).items()} == {
            f"W_enc_{i}": (16, D_MODEL), f"b_enc_{i}": (16,), f"b_dec_{i}": (D_MODEL,), f"threshold_{i}": (16,),
            f"W_dec_{i}": (16, N_LAYERS - i, D_MODEL),
        }  # fmt: skip
    stated = (folder / "config.yaml").read_text("utf-8")
    assert 'model_kind: "cross_layer_transcoder"\nfeature_input_hook: "mlp.hook_in"\n' in stated
    assert 'feature_output_hook: "hook_mlp_out"' in stated
    clt = load_clt(folder)
    assert (clt.config.reads, clt.config.writes, clt.config.d_sae) == ("mlp_in", "mlp_out", 16)
    assert clt.rebuild(torch.randn(N_LAYERS, 5, D_MODEL)).shape == (N_LAYERS, 5, D_MODEL)


def test_a_run_that_was_stopped_goes_on_exactly(
    model: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = ["--arch", "standard", "--anneal", "0.5", "--sparsity", "0.5"]
    assert train.run(arguments(model, data, tmp_path / "whole", *whole)) == 0
    questions = chain([False] * 18, repeat(True))
    with monkeypatch.context() as patched:
        patched.setattr(train, "asked_to_stop", lambda speaks: nullcontext(lambda: next(questions)))
        assert train.run(arguments(model, data, tmp_path / "parts", *whole)) == 130
    assert re.search(r"stopped at step ([2-9]|1\d) of 20; go on with --resume", capsys.readouterr().err)
    with pytest.raises(BadInput, match="holds a checkpoint: expected --resume"):
        train.run(arguments(model, data, tmp_path / "parts", *whole))
    with pytest.raises(BadInput, match=r"expected sparsity 0\.6; found sparsity 0\.5"):
        train.run(arguments(model, data, tmp_path / "parts", *whole[:-1], "0.6", "--resume"))
    capsys.readouterr()
    assert train.run(arguments(model, data, tmp_path / "parts", *whole, "--resume")) == 0
    assert "going on at step 7 of 20" in capsys.readouterr().err
    for folder in ("blocks.0.hook_resid_post", "blocks.2.hook_resid_post"):
        expected = load_file(tmp_path / "whole" / folder / "sae_weights.safetensors")
        found = load_file(tmp_path / "parts" / folder / "sae_weights.safetensors")
        assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (["--arch", "topk", "--sparsity", "3"], "topk takes --k"),
        (["--arch", "gated", "--k", "3"], "gated takes --sparsity, --anneal"),
        (["--arch", "topk", "--k", "65"], "expected at most --width 64, found 65"),
        (["--arch", "topk", "--k", "0"], "expected a number above 0, found 0"),
        (["--arch", "standard", "--anneal", "1"], "--anneal: expected a number below 1, where p begins; found 1"),
        (["--width", "0"], "--width: expected at least 1, found 0"),
        (["--batch", "-4"], "--batch: expected at least 1, found -4"),
        (["--sparsity-warm-up", "-1"], "--sparsity-warm-up: expected at least 0, found -1"),
        (["--decay-from", "1.5"], "--decay-from: expected a share above 0, at most 1; found 1.5"),
        (["--learning-rate", "nan"], "--learning-rate: expected a number above 0, found nan"),
        (["--context", "1"], "--context: expected at least 2, found 1"),
        (["--learning-rate", "0"], "--learning-rate: expected a number above 0, found 0"),
        (["--hook", "blocks.1.hook_resid_post", "model.layers.1"], "expected each place once"),
        (["--context", "999"], "expected at most 128, the model's; found 999"),
        (["--hook", "model.layers.9"], "expected a block from 0 to 3"),
        (["--hook", "somewhere"], "expected a TransformerLens name"),
        (["--hook", ",".join(HOOKS)], "expected one hook point for this architecture, found 2"),
        (["--hook", "->".join(HOOKS)], "expected a transcoder's architecture"),
        (["--arch", "transcoder"], "expected a place to rebuild"),
        (["--arch", "cross_layer_transcoder", "--hook", "->".join(HOOKS)], "expected all of them in order"),
        (["--data", "nowhere.txt"], "there is no file or folder"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    model: Path, data: Path, tmp_path: Path, given: list[str], reason: str
) -> None:
    with pytest.raises(UndersongError, match=reason):
        train.run(arguments(model, data, tmp_path, *given))


@pytest.mark.parametrize(
    ("given", "steps", "expected"),
    [
        ([], 100_000, (1000, 1000, 0.8, 10_000_000)),
        ([], 200, (10, 10, 0.8, 200_000)),
        (["--warm-up", "7", "--dead-after", "9"], 200, (7, 7, 0.8, 9)),
        (["--sparsity-warm-up", "30", "--decay-from", "1"], 200, (10, 30, 1.0, 200_000)),
    ],
)
def test_a_short_run_gets_past_its_warm_up(given: list[str], steps: int, expected: tuple[int, int, float, int]) -> None:
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    common = ["--model", "m", "--hook", "h", "--arch", "topk", "--width", "64", "--data", "d", "--out", "o"]
    plan = train.learner_plan(parser.parse_args([*common, "--tokens", str(5000 * steps), *given]), steps)
    schedule = plan.schedule
    assert (schedule.warm_up, schedule.sparsity_warm_up, schedule.decay_from, plan.dead_after) == expected


def test_resuming_what_was_not_begun_or_has_another_text_is_said(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "a.txt"
    text.write_bytes(data.read_bytes())
    assert train.run(arguments(model, text, tmp_path / "out", "--resume", "--tokens", "256")) == 0
    assert "out: this is the beginning\nreading text: 0 of 256 tokens\n" in capsys.readouterr().err
    text.write_bytes(data.read_bytes() * 2)
    with pytest.raises(BadInput, match=r"expected bytes \d+; found bytes \d+"):
        train.run(arguments(model, text, tmp_path / "out", "--resume", "--tokens", "256"))


def test_ctrl_c_is_asked_twice_and_given_back(capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with train.asked_to_stop(speaks=True) as asked:
        assert not asked()
        signal.raise_signal(signal.SIGINT)
        assert asked() and "stopping, with a checkpoint" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


TOLD = {"3": Told(loss=1.234567, unexplained=0.19, l0=31.96, dead=5), "4": Told(2.0, 0.5, 8.0, 0)}
FIRST_LINE = "██████░░░░░░░░░░░░░░░░░░ 12.30/50.00 M tokens, 31,000/s, 20 min left"


def test_lines_say_how_far_it_is_and_what_was_learnt() -> None:
    assert lines_of(Progress(25, 100, 12_300_000, 50_000_000, 31_000.4, 1216.0, TOLD)) == [
        FIRST_LINE, "loss 1.235, explained 0.810, L0 32.0, 5 dead: 3", "loss 2, explained 0.500, L0 8.0, 0 dead: 4",
    ]  # fmt: skip


def test_few_tokens_are_not_counted_in_millions() -> None:
    assert "12,000/30,000 tokens" in lines_of(Progress(25, 100, 12_000, 30_000, 1317.0, 60.0, TOLD))[0]


def test_lines_are_written_over_themselves_and_fit_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    screen = io.StringIO()
    monkeypatch.setattr("sys.stderr", screen)
    bar = ProgressBar(terminal=True)
    for _ in range(2):
        bar.filling(100, 600)
        bar(Progress(25, 100, 12_300_000, 50_000_000, 31_000.4, 1216.0, TOLD))
    bar.close()
    shown = seen_on(screen.getvalue())
    assert shown == ["██████░░░░░░░░░░░░░", "loss 1.235, explain", "loss 2, explained 0", ""]


def seen_on(written: str) -> list[str]:
    """What a terminal shows that knows the codes in use: up, clear the line's rest, clear all below."""
    lines, at, column = [""], 0, 0
    for code, text in re.findall(r"(\x1b\[\d*[A-Z]|\r|\n)|([^\x1b\r\n]+)", written):
        if code.endswith("A"):
            at -= int(code[2:-1])
        elif code == "\r":
            column = 0
        elif code == "\n":
            at, column = at + 1, 0
            lines += [""] * (at + 1 - len(lines))
        elif code.endswith("K"):
            lines[at] = lines[at][:column]
        elif code.endswith("J"):
            lines[at], lines[at + 1 :] = lines[at][:column], []
        else:
            lines[at] = lines[at][:column] + text + lines[at][column + len(text) :]
            column += len(text)
    return lines
