"""What of Savant's schema of a model (`element.model`) the local host understands, and the base of all schemas here.

Keys that only say how DeepStream runs a model are listed in `deepstream_only`: accepted, without effect here.
Keys of Savant that would change the result and are not supported are left out, so they are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError


def _lower(value: Any) -> Any:
    """Savant takes its enumerations in any case."""
    return value.lower() if isinstance(value, str) else value


Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]
BatchSize = Annotated[int, Field(ge=1, le=1024)]  # the range that Savant's setup_batch_size allows
ColorFormat = Annotated[Literal["rgb", "bgr"], BeforeValidator(_lower)]
Shape = Annotated[tuple[Literal[3], Positive, Positive], Field(strict=False)]
Offsets = Annotated[tuple[float, float, float], Field(strict=False)]
OneName = Annotated[tuple[str], Field(strict=False)]


def _selector_tag(value: Any) -> str:
    """In angle brackets, which no YAML key has, so that messages can leave the tag out of the key path."""
    name = value.get("class_name") if isinstance(value, Mapping) else getattr(value, "class_name", None)
    return "<MinMaxSizeBBoxSelector>" if name == "MinMaxSizeBBoxSelector" else "<BBoxSelector>"


def _converter_tag(value: Any) -> str:
    name = value.get("module") if isinstance(value, Mapping) else getattr(value, "module", None)
    return "<yolo_x>" if name == "savant.converter.yolo_x" else "<yolo>"


class Strict(BaseModel):
    """Base of all: frozen, no unknown keys, no silent conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, protected_namespaces=())
    deepstream_only: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _name_unknown_keys(cls, data: Any) -> Any:
        """pydantic's own message for an extra key does not say which keys there are."""
        unknown = [str(key) for key in data if key not in cls.model_fields] if isinstance(data, Mapping) else []
        if unknown:
            context = {"unknown": unknown, "known": list(cls.model_fields)}
            raise PydanticCustomError("unknown_keys", "unknown keys", context)
        return data


class ModelInput(Strict):
    """shape: (channels, height, width). scale_factor and offsets: (pixel - offset) * scale_factor, per channel."""

    object: str = "auto.frame"
    layer_name: str | None = None
    shape: Shape
    maintain_aspect_ratio: bool = False
    symmetric_padding: Literal[False] = False
    scale_factor: float = 1.0
    offsets: Offsets = (0.0, 0.0, 0.0)
    color_format: ColorFormat = "rgb"
    object_min_width: NotNegative | None = None
    object_min_height: NotNegative | None = None
    object_max_width: NotNegative | None = None
    object_max_height: NotNegative | None = None

    @property
    def height(self) -> int:
        return self.shape[1]

    @property
    def width(self) -> int:
        return self.shape[2]


class YoloArguments(Strict):
    """Arguments of savant.converter.yolo.TensorToBBoxConverter; the defaults are Savant's."""

    confidence_threshold: Fraction = 0.25
    top_k: Positive = 3000
    nms_iou_threshold: Fraction = 0.0


class YoloXArguments(YoloArguments):
    """Arguments of savant.converter.yolo_x.TensorToBBoxConverter; decode: the graph gives raw grid offsets."""

    decode: bool = False


class _SavantClass(Strict):
    dev_mode: bool = False
    deepstream_only = frozenset({"dev_mode"})


class YoloConverter(_SavantClass):
    module: Literal["savant.converter.yolo"]
    class_name: Literal["TensorToBBoxConverter"]
    kwargs: YoloArguments = Field(default_factory=YoloArguments)


class YoloXConverter(_SavantClass):
    module: Literal["savant.converter.yolo_x"]
    class_name: Literal["TensorToBBoxConverter"]
    kwargs: YoloXArguments = Field(default_factory=YoloXArguments)


class SizeLimits(Strict):
    """Arguments of savant.selector.detector.MinMaxSizeBBoxSelector, in pixels; 0 means no limit."""

    min_width: NotNegative = 0
    min_height: NotNegative = 0
    max_width: NotNegative = 0
    max_height: NotNegative = 0


