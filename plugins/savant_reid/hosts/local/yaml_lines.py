"""Where in a YAML file each key stands, so that a message can point at it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from savant_reid.errors import ConfigError

KeyPath = tuple["str | int", ...]


def key_text(path: KeyPath) -> str:
    """("pipeline", "elements", 1, "name") as pipeline.elements[1].name."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


class YamlLines:
    """The lines of one YAML file, counted from 1.

    Raises ConfigError where the file cannot be read, is no YAML, or names a key twice.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read: {error}") from error
        self._lines: dict[KeyPath, int] = {}
        try:
            root = yaml.compose(self.text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f"{path}:{mark.line + 1}" if mark else f"{path}"
            raise ConfigError(f"{where}: not valid YAML: {getattr(error, 'problem', None) or error}") from error
        if not isinstance(root, yaml.MappingNode):
            raise ConfigError(
                f"{path}: expected a mapping with the keys name, parameters, pipeline; found {_kind(root)}"
            )
        self._collect(root, ())

    def of(self, path: KeyPath) -> int | None:
        """The line of a key; of its nearest ancestor if the key itself is not in the file."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path)

    def has(self, path: KeyPath) -> bool:
        return path in self._lines

    def message(
        self, path: KeyPath, text: str, overrides: Mapping[str, str] | None = None, origin: KeyPath | None = None
    ) -> str:
        """`module.yml:37: pipeline.elements[1].name: text`; for a key that was overridden the override, not a line.

        origin: where the value was written, if not at `path`; the line is that one's.
        """
        origin = path if origin is None else origin
        key, written = key_text(path), key_text(origin)
        if origin != path:
            text += f" (written at {written})"
        for name, value in (overrides or {}).items():
            if any(one == name or one.startswith((f"{name}.", f"{name}[")) for one in (key, written)):
                return f"{self.path}: {key} (overridden with {value!r}): {text}"
        line = self.of(origin)
        return f"{self.path}{f':{line}' if line else ''}: {f'{key}: ' if key else ''}{text}"

    def _collect(self, node: yaml.Node, path: KeyPath) -> None:
        if isinstance(node, yaml.MappingNode):
            for key_node, value_node in node.value:
                child = (*path, str(key_node.value))
                if child in self._lines:
                    first = self._lines[child]
                    line = key_node.start_mark.line + 1
                    raise ConfigError(f"{self.path}:{line}: {key_text(child)}: given twice, first in line {first}")
                self._lines[child] = key_node.start_mark.line + 1
                self._collect(value_node, child)
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                child = (*path, index)
                self._lines[child] = item.start_mark.line + 1
                self._collect(item, child)


def _kind(node: yaml.Node | None) -> str:
    return "an empty file" if node is None else "a list" if isinstance(node, yaml.SequenceNode) else "a single value"
