"""Reads a module.yml in Savant's schema and refuses what the local host cannot do, by file, line and key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from savant_reid.errors import ConfigError
from savant_reid.hosts.local.module_elements import check_order, read_elements
from savant_reid.hosts.local.module_problems import Problems
from savant_reid.hosts.local.module_schema import (
    AttributeModelElement,
    DetectorElement,
    DrawFunc,
    Element,
    LocalHost,
    OutputFrame,
    Parameters,
    TrackerElement,
)
from savant_reid.hosts.local.module_tables import check_tables, origin
from savant_reid.hosts.local.resolvers import register_resolvers
from savant_reid.hosts.local.yaml_lines import KeyPath, YamlLines

SECTIONS = ("name", "parameters", "pipeline")
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
    elements = read_elements(config["pipeline"], problems, path.parent, parameters)
    problems.raise_if_any()
    check_order(elements, problems)
    problems.raise_if_any()
    name = config.get("name")
    return Module(
        name=str(name),
        path=path,
        parameters=parameters,
        elements=tuple(element for _, element in elements),
        ignored_on_local_host=tuple(problems.ignored),
    )


def _resolved(lines: YamlLines, overrides: Mapping[str, str], problems: Problems) -> Mapping[str, Any]:
    """The file as plain values, its three sections of the right kind where `problems` has nothing to say."""
    config = _merged(lines, overrides)
    problems.origin = lambda path: origin(config, path)
    check_tables(config, lines, problems)
    problems.raise_if_any()  # all that follows from a wrong name would only hide it
    try:
        resolved = OmegaConf.to_container(config, resolve=True)
    except Exception as error:  # resolvers run the user's expressions: anything can come out of them
        problems.add(_path_of(getattr(error, "full_key", None)), _first_line(error))
        return {}
    sections: dict[str, Any] = (
        {str(key): value for key, value in resolved.items()} if isinstance(resolved, dict) else {}
    )
    for name in sections:
        if name not in SECTIONS:
            problems.add_unknown((name,), SECTIONS)
    if not isinstance(sections.get("name"), str):
        problems.add(("name",), f"expected the module's name, a text; found {sections.get('name')!r}")
    for name in ("parameters", "pipeline"):
        if not isinstance(sections.get(name), dict):
            problems.add((name,), f"expected a mapping, found {sections.get(name)!r}")
    return sections


def _merged(lines: YamlLines, overrides: Mapping[str, str]) -> Any:
    """The file with Savant's default parameters beneath and the overrides on top."""
    defaults = {"parameters": {"model_path": "${oc.env:MODEL_PATH,/models}", "dev_mode": False}}
    try:
        config = OmegaConf.merge(OmegaConf.create(defaults), OmegaConf.create(lines.text))
    except (OmegaConfBaseException, yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{lines.path}: {_first_line(error)}") from error
    for key, value in overrides.items():
        try:
            OmegaConf.update(config, key, yaml.safe_load(value))
        except (OmegaConfBaseException, yaml.YAMLError, ValueError, IndexError) as error:
            raise ConfigError(f"{lines.path}: override {key}={value}: {_first_line(error)}") from error
    return config


def _parameters(config: Mapping[str, Any], lines: YamlLines, problems: Problems) -> Parameters:
    data = config["parameters"]
    known = (*Parameters.model_fields, *SAVANT_PARAMETERS)
    for key in data:
        # Savant takes any parameter silently; one that nobody reads is a misspelling.
        if key not in known and not re.search(rf"parameters\.{re.escape(str(key))}\b", lines.text):
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


def _path_of(full_key: str | None) -> KeyPath:
    parts = (full_key or "").replace("]", "").replace("[", ".").split(".")
    return tuple(int(part) if part.isdigit() else part for part in parts if part)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
