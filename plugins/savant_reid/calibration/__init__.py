"""Thresholds from unlabelled sightings, and what a new start of the engine need not learn again."""
