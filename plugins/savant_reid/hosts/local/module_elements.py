"""The elements of a module's pipeline: which kinds there are, groups, paths of models, and their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from savant_reid.hosts.local.model_card import card_problems
from savant_reid.hosts.local.model_schema import Model
from savant_reid.hosts.local.module_problems import Problems
from savant_reid.hosts.local.module_schema import (
    AttributeModelElement,
    DetectorElement,
    Element,
    Parameters,
    PyFuncElement,
    TrackerElement,
)
from savant_reid.hosts.local.yaml_lines import KeyPath

KINDS: Mapping[tuple[str, str | None], type[Element]] = MappingProxyType(
    {
        ("nvinfer", "detector"): DetectorElement,
        ("nvinfer", "attribute_model"): AttributeModelElement,
        ("nvtracker", None): TrackerElement,
        ("pyfunc", None): PyFuncElement,
    }
)


def read_elements(
    pipeline: Mapping[str, Any], problems: Problems, folder: Path, parameters: Parameters
) -> list[tuple[KeyPath, Element]]:
    """The elements with their key paths, groups opened; what is wrong goes to `problems`."""
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
            for model_key, text in card_problems(element.model):
                problems.add((*path, "model", *model_key), text)
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
    name, _, subtype = kind.partition("@")
    element_type = subtype or data.get("element_type")
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


def check_order(elements: Sequence[tuple[KeyPath, Element]], problems: Problems) -> None:
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
