from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.hosts.deepstream.savant_double import IMPORT_SAVANT, names_of_savant
from tests.hosts.deepstream.scene import Scene


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A scene with Savant's modules around it, gone after the test."""
    made = Scene()
    for name, names in names_of_savant(made).items():
        parts = name.split(".")
        for end in range(1, len(parts)):
            package = ".".join(parts[:end])
            if package not in sys.modules:
                monkeypatch.setitem(sys.modules, package, ModuleType(package))
        module = ModuleType(name)
        vars(module).update({key: value for key, value in names.items() if not key.startswith("__")})
        monkeypatch.setitem(sys.modules, name, module)
    for name in IMPORT_SAVANT:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield made
    for name in IMPORT_SAVANT:
        sys.modules.pop(name, None)
