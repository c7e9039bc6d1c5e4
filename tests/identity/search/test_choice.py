"""Which search a site gets, and what is said where it cannot have the one it asks for."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from savant_reid.errors import ConfigError
from savant_reid.identity.policy import Policy
from savant_reid.identity.resolver import Resolver
from savant_reid.identity.search import ExactSearch, SearchUnavailable, choice, search_for
from savant_reid.identity.search.array_module import ArraySearch
from savant_reid.identity.search.device import DeviceSearch
from savant_reid.identity.topology import Topology
from savant_reid.pyfuncs import shared
from tests.identity.scenes import People, frames, visits
from tests.identity.search.cuda_on_cpu import CupyOnCpu


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(choice.VARIABLE, raising=False)


@pytest.fixture
def no_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> CupyOnCpu:
    """A machine with a GPU of 8 GB, all of it free."""
    module = CupyOnCpu()
    module.cuda = SimpleNamespace(
        is_available=lambda: True, Device=lambda: SimpleNamespace(mem_info=(8_000_000_000, 8_000_000_000))
    )
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


@pytest.mark.usefixtures("no_cupy")
def test_without_a_gpu_the_host_does_all() -> None:
    for rows in (100, choice.GPU_PAYS_FROM_ROWS + 1):
        assert type(search_for()(4, rows)) is ExactSearch
    assert search_for("exact") is ExactSearch


@pytest.mark.usefixtures("cupy")
def test_a_gpu_takes_large_galleries() -> None:
    """With what has been measured on one."""
    at = choice.GPU_PAYS_FROM_ROWS
    assert type(search_for("auto")(4, at)) is ExactSearch
    assert type(search_for("auto")(4, at + 1)) is ArraySearch


@pytest.mark.usefixtures("cupy")
@pytest.mark.parametrize(
    ("name", "kind", "dtype"),
    [
        ("gpu", DeviceSearch, np.float32),
        ("gpu-half", DeviceSearch, np.float16),
        ("gpu-arrays", ArraySearch, np.float32),
    ],
)
def test_by_name_whatever_the_size(name: str, kind: type, dtype: type) -> None:
    search = search_for(name)(4, 10)
    assert type(search) is kind
    assert search._pages.on_device()[0].dtype == dtype


def test_what_does_not_fit_stays_on_the_host(cupy, caplog: pytest.LogCaptureFixture) -> None:
    """Half of 8 GB: 1,562,500 rows of 512 float32 with what is reserved beyond them, twice as many in float16."""
    reserved = []
    cupy.zeros = lambda *shape: reserved.append(shape)
    with caplog.at_level(logging.WARNING):
        kinds = [type(search_for(name)(512, 1_600_000)) for name in ("gpu", "gpu-arrays")]
    assert kinds == [ExactSearch, ExactSearch]
    assert "need 4.1 GB of half the GPU's free 8.0 GB; lower identity.capacity" in caplog.text
    assert not reserved


@pytest.mark.usefixtures("no_cupy")
def test_a_name_that_cannot_be_is_told_with_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"expected one of auto, exact, .*faiss-gpu; found 'cuda'"):
        search_for("cuda")
    monkeypatch.setenv(choice.VARIABLE, "gpu_half")
    with pytest.raises(SearchUnavailable, match=r"SAVANT_REID_SEARCH.*found 'gpu_half'"):
        search_for("exact")


@pytest.mark.usefixtures("no_cupy")
@pytest.mark.parametrize("name", ["gpu", "gpu-half", "gpu-arrays", "faiss", "faiss-gpu"])
def test_a_name_that_cannot_be_had_here_says_why(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    monkeypatch.delitem(sys.modules, "savant_reid.identity.search.faiss_cpu", raising=False)
    monkeypatch.delitem(sys.modules, "savant_reid.identity.search.faiss_gpu", raising=False)
    with pytest.raises(SearchUnavailable, match=f"identity.search: {name}: .*(cupy|faiss).*; install what"):
        search_for(name)


def test_faiss_without_a_gpu_says_so() -> None:
    faiss = pytest.importorskip("faiss", reason="faiss is not installed (the extra 'faiss')")
    if hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus():
        pytest.skip("FAISS has a GPU here")
    with pytest.raises(
        SearchUnavailable, match="faiss-gpu: expected FAISS built for GPUs and an NVIDIA GPU, found FAISS"
    ):
        search_for("faiss-gpu")


@pytest.mark.usefixtures("cupy")
def test_the_environment_overrides_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(choice.VARIABLE, "gpu-half")
    assert type(search_for("exact")(4, 10)) is DeviceSearch


@pytest.mark.usefixtures("cupy")
def test_every_search_names_the_same_people() -> None:
    pytest.importorskip("faiss", reason="faiss is not installed (the extra 'faiss')")
    ways = [(person, camera, 40 * i + 3 * person) for i, camera in enumerate("ABA") for person in range(1, 6)]
    scene, said = visits(*((person, camera, start, start + 6) for person, camera, start in ways)), {}
    for name in ("exact", "auto", "faiss", "gpu", "gpu-half"):
        core = Resolver(Topology(["A", "B"]), Policy(capacity=50), search=search_for(name))
        said[name] = [[d.identity for d in core.resolve(batch)] for batch in frames(scene, People(5))]
    right = said.pop("exact")
    assert {one for those in right for one in those if isinstance(one, int)} == set(range(1, 6))
    for name, answers in said.items():
        assert answers == right, name


def test_the_site_names_it(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(shared, "search_for", lambda name: made.append(name) or ExactSearch)
    for number, asked in enumerate(["", ", search: gpu-half"]):
        site = tmp_path / f"{number}.yml"
        site.write_text(f"site: shop\ncameras: {{door: {{}}}}\nidentity: {{capacity: 100{asked}}}\n")
        shared.shared_resolver(site)
        shared.forget(site)
    assert made == ["auto", "gpu-half"]
