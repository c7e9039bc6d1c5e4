"""The folder of one run: its file names, and the right to write there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from savant_reid.errors import OutputError
from savant_reid.whole_files import replacing, temporary_of

FRAMES = "frames.jsonl"
IDENTITIES = "identities.jsonl"
TRACKS = "tracks.csv"
SIGHTINGS = "sightings.parquet"
METRICS = "metrics.json"
REPORT = "report.html"
MOSAIC = "mosaic.mp4"
# Copies of what the run was given. A user may keep the originals here (`--out .`): they are no sign of a run, and are
# replaced only beside one.
SITE = "site.yml"
TRUTH = "truth.csv"

# One of them at least lies in every run folder, and nothing else is called so.
SIGNS = (FRAMES, IDENTITIES, TRACKS, SIGHTINGS, METRICS)
_WRITTEN = (*SIGNS, REPORT, MOSAIC)
_PARTS_OF = ("part-*.parquet", ".part-*.tmp")


def overlay_name(camera: str) -> str:
    """File name of one camera's overlay video; what file names cannot hold becomes an underscore."""
    return "overlay-" + "".join("_" if sign in "/\\" or ord(sign) < 32 else sign for sign in camera) + ".mp4"


@dataclass(frozen=True)
class Copy:
    """What the run was given, to lie in its folder too. original: the file it came from, where it is one."""

    name: str
    content: Callable[[], bytes]
    original: Path | None = None

    def is_there(self, out: Path) -> bool:
        """The folder holds the original itself, or the same bytes already: nothing is to be written."""
        target = out / self.name
        return self.is_original(out) or (target.is_file() and target.read_bytes() == self.content())

    def is_original(self, out: Path) -> bool:
        target = out / self.name
        return self.original is not None and target.exists() and self.original.resolve() == target.resolve()


def prepare_run_folder(out: Path, force: bool = False, copies: Sequence[Copy] = ()) -> None:
    """Makes `out` ready for a new run, and puts the copies into it.

    With `force` the files of an earlier run are removed, and nothing else of what lies there.
    Raises OutputError as check_run_folder does, or where a copy would take the place of a file of the user's own.
    """
    check_run_folder(out, force)
    found = written_files(out)
    missing = [copy for copy in copies if not copy.is_there(out)]
    if not found:
        check_no_files_of_the_user(out, [copy.name for copy in missing])
    for path in found:
        _remove(path)
    for copy in missing:
        with replacing(out / copy.name) as temporary:
            temporary.write_bytes(copy.content())


def check_run_folder(out: Path, force: bool = False) -> None:
    """Makes `out` if it is missing; removes nothing.

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
    if found and not force:
        names = ", ".join(path.name for path in found)
        raise OutputError(
            f"--out {out}: holds a run already ({names}); choose another folder, or --force to replace it"
        )


def check_no_files_of_the_user(out: Path, names: Iterable[str] = (SITE, TRUTH)) -> None:
    """Raises OutputError where `out`, which holds no run, has files of names that a run would write copies to."""
    for name in names:
        if os.path.lexists(out / name):
            raise OutputError(
                f"{out / name}: would be overwritten by this run's copy, but is not what the run was given; "
                "choose another folder, move the file away, or name it with --site or --truth"
            )


def check_inputs(out: Path, cameras: Iterable[str], inputs: Iterable[Path], copies: Sequence[Copy] = ()) -> None:
    """Raises OutputError where a run of `cameras` would write over or remove one of its own input files."""
    names = _names() + [overlay_name(camera) for camera in cameras] + [path.name for path in written_files(out)]
    names += [copy.name for copy in copies if not copy.is_original(out)]
    touched = {out.resolve() / name for name in names}
    for path in inputs:
        real = {path.resolve(), path.parent.resolve() / path.name}
        if touched & (real | set(path.resolve().parents)):
            raise OutputError(
                f"--out {out}: the run would write over {path}, which is one of its inputs; choose another folder"
            )


def no_folder(path: Path) -> str | None:
    """What to say where a run folder is read and `path` is no folder at all; None where it is one."""
    if path.is_dir():
        return None
    return no_run(path, "a file" if path.exists() else "nothing of that name")


def no_run(path: Path, found: str) -> str:
    """What to say where a run folder is read, and something else was found."""
    return f"{path}: expected a run folder, as savant-reid run, demo and replay write it, found {found}"


def written_files(out: Path) -> list[Path]:
    """What lies in `out` under the names that a run writes, temporary files of a killed run included."""
    found = [out / name for name in _names() if (out / name).exists() or (out / name).is_symlink()]
    return found + sorted(out.glob("overlay-*.mp4"))


def _names() -> list[str]:
    """What a run writes under names of its own, and what one that was killed can leave of it."""
    return [
        name
        for written in _WRITTEN
        for name in (written, temporary_of(Path(written)).name, f"{written}.tmp", f"{written}.parts")
    ]


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
