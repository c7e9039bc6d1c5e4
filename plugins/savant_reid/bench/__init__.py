"""The identity core against its baselines, on recordings with a known truth."""
