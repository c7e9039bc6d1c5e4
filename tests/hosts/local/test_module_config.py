"""The module's own YAML is read; everything the local host cannot do is refused by file, line and key."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from savant_reid.errors import ConfigError
from savant_reid.hosts.local.module_config import Module, load_module
from savant_reid.hosts.local.module_schema import PyFuncElement

MODULES = Path(__file__).parents[3] / "module"
TEXT = (MODULES / "module.yml").read_text()
DEMO_EMBEDDER = "parameters.embedders.person-reid-demo"
OUTPUT_FRAME = TEXT[TEXT.index("  output_frame:") : TEXT.index("  draw_func:")]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SAVANT_REID_")] + ["BATCH_SIZE", "MODEL_PATH"]:
        monkeypatch.delenv(name, raising=False)


def load_changed(folder: Path, *changes: tuple[str, str], **overrides: str) -> Module:
    """module.yml with some of its text replaced."""
    text = TEXT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = folder / "module.yml"
    path.write_text(text)
    return load_module(path, overrides)


def line_of(folder: Path, text: str) -> int:
    lines = (folder / "module.yml").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def refusal(folder: Path, *changes: tuple[str, str], overrides: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_changed(folder, *changes, **(overrides or {}))
    return str(caught.value)


def test_module_is_read_whole() -> None:
    module = load_module(MODULES / "module.yml")
    assert [element.name for element in module.elements] == ["person_detector", None, "gate", "person_reid", "identify"]
    assert module.batch_size == 4
    assert module.batched_push_timeout_us == 40_000
    assert module.detector.model.path == MODULES.parent / "models/person-detector-demo/person-detector-demo.onnx"
    assert module.detector.model.input.shape == (3, 288, 512)
    assert module.detector.model.output.objects[0].selector.kwargs.nms_iou_threshold == 0
    assert module.embedder is not None
    assert module.embedder.model.input.object_min_height == 40
    assert module.draw_func is not None
    assert module.draw_func.class_name == "Overlay"
    assert module.output_frame is not None


def test_what_matters_on_deepstream_only_is_listed_not_refused(tmp_path: Path) -> None:
    module = load_changed(tmp_path, ("        precision: ", "        int8_calib_file: table.txt\n        precision: "))
    assert "pipeline.elements[0].model.int8_calib_file" in module.ignored_on_local_host
    assert "pipeline.elements[1].properties" in module.ignored_on_local_host
    assert not any("batch_size" in key for key in module.ignored_on_local_host)


def test_resolvers_of_savant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_SIZE", "3")
    monkeypatch.setenv("OUTPUT_FRAME", '{"codec": "h264"}')
    module = load_changed(
        tmp_path,
        (
            "detection_overlap: ${parameters.chosen.detector.overlap}",
            "detection_overlap: ${calc:'arg_0*5',${parameters.detection_confidence}}",
        ),
        (OUTPUT_FRAME, "  output_frame: ${json:${oc.env:OUTPUT_FRAME, null}}\n\n"),
    )
    assert module.batch_size == 3
    assert module.detector.model.output.converter.kwargs.nms_iou_threshold == 0.5
    assert module.output_frame is not None
    assert module.output_frame.codec == "h264"


def test_overrides(tmp_path: Path) -> None:
    module = load_changed(tmp_path, **{"parameters.batch_size": "2", "pipeline.elements[3].model.batch_size": "8"})
    assert module.batch_size == module.detector.model.batch_size == 2
    assert module.embedder is not None
    assert module.embedder.model.batch_size == 8


def test_override_of_an_unknown_key_is_refused_by_its_name(tmp_path: Path) -> None:
    message = refusal(tmp_path, overrides={"pipeline.elements[0].model.batch_sise": "2"})
    assert (
        "pipeline.elements[0].model.batch_sise (overridden with '2'): unknown key; did you mean 'batch_size'?"
        in message
    )


@pytest.mark.parametrize(("key", "value"), [("pipeline.elements[9].name", "a"), ("pipeline.elements", "[")])
def test_override_that_cannot_be_made(tmp_path: Path, key: str, value: str) -> None:
    message = refusal(tmp_path, overrides={key: value})
    assert f"override {key}={value}: " in message


@pytest.mark.parametrize(
    ("old", "new", "key", "text"),
    [
        (
            "          shape: ${parameters.chosen.detector",
            "          shpe: ${parameters.chosen.detector",
            "pipeline.elements[0].model.input.shpe",
            "unknown key; did you mean 'shape'?",
        ),
        (
            "batch_size: 16",
            "batch_size: four",
            "pipeline.elements[3].model.batch_size",
            "expected a valid integer, found 'four'",
        ),
        (
            "batch_size: 16",
            "batch_size: 0",
            "pipeline.elements[3].model.batch_size",
            "greater than or equal to 1, found 0",
        ),
        ("format: onnx", "format: etlt", "pipeline.elements[0].model.format", "expected 'onnx', found 'etlt'"),
        (
            "maintain_aspect_ratio: true",
            "symmetric_padding: true",
            "pipeline.elements[0].model.input.symmetric_padding",
            "expected False, found True",
        ),
        (
            "module: savant.converter.yolo\n",
            "module: savant.converter.yolo_v4\n",
            "pipeline.elements[0].model.output.converter.module",
            "expected 'savant.converter.yolo'",
        ),
        (
            "confidence_threshold: ${parameters.detection_confidence}",
            "confidense: 1",
            "pipeline.elements[0].model.output.converter.kwargs.confidense",
            "unknown key; did you mean 'confidence_threshold'?",
        ),
        (
            "class_name: BBoxSelector",
            "class_name: MySelector",
            "pipeline.elements[0].model.output.objects[0].selector.class_name",
            "expected 'BBoxSelector', found 'MySelector'",
        ),
        (
            "batched_push_timeout",
            "bached_push_timeout",
            "parameters.bached_push_timeout",
            "did you mean 'batched_push_timeout'?",
        ),
        (
            "inference_threads",
            "inference_thread",
            "parameters.local_host.inference_thread",
            "did you mean 'inference_threads'?",
        ),
        ("codec: h264", "codec: hevc", "parameters.output_frame.codec", "expected 'h264', found 'hevc'"),
        ("element: nvtracker", "element: nvdsanalytics", "pipeline.elements[1].element", "found 'nvdsanalytics'"),
        ("nvinfer@detector", "nvinfer@complex_model", "pipeline.elements[0].element", "found 'nvinfer@complex_model'"),
        ("nvinfer@detector", "nvinfer@detector:v2", "pipeline.elements[0].version", "expected 'v1', found 'v2'"),
        (
            "object: person_detector.person",
            "object: detector.person",
            "pipeline.elements[3].model.input.object",
            "found 'detector.person'",
        ),
        ("class_name: Gate", "clas_name: Gate", "pipeline.elements[2].clas_name", "did you mean 'class_name'?"),
        ("  elements:", "  elemnts:", "pipeline.elemnts", "did you mean 'elements'?"),
        ("name: savant_reid\n", "nmae: savant_reid\n", "nmae", "did you mean 'name'?"),
        ("batch_size: 16", "batch_size: ${parameters.nobody}", DEMO_EMBEDDER + ".batch_size", "nobody"),
        ("batch_size: 16", "batch_size: ${calc:'2*'}", DEMO_EMBEDDER + ".batch_size", ""),
    ],
)
def test_refusals_name_line_key_expected_and_found(tmp_path: Path, old: str, new: str, key: str, text: str) -> None:
    message = refusal(tmp_path, (old, new))
    wanted = next(line for line in message.splitlines() if f": {key}: " in line)
    changed = new.splitlines()[0] if key != "pipeline.elements[0].version" else "nvinfer@detector"
    assert wanted.startswith(f"{tmp_path / 'module.yml'}:{line_of(tmp_path, changed)}: {key}: ")
    assert text in wanted


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    message = refusal(
        tmp_path,
        ("batch_size: 16", "batch_size: many"),
        ("codec: h264", "codec: av1"),
        ("class_name: Gate", "class: Gate"),
    )
    assert len(message.splitlines()) == 3


def test_a_number_from_the_environment_needs_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_SIZE", "8")
    message = refusal(tmp_path, ("${oc.decode:${oc.env:BATCH_SIZE, 4}}", "${oc.env:BATCH_SIZE}"))
    assert "expected a valid integer, found '8' (the value of ${oc.env:…} is text" in message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "expected a mapping with the keys name, parameters, pipeline; found an empty file"),
        ("- a\n", "found a list"),
        ("name: a\nname: b\n", ":2: name: given twice, first in line 1"),
        ("name: [a\n", "not valid YAML"),
        ("name: a\n", "pipeline: expected a mapping, found None"),
    ],
)
def test_what_is_no_module(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "module.yml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_module(path)
    assert part in str(caught.value)


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_module(tmp_path / "none.yml")


def test_elements_in_the_wrong_order(tmp_path: Path) -> None:
    start = TEXT.index("    - element: nvtracker")
    end = TEXT.index("    # Decides who gets")
    message = refusal(tmp_path, (TEXT[start:end], ""))
    assert (
        "expected one nvinfer@detector, one nvtracker and at most one nvinfer@attribute_model, in this order" in message
    )


GROUP = """    - group:
        init_condition:
          expr: ${parameters.second}
          value: true
        elements:
          - element: pyfunc
            module: savant_reid.pyfuncs.gate
            class_name: Gate
            name: in_group
"""


@pytest.mark.parametrize(("value", "there"), [("true", True), ("'True'", True), ("false", False)])
def test_groups_are_opened_when_their_condition_holds(tmp_path: Path, value: str, there: bool) -> None:
    module = load_changed(
        tmp_path,
        ("parameters:\n", f"parameters:\n  second: {value}\n"),
        ("    # Decides who is who", GROUP + "    # Decides who is who"),
    )
    names = [element.name for element in module.elements if isinstance(element, PyFuncElement)]
    assert names == (["gate", "in_group", "identify"] if there else ["gate", "identify"])


def test_group_without_condition(tmp_path: Path) -> None:
    group = GROUP.replace("          value: true\n", "")
    message = refusal(
        tmp_path,
        ("parameters:\n", "parameters:\n  second: true\n"),
        ("    # Decides who is who", group + "    # Decides who is who"),
    )
    assert "pipeline.elements[4].group.init_condition: expected {expr: …, value: …}" in message
