"""A published version as a dataset repository of the Hugging Face Hub: its sets and its card, in one commit.

The report, the record and the profile stay at home: they show dropped rows and paths. `huggingface_hub` has its home
here.
"""

from __future__ import annotations

import re
from typing import Any

from curation.publish.versions import Published, check_version
from schemas.errors import UsageError

REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
FILES = ["*.parquet", "README.md"]


def push(version: Published, repository: str, *, public: bool = False, api: Any = None) -> str:
    """Upload a version to `owner/name`, made private unless it is to be public, and return the commit's address.

    Files of an earlier version go in the same commit, so that readers see the one or the other. `api` is an
    `huggingface_hub.HfApi`, by default one with the token that `hf auth login` or HF_TOKEN left. Raises UsageError
    where the name is none, there is no token, the repository is there already and public although `public` was not
    asked for, or the Hub refuses; StoreError where the version's files do not match their digests.
    """
    from huggingface_hub.errors import HfHubHTTPError

    if not REPOSITORY.fullmatch(repository):
        raise UsageError(f"{repository!r} is no repository", hint="name it as owner/name")
    api = api or _api()
    check_version(version)
    try:
        api.create_repo(repository, repo_type="dataset", private=not public, exist_ok=True)
        if not public and not api.repo_info(repository, repo_type="dataset").private:
            raise UsageError(
                f"{repository} is there already, and everybody can read it",
                hint="make it private on the Hub, name another, or say --public",
            )
        done = api.upload_folder(
            repo_id=repository,
            repo_type="dataset",
            folder_path=version.folder,
            allow_patterns=FILES,
            delete_patterns=["*.parquet"],
            commit_message=f"{version.dataset}: run {version.run}",
        )
    except HfHubHTTPError as error:
        raise UsageError(
            f"the Hub refused {repository}: {str(error).splitlines()[0]}",
            hint="check the name, and that the token may write there: hf auth whoami",
        ) from error
    return str(done.commit_url)


def _api() -> Any:
    from huggingface_hub import HfApi, get_token

    token = get_token()
    if token is None:
        raise UsageError("no token for the Hugging Face Hub", hint="run `hf auth login`, or set HF_TOKEN")
    return HfApi(token=token)
