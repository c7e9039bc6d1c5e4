"""Protobuf says what JSON says."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sink_records import event, frame

from savant_reid.errors import SavantReidError
from savant_reid.identity.types import (
    Decision,
    EventKind,
    IdentityEvent,
    Reason,
    RunnerUp,
    Sightings,
    State,
    Unmatched,
)
from savant_reid.records import FrameRecord
from savant_reid.sinks import protobuf_messages
from savant_reid.sinks.frames import FrameLines
from savant_reid.sinks.identities import event_line
from savant_reid.sinks.protobuf_messages import (
    DESCRIPTORS,
    ProtobufMessages,
    content_type,
    json_form,
    message_classes,
    message_name,
)

WORDS = {"State": State, "Reason": Reason, "Kind": EventKind}
texts = st.text(st.characters(codec=None), max_size=20)  # half surrogate pairs too
numbers = st.integers(-(2**63), 2**63 - 1)
counts = st.integers(0, 2**63 - 1)
float32s = st.floats(width=32)
# Those in the middle between two of JSON's numbers too.
shares = st.floats(0, 1) | st.integers(0, 20_000).map(lambda number: number / 20_000)
names = st.one_of(counts, st.builds(Unmatched, st.sampled_from(Reason)))
second = st.none() | st.builds(RunnerUp, counts, shares | st.just(float("nan")))
decisions = st.builds(Decision, st.just(""), st.just(0), names, st.sampled_from(State), shares, second)
rows = st.lists(st.tuples(numbers, st.tuples(*[float32s] * 4), float32s, decisions), max_size=4)


def as_json(line: str) -> dict:
    """As it leaves: half a surrogate pair becomes a question mark."""
    return json.loads(line.encode(errors="replace"))


@given(site=texts, camera=texts, number=counts, time_ns=numbers, people=rows)
def test_a_frame_comes_back_as_its_json(site, camera, number, time_ns, people):
    sightings = Sightings(
        camera=camera,
        time_ns=time_ns,
        track_ids=np.array([one[0] for one in people], np.int64),
        boxes=np.array([one[1] for one in people], np.float32).reshape(len(people), 4),
        confidences=np.array([one[2] for one in people], np.float32),
        embedding_of=np.full(len(people), -1, np.int64),
        embeddings=np.zeros((0, 8), np.float32),
        frame_size=(640, 480),
    )
    record = FrameRecord(number, sightings, [one[3] for one in people])
    lines, messages = FrameLines(site), ProtobufMessages(site)
    value = messages.frame(record)
    assert json_form(value) == as_json(lines.line(record))
    assert messages.refused_objects == lines.refused_objects
    assert message_name(value) == "Frame"


events = st.builds(
    IdentityEvent,
    kind=st.sampled_from(EventKind),
    time_ns=numbers,
    global_id=counts,
    camera=st.none() | texts,
    track_id=st.none() | numbers,
    other_id=st.none() | counts,
    since_ns=st.none() | numbers,
    reason=texts,
    evidence=st.dictionaries(st.text(max_size=5), st.floats(), max_size=3),
)


@given(site=texts, sequence=counts, one=events)
def test_an_event_comes_back_as_its_json(site, sequence, one):
    value = ProtobufMessages(site).event(one, sequence)
    assert json_form(value) == as_json(event_line(one, site, sequence))
    assert message_name(value) == "Identity"


def test_evidence_that_is_no_number_is_nan_as_the_proto_file_says():
    one = event("merged", 3, other_id=1, evidence={"a": float("inf"), "b": 1.5})
    message = message_classes()["Identity"].FromString(ProtobufMessages("s").event(one, 0))
    assert math.isnan(message.evidence["a"])
    assert message.evidence["b"] == 1.5


def test_the_descriptors_are_those_of_the_proto_file(tmp_path):
    """Else: make proto."""
    pytest.importorskip("grpc_tools")
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    made = tmp_path / "made.binpb"
    command = ["-m", "grpc_tools.protoc", f"-I{DESCRIPTORS.parent}", f"--descriptor_set_out={made}", "messages.proto"]
    subprocess.run([sys.executable, *command], check=True)
    assert FileDescriptorSet.FromString(made.read_bytes()) == FileDescriptorSet.FromString(DESCRIPTORS.read_bytes())


def test_the_proto_file_has_the_fields_of_the_schemas():
    schemas = {name: json.loads((DESCRIPTORS.parent / f"{name}.json").read_text()) for name in ("frame", "identity")}
    frame_parts = schemas["frame"]["$defs"]
    shapes = {
        "Frame": schemas["frame"]["properties"],
        "Identity": schemas["identity"]["properties"],
        "Object": frame_parts["object"]["properties"],
        "Box": frame_parts["object"]["properties"]["box"]["properties"],
        "Reid": frame_parts["reid"]["properties"],
        "RunnerUp": frame_parts["reid"]["properties"]["runner_up"]["oneOf"][1]["properties"],
    }
    pool = message_classes()["Frame"].DESCRIPTOR.file.pool
    for name, properties in shapes.items():
        fields = pool.FindMessageTypeByName(f"savant_reid.v1.{name}").fields
        assert {field.name for field in fields} == set(properties), name


@pytest.mark.parametrize("name", WORDS)
def test_the_proto_file_has_the_words_of_the_core_in_their_order(name):
    """Their places are their numbers: a new word comes last."""
    pool = message_classes()["Frame"].DESCRIPTOR.file.pool
    values = {value.number: value.name for value in pool.FindEnumTypeByName(f"savant_reid.v1.{name}").values}
    assert values.pop(0) == f"{name.upper()}_UNSPECIFIED"
    assert values == {n: f"{name.upper()}_{word.value.upper()}" for n, word in enumerate(WORDS[name], 1)}


def test_it_is_smaller_than_json():
    record = frame(0, dict.fromkeys(range(10), 5))
    assert len(ProtobufMessages("store-12").frame(record)) < len(FrameLines("store-12").line(record)) / 3


@pytest.mark.parametrize("cut", [-1, -7])
def test_half_a_message_is_no_message(cut):
    value = ProtobufMessages("s").frame(frame(0, {7: 3}))
    with pytest.raises(ValueError, match=r"expected a savant_reid\.v1\.Frame, found"):
        json_form(value[:cut])


@pytest.mark.parametrize("value", [b"", b'{"schema": "savant-reid/frame/1"}', b"\n\x13savant-reid/frame/2"])
def test_what_is_no_protobuf_is_told(value):
    with pytest.raises(ValueError, match=r"expected a protobuf message of messages\.proto, found other bytes"):
        json_form(value)
    assert content_type(value) == "application/json"


def test_a_word_of_a_later_version_is_told():
    message = message_classes()["Identity"].FromString(ProtobufMessages("s").event(event("created", 1), 0))
    message.kind = 99
    with pytest.raises(ValueError, match="expected a EventKind of 1 to 7, found 99"):
        json_form(message.SerializeToString())


def test_content_types_name_the_message():
    messages = ProtobufMessages("s")
    kinds = [content_type(value) for value in (messages.frame(frame(0, {})), messages.event(event("created", 1), 0))]
    assert kinds == [f'application/x-protobuf; messageType="savant_reid.v1.{name}"' for name in ("Frame", "Identity")]


def test_numbers_beyond_64_bits_are_no_silent_change():
    record = frame(0, {7: 3})
    record = replace(record, decisions=[replace(record.decisions[0], identity=2**63)])
    with pytest.raises(ValueError, match=r"range|out of"):
        ProtobufMessages("s").frame(record)


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(protobuf_messages, "message_classes", message_classes.__wrapped__)
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    with pytest.raises(SavantReidError, match=r"package protobuf, found none; .* 'savant-reid\[protobuf\]'"):
        ProtobufMessages("s")


def test_the_schemas_are_installed_with_the_package():
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert '"**/*.proto", "**/*.binpb"' in project
