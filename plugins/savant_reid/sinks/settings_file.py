"""Settings of an output in a YAML file. Mistakes are told by file and key, never by value: it may be a password."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from savant_reid.errors import ConfigError

Settings = TypeVar("Settings", bound=BaseModel)


def read_settings(path: Path, kind: type[Settings]) -> Settings:
    """A file with any of the keys of `kind`; an empty one changes nothing. Raises ConfigError naming file and key."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: expected a YAML file that can be read, found: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: expected text in UTF-8, found other bytes at {error.start}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: expected YAML, found: {_yaml_problem(error)}") from None
    known = list(kind.model_fields)
    if data is not None and not isinstance(data, dict):
        raise ConfigError(f"{path}: expected keys such as {known[0]}: …, found {type(data).__name__}")
    try:
        return kind.model_validate(data or {})
    except ValidationError as error:
        lines = [f"{path}: {_told(detail, known)}" for detail in error.errors(include_url=False, include_input=False)]
        raise ConfigError("\n".join(lines)) from None


def _told(detail: Any, known: Collection[str]) -> str:
    place = [str(part) for part in detail["loc"]]
    if detail["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place[-1], known, n=1)
        return f"{place[-1]}: unknown key; " + (f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}")
    return f"{'.'.join(place)}: {detail['msg']}"


def _yaml_problem(error: yaml.YAMLError) -> str:
    """Without the piece of the file that YAML would show."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    return f"{problem or 'something else'}{f' (line {mark.line + 1})' if mark else ''}"
