"""Where records go: one small module per file of a run folder (docs/metadata.md says what stands in each)."""
