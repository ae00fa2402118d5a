"""Candidates for prompts: engines behind one protocol, and the stage that runs them and keeps what they finish."""
