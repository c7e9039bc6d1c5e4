"""The identity core alone, over recorded sightings: `savant-reid replay`.

recording (Parquet, checked) -> scan (one light pass) -> sorted by time where need be -> rows -> frames, with the empty
frames between them -> batches -> resolver -> the sinks of a run. Nothing holds more than a few thousand rows at once.
"""
