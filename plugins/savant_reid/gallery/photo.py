"""A picture file to an embedding, by the module's own detector and embedder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from savant_reid.errors import ConfigError, ModelError, SourceError
from savant_reid.gallery.looks import Floats, unit
from savant_reid.hosts.local.detector import Detector
from savant_reid.hosts.local.embedder import Embedder
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.module_config import Module, load_module
from savant_reid.packaged import packaged_models, packaged_module

Image = NDArray[np.uint8]
# The module's own threshold is low on purpose (a tracker follows); a single picture needs a sure detection.
LEAST_CONFIDENCE = 0.4


@dataclass(frozen=True)
class Picture:
    """embedding: (D,) float32, unit length. box: (4,) ltwh of the person in the picture. people: how many were found,
    by size; person: which of them this is, from 1."""

    embedding: Floats
    box: Floats
    person: int
    people: int


class PhotoReader:
    """The models of a module; each is loaded when first needed. Raises ConfigError, ModelError or SourceError."""

    def __init__(self, module: Path | None = None) -> None:
        self._module = load_module(module) if module else _own_module()

    @property
    def model(self) -> str:
        """The embedding model's name, as runs write it down."""
        return f"{self._embedder.name} sha256:{self._embedder.sha256}"

    @cached_property
    def _detector(self) -> Detector:
        return Detector(self._module.detector, self._module.local_host)

    @cached_property
    def _embedder(self) -> Embedder:
        element = self._module.embedder
        if element is None:
            raise ConfigError(
                f"{self._module.path}: pipeline.elements: expected an nvinfer@attribute_model, found none"
            )
        return Embedder(element, self._module.local_host)

    def read(self, path: Path, crop: bool = False, person: int | None = None) -> Picture:
        """crop: the picture shows one person and nothing else. person: the how-manieth, the largest is 1 (default).

        Raises SourceError where there is no picture, no such person in it, or one too small for the model.
        """
        image = read_image(path)
        height, width = image.shape[:2]
        boxes = np.array([[0, 0, width, height]], np.float32) if crop else self._people(image, path)
        number = person or 1
        if number > len(boxes):
            raise SourceError(f"{path}: expected at least {number} people in the picture, found {len(boxes)}")
        box = boxes[number - 1]
        return Picture(self._embedding(image, box, path), box, number, len(boxes))

    def _people(self, image: Image, path: Path) -> Floats:
        """(n, 4) ltwh, the largest first, at least one."""
        frame = Frame("picture", 0, 0, image)
        self._detector.detect([frame])
        boxes = frame.boxes[frame.confidences >= LEAST_CONFIDENCE]
        if not len(boxes):
            best = float(frame.confidences.max(initial=0.0))
            raise SourceError(
                f"{path}: expected a person in the picture, found none (best guess: confidence {best:.2f}, asked "
                f"{LEAST_CONFIDENCE}); where it shows one person and nothing else, say --crop"
            )
        return boxes[np.argsort(-boxes[:, 2] * boxes[:, 3], kind="stable")]

    def _embedding(self, image: Image, box: Floats, path: Path) -> Floats:
        frame = Frame("picture", 0, 0, image)
        frame.set_tracked(box[None], np.ones(1, np.float32), np.ones(1, np.int64))
        if not self._embedder.embed([frame]):
            raise SourceError(
                f"{path}: expected a person of a size that the model takes (object_min_width and the like in "
                f"{self._module.path.name}), found {box[2]:.0f} x {box[3]:.0f} pixels"
            )
        embedding = frame.embeddings[0]
        if not np.isfinite(embedding).all() or not embedding.any():
            raise ModelError(f"{path}: expected an embedding, found one that is zero or no number")
        return unit(embedding)


def read_image(path: Path) -> Image:
    """(height, width, 3) uint8 BGR. Raises SourceError where there is no file, or no picture in it."""
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise SourceError(f"{path}: expected a picture, found: {error.strerror or error}") from error
    try:
        image = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
    except cv2.error:
        image = None
    if image is None:
        raise SourceError(f"{path}: expected a picture (JPEG, PNG …), found {len(content)} bytes that are none")
    return np.asarray(image, np.uint8)


def _own_module() -> Module:
    """module.yml of this installation, with its models unless the environment names others."""
    return load_module(packaged_module(), {} if "SAVANT_REID_MODELS" in os.environ else packaged_models())
