"""The family of errors a user may meet, each with the exit code that the command line ends with.

Exit codes: 0 fine, 2 usage or profile, 3 quarantine above its limit, 4 a gate or a self-measurement failed,
5 an engine failed.
A message says what is wrong, where, how many, shows an example, and says what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence


class SievelineError(Exception):
    """Base of every error that is meant for the user."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  next: {self.hint}" if self.hint else self.message


class UsageError(SievelineError):
    """A command, a flag or an input path that cannot be used as given."""

    exit_code = 2


class ProfileError(SievelineError):
    """A profile with problems; all of them are told together, each with its file and key."""

    exit_code = 2

    def __init__(self, file: str, problems: Sequence[str]) -> None:
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"{file}: {count} in the profile\n{lines}", hint="mend the keys named above and run again")
        self.problems = list(problems)


class QuarantineError(SievelineError):
    """More of a source was quarantined than the profile allows."""

    exit_code = 3


class GateError(SievelineError):
    """An expectation on a table failed; the results are kept with the run."""

    exit_code = 4


class CanaryError(SievelineError):
    """A stage found too few of the known cases that it planted beside the data."""

    exit_code = 4


class EngineError(SievelineError):
    """A generation or scoring engine could not start, crashed, or failed too many requests."""

    exit_code = 5


class StoreError(SievelineError):
    """A stored part does not match its manifest, or a stage broke its contract."""

    exit_code = 1
