"""The scheduled flow: everything, from raw sources to trained models.

Prefect makes the form and the check of the parameters of the annotations, so here they are not strings.
"""

from pathlib import Path
from typing import Annotated, Any

from prefect import flow, task
from pydantic import Field

from curation.runs import Runs
from flows import steps
from flows.flows import HOME, makes_pairs, once, sets, train
from flows.operation import approval as approvals
from flows.profiles import Loaded, load_profile, of_model
from flows.rounds import rounds
from flows.session import begin
from schemas.profile import Profile

Whole = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(gt=0)]

publish_sets = task(name="publish", **once)(steps.publish_sets)


@flow(name="nightly", persist_result=False)
def nightly(
    profile: str | Profile = "nightly",
    home: str = HOME,
    out: str = "out",
    seed: Whole | None = None,
    limit: Count | None = None,
    overrides: tuple[str, ...] = (),
    publish: bool = True,
    training: bool = True,
    approval: bool = False,
) -> str:
    """Raw sources to sets with their report, then trained models, or rounds of them. Returns the run's name.

    Args:
        profile: the name of a profile that comes with the project, a TOML file, or a whole profile.
        home: folder of the store, the runs and converted models.
        out: folder for the sets, the report and the models.
        seed: instead of the profile's.
        limit: read at most so many rows of each source.
        overrides: keys of the profile with values, such as generation.candidates=8.
        publish: make the sets the current version of their dataset, once all gates have passed.
        training: whether models are trained on the sets; rounds too, where the profile has them.
        approval: pause before anything is published, until somebody has said yes.
    """
    if approval:
        approvals.need_server()
    loaded = load(profile, overrides, seed, limit)
    run = begin(home, loaded)
    rows = sets(run, home, out)
    if approval:
        answer = approvals.ask(run, rows, Path(out))
        runs = Runs(Path(home))
        record = runs.load(run)
        record.notes["approval"] = answer.model_dump()
        runs.save(record)
        if not answer.publish:
            return run
    if publish:
        publish_sets(home, run)
    if training and makes_pairs(loaded.profile):
        train(run, home, out)
        rounds(run, home, out)
    return run


def load(profile: str | Profile, overrides: tuple[str, ...], seed: int | None, limit: int | None) -> Loaded:
    """The profile with what the parameters change."""
    changed: dict[str, Any] = {"seed": seed} if seed is not None else {}
    if isinstance(profile, str):
        return load_profile(profile, overrides, changed, limit)
    if limit is not None:
        limited = tuple(source.model_copy(update={"limit": limit}) for source in profile.sources)
        profile = profile.model_copy(update={"sources": limited})
    return of_model(profile, overrides, changed)
