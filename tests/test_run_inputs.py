"""Which site a run takes, and what it may not overwrite."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import yaml

from savant_reid.errors import ConfigError, SourceError
from savant_reid.hosts.local.module_config import load_module
from savant_reid.hosts.local.rtsp_address import parse_address
from savant_reid.run_inputs import choose_site
from savant_reid.site import load_site

MODULE = Path(__file__).parents[1] / "module" / "module.yml"


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch):
    monkeypatch.delenv("SAVANT_REID_SITE", raising=False)


def choose(cameras, given=None, module=MODULE, **overrides):
    overrides = {f"parameters.{key}": value for key, value in overrides.items()}
    return choose_site(load_module(module, overrides), overrides, given, cameras)


@pytest.fixture
def shop(tmp_path):
    path = tmp_path / "shop.yml"
    path.write_text("site: shop\ncameras: {door: {source: videos/door.mp4}, hall: {source: 'rtsp://h/1'}}\n")
    return path


def test_the_modules_own_site_is_taken_where_it_knows_the_cameras():
    chosen = choose(["entrance", "aisle"])
    assert chosen.site.site == "my-site"
    assert chosen.file == MODULE.parent / "site.yml"


def test_else_the_names_are_all_that_is_known_and_that_is_said(caplog):
    with caplog.at_level(logging.WARNING):
        chosen = choose(["roof", "cellar", "entrance"])
    assert list(chosen.site.cameras) == ["roof", "cellar", "entrance"]
    assert "site.yml does not know roof, cellar: nothing is known of the ways" in caplog.text
    assert "--site" in caplog.text


def test_one_camera_has_no_ways_to_know(caplog):
    choose(["roof"])
    assert caplog.text == ""


def test_a_named_site_must_exist(tmp_path, monkeypatch):
    missing = tmp_path / "missing.yml"
    with pytest.raises(ConfigError, match=f"{missing}: expected a site file"):
        choose(["door"], given=missing)
    with pytest.raises(ConfigError, match=f"{missing}: expected a site file"):
        choose(["door"], site=str(missing))
    monkeypatch.setenv("SAVANT_REID_SITE", str(missing))
    with pytest.raises(ConfigError, match=f"{missing}: expected a site file"):
        choose(["door"])


def test_a_named_site_must_know_the_cameras(shop, monkeypatch):
    with pytest.raises(ConfigError, match="expected roof of the command line among them, found door, hall"):
        choose(["roof"], given=shop)
    with pytest.raises(ConfigError, match="expected roof"):
        choose(["roof"], site=str(shop))
    monkeypatch.setenv("SAVANT_REID_SITE", str(shop))
    with pytest.raises(ConfigError, match="expected roof"):
        choose(["roof"])
    assert choose(["door"]).site.site == "shop"


def test_a_module_without_its_default_site_still_runs(tmp_path, caplog):
    module = tmp_path / "module.yml"
    module.write_text(MODULE.read_text())
    assert list(choose(["a", "b"], module=module).site.cameras) == ["a", "b"]
    assert "site.yml does not exist" in caplog.text
    with pytest.raises(ConfigError, match="expected --source CAMERA=URI or a site file with sources, found neither"):
        choose([], module=module)


def test_sources_come_from_the_site_file_with_its_folder(shop):
    chosen = choose([], given=shop)
    assert chosen.pairs([]) == [("door", str(shop.parent / "videos/door.mp4")), ("hall", "rtsp://h/1")]
    assert chosen.pairs([("door", "x.mp4")]) == [("door", "x.mp4")]
    assert chosen.files(chosen.pairs([]), None) == [shop.parent / "videos/door.mp4", shop]
    with pytest.raises(ConfigError, match=r"found neither \(.*site.yml names no source\)"):
        choose([]).pairs([])
    shop.write_text(shop.read_text().replace("{source: 'rtsp://h/1'}", "{}"))
    with pytest.raises(ConfigError, match=r"shop.yml: cameras.hall: expected a source here or --source hall=URI"):
        choose([], given=shop).pairs([])


def test_the_copy_of_the_site_still_finds_its_videos(shop, tmp_path):
    copies = choose([], given=shop).copies(tmp_path / "runs" / "out", None)
    assert [copy.name for copy in copies] == ["site.yml"]
    assert f"source: {shop.parent}/videos/door.mp4" in copies[0].content().decode()


@pytest.mark.parametrize(
    "password", ["hunter2", "hunter 2", "hunter'2", 'hunt"er2', "hunter2@x", "hunter/2", "hunter#2"]
)
def test_the_copy_of_the_site_keeps_no_passwords_and_can_be_read(shop, tmp_path, password):
    data = yaml.safe_load(shop.read_text())
    data["cameras"]["hall"]["source"] = source = f"rtsp://guard:{password}@h/{'long/' * 30}1?token=hunter2"
    shop.write_text(yaml.safe_dump(data))
    chosen = choose([], given=shop)
    assert chosen.pairs([])[1] == ("hall", source)
    copy = chosen.copies(tmp_path, None)[0].content().decode()
    assert "hunt" not in copy
    (tmp_path / "site.yml").write_text(copy)
    assert load_site(tmp_path / "site.yml").cameras["hall"].source == f"rtsp://***@h/{'long/' * 30}1?..."
    with pytest.raises(SourceError, match=r"'hall'.*taken out"):
        parse_address(*choose([], given=tmp_path / "site.yml").pairs([])[1])


def test_the_copy_of_the_site_keeps_variables(shop, tmp_path):
    shop.write_text(shop.read_text().replace("rtsp://h/1", "rtspu://${GUARD}:${PASSWORD}@h/1"))
    assert "rtspu://${GUARD}:${PASSWORD}@h/1" in choose([], given=shop).copies(tmp_path, None)[0].content().decode()
