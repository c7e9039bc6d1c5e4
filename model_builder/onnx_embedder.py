"""An embedder in ONNX Runtime on pictures of any size: fed as its card says, by the code that feeds it in a run."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import onnxruntime

from model_builder.cards import CARD_FILE, MODELS, Card, Color, load_card, read_card
from savant_reid.errors import ModelError
from savant_reid.hosts.local.model_input import Layout, ModelInputTensor
from savant_reid.hosts.local.model_schema import ModelInput

BATCH = 16


class OnnxEmbedder:
    """Pictures to embeddings of length one.

    ``file``: the ONNX model. ``card``: without one the input's size comes from the graph, and the
    pixels go in as they are: 0..255, in ``colour``'s order, squashed. Raises ModelError where the file is absent,
    cannot be loaded, or does not take pictures and give one vector for each.
    """

    def __init__(
        self,
        file: Path,
        card: Card | None = None,
        colour: Color = "rgb",
        batch: int = BATCH,
        threads: int = 1,
    ) -> None:
        self.file = file
        self._session = _session(file, threads)
        self._name, self._layout, size_hw, static_batch = _graph_input(file, self._session)
        self.spec = _input_of(file, card, size_hw, colour)
        self.batch = static_batch or batch
        self._pads = static_batch is not None
        self._tensor = ModelInputTensor(self.spec, self._layout, self.batch)
        self.dimension = self._dimension()

    def embed(self, pictures: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
        """Pictures (h, w, 3) uint8 BGR; yields embeddings (k, D) float32, a batch at a time, in their order."""
        pictures = iter(pictures)
        while chunk := list(islice(pictures, self.batch)):
            found = self._run(chunk)
            lengths = np.linalg.norm(found, axis=1, keepdims=True)
            if not np.isfinite(lengths).all() or (lengths == 0).any():
                raise ModelError(f"{self.file}: expected embeddings with a length, found one that is zero or no number")
            yield found / lengths

    def embed_all(self, pictures: Iterable[np.ndarray]) -> np.ndarray:
        """(n, D) float32 of all pictures."""
        return np.concatenate([np.empty((0, self.dimension), np.float32), *self.embed(pictures)])

    def _run(self, pictures: list[np.ndarray]) -> np.ndarray:
        tensor = self._tensor.fill(pictures)
        if self._pads:
            tensor = self._tensor.all_rows
        try:
            output = self._session.run(None, {self._name: tensor})[0]
        except Exception as error:  # ONNX Runtime has no common base class for its errors
            raise ModelError(f"{self.file}: the model does not run on an input of {tensor.shape}: {error}") from error
        return np.asarray(output[: len(pictures)], np.float32).reshape(len(pictures), -1)

    def _dimension(self) -> int:
        outputs = self._session.get_outputs()
        if len(outputs) != 1:
            found = ", ".join(item.name for item in outputs)
            raise ModelError(f"{self.file}: expected one output, the embedding; found {found}")
        blank = np.zeros((self.spec.height, self.spec.width, 3), np.uint8)
        shape = np.shape(self._session.run(None, {self._name: self._first(blank)})[0])[1:]
        if not shape or int(np.prod(shape)) != max(shape) or max(shape) < 2:
            raise ModelError(f"{self.file}: expected one vector for each picture, found an output {list(shape)}")
        return int(max(shape))

    def _first(self, picture: np.ndarray) -> np.ndarray:
        filled = self._tensor.fill([picture])
        return self._tensor.all_rows if self._pads else filled


def find_model(name: str, models: Path = MODELS) -> tuple[Path, Card | None]:
    """``MODEL.onnx`` or the NAME of a card in ``models``; with the card beside the file if it is that file's."""
    file = Path(name)
    if file.suffix != ".onnx":
        card = load_card(name, models)
        file = models / name / card.file.name
        if not file.is_file():
            raise ModelError(f"{file}: no such file; `python -m model_builder build {name}` makes it")
        return file, card
    if not file.is_file():
        raise ModelError(f"{file}: expected an ONNX model, found no such file")
    beside = file.with_name(CARD_FILE)
    card_beside = read_card(beside) if beside.is_file() else None
    return file, card_beside if card_beside is not None and card_beside.file.name == file.name else None


def _session(file: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # no common base class
        raise ModelError(f"{file}: ONNX Runtime cannot load it: {error}") from error


def _graph_input(
    file: Path, session: onnxruntime.InferenceSession
) -> tuple[str, Layout, tuple[int | None, int | None], int | None]:
    """Name, layout, (height, width) where the graph fixes them, batch where it does."""
    inputs = session.get_inputs()
    shape = list(inputs[0].shape) if len(inputs) == 1 else []
    if len(shape) != 4 or 3 not in (shape[1], shape[3]) or inputs[0].type != "tensor(float)":
        found = ", ".join(f"{item.name} {item.type} {item.shape}" for item in inputs)
        raise ModelError(f"{file}: expected one float32 input [batch, 3, h, w] or [batch, h, w, 3], found {found}")
    layout = Layout.NCHW if shape[1] == 3 else Layout.NHWC
    height, width = (axis if isinstance(axis, int) else None for axis in (shape[2:] if shape[1] == 3 else shape[1:3]))
    batch = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else None
    return inputs[0].name, layout, (height, width), batch


def _input_of(file: Path, card: Card | None, size_hw: tuple[int | None, int | None], colour: Color) -> ModelInput:
    said = card.input.size if card else (None, None)
    height, width = (axis or known for axis, known in zip(size_hw, said, strict=True))
    if height is None or width is None:
        raise ModelError(f"{file}: the graph does not fix the input's size; expected a card that tells it")
    if card is None:
        return ModelInput(shape=(3, height, width), color_format=colour)
    if said != (height, width):
        raise ModelError(f"{file}: the card says an input of {said[0]}x{said[1]}, found {height}x{width} in the graph")
    return ModelInput(
        shape=(3, height, width),
        maintain_aspect_ratio=card.input.maintain_aspect_ratio,
        color_format=card.input.color_format,
        scale_factor=card.normalisation.scale_factor,
        offsets=(card.normalisation.offsets[0], card.normalisation.offsets[1], card.normalisation.offsets[2]),
    )
