"""The cards: all keep the schema, agree with the module's rows, and a wrong one is refused by file and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from model_builder.cards import MODELS, Card, load_card, load_cards, read_card

from savant_reid.errors import ConfigError

ROOT = Path(__file__).parents[2]
CARDS = tuple(load_cards())
WANTED = """
yolov8n yolov8s yolov8m yolox-nano yolox-s faster-rcnn osnet-x0-25 osnet-x1-0 osnet-ain-x1-0 osnet-ibn-x1-0
fastreid-bot-r50 fastreid-sbs-r50 fastreid-sbs-r101-ibn fastreid-vit transreid-vit-b personvit-s personvit-b
reidentificationnet person-reidentification-retail-0287 person-reidentification-retail-0248
person-detector-demo person-reid-demo
"""


def changed(tmp_path: Path, key: str, value: Any) -> Path:
    data = yaml.safe_load((MODELS / "osnet-x0-25/card.yml").read_text())
    *parents, last = key.split(".")
    inner = data
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    path = tmp_path / "card.yml"
    path.write_text(yaml.safe_dump(data))
    return path


def test_every_model_of_the_field_has_a_card() -> None:
    assert {card.name for card in CARDS} == set(WANTED.split())


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_card_names_its_source_its_terms_and_where_its_figures_are_from(card: Card) -> None:
    assert card.file.name == f"{card.name}.onnx"
    assert card.source.url or card.source.note
    assert all(figure.source.startswith("https://") for figure in card.figures)
    if card.licence.commercial is None:
        assert card.licence.note, "what is unclear has to be said"
    if card.is_detector:
        assert card.output.classes
        assert "person" in card.output.classes


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("input.color_fromat", "rgb", r"input\.color_fromat: Extra inputs are not permitted; found 'rgb'"),
        ("input.color_format", "gbr", r"input\.color_format: Input should be 'rgb' or 'bgr'; found 'gbr'"),
        ("source.sha256", "abc", r"source\.sha256: String should match pattern .*; found 'abc'"),
        ("source.url", "ftp://a/b", r"source\.url: String should match"),
        ("figures", [{"dataset": "x", "map": 101, "source": "https://a"}], r"figures\.0\.map: .* 100; found 101"),
        ("embedding_dimension", 256, r"output\.shape: expected \[batch, 256\]"),
        ("embedding_dimension", None, "expected for re-identification"),
        ("architecture", {}, r"architecture\.name: expected where the source is a checkpoint"),
        ("source", {"kind": "checkpoint"}, r"source\.note: expected where there is no address"),
    ],
)
def test_a_wrong_card_is_refused_by_file_and_key(tmp_path: Path, key: str, value: Any, expected: str) -> None:
    path = changed(tmp_path, key, value)
    with pytest.raises(ConfigError, match=expected) as caught:
        read_card(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("text", ["[", "just words", "\x00"])
def test_what_is_no_card_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "card.yml").write_text(text)
    with pytest.raises(ConfigError, match=r"card\.yml: (cannot be read|expected a mapping)"):
        read_card(tmp_path / "card.yml")


def test_a_name_without_a_card_lists_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such card; expected one of: faster-rcnn, fastreid-bot-r50"):
        load_card("osnet")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/card.yml").write_text((MODELS / "osnet-x0-25/card.yml").read_text())
    with pytest.raises(ConfigError, match="name: expected 'other', the folder's; found 'osnet-x0-25'"):
        load_card("other", tmp_path)


@pytest.mark.parametrize("detector", ["yolov8n", "faster-rcnn"])
def test_the_modules_rows_are_as_the_cards_say(detector: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("omegaconf")  # absent where the builder runs
    from savant_reid.hosts.local.module_config import load_module

    monkeypatch.setenv("SAVANT_REID_DETECTOR", detector)
    assert load_module(ROOT / "module/module.yml").detector.model.model_file == f"{detector}.onnx"
