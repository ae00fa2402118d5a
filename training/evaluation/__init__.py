"""Evaluation of trained models: answers to held-out prompts, scored and compared, with intervals (docs/evaluation.md).

It starts with the leakage check; `run.evaluate` is the entry, `compare.comparison` puts results into one table.
"""
