"""model_builder is not part of the wheel: found beside the tests, wherever they are started."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
