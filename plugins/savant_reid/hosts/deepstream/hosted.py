"""What Savant loads: its own base classes around a plugin, a draw function or a converter of this project."""

from __future__ import annotations

from typing import Any

from savant_reid.errors import ConfigError
from savant_reid.hosts.plugin import Plugin


def hosted(local_class: type) -> Any:
    """The class that Savant takes in the place of local_class, and that runs an instance of it."""
    # Each imports Savant and pyds: only what is asked for.
    if issubclass(local_class, Plugin):
        from savant_reid.hosts.deepstream.plugin import DeepStreamPlugin

        return subclass_of(DeepStreamPlugin, local_class)
    if hasattr(local_class, "draw"):
        from savant_reid.hosts.deepstream.draw import DeepStreamDrawFunc

        return subclass_of(DeepStreamDrawFunc, local_class)
    from savant_reid.hosts.deepstream.converter import DeepStreamConverter

    return subclass_of(DeepStreamConverter, local_class)


def subclass_of(base: type, local_class: type) -> Any:
    """A subclass of base for local_class, under its name and module: Savant's logs go by these."""
    names = {"local_class": local_class, "__module__": local_class.__module__, "__doc__": local_class.__doc__}
    return type(local_class.__name__, (base,), names)


def instance_of(local_class: type, kwargs: dict[str, Any]) -> Any:
    """Raises ConfigError for kwargs that the class does not take: Savant itself would take any and say nothing."""
    try:
        return local_class(**kwargs)
    except TypeError as error:
        raise ConfigError(f"{local_class.__name__}: kwargs: {error}") from error
