"""`adapt` on small recordings drawn here: people of two colours each, in videos, with a run's tracks beside them."""
# ruff: noqa: E402 - the imports follow the check that PyTorch is there

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from click.testing import CliRunner
from model_builder.adapt import Figures, adapt_to_site, judged, trainable
from model_builder.adapt_command import adapt_command
from model_builder.adapt_training import AdaptRecipe, choose_trained, contrastive_loss
from model_builder.architectures import OSNetEmbedder
from model_builder.cards import MODELS, load_card, read_card
from model_builder.onnx_embedder import OnnxEmbedder, find_model
from model_builder.run_tracks import read_run
from model_builder.site_crops import HELD, LEARN, SiteCrops, check_enough, cut_out
from model_builder.track_figures import TrackFigures, auc, track_figures, truth_figures
from model_builder.weights_of_onnx import load_weights

from savant_reid.errors import DataError, ModelError, SourceError

pytestmark = pytest.mark.builder
DEMO = "person-reid-demo"
HEADER = "camera,frame,track_id,global_id,left,top,width,height,confidence,time_ns"
FRAMES, FPS, SIZE = 12, 5, (240, 96)  # frames of an episode; width and height of the pictures


def write_run(folder: Path, episodes: int = 10, people: int = 6, flicker: float = 0.0) -> Path:
    """Two cameras; in each episode two people stand side by side in each, every episode new tracks.

    flicker: how much the light on each person changes from frame to frame, standard deviation in grey levels.
    """
    rng = np.random.default_rng(5)
    colours = 120 + rng.integers(-20, 21, (people, 2, 3))
    folder.mkdir(parents=True)
    rows, told = [], []
    for camera in ("a", "b"):
        video = cv2.VideoWriter(str(folder / f"{camera}.avi"), cv2.VideoWriter_fourcc(*"MJPG"), FPS, SIZE)
        for frame in range(episodes * FRAMES):
            picture = np.full((SIZE[1], SIZE[0], 3), 128.0 if camera == "a" else 60.0)
            episode = frame // FRAMES
            for place in (0, 1):
                person = (2 * episode + place + (camera == "b")) % people
                light = rng.normal(0, flicker)
                left, top = 20 + 120 * place + frame % 5, 10
                picture[top : top + 40, left : left + 36] = colours[person, 0] + light
                picture[top + 40 : top + 80, left : left + 36] = colours[person, 1] + light
                box = [left, top, 36, 80, 0.9, frame * 10**9 // FPS]
                rows.append([camera, frame, 2 * episode + place, 100 + person, *box])
                told.append([camera, frame, "", person, *box])
            video.write(np.clip(picture + rng.normal(0, 14, picture.shape), 0, 255).astype(np.uint8))
        video.release()
    for name, lines in (("tracks.csv", rows), ("truth.csv", told)):
        with (folder / name).open("w", newline="") as file:
            csv.writer(file).writerows([HEADER.split(","), *lines])
    (folder / "site.yml").write_text("site: test\ncameras:\n  a: {source: a.avi}\n  b: {source: b.avi}\n")
    return folder


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def site(run_folder: Path) -> SiteCrops:
    return cut_out([read_run(run_folder)], (128, 64), {}, progress=False)


def test_pytorch_and_the_file_that_its_weights_came_from_agree() -> None:
    module = OSNetEmbedder()
    file, _ = find_model(DEMO)
    load_weights(module, file, torch.zeros(1, 3, 128, 64))
    inputs = torch.rand(5, 3, 128, 64, generator=torch.Generator().manual_seed(1)) * 255
    with torch.no_grad():
        found = module(inputs).numpy()
    wanted = OnnxEmbedder(file)._session.run(None, {"images": inputs.numpy()})[0]
    np.testing.assert_allclose(found, wanted, atol=2e-6)


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(ModelError, match="expected a shape"):
        load_weights(OSNetEmbedder(dimension=128), find_model(DEMO)[0], torch.zeros(1, 3, 128, 64))
    detector, _ = find_model("person-detector-demo")
    with pytest.raises(ModelError, match="convolutions"):
        load_weights(OSNetEmbedder(), detector, torch.zeros(1, 3, 128, 64))


def test_tracks_become_crops_with_what_is_known_of_them(run_folder: Path, site: SiteCrops) -> None:
    run = read_run(run_folder)
    # Ten episodes, two cameras, two people: 40 tracks of 12 crops, each apart from the one beside it.
    assert len(run.apart) == 40
    assert run.apart.sum() == 40
    assert (np.bincount(run.track) == FRAMES).all()
    assert (run.person >= 0).all()
    assert np.bincount(site.part).tolist() == [24, 6, 10]
    # Who learns begins before who is held back.
    assert site.time_ns[site.of(LEARN)].max() <= site.time_ns[site.of(HELD)].min() + 3e9
    # A crop shows its own person: the colours of one person's crops in both cameras are alike.
    means = site.crops[:, :60].mean(axis=(1, 2))
    for person in np.unique(site.person):
        assert np.ptp(means[site.person == person], axis=0).max() < 40


def test_a_track_is_cut_where_another_box_covers_it(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    lines = [HEADER]
    for frame in range(60):
        lines.append(f"a,{frame},1,1,100,10,40,100,0.9,{frame * 10**8}")
        # Comes from the right, lies on the first from frame 25 to 34, and goes on.
        left = 100 if 25 <= frame < 35 else 160
        lines.append(f"a,{frame},2,2,{left},12,40,100,0.9,{frame * 10**8}")
    (folder / "tracks.csv").write_text("\n".join(lines) + "\n")
    run = read_run(folder)
    assert not ((run.frame >= 25) & (run.frame < 35)).any()
    assert len(run.apart) == 4  # each of the two, before and after
    assert run.apart.sum() == 4  # known of the two before, and of the two after, only
    assert (run.person == -1).all()


def test_loss_counts_known_pairs_only() -> None:
    embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.0], [0.0, 1.0], [1.0, 0.05]]), dim=1)
    tracks = torch.tensor([0, 0, 1, 2])
    apart = torch.zeros(4, 4, dtype=torch.bool)
    apart[:2, 2] = apart[2, :2] = True
    found = contrastive_loss(embeddings, tracks, apart, 0.5)
    # By hand: anchors 0 and 1 have one positive and one negative each; the fourth crop, the nearest of all, is neither.
    cosines = (embeddings @ embeddings.T / 0.5).exp()
    wanted = [-torch.log(cosines[i, 1 - i] / (cosines[i, 1 - i] + cosines[i, 2])) for i in (0, 1)]
    assert found.item() == pytest.approx(float(sum(wanted)) / 2, rel=1e-5)
    assert contrastive_loss(embeddings, tracks, torch.zeros_like(apart), 0.5).item() == 0.0


