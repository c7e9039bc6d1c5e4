"""docs/metadata.md says what is so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

import savant_reid.sinks
from savant_reid.identity.types import EventKind, Reason, State
from savant_reid.sinks.sightings import SCHEMA_NAME, sightings_schema
from savant_reid.sinks.tracks import HEADER

PAGE = (Path(__file__).parents[2] / "docs" / "metadata.md").read_text(encoding="utf-8")
SCHEMAS = Path(savant_reid.sinks.__file__).parent / "schemas"
EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["schema"])
def test_examples_keep_their_schemas(example):
    name = example["schema"].split("/")[1]
    jsonschema.Draft202012Validator(json.loads((SCHEMAS / f"{name}.json").read_text())).validate(example)


def test_both_messages_have_an_example():
    assert [example["schema"] for example in EXAMPLES] == ["savant-reid/frame/1", "savant-reid/identity/1"]


@pytest.mark.parametrize("word", [HEADER, SCHEMA_NAME, *EventKind, *State, *Reason, *sightings_schema("").names])
def test_every_word_is_on_the_page(word):
    assert f"`{getattr(word, 'value', word)}`" in PAGE


def test_the_schemas_know_the_words_of_the_core():
    frame, identity = (json.loads((SCHEMAS / f"{name}.json").read_text()) for name in ("frame", "identity"))
    reid = frame["$defs"]["reid"]["properties"]
    assert reid["state"]["enum"] == [one.value for one in State]
    assert set(reid["reason"]["enum"]) == {None, *(one.value for one in Reason)}
    assert identity["properties"]["kind"]["enum"] == [one.value for one in EventKind]
