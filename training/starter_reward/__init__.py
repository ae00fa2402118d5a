"""The project's own reward model: how it is trained, measured and written (`python -m training.starter_reward`)."""
