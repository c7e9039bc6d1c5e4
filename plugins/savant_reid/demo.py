"""The simulated site as input of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from savant_reid.errors import OutputError

if TYPE_CHECKING:
    from simulated_site.write import SiteFiles


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
