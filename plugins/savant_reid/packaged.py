"""The module and the demo models of this installation."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

from savant_reid.errors import ConfigError


def packaged_module() -> Path:
    """module.yml, with site.yml beside it."""
    return _data_folder("savant_reid_module") / "module.yml"


def packaged_models() -> dict[str, str]:
    """The override of a module that makes it take the models of this installation."""
    return {"parameters.models": json.dumps(str(_data_folder("savant_reid_models")), ensure_ascii=False)}


def _data_folder(package: str) -> Path:
    """In a checkout the room of that name, else a part of the installed wheel. Raises ConfigError where it lacks."""
    spec = find_spec(package)
    # A namespace package of an editable install also lists a place that is no folder.
    for location in (spec and spec.submodule_search_locations) or ():
        if Path(location).is_dir():
            return Path(location)
    raise ConfigError(f"the data package {package!r} is missing: install savant-reid again")
