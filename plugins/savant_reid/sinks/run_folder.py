"""The folder of one run: its file names, and the right to write there."""

from __future__ import annotations

import tempfile
from pathlib import Path

from savant_reid.errors import OutputError

FRAMES = "frames.jsonl"
IDENTITIES = "identities.jsonl"
TRACKS = "tracks.csv"
SIGHTINGS = "sightings.parquet"
METRICS = "metrics.json"
REPORT = "report.html"
MOSAIC = "mosaic.mp4"
# Copies of what the run was given. A user may keep the originals here (`--out .`): they are no sign of a run and are
# never removed.
SITE = "site.yml"
TRUTH = "truth.csv"

_WRITTEN = (FRAMES, IDENTITIES, TRACKS, SIGHTINGS, METRICS, REPORT, MOSAIC)
_PARTS_OF = ("part-*.parquet", ".part-*.tmp")


def overlay_name(camera: str) -> str:
    """File name of one camera's overlay video; what file names cannot hold becomes an underscore."""
    return "overlay-" + "".join("_" if sign in "/\\" or ord(sign) < 32 else sign for sign in camera) + ".mp4"


def prepare_run_folder(out: Path, force: bool = False) -> None:
    """Makes `out` ready for a new run.

    With `force` the files of an earlier run are removed, and nothing else of what lies there.
    Raises OutputError when `out` is no folder, cannot be written, or holds a run and `force` is False.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise OutputError(f"--out {out}: expected a folder, found a file in its place (or in its path)") from None
    except OSError as error:
        raise OutputError(f"--out {out}: the folder cannot be made: {error.strerror or error}") from error
    _check_writable(out)
    found = written_files(out)
    if not found:
        return
    if not force:
        names = ", ".join(path.name for path in found)
        raise OutputError(
            f"--out {out}: holds a run already ({names}); choose another folder, or --force to replace it"
        )
    for path in found:
        _remove(path)


def written_files(out: Path) -> list[Path]:
    """What lies in `out` under the names that a run writes, temporary files of a killed run included."""
    names = [name for written in _WRITTEN for name in (written, f"{written}.tmp", f"{written}.parts")]
    found = [out / name for name in names if (out / name).exists() or (out / name).is_symlink()]
    return found + sorted(out.glob("overlay-*.mp4"))


def _check_writable(out: Path) -> None:
    # Permission bits say little (root, read-only mounts, full disks): the only sure test is to write.
    try:
        with tempfile.NamedTemporaryFile(dir=out, prefix=".savant-reid-") as probe:
            probe.write(b"x")
    except OSError as error:
        raise OutputError(f"--out {out}: nothing can be written there: {error.strerror or error}") from error


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            for pattern in _PARTS_OF:
                for part in path.glob(pattern):
                    part.unlink()
            path.rmdir()
        else:
            path.unlink()
    except OSError as error:
        raise OutputError(f"{path}: cannot be removed: {error.strerror or error}") from error
