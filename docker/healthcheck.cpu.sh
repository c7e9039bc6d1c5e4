#!/bin/sh
# Healthy while some run below $SAVANT_REID_RUNS writes frames: its frames.jsonl is younger than a minute.
find "${SAVANT_REID_RUNS:-/runs}" -name frames.jsonl -mmin -1 2>/dev/null | grep -q .
