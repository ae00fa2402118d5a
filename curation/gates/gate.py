"""Run a suite on a table, keep the results in the store, and stop the run where a critical expectation failed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from curation.digest import code_digest
from curation.gates.beside import Beside
from curation.gates.candidates import flips
from curation.gates.measures import measure
from curation.stage import Context
from curation.store import Built, Committed, Store
from schemas.errors import GateError
from schemas.expectations import Suite

SEVERITIES = ("critical", "warning", "info")


def run_gate(
    store: Store, suite: Suite, inputs: Sequence[Committed], context: Context, beside: Beside | None = None
) -> Committed:
    """Validate the inputs as one table. Results, passed or not, are committed as `results.json`.

    `beside` is what the table is compared to; what is missing in it resolves nothing.
    """
    beside = beside or Beside()
    if all(expectation.kind != "drift" for expectation in suite.expectations):
        beside = replace(beside, earlier=None)
    started = time.monotonic()
    recipe = {
        "code": code_digest("curation.gates.gate"),
        "suite": suite.model_dump(mode="json"),
        "inputs": [committed.manifest.digest for committed in inputs],
        "flips": [flips(committed) for committed in inputs],
        "beside": beside.recipe(),
    }

    def build(folder: Path) -> Built:
        # Imported here: a run whose gates are in the store already does not pay for loading the library.
        from curation.gates.great_expectations import validate

        measures = measure(suite, inputs, beside)
        results = told(validate(suite, measures.frame), measures.details)
        (folder / "results.json").write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2))
        rows = measures.frame.height
        counts = {"in": rows, "kept": rows, "dropped": 0, "quarantined": 0}
        by_severity = {name: [r["name"] for r in results if broken(r, name)] for name in SEVERITIES}
        facts = {"failed": by_severity["critical"], "warnings": by_severity["warning"], "infos": by_severity["info"]}
        return Built(counts, {**facts, "results": results})

    done = store.commit(f"gates.{suite.place}", recipe, build)
    done = replace(done, seconds=time.monotonic() - started)
    results = done.manifest.facts["results"]
    passed = sum(result["passed"] for result in results)
    took = "reused" if done.reused else f"{done.seconds:.1f} s"
    context.progress.line(f"gate {suite.place}  {passed} of {len(results)} expectations passed  {took}")
    for result in results:
        if broken(result, "warning"):
            context.progress.line(f"gate {suite.place}  warning: {in_words(result)}")
    return done


def told(results: list[dict[str, Any]], details: Mapping[str, str]) -> list[dict[str, Any]]:
    """Results with what is to be told of some of them in words, under `detail`."""
    return [result | {"detail": details.get(result["name"], "")} for result in results]


def broken(result: Mapping[str, Any], severity: str) -> bool:
    """Whether an expectation of this severity failed; one that says nothing of it is critical."""
    return not result["passed"] and result.get("severity", "critical") == severity


def enforce(gate: Committed) -> None:
    """Raise GateError where a critical expectation failed, with its name, how many rows, and ids to look up."""
    results = gate.manifest.facts["results"]
    failed = [result for result in results if broken(result, "critical")]
    if not failed:
        return
    lines = [f"  - {in_words(result)}" for result in failed]
    place = gate.manifest.stage.removeprefix("gates.")
    raise GateError(
        f"the gate on the {place} table failed {len(failed)} of {len(results)} expectations\n" + "\n".join(lines),
        hint=f"look a row up with `sieveline why latest ID`; all results: {gate.path / 'results.json'}",
    )


def in_words(result: Mapping[str, Any]) -> str:
    """What an expectation asks, what was found instead, and ids to look up."""
    rows = f"{result['failed']:,} rows" if result["failed"] else ""
    figure = "" if rows and result["observed"] is None else f"observed {_short(result['observed'])}"
    ids = f"for instance {', '.join(result['ids'][:3])}" if result["ids"] else ""
    found = ", ".join(part for part in (figure, rows, ids, result.get("detail")) if part)
    error = f" ({result['error']})" if result.get("error") else ""
    return f"{result['name']}: {result['description']}; {found}{error}"


def _short(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.6g}"
