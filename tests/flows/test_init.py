"""A profile for somebody's own file, and the plan of a run of it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from curation.runs import Runs
from flows.dry_run import Earlier, dry_run
from flows.init import guess, make_profile, power_of_two
from flows.profiles import load_profile
from flows.session import begin
from flows.steps import curation_stage, ingest_source
from schemas.errors import QuarantineError, UsageError

ROOT = Path(__file__).resolve().parents[2]
ROWS = [{"instruction": f"What is {n} plus {n}?", "output": f"The sum of {n} and {n} is {2 * n}."} for n in range(40)]


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_profile_says_what_was_seen_and_is_valid(tmp_path: Path):
    source = write(tmp_path / 'odd "name".jsonl', ROWS)
    told = make_profile(str(source), tmp_path / "p.toml")
    assert told[0] == "40 rows looked at (jsonl, alpaca), files: 1"
    text = (tmp_path / "p.toml").read_text(encoding="utf-8")
    assert all(f"# {line}" in text for line in told)
    profile = load_profile(str(tmp_path / "p.toml")).profile
    assert (profile.sources[0].path, profile.generation.prompts) == (str(source.resolve()), 40)


def test_keys_of_no_known_shape_are_guessed_by_their_names(tmp_path: Path):
    rows = [{"user_query": "What is it?", "n": "1", "bot_reply": "It is so."}] * 3
    make_profile(str(write(tmp_path / "a.jsonl", rows)), tmp_path / "p.toml")
    read = tomllib.loads((tmp_path / "p.toml").read_text(encoding="utf-8"))
    assert read["sources"][0]["columns"] == {"prompt": "user_query", "response": "bot_reply"}
    with pytest.raises(UsageError, match="'frage', 'antwort'"):
        make_profile(str(write(tmp_path / "b.jsonl", [{"frage": "a", "antwort": "b"}])), tmp_path / "q.toml")
    assert not (tmp_path / "q.toml").exists()


def test_a_whole_word_is_guessed_before_a_part_of_one():
    assert guess(("prompt_id", "Prompt", "x"), ("prompt",)) == "Prompt"
    assert guess(("prompt_text", "my_prompt"), ("prompt",)) == "prompt_text"
    assert guess(("x",), ("prompt",)) is None


def test_a_profile_is_replaced_only_by_force(tmp_path: Path):
    source = str(write(tmp_path / "a.jsonl", ROWS))
    (tmp_path / "p.toml").write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        make_profile(source, tmp_path / "p.toml")
    make_profile(source, tmp_path / "p.toml", force=True)
    assert (tmp_path / "p.toml").read_text(encoding="utf-8") != "mine"


def test_lengths_are_rounded_up_to_a_power_of_two():
    assert [power_of_two(n) for n in (3, 255, 256, 300, 5000, 1e9)] == [256, 256, 512, 512, 8192, 8192]


def test_a_plan_counts_what_it_reads_and_knows_what_is_done(tmp_path: Path):
    rows = [*ROWS, {"instruction": "Say nothing.", "output": "  "}]
    source, home = write(tmp_path / "a.jsonl", rows), tmp_path / "home"
    values = {
        "sources": [{"path": str(source)}],
        "stages": [{"use": "dedup.exact"}, {"use": "filter.length", "min_response": 30}],
        "generation": {"engine": "deterministic", "prompts": 100, "candidates": 3, "max_tokens": 10, "greedy": True},
    }
    loaded = load_profile("quickstart", values=values)
    converted = ROOT / ".sieveline" / "models"
    converted.mkdir(parents=True, exist_ok=True)
    home.mkdir()
    (home / "models").symlink_to(converted)  # what other tests have converted is not converted again
    told = dry_run(home, loaded)
    assert told["sources"] == [{"name": "a", "rows": 40, "quarantined": 1}]
    assert [(s["stage"], s["rows"], s["exact"], s["done"]) for s in told["stages"]] == [
        ("dedup.exact", 40, True, False),
        ("filter.length", 40, False, False),
    ]
    # 40 prompts, 3 candidates each and a greedy one, ten tokens each
    assert (told["generation"]["candidates"], told["generation"]["most_tokens"]) == (160, 1600)
    assert Runs(home).names() == []

    run = begin(str(home), loaded)
    ingest_source(str(home), run, 0)
    curation_stage(str(home), run, 0)
    after = dry_run(home, loaded)["stages"]
    assert [(s["stage"], s["exact"], s["done"], s["seconds"] is None) for s in after] == [
        ("dedup.exact", True, True, False),
        ("filter.length", True, False, True),
    ]


def test_the_pace_is_told_only_of_runs_of_such_a_size(tmp_path: Path):
    source, home = write(tmp_path / "a.jsonl", ROWS), str(tmp_path / "home")
    values = {"sources": [{"path": str(source)}], "stages": [{"use": "dedup.exact"}]}
    run = begin(home, load_profile("quickstart", values=values))
    ingest_source(home, run, 0)
    curation_stage(home, run, 0)
    earlier = Earlier.of(Runs(Path(home)))
    assert earlier.seconds("dedup.exact", 160) is not None
    assert earlier.seconds("dedup.exact", 161) is None
    assert earlier.seconds("filter.length", 40) is None


def test_too_many_quarantined_lines_end_the_plan(tmp_path: Path):
    source = write(tmp_path / "a.jsonl", [{"instruction": "x", "output": ""}] * 3 + ROWS[:3])
    with pytest.raises(QuarantineError, match="3 of 6"):
        dry_run(tmp_path / "home", load_profile("quickstart", values={"sources": [{"path": str(source)}]}))
