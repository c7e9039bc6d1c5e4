"""All that this host takes from Savant and pyds, in one place; imported in Savant's container only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from savant_reid.errors import ConfigError
from savant_reid.hosts.deepstream.attributes import ELEMENT, Attributes


@dataclass(frozen=True)
class Bridge:
    """batch_meta, savant_batch: of a Gst.Buffer. savant_frame: of a pyds.NvDsFrameMeta, None where it has none.

    object_uid: Savant's key of an object (frame_meta, object_meta), given to it if it has none. object_id: ids of
    (element, label), None where nobody has registered them. model_id: of an element, None where there is none.
    attach_texts: to a Savant VideoFrame, under a name, so that they leave with its message.
    counter, gauge: make a metric of (name, description, label names).
    """

    pyds: Any
    batch_meta: Callable[[Any], Any]
    savant_batch: Callable[[Any], Any]
    savant_frame: Callable[[Any], Any]
    object_uid: Callable[[Any, Any], int]
    object_id: Callable[[str, str], tuple[int, int] | None]
    model_id: Callable[[str], int | None]
    attributes: Attributes
    attach_texts: Callable[[Any, str, list[str]], None]
    counter: Callable[[str, str, tuple[str, ...]], Any]
    gauge: Callable[[str, str, tuple[str, ...]], Any]


def savant_bridge() -> Bridge:
    """The real one."""
    import pyds
    from pygstsavantframemeta import (
        gst_buffer_get_savant_batch_meta,
        nvds_frame_meta_get_nvds_savant_frame_meta,
    )
    from savant.deepstream.utils.attribute import NVDS_OBJ_ATTR_STORAGE
    from savant.deepstream.utils.object import nvds_get_obj_uid
    from savant.meta.attribute import AttributeMeta
    from savant.metrics.metric import Counter, Gauge
    from savant_rs.primitives import AttributeValue
    from savant_rs.utils.symbol_mapper import (
        get_model_id,
        get_object_id,
        is_model_registered,
        is_object_registered,
    )

    return Bridge(
        pyds=pyds,
        batch_meta=lambda buffer: pyds.gst_buffer_get_nvds_batch_meta(hash(buffer)),
        savant_batch=gst_buffer_get_savant_batch_meta,
        savant_frame=nvds_frame_meta_get_nvds_savant_frame_meta,
        object_uid=nvds_get_obj_uid,
        # get_object_id registers whatever it is asked for: a misspelt name would stay unnoticed.
        object_id=lambda element, label: (
            get_object_id(element, label) if is_object_registered(element, label) else None
        ),
        model_id=lambda element: get_model_id(element) if is_model_registered(element) else None,
        attributes=Attributes(NVDS_OBJ_ATTR_STORAGE, AttributeMeta),
        attach_texts=lambda frame, name, texts: frame.set_persistent_attribute(
            ELEMENT, name, values=[AttributeValue.strings(texts)]
        ),
        counter=Counter,
        gauge=Gauge,
    )


def people_ids(bridge: Bridge, people: str) -> tuple[int, int]:
    """(unique component id, class id) of the objects that are people. Raises ConfigError where the module has none."""
    element, _, label = people.partition(".")
    found = bridge.object_id(element, label) if element and label and "." not in label else None
    if found is None:
        raise ConfigError(
            "kwargs: people: expected element.label of a detector in module.yml (model.output.objects), "
            f"found {people!r}"
        )
    return found


def model_id(bridge: Bridge, embedding_model: str) -> int:
    """nvinfer's unique id of the re-ID model. Raises ConfigError where the module has no element of that name."""
    found = bridge.model_id(embedding_model)
    if found is None:
        raise ConfigError(
            f"kwargs: embedding_model: expected the name of an nvinfer element in module.yml, found {embedding_model!r}"
        )
    return found
