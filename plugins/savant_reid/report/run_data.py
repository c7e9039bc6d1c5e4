"""What lies in a run folder, as far as it can be read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from savant_reid.errors import DataError, OutputError
from savant_reid.report.rows import Rows, no_rows, read_rows
from savant_reid.sinks.lines import read_json_lines
from savant_reid.sinks.run_folder import (
    IDENTITIES,
    METRICS,
    MOSAIC,
    SIGNS,
    SITE,
    TRACKS,
    TRUTH,
    no_folder,
    no_run,
    overlay_name,
)


@dataclass(frozen=True)
class RunData:
    """metrics: empty when the run did not come to its end. truth: None where nobody knows it.

    videos: camera to file name. problems: sentences for the reader about what could not be read.
    """

    metrics: dict[str, Any]
    rows: Rows
    truth: Rows | None
    events: list[dict[str, Any]]
    site: dict[str, Any]
    cameras: list[str]
    videos: dict[str, str]
    mosaic: str | None
    problems: list[str] = field(default_factory=list)

    @property
    def site_name(self) -> str:
        return str(self.metrics.get("site") or self.site.get("site") or "unnamed site")


def read_run(run: Path) -> RunData:
    """Raises OutputError when `run` is no run folder; what is missing or broken inside becomes a problem to report."""
    _check_run_folder(run)
    problems: list[str] = []
    metrics = _mapping(run / METRICS, json.loads, problems)
    if not (run / METRICS).exists():
        problems.append(
            "The run did not come to its end: there is no metrics.json. This page shows what it had written."
        )
    rows = _rows(run / TRACKS, problems) or no_rows()
    site = _mapping(run / SITE, yaml.safe_load, problems)
    cameras = _cameras(site, metrics, rows)
    # Without scores, a truth.csv beside a finished run is of another run, or was not meant for this one.
    knows_truth = (run / TRUTH).exists() and (not metrics or bool(metrics.get("scores")))
    names = {camera: overlay_name(camera) for camera in cameras}
    return RunData(
        metrics=metrics,
        rows=rows,
        truth=_rows(run / TRUTH, problems) if knows_truth else None,
        events=_events(run / IDENTITIES, problems),
        site=site,
        cameras=cameras,
        videos={camera: name for camera, name in names.items() if (run / name).is_file()},
        mosaic=MOSAIC if (run / MOSAIC).is_file() else None,
        problems=problems,
    )


def read_settings(run: Path) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """metrics.json and site.yml of a run folder, and sentences about what of them could not be read.

    Raises OutputError when `run` is no run folder.
    """
    _check_run_folder(run)
    problems = [f"There is no {name}." for name in (METRICS, SITE) if not (run / name).exists()]
    return _mapping(run / METRICS, json.loads, problems), _mapping(run / SITE, yaml.safe_load, problems), problems


def _check_run_folder(run: Path) -> None:
    """A page in any other folder might take the place of a report.html of the user's, and would pass for a run."""
    if message := no_folder(run):
        raise OutputError(message)
    if not any((run / name).exists() for name in SIGNS):
        raise OutputError(no_run(run, f"none of {', '.join(SIGNS)} in it"))


def mapping(value: Any) -> dict[str, Any]:
    """`value` where it is a mapping, else an empty one: a broken copy of a file must not cost the whole page."""
    return value if isinstance(value, dict) else {}


def _mapping(path: Path, parse: Any, problems: list[str]) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return mapping(parse(path.read_text(encoding="utf-8")))
    except (ValueError, yaml.YAMLError, OSError) as error:
        problems.append(f"{path.name} cannot be read: {error}")
        return {}


def _rows(path: Path, problems: list[str]) -> Rows | None:
    try:
        return read_rows(path)
    except FileNotFoundError:
        problems.append(f"There is no {path.name}.")
    except (DataError, OSError) as error:
        problems.append(f"{path.name} cannot be read: {error}")
    return None


def _events(path: Path, problems: list[str]) -> list[dict[str, Any]]:
    if not path.exists():
        problems.append(f"There is no {path.name}.")
        return []
    wanted = {"kind": str, "time_ns": int, "global_id": int}
    events = read_json_lines(path)
    return [one for one in events if all(isinstance(one.get(name), kind) for name, kind in wanted.items())]


def _cameras(site: dict[str, Any], metrics: dict[str, Any], rows: Rows) -> list[str]:
    """In the order of site.yml; a camera that the site has but the run had not is left out when metrics tell."""
    ran = list(map(str, mapping(metrics.get("cameras"))))
    named = [str(name) for name in mapping(site.get("cameras")) if not ran or str(name) in ran]
    return list(dict.fromkeys([*named, *ran, *rows.cameras]))
