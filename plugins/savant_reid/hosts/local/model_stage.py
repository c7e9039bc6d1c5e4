"""What the detector and the embedder have in common: a model, and time spent in and around it."""

from __future__ import annotations

from savant_reid.hosts.local.model_schema import Model
from savant_reid.hosts.local.module_schema import LocalHost
from savant_reid.hosts.local.onnx_model import OnnxModel


class ModelStage:
    """A stage that runs one model. `_around_seconds`: what the stage itself spends before and after the model."""

    def __init__(self, name: str, model: Model, output_layer: str, settings: LocalHost | None) -> None:
        self.name = name
        self._model = OnnxModel(name, model, output_layer, settings or LocalHost())
        self._around_seconds = 0.0

    @property
    def sha256(self) -> str:
        return self._model.sha256

    @property
    def inference_seconds(self) -> float:
        return self._model.inference_seconds

    @property
    def inference_cpu_seconds(self) -> float:
        """Of the calling thread alone; the model's other threads work besides."""
        return self._model.inference_cpu_seconds

    @property
    def preparation_seconds(self) -> float:
        """All that is not inference: cutting out and resizing before, decoding and handing on after."""
        return self._model.preparation_seconds + self._around_seconds
