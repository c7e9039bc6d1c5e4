"""Architectures of published checkpoints: names, shapes and numbers are those of the projects' own models."""
# ruff: noqa: E402 - the imports follow the check that PyTorch is there

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch")

sys.path.insert(0, str(Path(__file__).parent))
import published_weights
from model_builder.architectures import BUILDERS, KeyMismatch, create, keys

from savant_reid.errors import ModelError

pytestmark = pytest.mark.builder

CASES = published_weights.outputs()
MODELS = Path(__file__).parents[2] / "models"
BOT = ("fastreid_bot_r50", "fastreid_bot_r50_release_0.1")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def _loaded(case: dict[str, Any]) -> torch.nn.Module:
    module = create(case["architecture"], **case["options"])
    weights = published_weights.random_weights(case["table"])
    module.load_state_dict(keys(case["architecture"], weights, **case["options"]), strict=True)
    return module


@pytest.mark.parametrize("name", CASES)
def test_loads_strictly_and_gives_what_the_original_gives(name: str) -> None:
    case = CASES[name]
    module = _loaded(case)
    images = published_weights.images(*case["size"])
    with torch.inference_mode():
        features = module(images, **{key: torch.tensor(value) for key, value in case.get("labels", {}).items()})
    assert features.shape == (2, case["dimension"])
    assert features.dtype == torch.float32
    assert not module.training
    # The table has 5 decimals; sums in another order on another processor move the 6th significant figure.
    near = {"rtol": 2e-4, "atol": 2e-4}
    torch.testing.assert_close(features.norm(dim=1), torch.tensor(case["norms"]), **near)
    torch.testing.assert_close(features[:, :4], torch.tensor(case["first"]), **near)
    torch.testing.assert_close(features[:, -4:], torch.tensor(case["last"]), **near)


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_builds_with_random_weights_and_keeps_rows_apart(name: str) -> None:
    cases = [case for case in CASES.values() if case["architecture"] == name]
    if not cases:
        pytest.skip("not a re-ID network")
    module = create(name)
    images = published_weights.images(*cases[0]["size"])
    with torch.inference_mode():
        both, second = module(images), module(images[1:])
    assert both.isfinite().all()
    torch.testing.assert_close(both[1:], second, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("file", sorted(MODELS.glob("*/card.yml")), ids=lambda file: file.parent.name)
def test_cards_name_architectures_that_give_what_they_say(file: Path) -> None:
    card = yaml.safe_load(file.read_text())
    architecture = card["architecture"]
    if "re-identification" not in card["task"] or "name" not in architecture:
        pytest.skip("no re-ID checkpoint")
    with torch.device("meta"), torch.inference_mode():
        module = create(architecture["name"], **architecture.get("options", {}))
        assert module(torch.empty(2, *card["input"]["shape"][1:])).shape == (2, card["embedding_dimension"])


def test_unknown_architecture_lists_the_known_ones() -> None:
    with pytest.raises(KeyError, match="osnet_x1_0"):
        create("osnet")


@pytest.mark.parametrize("wrap", [lambda d: {"state_dict": d, "epoch": 60}, lambda d: {"model": {"state_dict": d}}])
def test_wrapped_and_parallel_checkpoints(wrap: Any) -> None:
    plain = published_weights.random_weights("osnet_x0_25")
    wrapped = wrap({f"module.{name}": value for name, value in plain.items()})
    mapped = keys("osnet_x0_25", wrapped)
    assert "classifier.weight" not in mapped
    assert all(torch.equal(mapped[name], plain[name]) for name in mapped)
    assert set(plain) - set(mapped) == {"classifier.weight", "classifier.bias"}


def test_every_tensor_goes_to_the_place_of_its_name() -> None:
    weights = published_weights.random_weights(BOT[1])
    mapped = keys(BOT[0], weights)
    assert torch.equal(mapped["heads.bottleneck.0.weight"], weights["heads.bnneck.weight"])
    assert torch.equal(mapped["backbone.layer4.2.conv3.weight"], weights["backbone.layer4.2.conv3.weight"])


def test_missing_left_over_and_misshapen_are_all_named() -> None:
    weights = published_weights.random_weights("osnet_x0_25")
    del weights["conv3.0.gate.fc1.bias"]
    weights["conv6.conv.weight"] = torch.zeros(1)
    weights["fc.0.bias"] = torch.zeros(256)
    with pytest.raises(KeyMismatch, match=r"osnet_x0_25: 1 missing.*1 left over.*fc.0.bias \(256,\) instead of") as e:
        keys("osnet_x0_25", weights)
    assert e.value.missing == ["conv3.0.gate.fc1.bias"]
    assert e.value.left_over == ["conv6.conv.weight"]


def test_counters_may_be_absent() -> None:
    weights = published_weights.random_weights("osnet_x0_25")
    old = {name: value for name, value in weights.items() if not name.endswith("num_batches_tracked")}
    create("osnet_x0_25").load_state_dict(keys("osnet_x0_25", old), strict=True)


@pytest.mark.parametrize(
    ("architecture", "table", "named"),
    [
        ("osnet_x1_0", "osnet_ain_x1_0", "conv2.0.IN.bias"),
        ("osnet_x1_0", "osnet_ibn_x1_0", "conv2.0.IN.bias"),
        ("osnet_x1_0", "osnet_x0_25", r"conv1.conv.weight \(16, 3, 7, 7\) instead of \(64, 3, 7, 7\)"),
        ("fastreid_bot_r50", "fastreid_sbs_r50_release_0.1", "backbone.NL_2.0.W.0.bias"),
        ("fastreid_sbs_r50", "fastreid_sbs_r50_release_1", "heads.bottleneck.0.bias"),
        ("personvit_b", "transreid_vit_b_stride_16", "left over: b1.0.attn.proj.bias"),
        ("transreid_vit_b", "personvit_b", "missing: b1.0.attn.proj.bias"),
        ("transreid_vit_b", "transreid_vit_b_stride_12", "1 left over: base.sie_embed"),
    ],
)
def test_another_models_checkpoint_is_refused(architecture: str, table: str, named: str) -> None:
    with pytest.raises(KeyMismatch, match=named):
        keys(architecture, published_weights.random_weights(table))


def test_a_checkpoint_of_another_release_is_refused() -> None:
    """The max pool of FastReID moved between them: names are the only sign of it."""
    weights = published_weights.random_weights(BOT[1])
    with pytest.raises(KeyMismatch, match=r"heads\.bnneck"):
        keys(BOT[0], weights, release="1")


@pytest.mark.parametrize("found", [{}, {"state_dict": [1]}, {"epoch": 3, "optimizer": {}}])
def test_what_is_no_state_dict_is_refused(found: Any) -> None:
    with pytest.raises(ModelError, match="expected a state dict"):
        keys("osnet_x0_25", found)


def test_positions_of_another_stride_are_refused_not_resized() -> None:
    """TransReID itself resizes ImageNet's positions before training, never those of a finished checkpoint."""
    weights = published_weights.random_weights("transreid_vit_b_stride_16")
    with pytest.raises(KeyMismatch, match=r"base.pos_embed \(1, 129, 768\) instead of \(1, 211, 768\)"):
        keys("transreid_vit_b", weights, cameras=6)


def _small_transreid(**options: Any) -> torch.nn.Module:
    return create("transreid_vit_b", size=(64, 48), stride=16, width=48, heads=3, **options)


@pytest.mark.parametrize("rows", [[2], [0, 5], None])
def test_folded_side_information_gives_what_its_labels_give(rows: list[int] | None) -> None:
    module = _small_transreid(cameras=3, views=2, jigsaw=False)
    images = published_weights.images(64, 48)
    side = module.base.sie_embed
    with torch.inference_mode():
        if rows is not None and len(rows) == 1:
            expected = module(images, camera=torch.tensor([1, 1]), view=torch.tensor([0, 0]))  # row 1 * 2 + 0
        else:
            mean = side[rows or range(6)].mean(0, keepdim=True)
            expected = module.base(images, mean)[:, 0]
        without = module.base(images)[:, 0]
    module.fold_side(rows)
    with torch.inference_mode():
        folded = module(images)
    torch.testing.assert_close(folded, expected, rtol=1e-4, atol=1e-5)
    assert (folded - without).abs().max() > 1e-3
    assert "base.sie_embed" not in module.state_dict()
    with pytest.raises(ValueError, match="found none"):
        module.fold_side()


def test_without_labels_the_mean_row_is_taken() -> None:
    module = _small_transreid(cameras=4)
    images = published_weights.images(64, 48)
    with torch.inference_mode():
        unlabelled = module(images)
        module.fold_side()
        torch.testing.assert_close(module(images), unlabelled, rtol=1e-4, atol=1e-5)


def test_labels_that_the_checkpoint_cannot_know_are_refused() -> None:
    images, labels = published_weights.images(64, 48), torch.tensor([0, 1])
    with pytest.raises(ValueError, match=r"expected \(False, False\), found \(True, False\)"):
        _small_transreid()(images, camera=labels)
    with pytest.raises(ValueError, match=r"expected \(True, True\), found \(True, False\)"):
        _small_transreid(cameras=3, views=2)(images, camera=labels)
    with pytest.raises(ValueError, match="some of 0 to 2"):
        _small_transreid(cameras=3).fold_side([3])


def test_patches_are_shuffled_as_the_paper_draws_it() -> None:
    """Moved on by four, then the first and the second half take turns; an odd one out repeats the last but one."""
    module = _small_transreid()  # 4 rows of 3 patches
    tokens = torch.arange(13.0)[None, :, None]
    assert module.shuffled(tokens)[0, :, 0].tolist() == [5, 11, 6, 12, 7, 1, 8, 2, 9, 3, 10, 4]
    module = create("transreid_vit_b", size=(48, 48), stride=16, width=48, heads=3)  # 9 patches
    tokens = torch.arange(10.0)[None, :, None]
    assert module.shuffled(tokens)[0, :, 0].tolist() == [5, 1, 6, 2, 7, 3, 8, 4, 9, 3]
