"""What of Savant's module schema the local host understands; unknown keys and wrong types are errors.

As in model_schema, keys that matter on DeepStream only are listed in `deepstream_only`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from savant_reid.hosts.local.model_schema import BatchSize, DetectorModel, EmbedderModel, Positive, Strict


class PyFunc(Strict):
    """A Python class by name, with the keyword arguments for its constructor."""

    module: str
    class_name: str
    kwargs: Mapping[str, Any] = Field(default_factory=dict)
    dev_mode: bool = False
    deepstream_only = frozenset({"dev_mode"})


class Element(Strict):
    """What all pipeline elements share. element: as written, such as nvinfer@detector or pyfunc."""

    element: str
    element_type: str | None = None
    version: Literal["v1"] = "v1"
    name: str | None = None
    properties: Mapping[str, Any] = Field(default_factory=dict)
    deepstream_only = frozenset({"properties"})


class DetectorElement(Element):
    name: str
    model: DetectorModel


class AttributeModelElement(Element):
    """The re-ID model; its `model.output.attributes[0].name` is how a pyfunc may call the embedding."""

    name: str
    model: EmbedderModel


class TrackerElement(Element):
    """On DeepStream nvtracker with these properties; here the one that parameters.local_host.tracker names."""


class PyFuncElement(Element):
    module: str
    class_name: str
    kwargs: Mapping[str, Any] = Field(default_factory=dict)
    dev_mode: bool = False
    deepstream_only = frozenset({"properties", "dev_mode"})


class DrawFunc(PyFunc):
    rendered_objects: Literal[None] = None
    condition: Literal[None] = None


class OutputFrame(Strict):
    """How the overlay video is encoded; the local host encodes H.264 on the CPU."""

    codec: Literal["h264"]
    encoder: str | None = None
    encoder_params: Mapping[str, Any] | None = None
    profile: Literal["baseline", "main", "high"] | None = None
    deepstream_only = frozenset({"encoder", "encoder_params", "profile"})


class LocalHost(Strict):
    """Settings that only the local host reads; Savant accepts unknown parameters.

    inference_threads: threads of ONNX Runtime per model. letterbox_padding: grey value around a letterboxed picture;
    DeepStream pads with 0. tracker: what stands in for nvtracker. bytetrack, deepsort: their settings, checked by
    the trackers themselves. accept_unverified_models: run a model file whose hash is not the one that was verified.
    """

    inference_threads: Annotated[int, Field(ge=1, le=64)] = 2
    letterbox_padding: Annotated[int, Field(ge=0, le=255)] = 0
    accept_unverified_models: bool = False
    tracker: Literal["bytetrack", "deepsort"] = "bytetrack"
    bytetrack: Mapping[str, bool | int | float] = Field(default_factory=dict)
    deepsort: Mapping[str, bool | int | float] = Field(default_factory=dict)


class FrameSize(Strict):
    """Savant can scale all streams to one size; the local host keeps each camera's own."""

    width: Literal[None] = None
    height: Literal[None] = None
    padding: Literal[None] = None
    geometry_base: int = 8
    deepstream_only = frozenset({"geometry_base"})


class Parameters(BaseModel):
    """The module's parameters. Others than these are the user's own variables, in `model_extra`.

    batched_push_timeout: how long a batch of live frames waits to be filled, microseconds.
    """

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, protected_namespaces=())
    batch_size: BatchSize | None = None
    batched_push_timeout: Positive = 40_000
    model_path: Path = Field(default=Path("/models"), strict=False)
    draw_func: DrawFunc | None = None
    output_frame: OutputFrame | None = None
    frame: FrameSize | None = None
    local_host: LocalHost = Field(default_factory=LocalHost)
