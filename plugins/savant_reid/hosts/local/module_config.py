"""Reads a module.yml in Savant's schema and refuses what the local host cannot do, by file, line and key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from savant_reid.errors import ConfigError
from savant_reid.hosts.local.module_problems import Problems
from savant_reid.hosts.local.module_schema import (
    AttributeModelElement,
    DetectorElement,
    DrawFunc,
    Element,
    LocalHost,
    Model,
    OutputFrame,
    Parameters,
    PyFuncElement,
    TrackerElement,
)
from savant_reid.hosts.local.resolvers import register_resolvers
from savant_reid.hosts.local.yaml_lines import KeyPath, YamlLines

KINDS: Mapping[tuple[str, str | None], type[Element]] = MappingProxyType(
    {
        ("nvinfer", "detector"): DetectorElement,
        ("nvinfer", "attribute_model"): AttributeModelElement,
        ("nvtracker", None): TrackerElement,
        ("pyfunc", None): PyFuncElement,
    }
)
# Known to Savant (its default.yml, pipeline and stream code), without effect on what the local host computes.
SAVANT_PARAMETERS = frozenset(
    {
        "auxiliary_encoders",
        "buffer_queues",
        "dev_mode",
        "download_path",
        "egress_queue_byte_size",
        "egress_queue_length",
        "etcd",
        "healthcheck_port",
        "log_level",
        "max_fps",
        "max_fps_control",
        "max_parallel_streams",
        "max_same_source_frames",
        "min_fps",
        "muxer_buffer_pool_size",
        "queue_maxsize",
        "shutdown_auth",
        "stream_buffer_pool_size",
        "telemetry",
    }
)


@dataclass(frozen=True)
class Module:
    """A module as the local host runs it.

    elements: in the order of the pipeline, groups whose condition does not hold left out.
    ignored_on_local_host: keys that have an effect on DeepStream only.
    """

    name: str
    path: Path
    parameters: Parameters
    elements: tuple[Element, ...]
    ignored_on_local_host: tuple[str, ...]

    @property
    def batch_size(self) -> int:
        """Frames in a batch; that of the first model where the parameter is absent, as in Savant."""
        return self.parameters.batch_size or self.detector.model.batch_size

    @property
    def batched_push_timeout_us(self) -> int:
        return self.parameters.batched_push_timeout

    @property
    def local_host(self) -> LocalHost:
        return self.parameters.local_host

    @property
    def draw_func(self) -> DrawFunc | None:
        return self.parameters.draw_func

    @property
    def output_frame(self) -> OutputFrame | None:
        return self.parameters.output_frame

    @property
    def detector(self) -> DetectorElement:
        return next(e for e in self.elements if isinstance(e, DetectorElement))

    @property
    def tracker(self) -> TrackerElement:
        return next(e for e in self.elements if isinstance(e, TrackerElement))

    @property
    def embedder(self) -> AttributeModelElement | None:
        return next((e for e in self.elements if isinstance(e, AttributeModelElement)), None)


def load_module(path: Path, overrides: Mapping[str, str] = MappingProxyType({})) -> Module:
    """Read and check a module.

    overrides: dotted keys to YAML values, such as {"parameters.batch_size": "2"}.
    Raises ConfigError that lists everything that is wrong with the file.
    """
    register_resolvers()
    lines = YamlLines(path)
    problems = Problems(lines, overrides)
    config = _resolved(lines, overrides, problems)
    problems.raise_if_any()
    parameters = _parameters(config, lines, problems)
    elements = _elements(config, problems, path.parent, parameters)
    problems.raise_if_any()
    _check_order(elements, problems)
    problems.raise_if_any()
    name = config.get("name")
    return Module(
        name=str(name),
        path=path,
        parameters=parameters,
        elements=tuple(element for _, element in elements),
        ignored_on_local_host=tuple(problems.ignored),
    )


def _resolved(lines: YamlLines, overrides: Mapping[str, str], problems: Problems) -> dict[str, Any]:
    """The file with Savant's default parameters beneath, the overrides on top, and all interpolations worked out."""
    defaults = {"parameters": {"model_path": "${oc.env:MODEL_PATH,/models}", "dev_mode": False}}
    try:
        config = OmegaConf.merge(OmegaConf.create(defaults), OmegaConf.create(lines.text))
        for key, value in overrides.items():
            OmegaConf.update(config, key, yaml.safe_load(value))
    except (OmegaConfBaseException, yaml.YAMLError, ValueError, IndexError) as error:
        raise ConfigError(f"{lines.path}: {_first_line(error)}") from error
    if not isinstance(config, DictConfig):
        raise ConfigError(f"{lines.path}: expected a mapping with the keys name, parameters, pipeline")
    try:
        resolved = OmegaConf.to_container(config, resolve=True)
    except Exception as error:  # resolvers run the user's expressions: anything can come out of them
        problems.add(_path_of(getattr(error, "full_key", None)), _first_line(error))
        return {}
    if not isinstance(resolved, dict):
        raise ConfigError(f"{lines.path}: expected a mapping")
    for key in resolved:
        if key not in ("name", "parameters", "pipeline"):
            problems.add_unknown((str(key),), ("name", "parameters", "pipeline"))
    if not isinstance(resolved.get("name"), str):
        problems.add(("name",), f"expected the module's name, a text; found {resolved.get('name')!r}")
    for section in ("parameters", "pipeline"):
        if not isinstance(resolved.get(section), dict):
            problems.add((section,), f"expected a mapping, found {resolved.get(section)!r}")
    return {str(key): value for key, value in resolved.items()}


