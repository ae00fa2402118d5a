"""Run a suite on a table, keep the results in the store, and stop the run where one failed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import orjson

from curation.digest import code_digest
from curation.gates.beside import Beside
from curation.gates.candidates import flips
from curation.gates.measures import measure
from curation.stage import Context
from curation.store import Built, Committed, Store
from schemas.errors import GateError
from schemas.expectations import Suite


def run_gate(
    store: Store, suite: Suite, inputs: Sequence[Committed], context: Context, beside: Beside | None = None
) -> Committed:
    """Validate the inputs as one table. Results, passed or not, are committed as `results.json`.

    `beside` is what the table is compared to; what is missing in it resolves nothing.
    """
    beside = beside or Beside()
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

        measures = measure(suite.place, inputs, beside)
        results = validate(suite, measures)
        (folder / "results.json").write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2))
        failed = [result["name"] for result in results if not result["passed"]]
        rows = measures.height
        counts = {"in": rows, "kept": rows, "dropped": 0, "quarantined": 0}
        return Built(counts, {"failed": failed, "results": results})

    done = store.commit(f"gates.{suite.place}", recipe, build)
    done = replace(done, seconds=time.monotonic() - started)
    results = done.manifest.facts["results"]
    passed = sum(result["passed"] for result in results)
    took = "reused" if done.reused else f"{done.seconds:.1f} s"
    context.progress.line(f"gate {suite.place}  {passed} of {len(results)} expectations passed  {took}")
    return done


def enforce(gate: Committed) -> None:
    """Raise GateError where an expectation failed, with its name, the number of rows, and ids to look up."""
    failed = [result for result in gate.manifest.facts["results"] if not result["passed"]]
    if not failed:
        return
    lines = []
    for result in failed:
        rows = f"{result['failed']:,} rows" if result["failed"] else f"observed {_short(result['observed'])}"
        ids = f", for instance {', '.join(result['ids'][:3])}" if result["ids"] else ""
        error = f" ({result['error']})" if result.get("error") else ""
        lines.append(f"  - {result['name']}: {result['description']}; {rows}{ids}{error}")
    place = gate.manifest.stage.removeprefix("gates.")
    raise GateError(
        f"the gate on the {place} table failed {len(failed)} of {len(gate.manifest.facts['results'])} expectations\n"
        + "\n".join(lines),
        hint=f"look a row up with `sieveline why latest ID`; all results: {gate.path / 'results.json'}",
    )


def _short(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.6g}"
