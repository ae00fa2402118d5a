"""Experiments: what a choice of data does to a model trained on it. They take minutes to hours and prove no code."""
