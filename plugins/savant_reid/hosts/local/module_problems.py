"""Gathers all that is wrong with a module, so that the user sees it at once and not one error per start."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from savant_reid.errors import ConfigError
from savant_reid.hosts.local.yaml_lines import KeyPath, YamlLines, key_text

MOST_LISTED = 16  # known keys in a message; more would hide it


class Problems:
    """What is wrong (`raise_if_any`), and which keys have no effect on the local host (`ignored`)."""

    def __init__(self, lines: YamlLines, overrides: Mapping[str, str]) -> None:
        self._lines, self._overrides = lines, overrides
        self._messages: list[str] = []
        # Where the value at a path was written, where that is elsewhere.
        self.origin: Callable[[KeyPath], KeyPath] = lambda path: path
        self.ignored: list[str] = []

    def add(self, path: KeyPath, text: str) -> None:
        """The value at that key is wrong: `text` says what was expected and found."""
        self._add(path, text, self.origin(path))

    def _add(self, path: KeyPath, text: str, origin: KeyPath) -> None:
        self._messages.append(self._lines.message(path, text, self._overrides, origin))

    def add_unknown(self, path: KeyPath, known: Iterable[str], note: str = "") -> None:
        """The last part of the path is no key; known: those that would be one there."""
        known = sorted(known)
        near = difflib.get_close_matches(str(path[-1]), known, n=1)
        listed = f"known here: {', '.join(known)}" if len(known) <= MOST_LISTED else ""
        hint = f"did you mean {near[0]!r}?" if near else listed
        # The key itself is wrong here, whatever its value refers to.
        origin = (*self.origin(path[:-1]), path[-1])
        self._add(path, "; ".join(filter(None, ("unknown key", note, hint))), origin)

    def add_validation(self, prefix: KeyPath, error: ValidationError) -> None:
        """All that a schema found; prefix: where what it checked stands in the file."""
        for detail in error.errors(include_url=False):
            # tags of unions stand in angle brackets (module_schema)
            path = (*prefix, *(part for part in detail["loc"] if not str(part).startswith("<")))
            if detail["type"] == "unknown_keys":
                for key in detail["ctx"]["unknown"]:
                    self.add_unknown((*path, key), detail["ctx"]["known"])
            elif detail["type"] == "missing":
                self.add(path[:-1], f"the key {path[-1]!r} is missing")
            else:
                self.add(path, self._expected_found(detail))

    def collect_ignored(self, path: KeyPath, model: BaseModel) -> None:
        """Note the keys that were given in the file and only matter on DeepStream."""
        deepstream_only: frozenset[str] = getattr(model, "deepstream_only", frozenset())
        for key in sorted(model.model_fields_set):
            here = (*path, key)
            if key in deepstream_only:
                self.ignored.append(key_text(here))
                continue
            value = getattr(model, key, None)
            items = enumerate(value) if isinstance(value, tuple) else ()
            for index, item in items:
                if isinstance(item, BaseModel):
                    self.collect_ignored((*here, index), item)
            if isinstance(value, BaseModel):
                self.collect_ignored(here, value)

    def raise_if_any(self) -> None:
        """Raises ConfigError, a line for each."""
        if self._messages:
            raise ConfigError("\n".join(self._messages))

    @staticmethod
    def _expected_found(detail: ErrorDetails) -> str:
        expected = detail["msg"].replace("Input should be", "expected")
        hint = ""
        if isinstance(detail["input"], str) and detail["input"].lstrip("-")[:1].isdigit():
            hint = " (the value of ${oc.env:…} is text; ${oc.decode:${oc.env:…}} makes a number of it)"
        return f"{expected}, found {detail['input']!r}{hint}"
