"""`python -m tests.benchmarks [NAME ...]`: run the named measurements, or all of them."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path


def main() -> None:
    """Import each measurement and call its `main`."""
    found = pkgutil.iter_modules([str(Path(__file__).parent)])
    names = [info.name for info in found if not info.ispkg and info.name != "__main__"]
    wanted = sys.argv[1:] or names
    unknown = set(wanted) - set(names)
    if unknown:
        sys.exit(f"no such measurement: {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    for name in wanted:
        print(f"== {name}", flush=True)
        importlib.import_module(f"tests.benchmarks.{name}").main()


if __name__ == "__main__":
    main()
