"""The module's rows: each runs on this host, wrong ones are told, and Savant's loader understands it all, too."""

from __future__ import annotations

import configparser
import itertools
import json
import os
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from savant_reid.errors import ConfigError, ModelError
from savant_reid.hosts.local.detector import Detector
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.model_schema import YoloXConverter
from savant_reid.hosts.local.module_config import Module, load_module
from savant_reid.hosts.local.module_schema import PyFuncElement
from savant_reid.hosts.local.pipeline import Pipeline
from savant_reid.hosts.local.tracker import CameraTrackers
from tests.hosts.local.graphs import write_detector, write_embedder

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "module"
RAW = yaml.safe_load((FOLDER / "module.yml").read_text())
DETECTORS, EMBEDDERS, TRACKERS = (list(RAW["parameters"][name]) for name in ("detectors", "embedders", "trackers"))

# Fields of Savant 0.5 (savant/base/model.py, savant/deepstream/nvinfer/model.py, savant/config/schema.py).
# It refuses others below `model` and of pyfuncs, and takes others silently elsewhere.
SAVANT_MODEL = """local_path remote model_file batch_size precision input output format config_file int8_calib_file
engine_file label_file gpu_id interval workspace_size layer_device_precision enable_dla use_dla_core scaling_compute_hw
scaling_filter"""
SAVANT_INPUT = """object layer_name shape maintain_aspect_ratio symmetric_padding scale_factor offsets color_format
object_min_width object_min_height object_max_width object_max_height"""
SAVANT_OUTPUT = {"layer_names", "converter", "objects", "num_detected_classes", "attributes"}
SAVANT_PYFUNC = {"element", "name", "module", "class_name", "kwargs", "dev_mode", "properties"}
SAVANT_RESOLVERS = {"oc.env", "oc.decode", "calc", "json"}
# The keys of NVIDIA's tables for DeepStream 7.0's NvMultiObjectTracker, by section, as far as they are used here.
NVIDIA_KEYS = {
    "BaseConfig": "minDetectorConfidence",
    "TargetManagement": "enableBboxUnClipping preserveStreamUpdateOrder maxTargetsPerStream minIouDiff4NewTarget "
    "minTrackerConfidence probationAge maxShadowTrackingAge earlyTerminationAge",
    "TrajectoryManagement": "useUniqueID enableReAssoc",
    "DataAssociator": "dataAssociatorType associationMatcherType checkClassMatch minMatchingScore4Overall "
    "minMatchingScore4SizeSimilarity minMatchingScore4Iou minMatchingScore4VisualSimilarity thresholdMahalanobis "
    "minMatchingScore4ReidSimilarity matchingScoreWeight4VisualSimilarity matchingScoreWeight4SizeSimilarity "
    "matchingScoreWeight4Iou matchingScoreWeight4ReidSimilarity tentativeDetectorConfidence "
    "minMatchingScore4TentativeIou usePrediction4Assoc",
    "StateEstimator": "stateEstimatorType processNoiseVar4Loc processNoiseVar4Size processNoiseVar4Vel "
    "measurementNoiseVar4Detector measurementNoiseVar4Tracker noiseWeightVar4Loc noiseWeightVar4Vel useAspectRatio",
    "VisualTracker": "visualTrackerType useColorNames useHog featureImgSizeLevel featureFocusOffsetFactor_y filterLr "
    "filterChannelWeightsLr gaussianSigma",
    "ReID": "reidType batchSize workspaceSize reidFeatureSize reidHistorySize inferDims networkMode inputOrder "
    "colorFormat offsets netScaleFactor keepAspc addFeatureNormalization outputReidTensor onnxFile modelEngineFile",
}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SAVANT_REID_")] + ["BATCH_SIZE", "MODEL_PATH"]:
        monkeypatch.delenv(name, raising=False)


def load(**parameters: Any) -> Module:
    overrides = {f"parameters.{name}": json.dumps(value) for name, value in parameters.items()}
    return load_module(FOLDER / "module.yml", overrides)


