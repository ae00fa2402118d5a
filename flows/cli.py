"""The command line: `sieveline --help`."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.stopping import is_stop
from schemas.errors import SievelineError, UsageError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Curate instruction and preference data: filter, deduplicate, generate, score, pair and train.\n\n"
    "Exit codes: 0 fine, 2 usage or profile, 3 quarantine above its limit, 4 a gate failed, 5 an engine failed.",
)
# Into a file or a pipe, tables are not squeezed into the eighty columns that rich assumes there.
console = Console(width=None if sys.stdout.isatty() else 140)

Home = Annotated[
    Path, typer.Option(envvar="SIEVELINE_HOME", help="Folder of the store, the runs and converted models.")
]
Run = Annotated[str, typer.Argument(help="A run's name, a part of it that fits one run, or `latest`.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one key; may be repeated.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
HOME = Path(".sieveline")
DEFAULT_PROFILE = "quickstart"
STOPPED = 130  # 128 and the number of SIGINT, as shells have it


@app.command()
def curate(
    profile: Annotated[
        str, typer.Option(help="A profile that comes with the project, or a TOML file.")
    ] = DEFAULT_PROFILE,
    source: Annotated[
        list[str] | None, typer.Option(help="A file, folder, glob or hf:owner/name; may be repeated.")
    ] = None,
    comparisons: Annotated[
        list[str] | None, typer.Option(help="Preference data to take in: a file, folder or glob; may be repeated.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the three sets, the report and the record.")] = Path("out"),
    limit: Annotated[int | None, typer.Option(min=1, help="Read at most so many rows of each source.")] = None,
    seed: Annotated[int | None, typer.Option(min=0)] = None,
    prompts: Annotated[int | None, typer.Option(min=1, help="How many prompts get candidates.")] = None,
    candidates: Annotated[int | None, typer.Option(min=1, help="Candidates a prompt.")] = None,
    set_: Set = None,
    home: Home = HOME,
) -> None:
    """Raw data to an SFT set, a rejection-sampling set and preference pairs, with a report."""
    from curation.handover.export import check_out
    from flows.profiles import load_profile
    from flows.session import begin

    values: dict[str, Any] = {}
    if source:
        values["sources"] = [{"path": path} for path in source]
    if comparisons:
        values["comparisons"] = [{"path": path} for path in comparisons]
    if seed is not None:
        values["seed"] = seed
    generation = {"prompts": prompts, "candidates": candidates}
    values["generation"] = {key: value for key, value in generation.items() if value is not None}
    loaded = load_profile(profile, set_ or (), values, limit=limit)
    check_out(out)
    prepare_prefect(home)
    run = begin(str(home), loaded)
    console.print(f"run {run}", markup=False, highlight=False)
    from flows.flows import sets

    sets(run, str(home), str(out))
    console.print(f"report: {out / 'report.html'}", markup=False, highlight=False)
    console.print(f"next:   sieveline counts {run}", markup=False, highlight=False)


@app.command()
def stage(
    name: Annotated[str, typer.Argument(help="A stage, such as dedup.minhash; `sieveline stages` lists them.")],
    input_: Annotated[str, typer.Argument(metavar="INPUT", help="What ingest reads: a file, folder, glob or hf: id.")],
    out: Annotated[Path, typer.Option(help="Folder for kept.parquet, decisions.parquet and manifest.json.")],
    set_: Set = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Run one stage alone on a file or folder."""
    from flows.single import run_single

    run_single(name, input_, out, set_ or [], seed)


@app.command()
def stages() -> None:
    """List the stages with what each does."""
    from curation.stage import load_stage, stage_names

    for name in stage_names():
        first = (load_stage(name).__doc__ or "").strip().splitlines()
        console.print(f"{name:24} {first[0] if first else ''}", markup=False, highlight=False)


