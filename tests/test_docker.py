"""Images and compose files, held together without Docker; with its tools where they are installed."""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from savant_reid.__main__ import THREAD_SETTINGS
from savant_reid.identity import search
from savant_reid.site import load_site

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
SAMPLE = ROOT / "samples" / "multi_rtsp"
DOCKERFILES = sorted(DOCKER.glob("Dockerfile.*"))
ON_GPU = sorted(DOCKER.glob("compose.*.yml"))
COMPOSE = [*ON_GPU, SAMPLE / "docker-compose.cpu.yml"]

# Savant 0.5.0: docs/source/savant_101/10_adapters.rst, the adapters' own config modules, savant/config/default.yml.
CAMERA = {"ZMQ_ENDPOINT", "SOURCE_ID", "RTSP_URI", "RTSP_TRANSPORT", "SYNC_OUTPUT", "BUFFER_LEN", "FFMPEG_TIMEOUT_MS"}
RTSP_SINK = {"ZMQ_ENDPOINT", "SOURCE_IDS", "STUB_FILE_LOCATION", "MAX_DELAY_MS", "FRAMERATE", "DEV_MODE", "RTSP_URI"}
KAFKA_SINK = {
    *("ZMQ_ENDPOINT", "KAFKA_BROKERS", "KAFKA_TOPIC", "KAFKA_CREATE_TOPIC", "KAFKA_CREATE_TOPIC_NUM_PARTITIONS"),
    *("KAFKA_CREATE_TOPIC_REPLICATION_FACTOR", "KAFKA_CREATE_TOPIC_CONFIG"),
    *("REDIS_HOST", "REDIS_PORT", "REDIS_TTL_SECONDS"),
}
SAVANT = {"ZMQ_SRC_ENDPOINT", "ZMQ_SINK_ENDPOINT", "METRICS_PROVIDER", "METRICS_PROVIDER_PARAMS", "METRICS_TIME_PERIOD"}
LATER_SAVANT = {"WEBSERVER_PORT"}