def _parameters(config: Mapping[str, Any], lines: YamlLines, problems: Problems) -> Parameters:
    data = config["parameters"]
    known = (*Parameters.model_fields, *SAVANT_PARAMETERS)
    for key in data:
        # Savant takes any parameter silently; one that nobody reads is a misspelling.
        if key not in known and f"parameters.{key}" not in lines.text:
            problems.add_unknown(("parameters", str(key)), known, "nothing in this file refers to it either")
    problems.ignored += [
        f"parameters.{key}" for key in data if key in SAVANT_PARAMETERS and lines.has(("parameters", key))
    ]
    try:
        parameters = Parameters.model_validate(data)
    except ValidationError as error:
        problems.add_validation(("parameters",), error)
        return Parameters()
    problems.collect_ignored(("parameters",), parameters)
    if parameters.draw_func and not parameters.output_frame:
        problems.add(("parameters", "draw_func"), "draws only where parameters.output_frame is set; found none")
    return parameters


def _elements(
    config: Mapping[str, Any], problems: Problems, folder: Path, parameters: Parameters
) -> list[tuple[KeyPath, Element]]:
    pipeline = config["pipeline"]
    for key in pipeline:
        if key not in ("source", "elements", "sink"):
            problems.add_unknown(("pipeline", str(key)), ("source", "elements", "sink"))
        elif key != "elements":
            problems.ignored.append(f"pipeline.{key}")
    found = []
    for path, data in _flat(pipeline.get("elements"), ("pipeline", "elements"), problems):
        element = _element(path, data, problems)
        if isinstance(element, DetectorElement | AttributeModelElement):
            element = _with_folder(element, folder, parameters)
        if element is not None:
            found.append((path, element))
    return found


def _flat(items: Any, path: KeyPath, problems: Problems) -> list[tuple[KeyPath, Any]]:
    """The elements with the groups opened; groups whose condition does not hold are left out."""
    if not isinstance(items, Sequence) or isinstance(items, str):
        problems.add(path, f"expected a list of elements, found {items!r}")
        return []
    flat: list[tuple[KeyPath, Any]] = []
    for index, item in enumerate(items):
        here = (*path, index)
        if isinstance(item, Mapping) and "group" in item:
            flat += _group(item["group"], (*here, "group"), problems)
        else:
            flat.append((here, item))
    return flat


def _group(group: Any, path: KeyPath, problems: Problems) -> list[tuple[KeyPath, Any]]:
    condition = group.get("init_condition") if isinstance(group, Mapping) else None
    if not isinstance(condition, Mapping) or set(condition) != {"expr", "value"}:
        problems.add((*path, "init_condition"), f"expected {{expr: …, value: …}}, found {condition!r}")
        return []
    for key in group:
        if key not in ("name", "init_condition", "elements"):
            problems.add_unknown((*path, key), ("name", "init_condition", "elements"))
    # Savant holds both as text (GroupCondition), so true and "True" are equal there.
    if str(condition["expr"]) != str(condition["value"]):
        return []
    return _flat(group.get("elements"), (*path, "elements"), problems)


def _element(path: KeyPath, data: Any, problems: Problems) -> Element | None:
    if not isinstance(data, Mapping) or not isinstance(data.get("element"), str):
        problems.add(path, f"expected a mapping with the key 'element' or 'group', found {data!r}")
        return None
    kind, _, version = data["element"].lower().partition(":")
    name, _, element_type = kind.partition("@")
    element_type = element_type or data.get("element_type") or None
    schema = KINDS.get((name, element_type))
    if schema is None:
        supported = ", ".join("@".join(filter(None, key)) for key in KINDS)
        problems.add((*path, "element"), f"expected one of {supported}; found {data['element']!r}")
        return None
    try:
        element = schema.model_validate({**data, **({"version": version} if version else {})})
    except ValidationError as error:
        problems.add_validation(path, error)
        return None
    problems.collect_ignored(path, element)
    return element


def _with_folder(
    element: DetectorElement | AttributeModelElement, folder: Path, parameters: Parameters
) -> DetectorElement | AttributeModelElement:
    """The element with an absolute `local_path`; where absent it is model_path/name, as in Savant."""
    model: Model = element.model
    local_path = (folder / (model.local_path or parameters.model_path / element.name)).resolve()
    return element.model_copy(update={"model": model.model_copy(update={"local_path": local_path})})


def _check_order(elements: Sequence[tuple[KeyPath, Element]], problems: Problems) -> None:
    """One detector, then the tracker, then at most one re-ID model, which looks at the detector's objects."""
    order = [DetectorElement, TrackerElement, AttributeModelElement]
    models = [(path, element) for path, element in elements if not isinstance(element, PyFuncElement)]
    found = [type(element) for _, element in models]
    if found not in (order, order[:2]):
        names = ", ".join(element.element for _, element in models) or "none of them"
        expected = "one nvinfer@detector, one nvtracker and at most one nvinfer@attribute_model, in this order"
        problems.add(("pipeline", "elements"), f"expected {expected}; found {names}")
        return
    path, detector = models[0]
    labels = {item.label for item in detector.model.output.objects}  # type: ignore[attr-defined]
    if len(labels) > 1:
        found_text = ", ".join(sorted(labels))
        problems.add((*path, "model", "output", "objects"), f"expected one label to follow, found {found_text}")
    for path, element in models[2:]:
        wanted = f"{detector.name}.{min(labels)}"
        if element.model.input.object != wanted:  # type: ignore[attr-defined]
            key = (*path, "model", "input", "object")
            problems.add(key, f"expected {wanted!r}, found {element.model.input.object!r}")  # type: ignore[attr-defined]


def _path_of(full_key: str | None) -> KeyPath:
    parts = (full_key or "").replace("]", "").replace("[", ".").split(".")
    return tuple(int(part) if part.isdigit() else part for part in parts if part)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
