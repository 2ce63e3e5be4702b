from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, T5Config

from tests.support.tiny_models import tiny_network, tiny_tokenizer, write_model, write_weights
from undersong.errors import UndersongError, WeightsFormat, WeightsMissing
from undersong.model.load import load_model
from undersong.sae.load import load_sae


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(written, tmp_path / "model"))


def test_a_folder_is_opened_as_it_was_saved(written: Path) -> None:
    model = load_model(written, "cpu")
    assert model.name == str(written)
    ids = torch.arange(1, 20)[None]
    with torch.inference_mode():
        assert torch.equal(model.network(ids).logits, tiny_network()(ids).logits)
    assert model.tokenizer.get_vocab() == tiny_tokenizer().get_vocab()


def test_weights_stored_in_half_precision_become_float32_on_the_cpu(tmp_path: Path) -> None:
    tiny_network().to(torch.bfloat16).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    assert load_model(tmp_path, "cpu").dtype == torch.float32


def test_opening_a_model_prints_nothing(written: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_model(written, "cpu")
    assert capfd.readouterr() == ("", "")


def test_the_helper_for_other_tests_writes_a_model_and_saes_that_fit(tmp_path: Path) -> None:
    weights = write_weights(tmp_path, "gpt2")
    model = load_model(weights.model, "cpu")
    assert [load_sae(path).id for path in weights.saes.values()] == list(weights.saes)
    assert {load_sae(path).d_in for path in weights.saes.values()} == {model.d_model}


@pytest.mark.parametrize(
    "path",
    ["/nowhere/at/all", "./nope", "../nope", "~/no-such-folder-here", "a/b/c", "tests/no-such-model", Path("nope")],
)
def test_a_path_to_nothing_is_never_looked_up_on_the_network(path: str | Path) -> None:
    with pytest.raises(WeightsMissing, match=r"there is no folder .* \(nothing was looked up on the network\)"):
        load_model(path)


def test_a_name_that_is_not_in_the_cache_is_missing_when_offline() -> None:
    with pytest.raises(
        WeightsMissing, match="no-such-owner/no-such-model is no folder here and could not be had from the hub"
    ):
        load_model("no-such-owner/no-such-model", offline=True)


def test_a_file_is_not_a_model(folder: Path) -> None:
    with pytest.raises(WeightsFormat, match="expected a folder, found a file"):
        load_model(folder / "config.json")


def remove(*names: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return spoil


def write(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(text, "utf-8") and None


def cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def cut_in_header(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\x10\x00")


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def tensors(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        held = load_file(folder / "model.safetensors")
        change(held)
        save_file(held, folder / "model.safetensors", metadata={"format": "pt"})

    return spoil


def config(**changes: object) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}), "utf-8")

    return spoil


def other_kind(kind: type) -> Callable[[Path], None]:
    return lambda folder: kind(architectures=None, vocab_size=272).save_pretrained(folder)


DOWN = "model.layers.1.mlp.down_proj.weight"


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (remove("config.json"), WeightsMissing, "expected config.json in .*, found none"),
        (write("config.json", "{"), WeightsFormat, "config.json is not valid JSON"),
        (write("config.json", "[]"), WeightsFormat, "expected an object with `model_type`"),
        (config(model_type="no-such-kind"), WeightsFormat, "could not be opened: .*no-such-kind"),
        (remove("model.safetensors"), WeightsMissing, "expected model.safetensors in .*, found no weights"),
        (pickled, WeightsFormat, r"expected safetensors in .*, found pytorch_model.bin \(pickles are not opened\)"),
        (cut, WeightsFormat, r"model.safetensors is damaged or cut short: .* \(\d+ bytes\)"),
        (cut_in_header, WeightsFormat, "model.safetensors is damaged or cut short"),
        (
            tensors(lambda held: held.update({DOWN: torch.zeros(5, 7)})),
            WeightsFormat,
            rf"{DOWN}: expected shape \(32, 48\), found \(5, 7\)",
        ),
        (tensors(lambda held: held.pop(DOWN)), WeightsFormat, f"expected weights that are not there: {DOWN}"),
        (
            tensors(lambda held: held.update({"model.layers.9.mlp.down_proj.weight": torch.zeros(32, 48)})),
            WeightsFormat,
            "found weights the configuration has no place for: model.layers.9",
        ),
        (config(architectures=["LlamaForSequenceClassification"]), WeightsFormat, "found LlamaForS"),
        (other_kind(T5Config), WeightsFormat, "expected a causal language model in .*, found t5"),
        (config(model_type="vit", architectures=None), WeightsFormat, "expected a causal language model"),
        (remove("tokenizer.json", "tokenizer_config.json"), WeightsMissing, r"expected a tokenizer \(tokenizer"),
        (write("tokenizer.json", "{"), WeightsFormat, "could not be opened"),
        (config(max_position_embeddings="many"), WeightsFormat, "model: "),
    ],
)  # fmt: skip
def test_a_spoilt_folder_is_refused_by_name(
    folder: Path, spoil: Callable[[Path], None], error: type[UndersongError], message: str
) -> None:
    spoil(folder)
    with pytest.raises(error, match=message):
        load_model(folder, "cpu")


def test_a_tokenizer_of_a_larger_vocabulary_is_refused(folder: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens([f"word{i}" for i in range(50)])
    tokenizer.save_pretrained(folder)
    with pytest.raises(
        WeightsFormat, match="the tokenizer is not this model's: expected token ids below 272, found 312"
    ):
        load_model(folder, "cpu")


def test_an_encoder_is_refused_whatever_its_files(folder: Path) -> None:
    BertConfig(vocab_size=272, architectures=["BertForMaskedLM"]).save_pretrained(folder)
    with pytest.raises(WeightsFormat, match="found BertForMaskedLM"):
        load_model(folder, "cpu")
