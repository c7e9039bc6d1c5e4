"""The mosaic: every camera in its place, in its shape, under its name."""

from __future__ import annotations

import numpy as np
import pytest

from savant_reid.hosts.local import mosaic as mosaic_module
from savant_reid.hosts.local.mosaic import Mosaic


def filled(value: int, size: tuple[int, int] = (640, 360)) -> np.ndarray:
    return np.full((size[1], size[0], 3), value, np.uint8)


@pytest.mark.parametrize("cameras", range(1, 17))
def test_every_camera_has_a_place_of_its_own(cameras: int) -> None:
    names = [f"camera-{number}" for number in range(cameras)]
    mosaic = Mosaic(names)
    width, height = mosaic.size
    assert width == 1280
    assert height % 2 == 0
    assert 200 < height < 1400
    for number, name in enumerate(names):
        mosaic.update(name, filled(100 + number * 9))
    picture = mosaic.render()
    assert picture.shape == (height, width, 3)
    for number in range(cameras):
        # Far from the label: at least half of a tile of this grid shows the camera's own grey.
        share = (picture[:, :, 0] == 100 + number * 9).mean()
        assert share > 0.5 / (np.ceil(np.sqrt(cameras)) ** 2)


def test_names_are_drawn_and_missing_cameras_stay_grey() -> None:
    picture = Mosaic(["door", "hall"]).render()
    assert (picture[:24] > 200).any()
    assert (picture[24:] == 32).all()


def test_only_changed_tiles_are_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    mosaic = Mosaic(["a", "b"], (400, 200))
    mosaic.update("a", filled(10))
    mosaic.update("b", filled(20))
    first = mosaic.render().copy()
    scaled = []
    real = mosaic_module.letterbox
    monkeypatch.setattr(mosaic_module, "letterbox", lambda *given: scaled.append(1) or real(*given))
    mosaic.update("b", filled(90))
    second = mosaic.render()
    assert len(scaled) == 1
    assert second.max() >= 90
    assert not (first == 90).any()


def test_pictures_of_any_shape_keep_their_shape() -> None:
    mosaic = Mosaic(["a"], (400, 224))
    mosaic.update("a", filled(255, (100, 100)))
    picture = mosaic.render()
    columns = np.flatnonzero((picture[24:, :, 0] == 255).all(axis=0))
    assert len(columns) == 200
    mosaic.update("a", filled(255, (101, 77)))
    assert mosaic.render().shape == (224, 400, 3)


def test_unknown_camera_and_names_beyond_ascii() -> None:
    with pytest.raises(KeyError, match="nowhere"):
        Mosaic(["a"]).update("nowhere", filled(1))
    Mosaic(["Tür", "入口"]).render()
    with pytest.raises(ValueError, match="at least one camera"):
        Mosaic([])
