"""Rewards for completions: scorers behind one protocol, and the stage that runs them and keeps what they finish."""
