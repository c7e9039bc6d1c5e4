"""The simulated site as input of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from savant_reid.errors import OutputError
from savant_reid.sinks.run_folder import check_no_files_of_the_user, check_run_folder, written_files

if TYPE_CHECKING:
    from simulated_site.write import SiteFiles


# The simulated videos, truth and site file lie in this folder of the run's.
SITE_FOLDER = "site"


def prepare_demo_folder(out: Path, force: bool) -> None:
    """Refuses (OutputError) now what the run would refuse after minutes of simulation. Removes nothing: an earlier run
    stays until the new one is ready to start."""
    check_run_folder(out, force)
    if not written_files(out):
        check_no_files_of_the_user(out)
    folder = out / SITE_FOLDER
    if not force and folder.is_dir() and any(folder.iterdir()):
        raise OutputError(f"{folder}: is not empty; choose another folder, or --force to simulate into it")


def simulate(folder: Path, seed: int, cameras: int, people: int, seconds: float, bar: Any) -> SiteFiles:
    """Render a site into `folder`: a video per camera, truth.csv, site.yml. bar: a tqdm bar that counts frames."""
    from simulated_site.site import make_site
    from simulated_site.write import SiteWriteError, write_site

    site = make_site(seed, cameras=cameras, people=people, seconds=seconds)
    bar.reset(total=round(cameras * seconds * site.fps))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return write_site(folder, site, progress=bar.update)
    except (SiteWriteError, OSError) as error:
        raise OutputError(f"{folder}: the simulated site cannot be written: {error}") from error
