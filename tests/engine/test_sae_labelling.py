"""Labels on random models: what is read, who is asked, what a feature does to words, a model explaining itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.sae.labelling.test_explaining import Answers
from tests.support.tiny_models import D_MODEL, sae_tensors, tiny_network, tiny_tokenizer
from undersong.engine.labelling import PASSAGE_TOKENS, STRENGTH, Effects, Source, read_firings, read_passages
from undersong.engine.naming import Naming, content_words
from undersong.engine.self_explaining import ModelSpeaker
from undersong.engine.sensing import sensitivities
from undersong.engine.subject import ModelSubject
from undersong.errors import BadInput, BadText
from undersong.model.language_model import LanguageModel, describe
from undersong.sae.architectures import ARCHITECTURES
from undersong.sae.base import SAE, SAEConfig
from undersong.sae.labelling.chat import Message
from undersong.sae.labelling.labels import Label
from undersong.sae.labelling.local import LocalChat
from undersong.sae.labelling.passages import Firings
from undersong.sae.labelling.similar import similar

TEXT = "The sea was calm, and the ship went on through the morning without a sound.\nSnow lay on the old roofs. " * 20
CHAT_TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return describe(tiny_network("llama"), tiny_tokenizer(), "tiny")


def sae_at(hook_name: str = "blocks.1.hook_resid_post", layer: int = 1, **config: Any) -> SAE:
    stated = SAEConfig("topk", D_MODEL, 64, hook_name, layer, k=6, **config)
    return ARCHITECTURES["topk"](str(layer), stated, sae_tensors("topk", D_MODEL, 64))


@pytest.fixture(scope="module")
def subject(model: LanguageModel) -> ModelSubject:
    return ModelSubject(model, sae_at())


@pytest.fixture(scope="module")
def firings(subject: ModelSubject) -> Firings:
    return read_firings(subject, [Source("a", [TEXT]), Source("b", [TEXT.upper()])], 1500)


def test_passages_are_pieces_of_the_text_read_in_their_window(subject: ModelSubject) -> None:
    passages = list(read_passages(subject, TEXT, "book"))
    assert "".join(passage.text for passage, _ in passages) == TEXT[: sum(len(p.text) for p, _ in passages)]
    assert all(codes.shape == (PASSAGE_TOKENS, 64) == (len(p.spans), 64) for p, codes in passages)
    whole = subject.codes(TEXT)
    assert whole is not None
    torch.testing.assert_close(passages[1][1], whole.codes[PASSAGE_TOKENS : 2 * PASSAGE_TOKENS], atol=1e-4, rtol=1e-4)
    first, spans = passages[0][0], passages[0][0].spans
    assert "".join(first.text[start:end] for start, end in spans) == first.text


def test_each_source_has_its_share(firings: Firings) -> None:
    sources = [passage.source for passage in firings.passages]
    assert len(sources) * PASSAGE_TOKENS in range(1500, 1500 + 2 * PASSAGE_TOKENS)
    assert abs(sources.count("a") - sources.count("b")) <= 1


def test_a_dictionary_of_passages_reads_each_whole(model: LanguageModel) -> None:
    subject = ModelSubject(model, sae_at(grain="passage", prior_tokens=4))
    passages = list(read_passages(subject, TEXT, "book"))
    assert passages and all(codes.shape == (1, 64) and len(p.spans) == 1 for p, codes in passages)
    assert all(p.spans[0] == (0, len(p.text)) for p, _ in passages)


def test_what_a_feature_promotes_is_what_becomes_likelier(model: LanguageModel, subject: ModelSubject) -> None:
    promoted, suppressed = Effects(subject, TEXT[:40]).of(5)
    assert promoted and suppressed and {*promoted, *suppressed} <= {"the", "th", "in", "ing", "er"}
    ids = torch.tensor([[model.bos_id, *model.tokenizer.encode(TEXT[:40])]])
    held = subject.seen(ids).held
    direction = subject.sae.directions([5])[0]
    step = direction / direction.norm() * held[0, 1:].norm(dim=-1).mean() * STRENGTH
    base, found = (subject.logits(ids, each)[0, 4:].softmax(-1).mean(0) for each in (held, held + step))
    vocabulary = model.tokenizer.get_vocab()
    for word in ("in", "ing", "er", "th"):
        token = vocabulary[word]
        assert (word in promoted) == bool(found[token] > base[token])
        assert (word in suppressed) == bool(found[token] < base[token])


@pytest.mark.parametrize("way", ["keyness", "self"])
def test_features_are_named_without_anybody_to_ask(subject: ModelSubject, firings: Firings, way: Any) -> None:
    naming = Naming(subject, firings, way, None, 10)
    feature = max(range(64), key=lambda n: len(firings.of(n)[0]))
    label = naming.label(feature)
    assert label.frequency and label.maximum and len(label.passages) == 5 and label.fuzzing is None
    assert label.passages[0].activation == pytest.approx(firings.strongest(feature, 1, False)[0].strength, abs=1e-3)
    dead = next((n for n in range(64) if not len(firings.of(n)[0])), None)
    if dead is not None:
        unnamed = naming.label(dead)
        assert unnamed.name is None and unnamed.provenance == "unnamed" and unnamed.maximum is None


def test_without_anybody_to_ask_a_name_is_scored_by_its_own_words(subject: ModelSubject, firings: Firings) -> None:
    # A feature of passages with "snow": half of them have it, and no other passage.
    snow = [(passage, torch.zeros(len(passage.spans), 64)) for passage in firings.passages]
    for passage, codes in snow:
        codes[:, 7] = 2.0 * ("snow" in passage.text.lower())
    naming = Naming(subject, Firings(64, snow), "neuronpedia", None, 10)
    right = naming.scored(Label(7, "words about the snow", "", "given"))
    assert (right.detection, right.judge, right.provenance) == (1, "the words of the name", "given")
    wrong = naming.scored(Label(7, "words about the lamp", "", "given"))
    assert wrong.detection == 0.5 and wrong.fuzzing is None
    assert naming.scored(Label(7, None, "", "unnamed")).judge == ""
    dead = naming.scored(Label(8, "snow", "", "given"))
    assert dead.detection is None and dead.judge == ""


@pytest.mark.parametrize(
    ("name", "expected"),
    [("words about the sea", ("sea",)), ('"snow, roofs"', ("snow", "roofs")), ("of the", ("of", "the"))],
)
def test_a_name_is_told_by_the_words_that_tell_something(name: str, expected: tuple[str, ...]) -> None:
    assert content_words(name) == expected


def test_who_is_asked_names_and_scores(subject: ModelSubject, firings: Firings) -> None:
    feature = max(range(64), key=lambda n: len(firings.by_passage(n)[0]) if len(firings.by_passage(n)[0]) < 30 else 0)
    chat = Answers("EXPLANATION: Ships.\nNAME: ships", *["[1, 0, 1, 0, 1]"] * 40)
    label = Naming(subject, firings, "endpoint", chat, 10).label(feature)
    assert (label.name, label.explanation, label.provenance) == ("ships", "Ships", "stub: its strongest passages")
    assert label.detection is not None and 0 <= label.detection <= 1 and label.judge == "stub"
    assert chat.asked[1][1].startswith("Description: Ships\n\n1. ")


def test_a_model_explains_a_feature_with_its_direction_in_the_place_of_a_word(model: LanguageModel) -> None:
    speaker = ModelSpeaker(model, sae_at())
    weak, strong = speaker.tried(3, 0.1), speaker.tried(3, 8.0)
    assert weak.entropy > 0 and -1 <= weak.self_similarity <= 1
    assert speaker.tried(3, 0.1) == weak
    assert weak.entropy != pytest.approx(strong.entropy, rel=1e-4)
    said = speaker.written(3, 1.0, 5)
    assert isinstance(said, str) and said == speaker.written(3, 1.0, 5)
    # Of a layer that the direction cannot have reached, a later one is looked at.
    low = ModelSpeaker(model, sae_at("blocks.0.hook_resid_post", 0))
    assert low.tried(3, 0.1).self_similarity != pytest.approx(low.tried(3, 8.0).self_similarity, rel=1e-3)
    # The placeholder is the only token whose residual is replaced.
    assert [model.tokenizer.decode([speaker._ids[n]]).strip() for n in speaker._at] == ["X", "X"]
    with pytest.raises(BadInput, match="expected an SAE of the residual stream, found blocks"):
        ModelSpeaker(model, sae_at("blocks.1.hook_mlp_out"))


def test_sensitivity_reads_what_was_written(subject: ModelSubject, firings: Firings) -> None:
    chat = Answers(*["1. The sea was calm.\n2. Snow lay.\n2) «Snow» lay.\nThat is all."] * 200)
    found = sensitivities(subject, firings, chat, 3)
    assert len(found) == 3 and all(each.written == 2 for each in found)
    assert (
        found[0].fires
        == sum(v > 0 for v in subject.strongest(["The sea was calm.", "Snow lay."], found[0].feature)) / 2
    )
    assert similar(Answers("nothing"), ["a"], 3) == []


def test_what_chance_gives_is_told_on_passages_of_any_kind(subject: ModelSubject, firings: Firings) -> None:
    found = sensitivities(subject, firings, Answers(*["1. The sea was calm."] * 12), 12)
    assert max(each.elsewhere for each in found) > 0.5


def test_a_writer_that_writes_nothing_is_not_asked_for_ever(subject: ModelSubject, firings: Firings) -> None:
    chat = Answers(*["nothing"] * 64)
    assert sensitivities(subject, firings, chat, 2) == [] and len(chat.asked) == 6


def test_a_local_chat_answers_with_what_it_writes(model: LanguageModel) -> None:
    with pytest.raises(BadInput, match="expected an instruct model with a chat template"):
        LocalChat(model.network, model.tokenizer, "tiny", model.context)
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = CHAT_TEMPLATE
    chat = LocalChat(model.network, tokenizer, "tiny", model.context)
    answer = chat.ask([Message("user", "hi")], 6)
    ids = torch.tensor([tokenizer("<user>hi\n<assistant>", add_special_tokens=False)["input_ids"]])
    for _ in range(6):
        token = int(model.network(input_ids=ids).logits[0, -1].argmax())
        if token in model.eos_ids:
            break
        ids = torch.cat([ids, torch.tensor([[token]])], dim=1)
    assert answer == tokenizer.decode(
        ids[0, len(tokenizer("<user>hi\n<assistant>")["input_ids"]) :], skip_special_tokens=True
    )
    with pytest.raises(BadText, match="expected at most 128 tokens, found"):
        chat.ask([Message("user", "word " * 60)], 20)


def test_where_a_template_knows_no_system_the_user_says_it(model: LanguageModel) -> None:
    both = [Message("system", "be brief"), Message("user", "hi")]
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + (
        CHAT_TEMPLATE
    )
    chat = LocalChat(model.network, tokenizer, "tiny", model.context)
    assert chat.ask(both, 6) == chat.ask([Message("user", "be brief\n\nhi")], 6)
    # Models that can think are told not to.
    tokenizer.chat_template = CHAT_TEMPLATE + "{% if enable_thinking %}<think>{% endif %}"
    quiet = chat.ask(both, 6)
    tokenizer.chat_template = CHAT_TEMPLATE
    assert quiet == chat.ask(both, 6)
