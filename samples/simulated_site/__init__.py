"""A simulated site: rooms, cameras and walking people, drawn in software, with the truth of who is where.

Everything is a function of a seed. Nothing here imports `savant_reid`; its command line imports this package.
"""