def refusal(**parameters: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(**parameters)
    return str(caught.value)


@pytest.mark.parametrize(("detector", "embedder", "tracker"), [*itertools.product(DETECTORS, EMBEDDERS, TRACKERS)])
def test_every_combination_is_read(detector: str, embedder: str, tracker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAVANT_REID_DETECTOR", detector)
    monkeypatch.setenv("SAVANT_REID_EMBEDDER", embedder)
    monkeypatch.setenv("SAVANT_REID_TRACKER", tracker)
    module = load_module(FOLDER / "module.yml")
    row = RAW["parameters"]["detectors"][detector]
    assert module.detector.model.model_file == row["model_file"]
    assert list(module.detector.model.input.shape) == row["input"]["shape"]
    assert module.detector.model.output.objects[0].class_id == row["person"]
    assert isinstance(module.detector.model.output.converter, YoloXConverter) == (detector == "yolox-nano")
    assert module.embedder is not None
    assert module.embedder.model.model_file == RAW["parameters"]["embedders"][embedder]["model_file"]
    assert module.local_host.tracker == RAW["parameters"]["trackers"][tracker]["local"]
    assert module.tracker.properties["ll-config-file"] == f"/opt/savant-reid/module/tracker/{tracker}.yml"


def test_a_name_without_a_row_is_told_with_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    line = next(n for n, text in enumerate((FOLDER / "module.yml").open(), 1) if text.startswith("  detector: "))
    monkeypatch.setenv("SAVANT_REID_DETECTOR", "yolov9")
    with pytest.raises(ConfigError) as caught:
        load_module(FOLDER / "module.yml")
    assert str(caught.value) == (
        f"{FOLDER / 'module.yml'}:{line}: parameters.detector: expected one of person-detector-demo, yolov8n, "
        "yolox-nano, faster-rcnn (the rows of parameters.detectors), found 'yolov9'"
    )
    monkeypatch.delenv("SAVANT_REID_DETECTOR")
    assert "expected one of nvsort, nvdcf, nvdeepsort" in refusal(tracker="/opt/my/tracker.yml")
    assert refusal(detector="person-reid-demo").endswith("'person-reid-demo'; it is a row of parameters.embedders")
    assert "module.yml: parameters.embedder (overridden with 'null'): expected one of " in refusal(embedder=None)


def test_a_card_without_a_row_is_pointed_at(tmp_path: Path) -> None:
    (tmp_path / "osnet-x1").mkdir()
    (tmp_path / "osnet-x1/card.yml").write_text("name: osnet-x1\n")
    message = refusal(embedder="osnet-x1", models=str(tmp_path))
    assert f"found 'osnet-x1'; {tmp_path / 'osnet-x1/card.yml'} is there: write a row by it" in message


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"model_file": "x.onnx", "output_layre": "a"}, "output_layre (overridden with "),
        ({"model_file": "x.onnx"}, "; missing: "),
        ("x.onnx", "parameters.embedders (overridden with"),
    ],
)
def test_a_row_that_is_none_is_told(row: object, text: str) -> None:
    assert text in refusal(embedders={**RAW["parameters"]["embedders"], "mine": row})


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("input.color_format", "bgr", "'bgr'"),
        ("input.shape", [3, 256, 128], "[3, 256, 128]"),
        ("input.scale_factor", 0.5, "0.5"),
        ("output_layer", "features", "'features'"),
    ],
)
def test_a_row_that_differs_from_its_models_card_is_refused(key: str, value: object, found: str) -> None:
    message = refusal(**{f"embedders.person-reid-demo.{key}": value})
    assert re.search(rf"expected .*, as \S*models/person-reid-demo/card\.yml says; found {re.escape(found)}", message)


def test_a_card_of_another_file_says_nothing(tmp_path: Path) -> None:
    card = yaml.safe_load((ROOT / "models/person-reid-demo/card.yml").read_text())
    (tmp_path / "person-reid-demo").mkdir()
    path = tmp_path / "person-reid-demo/card.yml"
    path.write_text(yaml.safe_dump({**card, "file": {"name": "other.onnx"}, "input": {"color_format": "bgr"}}))
    load(models=str(tmp_path))
    path.write_text("a: [")
    assert f"{path}: cannot be read" in refusal(models=str(tmp_path))


def test_settings_of_the_tracker_that_is_not_in_use_are_checked_too() -> None:
    with pytest.raises(
        ConfigError, match=r"module.yml: parameters.local_host: tracker: budget: expected a whole number"
    ):
        Pipeline(load(**{"local_host.deepsort.budget": 0.5}), {})


# A parameter that nothing refers to is refused.
USED = "    # ${parameters.embedding_min_width} ${parameters.embedding_min_height}\n"


def test_deepsort_needs_an_embedder(tmp_path: Path) -> None:
    text = (FOLDER / "module.yml").read_text()
    start, end = text.index("    - element: nvinfer@attribute_model"), text.index("    # Decides who is who")
    (tmp_path / "module.yml").write_text(text[:start] + USED + text[end:])
    overrides = {"parameters.tracker": "nvdeepsort", "parameters.models": str(ROOT / "models")}
    with pytest.raises(ConfigError, match="deepsort needs an nvinfer@attribute_model to tell people apart, found none"):
        Pipeline(load_module(tmp_path / "module.yml", overrides), {})