@app.command()
def train(
    what: Annotated[
        str,
        typer.Argument(
            help="sft, rejection-sampling, dpo, reward, rloo, pretrain, masked-lm, classifier, or all (the first 3)."
        ),
    ],
    run: Annotated[str, typer.Option(help="Whose sets to train on.")] = "latest",
    data: Annotated[Path | None, typer.Option(help="A hand-over folder, instead of a run's own.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the models; by default `models` beside the sets.")
    ] = None,
    base: Annotated[str | None, typer.Option(help="Start from this model instead of the profile's.")] = None,
    profile: Annotated[str | None, typer.Option(help="Training settings of this profile instead of the run's.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Tell what it would take, and train nothing.")] = False,
    device_memory: Annotated[str | None, typer.Option(help="--plan: for GPUs of this size, such as 24GiB.")] = None,
    accelerate: Annotated[
        str | None, typer.Option(help="--plan: an Accelerate configuration, by name or file.")
    ] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="--plan: how many are started with it.")] = None,
    report_to: Annotated[str | None, typer.Option(help="Send metrics to a tracker too, such as trackio.")] = None,
    set_: Set = None,
    home: Home = HOME,
) -> None:
    """Train on a run's sets with TRL; a preflight first says what would be truncated or dropped."""
    from flows.training_command import run_training

    shared: dict[str, Any] = {
        "run": run,
        "data": data,
        "base": base,
        "profile": profile,
        "overrides": set_ or [],
        "home": home,
    }
    if plan:
        from flows.plan_command import run_plan

        run_plan(console, what, device_memory=device_memory, accelerate=accelerate, processes=processes, **shared)
        return
    asked = {"--device-memory": device_memory, "--accelerate": accelerate, "--processes": processes}
    idle = [name for name, value in asked.items() if value is not None]
    if idle:
        raise UsageError(f"{', '.join(idle)}: asks about a plan", hint="add --plan")
    run_training(what, out=out, report_to=report_to, **shared)


