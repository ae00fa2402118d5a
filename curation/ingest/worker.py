"""A worker process: a job a line on standard input, its result a line on standard output."""

from __future__ import annotations

import sys

from curation.ingest.pieces import Job, run_job


def main() -> None:
    """Run jobs until standard input ends."""
    answers = sys.stdout.buffer
    for line in sys.stdin.buffer:
        answers.write(run_job(Job.model_validate_json(line)).model_dump_json().encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
