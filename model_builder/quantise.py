"""FP32 files to INT8, calibrated on the user's own pictures, and what that costs on pictures held back.

Weights per channel and activations per tensor, both signed and around zero, with Q and DQ nodes: the form that ONNX
Runtime and TensorRT both take. The layers just before the output stay FP32, as do preprocessing and L2: they take
little time, and nothing behind them evens their errors out.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from model_builder.boxes import agreement
from model_builder.cards import Card
from model_builder.export import SINGLE_PRECISION, open_session, require_dynamic_batch
from model_builder.files import written_whole
from model_builder.reference import Picture
from model_builder.verify import LIMITS, host_tensor
from savant_reid.errors import DataError

Floats = NDArray[np.float32]
LEAST_PICTURES = 100
HELD_BACK = 4  # every fourth picture is not calibrated on
BATCH = 8
LAYERS = ("Conv", "MatMul", "Gemm")


@dataclass(frozen=True)
class Cost:
    """What a precision costs against FP32 on pictures that it was not calibrated on.

    cosine of the outputs: the least, the mean and the first percentile. overlap, score: of a detector's surest boxes,
    the least IoU with the counterpart and the largest difference of confidences.
    """

    pictures: int
    least_cosine: float
    mean_cosine: float
    percentile_cosine: float
    overlap: float | None = None
    score: float | None = None

    def told(self) -> str:
        """For people."""
        text = f"cosine to FP32 on {self.pictures} pictures held back: mean {self.mean_cosine:.4f}"
        text += f", first percentile {self.percentile_cosine:.4f}, least {self.least_cosine:.4f}"
        if self.overlap is not None and self.score is not None:
            text += f"; boxes: least overlap {self.overlap:.3f}, confidences differ by up to {self.score:.3f}"
        return text


def split(pictures: Sequence[Picture], least: int = LEAST_PICTURES) -> tuple[list[Picture], list[Picture]]:
    """Pictures to calibrate on and pictures to hold back, all over the recording. DataError where they are too few."""
    if len(pictures) < least:
        raise DataError(
            f"expected at least {least} pictures to calibrate INT8 on, found {len(pictures)}:"
            " ranges from fewer are theirs, not the site's. Take pictures of many people, cameras and hours"
        )
    held_back = list(pictures[HELD_BACK - 1 :: HELD_BACK])
    return [picture for index, picture in enumerate(pictures) if index % HELD_BACK != HELD_BACK - 1], held_back


def quantise(card: Card, file: Path, target: Path, pictures: Sequence[Picture]) -> Path:
    """Writes ``target`` in INT8 from the FP32 ``file``, calibrated on ``pictures`` (BGR uint8 of any size).

    Raises ModelError for a file with a fixed batch, OutputError where it cannot be written.
    """
    session = open_session(file)
    require_dynamic_batch(session, file)
    name = session.get_inputs()[0].name
    graph = onnx.load(file)
    with written_whole(target) as part, tempfile.TemporaryDirectory() as folder:
        half_way = Path(folder) / "int8.onnx"

        quantize_static(
            str(file),
            str(half_way),
            _Reader(name, card, pictures),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(LAYERS),
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QInt8,
            nodes_to_exclude=_kept(graph),
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"ActivationSymmetric": True, "WeightSymmetric": True},
        )
        quantised = onnx.load(half_way)
        metadata = {entry.key: entry.value for entry in graph.metadata_props}
        onnx.helper.set_model_props(quantised, metadata | {"precision": "int8", "calibrated_on": str(len(pictures))})
        onnx.checker.check_model(quantised, full_check=True)
        onnx.save(quantised, part)
        require_dynamic_batch(open_session(part), target)
    return target


def cost(card: Card, file: Path, cheaper: Path, pictures: Sequence[Picture]) -> Cost:
    """Compares ``cheaper`` with the FP32 ``file`` on the same pictures."""
    expected, found = outputs(card, file, pictures), outputs(card, cheaper, pictures)
    rows, others = (values.reshape(len(values), -1).astype(np.float64) for values in (expected, found))
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(others, axis=1)
    cosines = (rows * others).sum(axis=1) / np.maximum(lengths, 1e-12)
    overlap = score = None
    if card.is_detector:
        same = agreement(card, expected, found)
        overlap, score = same.overlap, same.score
    least, mean, percentile = float(cosines.min()), float(cosines.mean()), float(np.percentile(cosines, 1))
    return Cost(len(pictures), least, mean, percentile, overlap, score)


def within(paid: Cost) -> bool:
    """Whether a file is of use at all (the limits of ``verify`` for INT8). How good it is, evaluation tells."""
    limits = LIMITS["int8"]
    if paid.overlap is not None and paid.score is not None:
        return paid.overlap >= limits.overlap and paid.score <= limits.score
    return paid.least_cosine >= limits.cosine


def outputs(card: Card, file: Path, pictures: Sequence[Picture]) -> Floats:
    """What a file gives for pictures, fed as the local host feeds them; (pictures, ...) float32."""
    session = open_session(file)
    name = session.get_inputs()[0].name
    chunks = (pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH))
    return np.concatenate([session.run(None, {name: host_tensor(card, chunk)})[0] for chunk in chunks])


class _Reader(CalibrationDataReader):
    def __init__(self, name: str, card: Card, pictures: Sequence[Picture]) -> None:
        self._feeds = self._all(name, card, pictures)

    @staticmethod
    def _all(name: str, card: Card, pictures: Sequence[Picture]) -> Iterator[dict[str, Floats]]:
        for start in range(0, len(pictures), BATCH):
            yield {name: host_tensor(card, pictures[start : start + BATCH])}

    def get_next(self) -> dict[str, Floats] | None:
        return next(self._feeds, None)


def _kept(model: onnx.ModelProto) -> list[str]:
    """Names of nodes that stay FP32: those that the file says must, and each last layer before the output."""
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    single = tuple(metadata.get(SINGLE_PRECISION, "").split())
    kept = [node.name for node in model.graph.node if single and node.name.startswith(single)]
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    # From the output backwards: a layer is a last one where no path behind it leads through another.
    passes: dict[str, bool] = {}
    for node in reversed(model.graph.node):
        behind = any(passes[reader.name] for name in node.output for reader in readers.get(name, ()))
        if node.op_type in LAYERS and not behind:
            kept.append(node.name)
        passes[node.name] = behind or node.op_type in LAYERS
    return kept
