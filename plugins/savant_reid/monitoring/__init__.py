"""What a run tells of itself while it runs: metrics for Prometheus, health for whoever restarts it, logs."""
