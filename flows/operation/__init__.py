"""How runs are operated by a Prefect server: deployments, limits, approval, artifacts, logs, task runners."""
