"""Directions that steer are trained through the model: what is added where, and that it helps to predict."""

from __future__ import annotations

import numpy as np
import pytest
import steering_directions
import torch
import torch.nn.functional as F
from collect import SEGMENT
from language_model import LanguageModel, Shape
from packing import Stream
from steering_directions import codes_of, train_directions
from temporal import contrast, neighbours

from undersong.sae.architectures.topk import TopKSAE
from undersong.sae.base import SAEConfig

SHAPE = Shape(vocab_size=24, d_model=16, n_layers=3, n_heads=2, d_mlp=24, context=96)
LAYER = 1


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(2)
    return LanguageModel(SHAPE).requires_grad_(False)


def two_topics() -> Stream:
    """Stretches of 32 tokens drawn from the lower or from the upper half of the vocabulary."""
    generator = np.random.default_rng(0)
    low = generator.integers(1, 12, (300, SEGMENT))
    ids = np.where(generator.random((300, 1)) < 0.5, low, low + 12).astype(np.uint16).ravel()
    return Stream(ids, np.array([0, len(ids)]), np.arange(0, len(ids), SEGMENT) + 1)


def dictionary(model: LanguageModel, stream: Stream) -> TopKSAE:
    """Two features, one of them active: the mean residual of a passage leans to the one topic or to the other."""
    ids = torch.from_numpy(stream.ids[: 96 * 40].astype(np.int64)).view(40, 96)
    upper = (ids.view(40, 3, SEGMENT)[:, 1:] > 12).float().mean(-1) > 0.5
    means = model.residuals(ids)[LAYER].view(40, 3, SEGMENT, -1)[:, 1:].mean(2)
    lean = means[upper].mean(0) - means[~upper].mean(0)
    w_enc = torch.stack([lean, -lean], dim=1)
    weights = {
        "W_enc": w_enc,
        "b_enc": torch.zeros(2),
        "W_dec": F.normalize(w_enc.t(), dim=1),
        "b_dec": (means[upper].mean(0) + means[~upper].mean(0)) / 2,
    }
    hook_name = f"blocks.{LAYER}.hook_resid_post"
    return TopKSAE("p1", SAEConfig("topk", SHAPE.d_model, 2, hook_name, LAYER, grain="passage", k=1), weights)


@pytest.fixture(scope="module")
def trained(model):
    stream = two_topics()
    patch = pytest.MonkeyPatch()
    for name, value in {"WINDOW": 96, "BATCH_ROWS": 8, "RATE": 0.1}.items():
        patch.setattr(steering_directions, name, value)
    sae = dictionary(model, stream)
    found = train_directions(model, sae, stream, 96 * 8 * 10, torch.device("cpu"))
    yield found, sae
    patch.undo()


def test_directions_have_unit_norm(trained):
    torch.testing.assert_close(trained[0].norm(dim=1), torch.ones(2))


@pytest.mark.parametrize(("feature", "likelier"), [(0, slice(13, 24)), (1, slice(1, 12))])
def test_what_is_added_for_a_feature_makes_its_tokens_likelier(model, trained, feature, likelier):
    """Than they are plainly, and than the decoder's row makes them at the same norm, which training began with."""
    ids = torch.arange(1, 23)[None]
    x = model.residuals(ids)[LAYER]
    reach = 2 * x.norm(dim=-1).mean()

    def share(added: torch.Tensor) -> float:
        logits = F.linear(model.finish(x + added, LAYER + 1), model.embedding)
        return float(logits.softmax(-1)[..., likelier].sum(-1).mean())

    directions, sae = trained
    reached = share(reach * directions[feature])
    assert reached > share(torch.zeros(16)) + 0.005
    assert reached > share(reach * sae.W_dec[feature]) + 0.01


def test_a_passage_is_coded_by_its_mean_and_the_one_with_bos_is_left_out(model, trained):
    x = torch.randn(2, 96, 16, generator=torch.Generator().manual_seed(0))
    found = codes_of(trained[1], x)
    assert found.shape == (2, 2, 2)
    for row in range(2):
        for passage in range(2):
            mean = x[row, SEGMENT * (passage + 1) : SEGMENT * (passage + 2)].mean(0, keepdim=True)
            torch.testing.assert_close(found[row, passage], trained[1].encode(mean)[0])


def test_neighbours_are_each_token_with_the_next_of_its_row():
    x = torch.arange(8.0).view(2, 4, 1)
    pairs = neighbours(x, seed=0)[..., 0]
    assert sorted(map(tuple, pairs.tolist())) == [(0, 1), (1, 2), (2, 3), (4, 5), (5, 6), (6, 7)]


def test_contrast_is_low_where_partners_are_alike_and_others_are_not():
    alike = torch.eye(6)
    assert float(contrast(alike, alike)) < 0.1 < float(contrast(alike, alike.roll(1, 0)))
