"""verify finds what a step can change without an error: colours, means, sizes, weights, rows of a batch."""
# ruff: noqa: E402 - the imports follow the check that PyTorch is there

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxslim")

from model_builder.boxes import Agreement, agreement, decoded
from model_builder.cards import Card, load_card
from model_builder.export import export
from model_builder.reference import PICTURE_SIZES, by_network, pictures, pictures_of, prepared
from model_builder.verify import LIMITS, Check, Verification, host_tensor, verify
from tests.model_builder.small_models import lively_network, small_card
from torch import Tensor, nn

from savant_reid.errors import ModelError

pytestmark = pytest.mark.builder
MEAN, STD = (torch.tensor(values).view(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


class Colours(nn.Module):
    """A network of which every pixel and every channel counts."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv = nn.Conv2d(3, 8, 5, 3)
        self.fc = nn.LazyLinear(512)

    def forward(self, images: Tensor) -> Tensor:
        output: Tensor = self.fc(torch.tanh(self.conv(images)).flatten(1))
        return output


@pytest.fixture(scope="module")
def embedder() -> tuple[Card, nn.Module]:
    card = small_card("osnet-x1-0", 32, 16)
    network = Colours()
    network(torch.zeros(1, 3, 32, 16))
    return card, network.eval()


@pytest.fixture(scope="module")
def detector() -> tuple[Card, nn.Module]:
    card = small_card("yolox-nano", 64, 96)
    return card, lively_network(card)


def changed(card: Card, part: str, **changes: Any) -> Card:
    """The card with other values below one part, as if a step had got them wrong."""
    owner, _, inner = part.partition(".")
    old = getattr(card, owner)
    if inner:
        changes = {inner: getattr(old, inner).model_copy(update=changes)}
    return card.model_copy(update={owner: old.model_copy(update=changes)})


def verified(card: Card, network: nn.Module, exported: Card, folder: Path, precision: str = "fp32") -> Verification:
    file = export(network, exported, folder / "net.onnx", precision)  # type: ignore[arg-type]
    return verify(card, file, by_network(card, network), precision=precision, max_batch=5)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("kind", ["embedder", "detector"])
def test_what_was_exported_rightly_passes(
    kind: str, precision: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    card, network = request.getfixturevalue(kind)
    found = verified(card, network, card, tmp_path, precision)
    assert found.passed, found.checks
    assert [check.batch for check in found.checks] == [1, 2, 5]
    assert {check.boxes is not None for check in found.checks} == {kind == "detector"}


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("normalisation.inside", {"color_format": "bgr"}),
        ("normalisation.inside", {"mean": (0.0, 0.0, 0.0)}),
        ("normalisation.inside", {"std": (0.25, 0.25, 0.25)}),
        ("normalisation.inside", {"divisor": 250.0}),
        ("output", {"l2_normalised": False}),
    ],
    ids=["colours", "mean", "std", "divisor", "l2"],
)
def test_a_wrong_step_before_or_behind_the_network_is_found(
    embedder: tuple[Card, nn.Module], tmp_path: Path, part: str, changes: dict[str, Any]
) -> None:
    card, network = embedder
    assert not verified(card, network, changed(card, part, **changes), tmp_path).passed


def test_other_weights_are_found(detector: tuple[Card, nn.Module], tmp_path: Path) -> None:
    card, network = detector
    file = export(network, card, tmp_path / "net.onnx")
    other = lively_network(card)
    with torch.no_grad():
        for value in other.parameters():
            value.add_(0.02 * torch.randn_like(value))
    found = verify(card, file, by_network(card, other))
    assert not found.passed
    worst = found.checks[0]
    assert worst.boxes is not None
    assert worst.boxes.overlap < LIMITS["fp32"].overlap


def test_a_box_that_moved_is_found_where_the_cosine_is_blind(detector: tuple[Card, nn.Module], tmp_path: Path) -> None:
    card, network = detector
    reference = by_network(card, network)

    def moved(images: Any) -> Any:
        output = reference(images).copy()
        best = (output[:, :, 4] * output[:, :, 5:].max(axis=2)).argmax(axis=1)
        output[np.arange(len(output)), best, 0] += 0.5  # half a cell, of one box in each picture
        return output

    found = verify(card, export(network, card, tmp_path / "net.onnx"), moved)
    assert all(check.cosine > LIMITS["fp32"].cosine for check in found.checks)
    assert not found.passed


def test_a_runtime_that_mixes_the_rows_of_a_batch_is_found(embedder: tuple[Card, nn.Module], tmp_path: Path) -> None:
    card, network = embedder
    file = export(network, card, tmp_path / "net.onnx")
    reference = by_network(card, network)

    def run(tensor: Any) -> Any:
        with torch.no_grad():
            output = nn.functional.normalize(network((torch.from_numpy(tensor) / 255 - MEAN) / STD)).numpy()
        return output[::-1]

    found = verify(card, file, reference, max_batch=2, further={"engine": run})
    assert {(check.runtime, check.batch): check.passed for check in found.checks} == {
        ("ONNX Runtime", 1): True,
        ("ONNX Runtime", 2): True,
        ("engine", 1): True,
        ("engine", 2): False,
    }


@pytest.mark.parametrize("broken", [float("nan"), 0.0])
def test_an_output_that_is_no_number_does_not_pass(
    embedder: tuple[Card, nn.Module], tmp_path: Path, broken: float
) -> None:
    card, network = embedder
    file = export(network, card, tmp_path / "net.onnx")
    found = verify(card, file, by_network(card, network), further={"engine": lambda t: np.full((len(t), 512), broken)})
    assert [check.passed for check in found.checks] == [True] * 3 + [False] * 3


def test_an_output_of_another_shape_does_not_pass(embedder: tuple[Card, nn.Module], tmp_path: Path) -> None:
    card, network = embedder
    file = export(network, card, tmp_path / "net.onnx")
    short = {"engine": lambda tensor: np.ones((len(tensor), 3), np.float32)}
    found = verify(card, file, by_network(card, network), further=short)
    assert not found.passed


def test_the_pictures_are_of_odd_sizes_lying_and_standing_and_coloured() -> None:
    images = pictures(8)
    assert [image.shape for image in images] == [(*size, 3) for size in PICTURE_SIZES]
    assert any(height > width for height, width in PICTURE_SIZES)
    assert any(height < width for height, width in PICTURE_SIZES)
    assert any(height % 2 and width % 2 for height, width in PICTURE_SIZES)
    for image in images[:5]:
        assert np.ptp(image.reshape(-1, 3).mean(axis=0)) > 10, "colours in another order would not show"


@pytest.mark.parametrize(
    "name", ["osnet-x0-25", "reidentificationnet", "yolov8n", "yolox-nano", "person-reidentification-retail-0287"]
)
def test_the_host_prepares_pictures_as_the_reference_does(name: str) -> None:
    card = load_card(name)
    outside = replace_inside(card)
    images = pictures(8)
    given = host_tensor(card, images)
    if card.input.layout == "NHWC":
        given = given.transpose(0, 3, 1, 2)
    expected = np.stack([prepared(outside, image) for image in images])
    np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-4)


def replace_inside(card: Card) -> Card:
    """Without what the graph itself does."""
    return card.model_copy(update={"normalisation": card.normalisation.model_copy(update={"inside": None})})


def found_boxes(*boxes: tuple[float, float, float, float, float]) -> np.ndarray:
    """One picture's output of a detector that suppresses by itself: centre, size and the person's score; then zeros."""
    table = np.zeros((1, 95, 100), np.float32)
    for column, (*box, score) in enumerate(boxes):
        table[0, :4, column], table[0, 5, column] = box, score
    return table


def test_a_detector_that_found_nothing_has_shown_nothing() -> None:
    card, nothing = load_card("faster-rcnn"), found_boxes()
    assert agreement(card, nothing, nothing) == Agreement(0, 1.0, 0.0)
    assert not Check("ONNX Runtime", 1, 8, 1.0, 0.0, Agreement(0, 1.0, 0.0), LIMITS["fp32"]).passed


def test_boxes_that_were_found_are_compared_in_any_order_and_a_lost_one_is_seen() -> None:
    card = load_card("faster-rcnn")
    first, second, weak = (100.0, 200.0, 50.0, 120.0, 0.9), (300.0, 200.0, 40.0, 110.0, 0.8), (9.0, 9.0, 5.0, 9.0, 0.1)
    both = found_boxes(first, second, weak)
    assert agreement(card, both, found_boxes(second, first)) == Agreement(2, 1.0, 0.0)
    assert agreement(card, both, found_boxes(first, weak)).overlap == 0.0
    assert agreement(card, both, found_boxes()) == Agreement(2, 0.0, pytest.approx(0.9))
    moved = (105.0, 200.0, 50.0, 120.0, 0.7)
    assert agreement(card, both, found_boxes(moved, second)) == Agreement(2, pytest.approx(45 / 55), pytest.approx(0.2))
    assert agreement(card, found_boxes(weak), found_boxes(weak)) == Agreement(1, 1.0, 0.0)


def test_pictures_of_ones_own_are_taken_in_place_of_made_ones(tmp_path: Path, embedder: tuple[Card, nn.Module]) -> None:
    with pytest.raises(ModelError, match=r"expected pictures \(\.jpg"):
        pictures_of(tmp_path, 4)
    for index, image in enumerate(pictures(3, seed=9)):
        cv2.imwrite(str(tmp_path / f"{index}.png"), image)
    (tmp_path / "notes.txt").write_text("")
    own = pictures_of(tmp_path, 2)
    assert [image.shape for image in own] == [image.shape for image in pictures(2)]
    card, network = embedder
    file = export(network, card, tmp_path / "net.onnx")
    found = verify(card, file, by_network(card, network), images=own, max_batch=2)
    assert [(check.pictures, check.passed) for check in found.checks] == [(2, True), (2, True)]


def test_limits_are_those_that_are_promised() -> None:
    assert (LIMITS["fp32"].cosine, LIMITS["fp16"].cosine) == (0.9999, 0.999)


def test_boxes_of_a_yolo_are_decoded_as_the_host_decodes_them() -> None:
    card = small_card("yolox-nano", 64, 96)
    output = np.full((126, 85), -9.0, np.float32)
    output[:, 5:] = 0.0
    output[13] = [0.5, 0.25, 0.0, np.log(2.0), 0.8, 0.9, *[0.0] * 79]  # the cell (1, 1) of stride 8
    output[:, 4] = np.where(np.arange(126) == 13, 0.8, 0.0)
    boxes = decoded(card, output)
    np.testing.assert_allclose(boxes.centres, [[12.0, 10.0, 8.0, 16.0]], rtol=1e-6)
    np.testing.assert_allclose(boxes.confidences, [0.72], rtol=1e-6)
