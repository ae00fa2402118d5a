"""Profiles: everything validated before anything runs, all problems told together."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.profiles import load_profile, name_sources, names, recorded, split_override
from schemas.errors import ProfileError, UsageError
from schemas.profile.sources import Source

SMALL = """
name = "small"
[[sources]]
path = "data/a.jsonl"
[[stages]]
use = "filter.length"
min_response = 5
"""


def written(tmp_path: Path, text: str) -> str:
    (tmp_path / "p.toml").write_text(text)
    return str(tmp_path / "p.toml")


@pytest.mark.parametrize("name", names())
def test_every_profile_of_the_project_is_valid(name: str):
    assert load_profile(name).profile.name == name


def test_a_profile_and_its_overrides(tmp_path: Path):
    path = written(tmp_path, SMALL)
    loaded = load_profile(
        path, ["generation.candidates=8", "stages.filter.length.min_response=9", "generation.model=./m"]
    )
    assert loaded.profile.generation.candidates == 8
    assert loaded.profile.generation.model == "./m"
    assert loaded.stages[0][1].min_response == 9
    assert load_profile(path).stages[0][1].min_response == 5


def test_all_problems_are_told_together_with_their_keys(tmp_path: Path):
    text = SMALL + "wrong = 1\n[[stages]]\nuse = 'no.such'\n[generation]\ncandidates = 0\nnope = 1\n"
    with pytest.raises(ProfileError) as caught:
        load_profile(written(tmp_path, text))
    told = str(caught.value)
    assert len(caught.value.problems) == 4
    for piece in (
        "p.toml",
        "stages[0] filter.length.wrong",
        "stages[1].use",
        "generation.candidates",
        "generation.nope",
    ):
        assert piece in told
    assert caught.value.exit_code == 2


def test_bad_toml_is_told_with_its_line(tmp_path: Path):
    with pytest.raises(ProfileError, match="line 1"):
        load_profile(written(tmp_path, "name = = 1"))


def test_an_unknown_profile_names_those_there_are():
    with pytest.raises(UsageError, match="quickstart"):
        load_profile("nope")


def test_overrides_that_cannot_be_meant(tmp_path: Path):
    path = written(tmp_path, SMALL)
    with pytest.raises(UsageError, match="key=value"):
        load_profile(path, ["generation.candidates"])
    with pytest.raises(UsageError, match=r"its stages are: filter\.length"):
        load_profile(path, ["stages.dedup.exact.x=1"])
    with pytest.raises(UsageError, match="not a section"):
        load_profile(path, ["name.x=1"])


def test_values_are_toml_and_plain_text_otherwise():
    assert split_override("a=0.5") == ("a", 0.5)
    assert split_override("a=[1, 2]") == ("a", [1, 2])
    assert split_override('a="1"') == ("a", "1")
    assert split_override("a=path/to=x") == ("a", "path/to=x")


def test_sources_are_named_after_their_paths_without_collision():
    paths = ["data/x.jsonl.gz", "other/x.csv", "hf:owner/set:main:train", "빈칸 file.json", "many/*.jsonl"]
    named = [s.name for s in name_sources([Source(path=p) for p in paths])]
    assert named == ["x", "x-2", "owner-set-main-train", "file", "many"]


def test_a_limit_is_set_on_every_source(tmp_path: Path):
    loaded = load_profile(written(tmp_path, SMALL), limit=7)
    assert [s.limit for s in loaded.profile.sources] == [7]


def test_a_record_of_another_version_is_told_in_words():
    known = load_profile("quickstart").profile.model_dump(mode="json")
    assert recorded("r-1", known) == load_profile("quickstart").profile
    known["training"]["dpo"]["gone"] = 1
    with pytest.raises(ProfileError, match=r"the record of run r-1(.|\n)*training.dpo.gone(.|\n)*another version"):
        recorded("r-1", known)