def test_deepsort_looks_at_everybody_and_the_gate_takes_what_it_saw(tmp_path: Path) -> None:
    rows = np.zeros((5, 3024), np.float32)
    rows[:, 0], rows[:, 1] = (100, 100, 30, 80, 0.9), (300, 100, 30, 80, 0.8)
    rows[:, 2] = (450, 200, 30, 80, 0.3)  # too weak for the tracker
    write_detector(tmp_path / "person-detector-demo/person-detector-demo.onnx", rows, (3, 288, 512))
    write_embedder(tmp_path / "person-reid-demo/person-reid-demo.onnx", (3, 128, 64))
    site = tmp_path / "site.yml"
    site.write_text("site: shop\ncameras: {hall: {}}\n")
    parameters = {"models": str(tmp_path), "site": str(site), "tracker": "nvdeepsort"}
    pipeline = Pipeline(load(**parameters), {"hall": 25.0})
    image = np.full((288, 512, 3), (0, 0, 255), np.uint8)
    image[:, 256:] = (0, 128, 255)
    batches = ([Frame("hall", i, i * 40_000_000, image)] for i in range(4))
    frames = [frame for batch, _ in pipeline.run(batches) for frame in batch]
    assert [frame.track_ids.tolist() for frame in frames] == [[], [], [1, 2], [1, 2]]
    np.testing.assert_allclose(frames[3].looks, [[255, 0, 0], [255, 128, 0]], atol=1e-3)
    np.testing.assert_allclose(frames[2].embeddings, [[255, 0, 0], [255, 128, 0]], atol=1e-3)
    embedder = pipeline.embedder
    assert embedder is not None
    detected = Frame("hall", 0, 0, image, boxes=rows[:4, :3].T.copy(), confidences=rows[4, :3])
    assert np.isnan(embedder.look([detected], 0.4)[0][:, 0]).tolist() == [False, False, True]
    before = embedder.inference_seconds
    assert embedder.embed([frames[3]]) >= 0
    assert embedder.inference_seconds == before, "made again what the tracker has made"


def test_bytetrack_asks_for_no_looks() -> None:
    def look(_frames: object, _confidence: float) -> list[np.ndarray]:
        raise AssertionError("looked")

    frame = Frame("hall", 0, 0, np.zeros((2, 2, 3), np.uint8), boxes=np.float32([[0, 0, 9, 9]]), confidences=np.ones(1))
    CameraTrackers(look=look).track([frame])
    assert frame.looks is None


def test_faster_rcnn_in_one_tensor(tmp_path: Path) -> None:
    rows = np.zeros((4 + 91, 100), np.float32)  # a hundred boxes at most; the rest is zero
    rows[:4, 0], rows[4 + 1, 0] = (160, 96, 32, 80), 0.9
    rows[:4, 1], rows[4 + 62, 1] = (400, 300, 50, 50), 0.95  # a chair
    write_detector(tmp_path / "faster-rcnn/faster-rcnn.onnx", rows, (3, 480, 800))
    detector = Detector(load(detector="faster-rcnn", models=str(tmp_path)).detector)
    frame = Frame("hall", 0, 0, np.full((480, 800, 3), (0, 0, 255), np.uint8))
    detector.detect([frame])
    # The graph scales its fifth row only, which is class 0; class 1 stays as it is.
    np.testing.assert_allclose(frame.boxes, [[144, 56, 32, 80]], atol=1e-4)
    np.testing.assert_allclose(frame.confidences, [0.9], atol=1e-6)


def test_deepstream_yolos_export_is_refused_with_a_hint(tmp_path: Path) -> None:
    write_detector(tmp_path / "yolov8n/yolov8n.onnx", np.zeros((8400, 6), np.float32), (3, 640, 640))
    with pytest.raises(ModelError, match=r"found \[8400, 6\]; is it DeepStream-Yolo's .* Export the raw output"):
        Detector(load(detector="yolov8n", models=str(tmp_path)).detector)


