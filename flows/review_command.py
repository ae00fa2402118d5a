"""`sieveline review`: the page, and the queue out to and back from records of another tool."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from curation.review import queue as queue_of
from curation.review.agreement import agreement
from curation.review.argilla import export_records, import_records
from curation.review.items import Item, items
from curation.review.server import Desk, serve
from curation.review.verdicts import append, file_of, read, standing
from curation.store import Committed
from flows.session import Session
from schemas.errors import UsageError


def run_review(
    console: Console,
    run: str,
    home: Path,
    *,
    by: str | None,
    port: int,
    limit: int | None,
    export: Path | None,
    import_: Path | None,
    agree: bool,
) -> None:
    """Serve the queue of a run, or write it as records, take records in, or tell who agrees with whom.

    Raises UsageError where the run has no scored candidates, or none that are disputed.
    """
    session = Session.open(str(home), run)
    file = file_of(home, session.profile.review.verdicts)
    scored = session.need("score", "sieveline curate")
    if import_ is not None:
        verdicts, empty = import_records(import_)
        append(file, verdicts)
        say(console, f"{len(verdicts):,} verdicts added to {file}; {empty:,} records had none")
    elif export is not None:
        count = export_records(disputed(session, scored, limit), session.record.run, export)
        say(console, f"{count:,} records in {export}; bring the answers back with --import FILE")
    elif agree:
        tell_agreement(console, file, scored)
    else:
        desk = Desk(
            disputed(session, scored, limit),
            file,
            by or getpass.getuser(),
            session.record.run,
            lambda: summary(file, scored),
        )
        said = len(desk.said)
        serve(desk, port, lambda url: opened(console, desk, url))
        say(console, f"{len(desk.said) - said:,} new verdicts of {desk.by} in {file}; the next run uses them")


def disputed(session: Session, scored: Committed, limit: int | None) -> list[Item]:
    """The pairs of a run that people should look at, most disputed first.

    Raises UsageError where there is none.
    """
    table = scored.scan()
    scorers = [entry.name for entry in session.profile.scoring.entries() if entry.role == "reward"]
    asked = queue_of.queue(table, limit or session.profile.review.limit, session.profile.seed, scorers)
    found = items(asked, table)
    if not found:
        raise UsageError(
            "no pair of this run's candidates is disputed",
            hint="several scorers or a small reward margin make one: see [scoring] in the profile",
        )
    return found


def opened(console: Console, desk: Desk, url: str) -> None:
    """Say where the page is and what will happen to the verdicts."""
    say(
        console, f"{len(desk.items):,} pairs for {desk.by}, {len(desk.said):,} of them seen; verdicts go to {desk.file}"
    )
    say(console, f"open {url} (this machine only; Ctrl-C ends it)")


def summary(file: Path, scored: Committed) -> list[dict[str, Any]]:
    """Agreement of the verdicts that stand, between reviewers and with the scorers of this run."""
    return agreement(standing(read(file)), scored.scan())


def tell_agreement(console: Console, file: Path, scored: Committed) -> None:
    """Print it as a table."""
    rows = summary(file, scored)
    if not rows:
        say(console, f"no two raters have a pair in common yet: verdicts are read from {file}")
        return
    table = Table(title="Who agrees with whom", title_justify="left")
    for name in ("", " ", "pairs", "same verdict", "Cohen's kappa"):
        table.add_column(name, justify="left" if not name.strip() else "right")
    for row in rows:
        kappa = "undefined" if row["kappa"] is None else f"{row['kappa']:.2f}"
        table.add_row(row["one"], row["other"], f"{row['n']:,}", f"{row['share']:.2f}", kappa)
    console.print(table, markup=False)


def say(console: Console, line: str) -> None:
    """A line as it is."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)
