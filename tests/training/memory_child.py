"""Trains one small configuration in this process and prints the peak of its memory: `python -m` with JSON as argument.

A peak is the most a process has ever held, so each measurement needs a process of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from tests.training.sets import profile
from training.launch import train


def main(asked: str) -> None:
    """Train what is asked for and print peak and settings."""
    torch.set_num_threads(1)
    said = json.loads(asked)
    data = Path(said["data"])
    training = profile(said["model"], max_steps=2, max_length=512, **said["settings"])
    run = train(said["stage"], data, data / said["out"], training, seed=0, home=data)
    print(json.dumps({"peak": run.metrics["peak_rss_bytes"]}))


if __name__ == "__main__":
    main(sys.argv[1])
