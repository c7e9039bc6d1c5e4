"""The people of a run folder, for its owner: look, search, enrol, merge, split, forget."""
