"""`evaluate-model` on folders in Market-1501's layout, with the demo embedder and ONNX Runtime. No PyTorch here."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from model_builder.data import CropSet
from model_builder.evaluate_model import evaluate_model_command, market_folder_command
from model_builder.market_folder import read_folder, write_folder
from model_builder.onnx_embedder import OnnxEmbedder, find_model

from savant_reid.errors import DataError, OutputError

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "models"
REAL = ROOT.parent / "shared" / "real"


def crops_of(people: int, cameras: int = 2, views: int = 2) -> CropSet:
    """Two-coloured figures with a little noise: each person a colour above and one below."""
    rng = np.random.default_rng(3)
    colours = rng.integers(0, 256, (people, 2, 3))
    who = np.repeat(np.arange(people), cameras * views)
    where = np.tile(np.repeat(np.arange(cameras), views), people)
    crops = np.empty((len(who), 128, 64, 3), np.uint8)
    for crop, person in zip(crops, who, strict=True):
        crop[:64], crop[64:] = colours[person]
        crop[:] = np.clip(crop + rng.normal(0, 12, crop.shape), 0, 255)
    return CropSet(crops, who, where)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("market") / "site"
    write_folder(crops_of(8), path, crops_of(3).crops[:5])
    (path / "bounding_box_test" / "-1_c1s1_000001_00.jpg").write_bytes(
        next((path / "query").glob("0003_c1*")).read_bytes()
    )
    (path / "bounding_box_test" / "Thumbs.db").write_bytes(b"as in the published archive")
    return path


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(evaluate_model_command, [str(a) for a in arguments] + ["--models", str(MODELS)])
    return result.exit_code, result.output


def test_figures_of_a_folder(folder: Path) -> None:
    code, output = run("person-reid-demo", folder, "--json", "--fpir", "0.25")
    figures = json.loads(output)
    assert code == 0
    counts = {"queries": 16, "queries_without_answer": 0, "gallery": 16, "distractors": 5, "junk": 1}
    assert {name: figures[name] for name in counts} == counts
    assert (figures["people"], figures["cameras"]) == (8, 2)
    # Eight different pairs of colours: the embedder finds most, though it never saw such figures.
    assert figures["rank1"] > 0.6
    assert figures["minp"] <= figures["map"] <= 1
    assert figures["open_set"][0]["fpir"] <= 0.25


def test_a_file_is_as_good_as_a_name_and_the_table_says_the_same(folder: Path) -> None:
    code, table = run(MODELS / "person-reid-demo" / "person-reid-demo.onnx", folder)
    _, as_json = run("person-reid-demo", folder, "--json")
    assert code == 0
    assert f"rank-1 {json.loads(as_json)['rank1']:.1%}" in table


def test_pictures_are_fed_as_in_a_run() -> None:
    embedder = OnnxEmbedder(*find_model("person-reid-demo", MODELS), batch=3)
    crops = crops_of(4).crops
    found = embedder.embed_all(crops)
    session = embedder._session
    wanted = session.run(None, {"images": crops[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)})[0]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    # Odd sizes are squashed, as a run does it.
    assert embedder.embed_all([crops[0][:97, :31]]).shape == (1, 256)


def test_real_embedder_with_another_layout() -> None:
    file = REAL / "person-reidentification-retail-0287.onnx"
    if not file.is_file():
        pytest.skip(f"needs {file.name} in the real footage folder")
    found = OnnxEmbedder(file, colour="bgr").embed_all(list(crops_of(2).crops))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    write_folder(crops_of(3, cameras=2, views=3), tmp_path / "f")
    queries, gallery = read_folder(tmp_path / "f")
    assert (len(queries), len(gallery)) == (6, 12)
    assert sorted(set(queries.people.tolist())) == [1, 2, 3]
    with pytest.raises(OutputError, match="found something in it"):
        write_folder(crops_of(2), tmp_path / "f")


def test_a_place_that_is_taken_is_told_before_anybody_is_drawn(tmp_path: Path) -> None:
    taken = tmp_path / "notes.txt"
    taken.touch()
    drawn = tmp_path / "drawn"
    result = CliRunner().invoke(market_folder_command, [str(taken), "--cache", str(drawn)])
    assert result.exit_code == 1
    assert "notes.txt: expected a new or an empty folder, found a file" in result.output
    assert not drawn.exists()


def test_names_of_other_sets_are_read(tmp_path: Path) -> None:
    for name in ("query/0005_c2_f0046985.jpg", "bounding_box_test/1501_c14s3_0001.PNG"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"")
    queries, gallery = read_folder(tmp_path)
    assert (queries.people[0], queries.cameras[0]) == (5, 2)
    assert (gallery.people[0], gallery.cameras[0]) == (1501, 14)


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".jpg", np.full((32, 16, 3), 90, np.uint8))[1].tobytes())


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no folder"),
        (["query/0001_c1s1_1.jpg"], "bounding_box_test: expected a folder of pictures"),
        (["query/readme.txt", "bounding_box_test/0001_c1s1_1.jpg"], "query: expected pictures"),
        (["query/anna.jpg", "bounding_box_test/0001_c1s1_1.jpg"], "expected a name such as 0002_c1s1_000451_03.jpg"),
        (["query/0000_c1s1_1.jpg", "bounding_box_test/0001_c1s1_1.jpg"], "0 marks distractors"),
        (["query/0001_c1s1_1.jpg", "bounding_box_test/0002_c2s1_1.jpg"], "no query has an answer"),
        (["query/0001_c1_1.jpg", "bounding_box_test/0001_c2_1.jpg"], "at least two people"),
        (["query/0001_c1_1.jpg", "bounding_box_test/0001_c1_2.jpg", "bounding_box_test/0002_c1_1.jpg"], "own cameras"),
    ],
)
def test_wrong_folders_are_told(tmp_path: Path, files: list[str], message: str) -> None:
    for file in files:
        picture(tmp_path / "folder" / file)
    code, output = run("person-reid-demo", tmp_path / "folder")
    assert code == 1
    assert output.startswith("Error: ")
    assert message in output


def test_a_picture_that_is_none(tmp_path: Path, folder: Path) -> None:
    for part in ("query", "bounding_box_test"):
        (tmp_path / part).mkdir()
        for file in (folder / part).glob("*.jpg"):
            (tmp_path / part / file.name).write_bytes(file.read_bytes())
    broken = next((tmp_path / "query").iterdir())
    broken.write_bytes(b"\xff\xd8 no jpeg")
    code, output = run("person-reid-demo", tmp_path)
    assert code == 1
    assert f"{broken.name}: expected a picture" in output


def test_wrong_models_are_told(tmp_path: Path, folder: Path) -> None:
    assert "no such card; expected one of" in run("nobody-knows", folder)[1]
    assert "found no such file" in run(tmp_path / "gone.onnx", folder)[1]
    text = tmp_path / "text.onnx"
    text.write_text("not a model")
    assert "ONNX Runtime cannot load it" in run(text, folder)[1]
    detector = MODELS / "person-detector-demo" / "person-detector-demo.onnx"
    assert "expected one vector for each picture" in run(detector, folder)[1]
    with pytest.raises(DataError):
        read_folder(tmp_path / "nowhere")
