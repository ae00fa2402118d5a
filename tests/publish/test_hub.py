"""What is sent to the Hub: sets and card, in one commit, private unless asked for; told here to a stand-in."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from curation.publish import Published, publish
from curation.publish.hub import push
from schemas.errors import StoreError, UsageError
from tests.publish.small import finished, two_files
from tests.publish.test_publish import NEW


class Hub:
    """A stand-in for HfApi: one repository, public or not, and a list of what was asked for."""

    def __init__(self, *, public: bool = False) -> None:
        self.public = public
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def create_repo(self, repo: str, **options: Any) -> None:
        self.asked.append((f"create {repo}", options))

    def repo_info(self, repo: str, **_: Any) -> Any:
        return SimpleNamespace(private=not self.public)

    def upload_folder(self, **options: Any) -> Any:
        self.asked.append(("upload", options))
        return SimpleNamespace(commit_url="https://hub/commit/1")


def version(home: Path) -> Published:
    def write(folder: Path) -> Any:
        for name in ("README.md", "report.html", "run.json", "profile.toml"):
            (folder / name).write_text("x")
        return two_files("new")(folder)

    return publish(*finished(home, NEW), write=write).version


def test_sets_and_card_go_in_one_commit_and_the_rest_stays(tmp_path: Path):
    hub = Hub()
    made = version(tmp_path)
    assert push(made, "me/tiny", api=hub) == "https://hub/commit/1"
    (created, how), (_, upload) = hub.asked
    assert (created, how) == ("create me/tiny", {"repo_type": "dataset", "private": True, "exist_ok": True})
    sent = [file.name for file in made.files if any(fnmatch(file.name, each) for each in upload["allow_patterns"])]
    assert sent == ["README.md", "preference/train.parquet", "sft/train.parquet"]
    assert (upload["folder_path"], upload["repo_id"], upload["repo_type"]) == (made.folder, "me/tiny", "dataset")
    assert upload["delete_patterns"] == ["*.parquet"], "what an earlier version had and this one has not"
    assert upload["commit_message"] == f"tiny: run {NEW}"


def test_a_public_repository_is_not_written_to_by_mistake(tmp_path: Path):
    made = version(tmp_path)
    hub = Hub(public=True)
    with pytest.raises(UsageError, match="everybody can read it"):
        push(made, "me/tiny", api=hub)
    assert [name for name, _ in hub.asked] == ["create me/tiny"]
    push(made, "me/tiny", public=True, api=hub)
    assert hub.asked[-2][1]["private"] is False


def test_no_token_no_name_and_a_damaged_version_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = version(tmp_path)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(UsageError, match="no token") as told:
        push(made, "me/tiny")
    assert "hf auth login" in told.value.hint
    hub = Hub()
    with pytest.raises(UsageError, match="is no repository"):
        push(made, "tiny", api=hub)
    (made.folder / "sft" / "train.parquet").write_text("tampered")
    with pytest.raises(StoreError, match="does not match"):
        push(made, "me/tiny", api=hub)
    assert hub.asked == []


def test_a_refusal_of_the_hub_is_told_in_words(tmp_path: Path):
    import httpx
    from huggingface_hub.errors import HfHubHTTPError

    class Refusing(Hub):
        def create_repo(self, repo: str, **_: Any) -> None:
            response = httpx.Response(403, request=httpx.Request("POST", "https://hub"))
            raise HfHubHTTPError("403 Forbidden: no rights\nlong trace", response=response)

    with pytest.raises(UsageError, match="the Hub refused me/tiny: 403 Forbidden: no rights\n"):
        push(version(tmp_path), "me/tiny", api=Refusing())
