"""Load a profile: TOML, overrides from the command line, and validation of everything before anything runs."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from curation.ingest.files import default_name
from curation.stage import StageConfig, load_stage
from schemas.errors import ProfileError, UsageError
from schemas.profile import Profile, Source

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Loaded:
    """A validated profile and, in order, each stage's name with its validated configuration."""

    profile: Profile
    stages: tuple[tuple[str, StageConfig], ...]


def names() -> list[str]:
    """The profiles that come with the project."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_profile(
    name: str, overrides: Sequence[str] = (), values: dict[str, Any] | None = None, limit: int | None = None
) -> Loaded:
    """Read a profile by name or path, apply `key=value` overrides, and validate all of it.

    `overrides` are dotted keys with TOML values, such as `generation.candidates=8` or
    `stages.dedup.minhash.threshold=0.7`. `values` are already typed and are merged first, section by section. `limit`
    is set on every source.

    Raises UsageError where there is no such profile or an override is malformed, ProfileError with every problem
    of the profile at once.
    """
    path = _find(name)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(str(path), [f"not valid TOML: {error}"]) from error
    data.setdefault("name", path.stem)
    _merge(data, values or {})
    for override in overrides:
        apply_override(data, override)
    if limit is not None:
        for source in data.get("sources", []):
            source["limit"] = limit
    return _validate(str(path), data)


def of_model(profile: Profile, overrides: Sequence[str] = (), values: dict[str, Any] | None = None) -> Loaded:
    """A profile that is a value already, as Prefect's UI gives it, with its stages validated; as `load_profile`."""
    data = profile.model_dump(mode="json")
    _merge(data, values or {})
    for override in overrides:
        apply_override(data, override)
    return _validate(f"the profile {profile.name}", data)


def recorded(run: str, data: dict[str, Any]) -> Profile:
    """The profile in a run's record. Raises ProfileError where this version does not know a key of it."""
    try:
        return Profile.model_validate(data)
    except ValidationError as error:
        problems = [*tell_problems(error), "the run was made by another version: curate again, or name a --profile"]
        raise ProfileError(f"the record of run {run}", problems) from error


def parse_value(text: str) -> Any:
    """A TOML value where it is one, else the text itself, so that `--set model=./folder` needs no quotes."""
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def split_override(override: str) -> tuple[str, Any]:
    """`key=value` as a key and a typed value. Raises UsageError where there is no `=`."""
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise UsageError(
            f"--set {override!r} is not key=value", hint="write, for instance, --set generation.candidates=8"
        )
    return key.strip(), parse_value(text.strip())


def apply_override(data: dict[str, Any], override: str) -> None:
    """Set one dotted key in a raw profile; `stages.<use>.<key>` reaches into the stage of that name."""
    key, value = split_override(override)
    if key.startswith("stages."):
        _override_stage(data, key.removeprefix("stages."), value)
        return
    *sections, last = key.split(".")
    place = data
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise UsageError(f"--set {key}: {section!r} is not a section of the profile")
    place[last] = value


def _override_stage(data: dict[str, Any], key: str, value: Any) -> None:
    use, _, option = key.rpartition(".")
    entries = [entry for entry in data.get("stages", []) if isinstance(entry, dict) and entry.get("use") == use]
    if not entries:
        used = ", ".join(str(entry.get("use")) for entry in data.get("stages", []) if isinstance(entry, dict))
        raise UsageError(f"--set stages.{key}: the profile uses no stage {use!r}", hint=f"its stages are: {used}")
    for entry in entries:
        entry[option] = value


def _find(name: str) -> Path:
    if name in names():
        return FOLDER / f"{name}.toml"
    path = Path(name)
    if path.is_file():
        return path
    raise UsageError(f"no profile {name!r}", hint=f"name a TOML file, or one of: {', '.join(names())}")


def _merge(data: dict[str, Any], values: dict[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(data.get(key), dict):
            _merge(data[key], value)
        else:
            data[key] = value


def _validate(file: str, data: dict[str, Any]) -> Loaded:
    problems: list[str] = []
    profile: Profile | None = None
    try:
        profile = Profile.model_validate(data)
    except ValidationError as error:
        problems.extend(tell_problems(error))
    stages: list[tuple[str, StageConfig]] = []
    for at, entry in enumerate(data.get("stages") or []):
        if not isinstance(entry, dict) or not isinstance(entry.get("use"), str):
            continue
        options = {key: value for key, value in entry.items() if key != "use"}
        try:
            stages.append((entry["use"], stage_config(entry["use"], options)))
        except UsageError as error:
            problems.append(f"stages[{at}].use: {error.message} ({error.hint})")
        except ValidationError as error:
            problems.extend(tell_problems(error, f"stages[{at}] {entry['use']}."))
    if problems or profile is None:
        raise ProfileError(file, problems)
    named = profile.model_copy(update={"sources": name_sources(profile.sources)})
    return Loaded(named, tuple(stages))


def name_sources(sources: Sequence[Source]) -> tuple[Source, ...]:
    """Give every source without a name one made of its path, told apart by a number where two would be alike."""
    taken = {source.name for source in sources if source.name}
    told = []
    for source in sources:
        name = source.name
        if name is None:
            base = default_name(source.path)
            name = next(n for n in (base, *(f"{base}-{i}" for i in range(2, len(sources) + 2))) if n not in taken)
            taken.add(name)
        told.append(source.model_copy(update={"name": name}))
    return tuple(told)


def stage_config(name: str, options: dict[str, Any]) -> StageConfig:
    """The validated configuration of one stage. Raises UsageError or pydantic's ValidationError."""
    return load_stage(name).Config.model_validate_json(orjson.dumps(options))


def tell_problems(error: ValidationError, prefix: str = "") -> list[str]:
    """Each problem of a validation in one line: the key, what is wrong with it, and what it is."""
    told = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"]) or "profile"
        shown = "" if problem["type"] in ("missing", "extra_forbidden") else f" (it is {problem['input']!r:.60})"
        message = "no such key" if problem["type"] == "extra_forbidden" else problem["msg"]
        told.append(f"{prefix}{key}: {message}{shown}")
    return told
