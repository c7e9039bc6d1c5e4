"""The networks, their losses and their export; needs PyTorch."""
# ruff: noqa: E402 - the imports follow the check that PyTorch is there

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("cv2")

from model_builder.architectures.detector import PersonDetector, grid_points
from model_builder.architectures.osnet import OSNetEmbedder
from model_builder.assigner import TaskAlignedAssigner
from model_builder.data import CropSet
from model_builder.export import export_onnx, largest_difference
from model_builder.losses import CosineClassifier, batch_hard_triplet, complete_iou, pairwise_iou
from model_builder.train_detector import collated, detector_step
from model_builder.train_embedder import EmbedderRecipe, PersonBatches, embedder_step

pytestmark = pytest.mark.builder


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def test_shapes_of_the_networks() -> None:
    assert PersonDetector().eval()(torch.rand(2, 3, 192, 320)).shape == (2, 5, 1260)
    embeddings = OSNetEmbedder().eval()(torch.rand(2, 3, 128, 64) * 255)
    assert embeddings.shape == (2, 256)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))


def test_grid_runs_from_fine_to_coarse_and_row_by_row() -> None:
    points, strides = grid_points(192, 320)
    assert points[[0, 1, 40, 960, 1200]].tolist() == [[4, 4], [12, 4], [4, 12], [8, 8], [16, 16]]
    assert strides[[0, 959, 960, 1199, 1200, 1259]].tolist() == [8, 8, 16, 16, 32, 32]


def test_decoding_turns_distances_into_centre_and_size() -> None:
    model = PersonDetector().eval()
    images = torch.rand(1, 3, 192, 320)
    with torch.no_grad():
        logits, distances = model.raw(images)
        output = model(images)[0]
    left, top, right, bottom = distances[0, 41]
    # Anchor 41 is the second cell of the second row at stride 8: its point is (12, 12).
    expected = torch.stack((12 + (right - left) / 2, 12 + (bottom - top) / 2, left + right, top + bottom))
    torch.testing.assert_close(output[:4, 41], expected)
    torch.testing.assert_close(output[4, 41], logits[0, 41].sigmoid())


@pytest.mark.parametrize(
    ("model", "example", "output"),
    [
        (PersonDetector, torch.rand(1, 3, 192, 320, generator=torch.Generator().manual_seed(1)), "output0"),
        (OSNetEmbedder, torch.rand(1, 3, 128, 64, generator=torch.Generator().manual_seed(1)) * 255, "embedding"),
    ],
)
def test_onnx_equals_pytorch_at_batch_one_and_three(tmp_path: Path, model: type, example, output: str) -> None:
    network = model()
    network.train()
    forward = getattr(network, "raw", None) or network.features
    with torch.no_grad():
        forward(example.repeat(4, 1, 1, 1) * torch.rand(4, 1, 1, 1))  # gives the norms statistics other than 0 and 1
    file = tmp_path / "model.onnx"
    export_onnx(network, example, output, file, {"name": "test"})
    assert largest_difference(network.eval(), file, example) <= 1e-4


def test_iou_of_training_agrees_with_the_answers_by_hand() -> None:
    left, right = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([[5.0, 0, 15, 10]])
    assert pairwise_iou(left, right).item() == pytest.approx(1 / 3)
    # Same shape, so only the distance counts: 5^2 over the diagonal of the 15 x 10 hull, squared.
    assert complete_iou(left, right).item() == pytest.approx(1 / 3 - 25 / 325)
    assert complete_iou(left, left).item() == pytest.approx(1.0)


def test_triplet_by_hand() -> None:
    # On a line: person 0 at 0 and 3, person 1 at 4 and 4.5.
    # Furthest own, nearest other: (3, 4), (3, 1), (.5, 1), (.5, 1.5).
    features = torch.tensor([[0.0], [3.0], [4.0], [4.5]])
    loss = batch_hard_triplet(features, torch.tensor([0, 0, 1, 1]), margin=0.3)
    assert loss.item() == pytest.approx((0 + 2.3 + 0 + 0) / 4, abs=1e-3)