@app.command()
def evaluate(
    models: Annotated[list[str], typer.Argument(help="Training runs' folders, or models; as LABEL=FOLDER too.")],
    held_out: Annotated[list[str], typer.Option(help="Prompts that no training saw: a file, folder or hf: id.")],
    base: Annotated[
        str | None, typer.Option(help="The model to win against; by default what training began with.")
    ] = None,
    previous: Annotated[str | None, typer.Option(help="The model of the round before.")] = None,
    data: Annotated[list[Path] | None, typer.Option(help="Hand-over folders that the models were trained on.")] = None,
    ancestor: Annotated[list[Path] | None, typer.Option(help="Runs that a model goes back to, if moved.")] = None,
    lm_eval: Annotated[str | None, typer.Option(help="Tasks of lm-eval, with commas, if it is installed.")] = None,
    profile: Annotated[str | None, typer.Option(help="Its [evaluation] holds instead of the run's.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
    set_: Set = None,
    home: Home = HOME,
) -> None:
    """Put trained models beside their base on held-out prompts: win rates, KL, length, with intervals."""
    from flows.evaluate_command import run_evaluation

    run_evaluation(
        console,
        models,
        held_out=held_out,
        base=base,
        previous=previous,
        data=data or [],
        ancestors=ancestor or [],
        profile=profile,
        overrides=set_ or [],
        lm_eval=lm_eval.split(",") if lm_eval else [],
        out=out,
        home=home,
    )


@app.command()
def compare(
    what: Annotated[list[str], typer.Argument(help="Folders of evaluations, or models as for evaluate.")],
    held_out: Annotated[list[str] | None, typer.Option(help="Prompts, where models are to be evaluated.")] = None,
    base: Annotated[str | None, typer.Option(help="The model that all began with.")] = None,
    data: Annotated[list[Path] | None, typer.Option(help="Hand-over folders that the models were trained on.")] = None,
    ancestor: Annotated[list[Path] | None, typer.Option(help="Runs that a model goes back to, if moved.")] = None,
    profile: Annotated[str | None, typer.Option(help="Its [evaluation] holds instead of the run's.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the table and the plot.")] = Path("comparison"),
    set_: Set = None,
    home: Home = HOME,
) -> None:
    """Several models in one table and one plot, with intervals and costs."""
    from flows.compare_command import run_comparison

    run_comparison(
        console,
        what,
        held_out=held_out or [],
        base=base,
        data=data or [],
        ancestors=ancestor or [],
        profile=profile,
        overrides=set_ or [],
        out=out,
        home=home,
    )


@app.command()
def report(run: Run = "latest", home: Home = HOME) -> None:
    """Write a run's report again and say where it is."""
    from flows.steps import write_report

    console.print(str(write_report(str(home), run)), markup=False, highlight=False)


@app.command()
def counts(run: Run = "latest", json_: Json = False, home: Home = HOME) -> None:
    """The funnel of a run: rows in and out of every stage, with reasons."""
    from curation import ledger
    from curation.runs import Runs

    if json_:
        runs = Runs(home)
        print(json.dumps(ledger.counts(runs, runs.load(run)), ensure_ascii=False, indent=2))
    else:
        _print_counts(home, run)


@app.command()
def why(run: Run, row_id: Annotated[str, typer.Argument()], json_: Json = False, home: Home = HOME) -> None:
    """Everything that happened to a row, up to the pairs made from its prompt."""
    from curation import ledger
    from curation.runs import Runs
    from flows.tell import tell_why

    runs = Runs(home)
    told = ledger.why(runs, runs.load(run), row_id)
    if json_:
        print(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        tell_why(console, told)


@app.command()
def review(
    run: Run = "latest",
    by: Annotated[str | None, typer.Option(help="The reviewer's name; by default yours on this machine.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0 takes a free one.")] = 8765,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many pairs.")] = None,
    export: Annotated[Path | None, typer.Option(help="Write the pairs as Argilla records (JSON) instead.")] = None,
    import_: Annotated[Path | None, typer.Option("--import", help="Take verdicts from such records.")] = None,
    agreement: Annotated[bool, typer.Option("--agreement", help="Tell who agrees with whom.")] = False,
    home: Home = HOME,
) -> None:
    """Judge the pairs that scorers dispute, on a local page: blind, shuffled, one key each."""
    from flows.review_command import run_review

    if sum((export is not None, import_ is not None, agreement)) > 1:
        raise UsageError("--export, --import and --agreement go one at a time", hint="name one of them")
    run_review(console, run, home, by=by, port=port, limit=limit, export=export, import_=import_, agree=agreement)


@app.command()
def doctor(home: Home = HOME) -> None:
    """What is installed, which models are found, and what would run where."""
    from flows.doctor import examine

    examine(console, home)


@app.command()
def serve(
    profile: Annotated[str, typer.Option(help="The profile that the schedule runs.")] = "nightly",
    cron: Annotated[str, typer.Option(help="When, as a cron line.")] = "0 2 * * *",
    timezone: Annotated[str, typer.Option()] = "UTC",
    out: Annotated[Path, typer.Option()] = Path("out"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the Prefect server.")] = 4200,
    home: Home = HOME,
) -> None:
    """Start a Prefect server on this machine and a schedule of the nightly flow."""
    from flows.profiles import load_profile
    from flows.serve import serve_nightly

    load_profile(profile)
    prepare_prefect(home)
    serve_nightly(profile, cron, timezone, home, out, port)


def _print_counts(home: Path, run: str) -> None:
    from curation import ledger
    from curation.runs import Runs

    runs = Runs(home)
    record = runs.load(run)
    table = Table(title=f"{record.run}  ({record.status})", title_justify="left")
    for column, justify in (("stage", "left"), ("in", "right"), ("kept", "right"), ("dropped", "right"),
                            ("quarantined", "right"), ("reasons", "left"), ("s", "right")):  # fmt: skip
        table.add_column(column, justify=justify, overflow="fold", no_wrap=column != "reasons")  # type: ignore[arg-type]
    for entry in ledger.counts(runs, record):
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in entry["reasons"].items())
        numbers = [f"{entry[key]:,}" for key in ("in", "kept", "dropped", "quarantined")]
        took = "reused" if entry["reused"] else f"{entry['seconds']:.1f}"
        table.add_row(entry["stage"], *numbers, escape(reasons), took)
    console.print(table)


def prepare_prefect(home: Path) -> None:
    """Prefect's settings for a run without a server of its own: quiet, offline, and out of the user's own set-up.

    Where PREFECT_API_URL names a server, that one is used.
    """
    defaults = {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_HOME": str((home / "prefect").resolve()),
    }
    for key, value in defaults.items():
        os.environ.setdefault(key, value)
    folder = Path(os.environ["PREFECT_HOME"])
    folder.mkdir(parents=True, exist_ok=True)
    quiet_server(folder / "logging.yml")


def quiet_server(file: Path) -> None:
    """Prefect's own logging, but for the pool of connections: it tells with a traceback of each request that was under
    way when the temporary server was stopped at the end of a run. A file that is there already is left alone.
    """
    spec = importlib.util.find_spec("prefect")
    if file.exists() or spec is None or spec.origin is None:
        return
    default = (Path(spec.origin).parent / "logging" / "logging.yml").read_text(encoding="utf-8")
    ours = "\nloggers:\n  sqlalchemy.pool:\n    level: CRITICAL\n\n"
    file.write_text(default.replace("\nloggers:\n", ours, 1), encoding="utf-8")


def main() -> None:
    """Entry point: errors of ours are told in plain words and end with their exit code."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # Threads of torch that wait by spinning take the cores that other threads need; read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    errors = Console(stderr=True, soft_wrap=True)
    try:
        code = app(standalone_mode=False)
    except SievelineError as error:
        errors.print(f"error: {error}", markup=False, highlight=False)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = STOPPED
    except Exception as error:
        show = getattr(error, "show", None)
        if is_stop(error):
            code = STOPPED
        elif show is None:
            raise
        else:
            show()
            sys.exit(getattr(error, "exit_code", UsageError.exit_code))
    if code == STOPPED:
        errors.print("stopped; what is finished is kept: the same command goes on from there", markup=False)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
