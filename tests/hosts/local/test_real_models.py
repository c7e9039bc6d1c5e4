"""YOLOX-nano and Intel's embedder on real footage, through module.yml; positions were read off the pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from savant_reid.hosts.local.detector import Detector
from savant_reid.hosts.local.embedder import Embedder
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.module_config import Module, load_module

pytestmark = pytest.mark.real


@pytest.fixture
def module(real_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Module:
    monkeypatch.setenv("SAVANT_REID_MODELS", str(real_folder))
    monkeypatch.setenv("SAVANT_REID_DETECTOR", "yolox-nano")
    monkeypatch.setenv("SAVANT_REID_EMBEDDER", "person-reidentification-retail-0287")
    return load_module(Path(__file__).parents[3] / "module/module.yml")


def frame(folder: Path, video: str, index: int) -> Frame:
    capture = cv2.VideoCapture(str(folder / f"{video}.mp4"))
    capture.set(cv2.CAP_PROP_POS_FRAMES, index)
    found, image = capture.read()
    capture.release()
    assert found
    return Frame(video, index, 0, np.asarray(image, np.uint8))


def test_people_are_found_where_they_stand(module: Module, real_folder: Path) -> None:
    hall, shop = frame(real_folder, "one-by-one", 400), frame(real_folder, "retail", 100)
    Detector(module.detector, module.local_host).detect([hall, shop])
    sure = hall.boxes[hall.confidences > 0.5]
    assert len(sure) == 1
    np.testing.assert_allclose(sure[0], [384, 3, 163, 370], atol=12)
    centres = shop.boxes[:, :2] + shop.boxes[:, 2:] / 2
    for x, y in ((840, 630), (1050, 330), (1200, 280)):  # denim jacket, scarf, black pullover
        near = np.hypot(*(centres - (x, y)).T) < 40
        assert shop.confidences[near].max(initial=0) > 0.4


def test_the_same_person_is_more_alike_than_another(module: Module, real_folder: Path) -> None:
    frames = [
        frame(real_folder, "one-by-one", 400),
        frame(real_folder, "one-by-one", 410),
        frame(real_folder, "retail", 100),
    ]
    Detector(module.detector, module.local_host).detect(frames)
    for picture in frames:
        sure = picture.confidences > 0.5
        picture.set_tracked(picture.boxes[sure], picture.confidences[sure], np.arange(sure.sum()))
    assert module.embedder is not None
    embedder = Embedder(module.embedder, module.local_host)
    assert embedder.embed(frames) == sum(len(picture.boxes) for picture in frames)
    assert embedder.dimension == 256
    first, later, others = (p.embeddings / np.linalg.norm(p.embeddings, axis=1, keepdims=True) for p in frames)
    assert (first @ later.T).max() > 0.8
    assert (first @ others.T).max() < 0.7