def test_only_the_last_layers_learn() -> None:
    module = OSNetEmbedder()
    trained = choose_trained(module, 0.3)
    names = {name for name, parameter in module.named_parameters() if parameter.requires_grad}
    assert {"project.weight", "neck.weight"} <= names
    assert not any(name.startswith(("body.0.", "body.2.", "body.3.")) for name in names)
    assert len(trained) == len(names)


def test_auc_by_hand() -> None:
    assert auc(np.array([0.9, 0.5]), np.array([0.5, 0.1])) == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert auc(np.array([]), np.array([1.0])) == 0.5


def test_a_site_whose_light_flickers_is_learned(tmp_path: Path) -> None:
    card = load_card(DEMO)
    site = cut_out([read_run(write_run(tmp_path / "run", flicker=45.0))], (128, 64), {}, progress=False)
    target = tmp_path / "here" / "here.onnx"
    recipe = AdaptRecipe(steps=20, look=10, tracks=6, views=2, keep=0.0, rate=1e-3)
    outcome = adapt_to_site(card, trainable(card, MODELS, None), site, target, recipe)
    before, after = outcome.before, outcome.after
    assert outcome.worse == ()
    # Measured: AUC .891 to .994, and mAP across cameras, of which the training knew nothing, .81 to .97.
    assert after.tracks.auc > before.tracks.auc + 0.04
    assert after.tracks.missed < before.tracks.missed - 0.1
    assert before.truth is not None
    assert after.truth is not None
    assert after.truth.mean_average_precision > before.truth.mean_average_precision + 0.05
    # The file is a model like any other, and its card says what it is.
    made = read_card(target.with_name("card.yml"))
    assert (made.name, made.source.kind, made.figures) == ("here", "none", ())
    rows = site.of(HELD)
    found = OnnxEmbedder(*find_model(str(target))).embed_all(site.crops[rows])
    assert track_figures(site, rows, found) == after.tracks
    assert truth_figures(site, rows, found) == after.truth
    # And it can be adapted again.
    again = trainable(made, tmp_path, None)
    inputs = torch.rand(2, 3, 128, 64) * 255
    with torch.no_grad():
        wanted = OnnxEmbedder(target)._session.run(None, {"images": inputs.numpy()})[0]
        np.testing.assert_allclose(again(inputs).numpy(), wanted, atol=1e-5)


def test_a_worse_model_is_not_written(tmp_path: Path, site: SiteCrops) -> None:
    card = load_card(DEMO)
    target = tmp_path / "worse" / "worse.onnx"
    recipe = AdaptRecipe(steps=1, look=1, tracks=4, views=2, rate=10.0, keep=0.0)
    outcome = adapt_to_site(card, trainable(card, MODELS, None), site, target, recipe)
    assert outcome.worse
    assert outcome.step == 0
    assert outcome.after == outcome.before
    assert not target.parent.exists()


def test_each_figure_can_refuse() -> None:
    before = Figures(TrackFigures(0.9, 0.2, 10, 10), None)
    assert judged(before, Figures(TrackFigures(0.91, 0.2, 10, 10), None), 5) == ()
    assert "AUC" in judged(before, Figures(TrackFigures(0.89, 0.1, 10, 10), None), 5)[0]
    assert "found at 1 %" in judged(before, Figures(TrackFigures(0.95, 0.3, 10, 10), None), 5)[0]


def test_bad_input_is_told(tmp_path: Path, run_folder: Path) -> None:
    def told(*arguments: object) -> str:
        result = CliRunner().invoke(adapt_command, [str(argument) for argument in arguments])
        assert result.exit_code
        return result.output

    assert "expected the folder of a run" in told(DEMO, tmp_path)
    assert "CAMERA=FILE" in told(DEMO, run_folder, "--video", "a.avi")
    assert "a re-ID model" in told("person-detector-demo", run_folder)
    assert "cannot be trained" in told("person-reidentification-retail-0287", run_folder)
    assert "exists already" in told(DEMO, run_folder, "--as", DEMO)
    run = read_run(run_folder)
    with pytest.raises(SourceError, match="found no file"):
        cut_out([run], (128, 64), {"a": tmp_path / "gone.avi"}, progress=False)
    short = write_run(tmp_path / "short", episodes=2)
    with pytest.raises(SourceError, match="found 24 frames"):
        cut_out([run], (128, 64), {"a": short / "a.avi"}, progress=False)
    with pytest.raises(DataError, match="longer recordings"):
        check_enough(cut_out([read_run(short)], (128, 64), {}, progress=False))