def test_the_module_keeps_to_what_both_hosts_understand() -> None:
    text = (FOLDER / "module.yml").read_text()
    assert set(RAW) == {"name", "parameters", "pipeline"}
    assert set(RAW["pipeline"]) == {"elements"}, "source and sink are Savant's defaults, ZeroMQ"
    assert set(re.findall(r"\$\{([a-z.]+):", text)) <= SAVANT_RESOLVERS
    # Savant sets up the models of a group whose condition does not hold, too: their files would have to be there.
    assert not any("group" in element for element in RAW["pipeline"]["elements"])
    for element in _elements():
        if "model" in element:
            model = element["model"]
            assert set(model) <= set(SAVANT_MODEL.split())
            assert set(model["input"]) <= set(SAVANT_INPUT.split())
            assert set(model["output"]) <= SAVANT_OUTPUT
            assert len(model["output"]["layer_names"]) == 1, "Savant mixes up the pointers of several outputs"
            assert "precision" in model, "beside a config_file its absence would mean FP32"
            # What Savant has not been told of an object it does itself, with a confidence of 0.5.
            assert all("selector" in item for item in model["output"].get("objects", ()))
        elif element["element"] == "pyfunc":
            assert set(element) <= SAVANT_PYFUNC
            assert "." in element["module"], "a bare name is looked for in Savant's working directory"
    module = load()
    for pyfunc in (element for element in module.elements if isinstance(element, PyFuncElement)):
        assert json.loads(json.dumps(pyfunc.kwargs)) == pyfunc.kwargs
    assert module.embedder is not None
    assert module.elements[-1].kwargs["embedding_model"] == module.embedder.name  # type: ignore[attr-defined]


def test_nothing_is_asked_of_pypi_that_is_something_else_there() -> None:
    """Savant and pyds come with Savant's images; PyPI's are other projects. Its savant-rs serves --savant-zmq alone."""
    asked = list(requires("savant-reid") or ())
    names = {re.split(r"[^\w-]", requirement)[0].lower() for requirement in asked}
    assert "numpy" in names
    assert not names & {"savant", "pyds", "savant_rs"}
    own = [requirement for requirement in asked if requirement.startswith("savant-rs")]
    assert own
    assert all("==0.3.0" in requirement and "extra ==" in requirement for requirement in own)


def test_nvinfers_files_say_the_precision_and_leave_embeddings_on_the_gpu() -> None:
    named = {row["config_file"] for row in RAW["parameters"]["embedders"].values()}
    assert named == {path.name for path in (FOLDER / "nvinfer").iterdir()}
    for name in named:
        parser = configparser.ConfigParser()
        parser.read(FOLDER / "nvinfer" / name)
        assert dict(parser["property"]) == {
            "network-mode": "2",
            "disable-output-host-copy": "1",
            "scaling-filter": "1",
            **({"network-input-order": "1"} if "nhwc" in name else {}),
        }


@pytest.mark.parametrize("name", TRACKERS)
def test_tracker_files_hold_documented_keys(name: str) -> None:
    config = _tracker_file(name)
    for section, values in config.items():
        assert set(values) <= set(NVIDIA_KEYS[section].split()), section
    assert config["TrajectoryManagement"]["useUniqueID"] == 0
    assert config["BaseConfig"]["minDetectorConfidence"] == RAW["parameters"]["detection_confidence"]
    assert ("VisualTracker" in config, "ReID" in config) == (name == "nvdcf", name == "nvdeepsort")


def test_nvdeepsorts_model_is_the_modules_own() -> None:
    reid, embedder = _tracker_file("nvdeepsort")["ReID"], load().embedder
    assert embedder is not None
    spec = embedder.model.input
    card = yaml.safe_load((ROOT / "models/person-reid-demo/card.yml").read_text())
    assert Path(reid["onnxFile"]).parts[-2:] == embedder.model.path.parts[-2:]
    assert reid["modelEngineFile"] == f"{reid['onnxFile']}_b{reid['batchSize']}_gpu0_fp16.engine"
    assert (reid["inferDims"], reid["netScaleFactor"], reid["offsets"]) == (
        list(spec.shape),
        spec.scale_factor,
        list(spec.offsets),
    )
    assert reid["colorFormat"] == ("rgb", "bgr").index(spec.color_format)
    assert reid["keepAspc"] == int(spec.maintain_aspect_ratio)
    assert reid["reidFeatureSize"] == card["embedding_dimension"]
    assert reid["addFeatureNormalization"] == int(not card["output"]["l2_normalised"])


def _elements() -> Iterator[Mapping[str, Any]]:
    return iter(RAW["pipeline"]["elements"])


def _tracker_file(name: str) -> Mapping[str, Any]:
    text = (FOLDER / "tracker" / f"{name}.yml").read_text()
    first, rest = text.split("\n", 1)
    assert first == "%YAML:1.0", "OpenCV's own header, which DeepStream's files have"
    return yaml.safe_load(rest)
