from __future__ import annotations

import sys
from pathlib import Path

# Test modules are imported by path (importlib mode), so that their helpers must be found by name.
sys.path.insert(0, str(Path(__file__).parent))