def names(path: Path) -> str:
    return path.name


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """(instruction, the rest), continued lines joined, comments left out."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [
        (word.upper(), " ".join(rest.split())) for word, _, rest in (x.partition(" ") for x in text.splitlines() if x)
    ]


def services(compose: Path) -> dict[str, dict[str, Any]]:
    """The services with what they extend; relative paths of mounts are made absolute as Compose does."""
    return {
        name: extended(service, compose) for name, service in yaml.safe_load(compose.read_text())["services"].items()
    }


def extended(service: Mapping[str, Any], file: Path) -> dict[str, Any]:
    own = dict(service)
    own["volumes"] = [absolute(mount, file.parent) for mount in own.get("volumes", [])]
    parent = own.pop("extends", None)
    if parent is None:
        return own
    other = file.parent / parent["file"]
    base = extended(yaml.safe_load(other.read_text())["services"][parent["service"]], other)
    environment = {**base.get("environment", {}), **own.get("environment", {})}
    return {**base, **own, "environment": environment, "volumes": base["volumes"] + own["volumes"]}


def absolute(mount: str, folder: Path) -> str:
    source, _, rest = filled(mount).partition(":")
    return f"{(folder / source).resolve()}:{rest}" if source.startswith(".") else f"{source}:{rest}"


def filled(text: str) -> str:
    """With the defaults of variables."""
    return re.sub(r"\$\{\w+(?::-([^}]*)|:\?[^}]*)?\}", lambda found: found[1] or "", text)


def mounts(compose: Path) -> Iterator[tuple[str, str]]:
    """(source, target) of everything that is mounted."""
    for service in services(compose).values():
        for mount in service["volumes"]:
            source, target, *_ = mount.split(":")
            yield source, target


def is_pinned(image: str) -> bool:
    return bool(re.fullmatch(r"[\w./-]+:v?\d+\.\d+[\w.-]*", image))


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=names)
def test_bases_are_pinned(dockerfile):
    stages: set[str] = set()
    for word, rest in instructions(dockerfile):
        if word == "FROM":
            image, *alias = re.split(r" AS ", rest, flags=re.IGNORECASE)
            known = {f"base-{architecture}" for architecture in ("amd64", "arm64")}
            assert is_pinned(image) or (image == "base-${TARGETARCH}" and known == stages), image
            stages |= set(alias)


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=names)
def test_images_run_as_no_root_and_say_how_they_are(dockerfile):
    parts = instructions(dockerfile)
    assert [rest for word, rest in parts if word == "USER"] == ["10001:10001"]
    assert [word for word, _ in parts].count("HEALTHCHECK") == 1
    assert not [rest for word, rest in parts if word == "ADD"]
    # Root's work is done before.
    after = [word for word, _ in parts][[word for word, _ in parts].index("USER") :]
    assert "RUN" not in after


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=names)
def test_what_is_copied_is_there_and_reaches_the_builder(dockerfile):
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [source for word, rest in instructions(dockerfile) if word == "COPY" for source in rest.split()[:-1]]
    assert "plugins" in copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert any(fnmatch.fnmatch(source, pattern) or source.startswith(f"{pattern}/") for pattern in allowed), source


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=names)
def test_layers_keep_no_leftovers(dockerfile):
    for word, rest in instructions(dockerfile):
        for command in re.split(r" && ", rest) if word == "RUN" else ():
            if "pip install" in command:
                assert "--no-cache-dir" in command
            if "apt-get install" in command:
                assert "--no-install-recommends" in command
                assert "rm -rf /var/lib/apt/lists/*" in rest


def test_the_cpu_image_has_all_that_the_local_host_needs_pinned():
    pinned = {}
    for line in (DOCKER / "requirements.cpu.txt").read_text().splitlines():
        if not line.startswith("#"):
            name, version = line.split("==")
            pinned[name.lower().replace("_", "-")] = version
    text = (ROOT / "pyproject.toml").read_text()
    extras = "local|demo|zmq|savant|kafka|mqtt|protobuf|metrics"
    lists = re.findall(rf"^(dependencies|{extras}) = \[(.*?)\]$", text, re.DOTALL | re.MULTILINE)
    assert len(lists) == 9
    for requirement in map(Requirement, re.findall(r'"([^"]+)"', " ".join(found for _, found in lists))):
        assert requirement.specifier.contains(pinned[requirement.name.lower()]), requirement


def test_the_deepstream_image_keeps_its_numpy():
    lines = (DOCKER / "requirements.deepstream.txt").read_text().splitlines()
    assert "numpy<2" in lines
    [own] = re.findall(r"^dependencies = \[(.*?)\]$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    # What Savant 0.5's requirements/base.txt brings: click itself, PyYAML with OmegaConf.
    [kafka] = re.findall(r"^kafka = \[(.*?)\]$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    missing = {Requirement(text).name for text in re.findall(r'"([^"]+)"', own + kafka)} - {"numpy", "click", "PyYAML"}
    assert missing == {Requirement(line).name for line in lines if not line.startswith(("#", "numpy"))}


@pytest.mark.parametrize("compose", COMPOSE, ids=names)
def test_images_of_services_are_pinned_and_fit_the_platform(compose):
    for name, service in services(compose).items():
        image = service["image"]
        assert is_pinned(image), image
        if "/savant-" in image or name == "module":
            assert ("-l4t:" in image) == ("jetson" in compose.name), image


@pytest.mark.parametrize("compose", COMPOSE, ids=names)
def test_what_is_mounted_is_there(compose):
    volumes = yaml.safe_load(compose.read_text())["volumes"]
    used = set()
    for source, target in mounts(compose):
        if source.startswith("/"):
            assert Path(source).exists(), source
            assert Path(source).is_relative_to(ROOT)
        else:
            used.add(source)
        assert target.startswith("/")
    assert used == set(volumes)


@pytest.mark.parametrize("compose", COMPOSE, ids=names)
def test_services_wait_for_services_that_exist(compose):
    found = services(compose)
    for service in found.values():
        wanted = service.get("depends_on", {})
        assert set(wanted) <= set(found)
        for name, condition in wanted.items() if isinstance(wanted, dict) else ():
            image_has_one = name == "module"
            assert condition["condition"] == "service_healthy"
            assert image_has_one or "healthcheck" in found[name]


@pytest.mark.parametrize("compose", ON_GPU, ids=names)
def test_variables_are_ones_that_somebody_reads(compose):
    module_text = (ROOT / "module" / "module.yml").read_text()
    module_reads = set(re.findall(r"oc\.env:(\w+)", module_text))
    for name, service in services(compose).items():
        given = set(service.get("environment", {}))
        if name == "module":
            assert given <= SAVANT | LATER_SAVANT | module_reads | {search.choice.VARIABLE}
        elif name == "always-on-sink":
            assert given <= RTSP_SINK
        elif name == "kafka-sink":
            assert given <= KAFKA_SINK
        elif "savant-adapters-gstreamer" in service["image"]:
            assert given <= CAMERA
    for word, rest in instructions(DOCKER / "Dockerfile.deepstream"):
        if word == "ENV":
            ours = set(re.findall(r"(SAVANT_REID_\w+)=", rest))
            assert ours
            assert ours <= module_reads


def test_products_take_one_thread_in_the_container_too():
    settings = dict(
        pair
        for word, rest in instructions(DOCKER / "Dockerfile.deepstream")
        if word == "ENV"
        for pair in re.findall(r"(\w+)=(\S+)", rest)
    )
    assert [settings.get(name) for name in THREAD_SETTINGS] == ["1"] * len(THREAD_SETTINGS)


@pytest.mark.parametrize("compose", ON_GPU, ids=names)
def test_cameras_are_those_of_the_site_and_of_the_sink(compose):
    found = services(compose)
    cameras = {s["environment"]["SOURCE_ID"] for s in found.values() if "SOURCE_ID" in s.get("environment", {})}
    assert cameras == set(load_site(DOCKER / "site" / "site.yml").cameras)
    if "always-on-sink" in found:
        sink = found["always-on-sink"]
        assert set(sink["environment"]["SOURCE_IDS"].split(",")) == cameras
        stub = sink["environment"]["STUB_FILE_LOCATION"]
        assert (DOCKER / "stub" / Path(stub).name).read_bytes()[:3] == b"\xff\xd8\xff"


@pytest.mark.parametrize("compose", ON_GPU, ids=names)
def test_sockets_meet(compose):
    """Each one that connects has a partner that binds: of the right kind, at the port, on the host of that name."""
    partner = {"dealer": "router", "sub": "pub"}
    found = services(compose)
    bound = set()
    for key in ("ZMQ_SRC_ENDPOINT", "ZMQ_SINK_ENDPOINT"):
        kind, port = re.fullmatch(r"(\w+)\+bind:tcp://0\.0\.0\.0:(\d+)", found["module"]["environment"][key]).groups()
        bound.add((kind, port))
    met = set()
    for service in found.values():
        if "ZMQ_ENDPOINT" in service.get("environment", {}):
            address = service["environment"]["ZMQ_ENDPOINT"]
            kind, port = re.fullmatch(r"(\w+)\+connect:tcp://module:(\d+)", address).groups()
            met.add((partner[kind], port))
    assert met == bound


@pytest.mark.parametrize("compose", ON_GPU, ids=names)
def test_the_gpu_is_reached_as_the_platform_wants_it(compose):
    on_gpu = [one for one in services(compose).values() if re.search("savant-(reid|adapters)-deepstream", one["image"])]
    assert on_gpu
    for service in on_gpu:
        devices = service.get("deploy", {}).get("resources", {}).get("reservations", {}).get("devices", [])
        assert ("runtime" in service, bool(devices)) == ("jetson" in compose.name, "x86" in compose.name)


@pytest.mark.parametrize("compose", ON_GPU, ids=names)
def test_prometheus_finds_the_module_and_grafana_prometheus(compose):
    environment = services(compose)["module"]["environment"]
    port = json.loads(environment["METRICS_PROVIDER_PARAMS"])["port"]
    assert str(port) == environment["WEBSERVER_PORT"]
    [job] = yaml.safe_load((DOCKER / "prometheus.yml").read_text())["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"module:{port}"]}]
    [source] = yaml.safe_load((DOCKER / "grafana" / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    dashboard = json.loads((DOCKER / "grafana" / "dashboards" / "savant-reid.json").read_text())
    assert {target["datasource"]["uid"] for panel in dashboard["panels"] for target in panel.get("targets", [])} == {
        source["uid"]
    }


def test_every_variable_of_the_user_is_in_the_example():
    text = "\n".join(path.read_text() for path in (*ON_GPU, *(DOCKER / "common").glob("*.yml")))
    used = set(re.findall(r"\$\{(\w+)", text))
    example = (DOCKER / ".env.example").read_text()
    assert used == set(re.findall(r"^#?([A-Z0-9_]+)=", example, re.MULTILINE))
    demanded = set(re.findall(r"\$\{(\w+):\?", text))
    assert demanded == set(re.findall(r"^([A-Z0-9_]+)=", example, re.MULTILINE))


def compose_command() -> list[str] | None:
    if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else None


@pytest.mark.skipif(compose_command() is None, reason="Docker Compose is not installed")
@pytest.mark.parametrize("compose", COMPOSE, ids=names)
def test_compose_reads_them(compose):
    command = [*(compose_command() or []), "--env-file", str(DOCKER / ".env.example"), "-f", str(compose), "config"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found = yaml.safe_load(done.stdout)["services"]
    assert set(found) == set(services(compose))
    assert {name: service["image"] for name, service in found.items()} == {
        name: service["image"] for name, service in services(compose).items()
    }


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed")
@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=names)
def test_hadolint_is_content(dockerfile):
    done = subprocess.run(["hadolint", str(dockerfile)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
