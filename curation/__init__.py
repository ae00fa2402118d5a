"""The library: ingest, stages, store, ledger, engines and report. Knows nothing of Prefect or the command line."""
