"""Settings of an output in a YAML file. Mistakes are told by file and key, never by value: it may be a password."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from savant_reid.errors import ConfigError

Settings = TypeVar("Settings", bound=BaseModel)


def read_settings(path: Path, kind: type[Settings]) -> Settings:
    """A YAML file with any of the keys of `kind`. Raises ConfigError naming file, key and what is wrong."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        return kind.model_validate({} if data is None else data)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: expected a YAML file that can be read, found: {error}") from error
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise ConfigError("\n".join(lines)) from None