def test_cosine_logits_take_the_margin_from_the_true_person_only() -> None:
    classifier = CosineClassifier(2, 2, scale=10.0, margin=0.2)
    classifier.weight.data = torch.tensor([[3.0, 0.0], [0.0, 0.5]])
    logits = classifier(torch.tensor([[0.6, 0.8]]) * 7, torch.tensor([1]))
    torch.testing.assert_close(logits, torch.tensor([[6.0, 6.0]]))


def test_assigner_on_two_people_padding_and_an_ignored_one() -> None:
    points = torch.tensor([[10.0, 10], [30, 10], [50, 10], [90, 10], [130, 10]])
    people = torch.tensor([[[0.0, 0, 40, 20], [40, 0, 60, 20], [80, 0, 100, 20], [0, 0, 0, 0]]])
    kinds = torch.tensor([[1, 1, -1, 0]])
    predicted = torch.tensor([[[0.0, 0, 40, 20], [0, 0, 20, 20], [40, 0, 60, 20], [80, 0, 100, 20], [0, 0, 1, 1]]])
    scores = torch.full((1, 5), 0.5)
    target = TaskAlignedAssigner(top=2, least_side_px=2.0)(scores, predicted, points, people, kinds)
    # The first point fits the first person exactly, the second one by a half: both answer, the better one fully.
    assert target.scores[0, 0].item() == pytest.approx(1.0)
    assert target.scores[0, 1].item() == pytest.approx(0.5**6)
    assert target.scores[0, 2].item() == pytest.approx(1.0)
    assert target.boxes[0, 2].tolist() == [40, 0, 60, 20]
    # On the ignored person a detection is neither right nor wrong; elsewhere background counts.
    assert target.scores[0, 3:].tolist() == [0, 0]
    assert target.counted[0].tolist() == [True, True, True, False, True]


def test_a_contested_point_goes_to_the_person_it_fits() -> None:
    points = torch.tensor([[10.0, 10]])
    people = torch.tensor([[[0.0, 0, 20, 20], [0, 0, 20, 30]]])
    target = TaskAlignedAssigner()(
        torch.full((1, 1), 0.5), torch.tensor([[[0.0, 0, 20, 29]]]), points, people, torch.tensor([[1, 1]])
    )
    assert target.boxes[0, 0].tolist() == [0, 0, 20, 30]


def test_detector_learns_one_batch() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(60, 90, (64, 96, 3), dtype=np.uint8)
    image[10:50, 20:40] = (20, 20, 240)
    sample = (image, np.array([[20, 10, 40, 50]], np.float32), np.ones(1, np.float32))
    batch = collated([sample, sample])
    model = PersonDetector(widths=(8, 8, 16, 16, 16), neck_width=16).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    losses = []
    for _ in range(40):
        loss = sum(detector_step(model, *batch, TaskAlignedAssigner()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_embedder_learns_four_people() -> None:
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (4, 1, 1, 3), dtype=np.uint8)
    crops = CropSet(
        np.repeat(colours, 4, axis=0) * np.ones((1, 64, 32, 1), np.uint8),
        np.repeat(np.arange(4), 4),
        np.tile([0, 1], 8),
    )
    recipe = EmbedderRecipe(steps=25, people=4, views=4)
    model, classifier = OSNetEmbedder((8, 16, 16, 32), 32).train(), CosineClassifier(32, 4)
    optimizer = torch.optim.AdamW([*model.parameters(), *classifier.parameters()], lr=5e-3)
    losses = []
    for images, people in PersonBatches(crops, recipe):
        loss = sum(embedder_step(model, classifier, images, people))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:3])


def test_batches_hold_every_person_equally_from_as_many_cameras_as_there_are() -> None:
    people, cameras = np.repeat(np.arange(10), 8), np.tile(np.repeat(np.arange(4), 2), 10)
    crops = np.zeros((80, 16, 8, 3), np.uint8)
    batches = PersonBatches(CropSet(crops, people, cameras), EmbedderRecipe(steps=3, people=4, views=4))
    for _, owners in batches:
        assert len(np.unique(owners)) == 4
        assert np.bincount(owners)[np.unique(owners)].tolist() == [4] * 4
    drawn = batches._views(np.arange(8), np.random.default_rng(0))
    assert sorted(cameras[drawn].tolist()) == [0, 1, 2, 3]
