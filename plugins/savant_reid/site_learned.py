"""What an engine of a site starts from: the calibration that site.yml names."""

from __future__ import annotations

from savant_reid.identity.learned import Learned
from savant_reid.site import Site


def load_learned(site: Site, embedding_model: str | None = None) -> Learned | None:
    """None where the site names no calibration. Raises ConfigError where the file is not what it should be.

    embedding_model: of the embeddings to come, None where it is not known. A calibration of another one is refused.
    """
    path = site.calibration_path
    if path is None:
        return None
    from savant_reid.calibration.files import read_start, tell_of_cameras

    start = read_start(path)
    if embedding_model is None:
        tell_of_cameras(start, list(site.cameras))
    else:
        start.check_model(embedding_model)
    return start.learned
