"""Model cards: what a model in ``models/`` is, where it comes from, how it is fed, and what it was measured to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from savant_reid.errors import ConfigError

CARD_FILE = "card.yml"
MODELS = Path(__file__).parents[1] / "models"
DETECTION = "person detection"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Triple = tuple[float, float, float]
Color = Literal["rgb", "bgr"]
Percent = Annotated[float, Field(ge=0, le=100)]


class _Part(BaseModel):
    """Unknown keys are errors: a misspelt one would be a fact that nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Architecture(_Part):
    """name, options: what `architectures.create` takes; no name where the source is a graph already."""

    name: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    description: str = ""


class Input(_Part):
    """What the ONNX file is fed with. shape: a batch axis ("batch", or 1 where the graph fixes it) and the picture."""

    name: str
    shape: Annotated[tuple[int | Literal["batch"], ...], Field(min_length=4, max_length=4)]
    dtype: Literal["float32"] = "float32"
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    color_format: Color
    range: tuple[float, float]
    maintain_aspect_ratio: bool
    symmetric_padding: bool | Literal["either"] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        height, width = self.shape[2:] if self.layout == "NCHW" else self.shape[1:3]
        return int(height), int(width)

    @property
    def dynamic_batch(self) -> bool:
        """Whether the graph takes any number of pictures at once."""
        return self.shape[0] == "batch"


class Inside(_Part):
    """What the graph does before the network: ``(x / divisor - mean) / std``, after turning to `color_format`."""

    divisor: float = 255.0
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)
    color_format: Color


class Normalisation(_Part):
    """scale_factor, offsets: what the caller does, ``scale_factor * (x - offsets)``. inside: what the graph does."""

    scale_factor: float = 1.0
    offsets: Triple = (0.0, 0.0, 0.0)
    where: str
    inside: Inside | None = None


class Output(_Part):
    """name and shape of the one FP32 output. l2_normalised: of an embedder.

    classes, suppressed_inside (only boxes that were found come out): of a detector.
    """

    name: str
    shape: tuple[int | Literal["batch", "boxes"], ...]
    dtype: Literal["float32"] = "float32"
    layout: str | None = None
    classes: tuple[str, ...] | None = None
    suppressed_inside: bool = False
    l2_normalised: bool | None = None


class ModelFile(_Part):
    """The ONNX file beside the card; a digest only where the file is part of the project."""

    name: Annotated[str, Field(pattern=r"^[^/\\]+\.onnx$")]
    sha256: Sha256 | None = None
    bytes: int | None = None


class Source(_Part):
    """Where the published weights are.

    kind: checkpoint (PyTorch, by `architectures.keys`), onnx (a graph, taken as it is), none (trained here).
    url: None where they cannot be had by a plain download; then `note` says how. sha256: None where nobody has checked.
    member: path inside a zip or tar archive. page: for people.
    """

    kind: Literal["checkpoint", "onnx", "none"]
    url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    sha256: Sha256 | None = None
    bytes: int | None = None
    member: str | None = None
    file_name: str | None = None
    page: str | None = None
    note: str | None = None


class Licence(_Part):
    """Of the weights. commercial: None where the authors do not say. accept: fetching needs the user's word."""

    name: str
    commercial: bool | None
    accept: bool
    note: str | None = None


class Figure(_Part):
    """One published measurement, per cent. map: mAP of re-ID; COCO's AP (0.50 to 0.95) of a detector."""

    dataset: str
    trained_on: str | None = None
    rank1: Percent | None = None
    map: Percent
    source: str


class Speed(_Part):
    """Measured on a CPU with ONNX Runtime, milliseconds a picture or crop."""

    milliseconds: float
    batch: int
    threads: int
    on: str


class Card(_Part):
    """One model. All of ``models/NAME/card.yml``."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    version: int = 1
    date: str
    task: Literal["person detection", "person re-identification"]
    architecture: Architecture
    input: Input
    normalisation: Normalisation
    output: Output
    embedding_dimension: Annotated[int, Field(gt=0)] | None = None
    file: ModelFile
    source: Source
    licence: Licence
    figures: tuple[Figure, ...] = ()
    speed: Speed | None = None
    traps: tuple[str, ...] = ()
    limits: str | None = None
    evaluation: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _parts_agree(self) -> Card:
        if self.is_detector == (self.embedding_dimension is not None):
            raise ValueError("embedding_dimension: expected for re-identification, and for nothing else")
        if not self.is_detector and self.output.shape[1:] != (self.embedding_dimension,):
            raise ValueError(f"output.shape: expected [batch, {self.embedding_dimension}] (embedding_dimension)")
        if self.source.kind == "checkpoint" and self.architecture.name is None:
            raise ValueError("architecture.name: expected where the source is a checkpoint")
        if self.source.url is None and self.source.note is None:
            raise ValueError("source.note: expected where there is no address: how does one get the file?")
        return self

    @property
    def is_detector(self) -> bool:
        """Else it embeds."""
        return self.task == DETECTION

    def built_file(self, models: Path, precision: str = "fp32") -> Path:
        """``models/NAME/NAME.onnx``, or ``NAME.fp16.onnx`` for another precision."""
        name = self.file.name if precision == "fp32" else f"{Path(self.file.name).stem}.{precision}.onnx"
        return models / self.name / name


def load_card(name: str, models: Path = MODELS) -> Card:
    """The card of `models`/`name`. Raises ConfigError where it is absent or wrong, naming the key."""
    path = models / name / CARD_FILE
    if not path.is_file():
        known = ", ".join(sorted(file.parent.name for file in models.glob(f"*/{CARD_FILE}"))) or "none"
        raise ConfigError(f"{path}: no such card; expected one of: {known}")
    card = read_card(path)
    if card.name != name:
        raise ConfigError(f"{path}: name: expected {name!r}, the folder's; found {card.name!r}")
    return card


def read_card(path: Path) -> Card:
    """The card in one file. Raises ConfigError naming file, key, what was expected and what was found."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected a mapping, found {type(data).__name__}")
    try:
        return Card.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(_problem(path, problem) for problem in error.errors())) from error


def load_cards(models: Path = MODELS) -> Iterator[Card]:
    """All cards, by name."""
    for path in sorted(models.glob(f"*/{CARD_FILE}")):
        yield load_card(path.parent.name, models)


def _problem(path: Path, problem: Any) -> str:
    key = ".".join(map(str, problem["loc"])) or "card"
    found = (
        "" if problem["type"] == "missing" or isinstance(problem["input"], dict) else f"; found {problem['input']!r}"
    )
    return f"{path}: {key}: {problem['msg']}{found}"