class BoxLimits(SizeLimits):
    """Arguments of savant.selector.detector.BBoxSelector."""

    confidence_threshold: Fraction = 0.5
    nms_iou_threshold: Fraction = 0.5
    top_k: NotNegative = 0


class SizeSelector(_SavantClass):
    module: Literal["savant.selector.detector"] = "savant.selector.detector"
    class_name: Literal["MinMaxSizeBBoxSelector"]
    kwargs: SizeLimits = Field(default_factory=SizeLimits)


class BoxSelector(_SavantClass):
    """Savant applies this one, with its defaults, where no selector is named."""

    module: Literal["savant.selector.detector"] = "savant.selector.detector"
    class_name: Literal["BBoxSelector"] = "BBoxSelector"
    kwargs: BoxLimits = Field(default_factory=BoxLimits)


class DetectedObject(Strict):
    """Which class of the model becomes an object, under which label, and which of its boxes are kept."""

    class_id: NotNegative
    label: str
    selector: Annotated[
        Annotated[BoxSelector, Tag("<BBoxSelector>")] | Annotated[SizeSelector, Tag("<MinMaxSizeBBoxSelector>")],
        Discriminator(_selector_tag),
    ] = Field(default_factory=BoxSelector)


class DetectorOutput(Strict):
    """num_detected_classes: all classes of the model, whichever become objects; it tells the YOLO layouts apart."""

    layer_names: OneName
    num_detected_classes: Positive
    converter: Annotated[
        Annotated[YoloConverter, Tag("<yolo>")] | Annotated[YoloXConverter, Tag("<yolo_x>")],
        Discriminator(_converter_tag),
    ]
    objects: Annotated[tuple[DetectedObject, ...], Field(strict=False, min_length=1)]


class KeepTensor(_SavantClass):
    """The converter that makes no attribute of the embedding; Savant needs one to keep the output tensor."""

    module: Literal["savant_reid.pyfuncs.converter"]
    class_name: Literal["KeepTensor"]
    kwargs: Mapping[str, Any] = Field(default_factory=dict, max_length=0)


class OutputAttribute(Strict):
    """internal: not sent out. The local host sends no embedding anywhere, whatever is said here."""

    name: str
    internal: bool = False
    deepstream_only = frozenset({"internal"})


class EmbedderOutput(Strict):
    layer_names: OneName
    converter: KeepTensor
    attributes: Annotated[tuple[OutputAttribute], Field(strict=False)]


class Model(Strict):
    """A model file and how it is fed. local_path: the folder; a relative one starts at the folder of module.yml."""

    local_path: Path | None = Field(default=None, strict=False)
    model_file: str
    format: Annotated[Literal["onnx"], BeforeValidator(_lower)] = "onnx"
    batch_size: BatchSize = 1
    input: ModelInput
    interval: Literal[0] = 0
    precision: Annotated[Literal["fp32", "fp16", "int8"], BeforeValidator(_lower)] = "fp16"
    remote: Mapping[str, Any] | None = None
    config_file: str | None = None
    engine_file: str | None = None
    int8_calib_file: str | None = None
    gpu_id: int = 0
    workspace_size: int | None = None
    layer_device_precision: Annotated[tuple[str, ...], Field(strict=False)] = ()
    enable_dla: bool | None = None
    use_dla_core: int | None = None
    scaling_compute_hw: Any = None
    scaling_filter: Any = None
    deepstream_only = frozenset(
        {
            "config_file",
            "enable_dla",
            "engine_file",
            "gpu_id",
            "int8_calib_file",
            "layer_device_precision",
            "precision",
            "remote",
            "scaling_compute_hw",
            "scaling_filter",
            "use_dla_core",
            "workspace_size",
        }
    )

    @property
    def path(self) -> Path:
        return (self.local_path or Path()) / self.model_file


class DetectorModel(Model):
    output: DetectorOutput


class EmbedderModel(Model):
    output: EmbedderOutput
