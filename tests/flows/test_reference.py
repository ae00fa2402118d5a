"""The reference pages say what the code says."""

from __future__ import annotations

import pytest

from flows.reference import FOLDER, pages


@pytest.mark.parametrize("name", ["commands.md", "profile.md", "stages.md"])
def test_the_committed_pages_are_those_of_the_code(name: str):
    assert (FOLDER / name).read_text(encoding="utf-8") == pages()[name], "run `make reference`"


def test_every_setting_is_told():
    told = pages()
    assert "### sieveline curate\n" in told["commands.md"]
    assert "`--dry-run`" in told["commands.md"]
    assert "| `min_margin` | number | `0.5` | in the unit of the reward; > 0.0 |" in told["profile.md"]
    assert "## dedup.minhash\n" in told["stages.md"]
