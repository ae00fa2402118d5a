"""Which credentials are found, what is done with their rows, and that none gets out. Tokens are put together here."""

from __future__ import annotations

import random
import string

import orjson
import polars as pl
import pytest

from curation.privacy import secrets
from curation.stage import Context
from tests.helpers import answer, outcome, rows

STAGE = "privacy.secrets"


def made(prefix: str, length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    """A token that is nobody's: the prefix in two pieces, then random characters that are always the same."""
    chance = random.Random(prefix + str(length))
    return prefix + "".join(chance.choice(alphabet) for _ in range(length))


BODY = "\n".join(made("", 64 - n) for n in range(4))
HEX = string.digits + "abcdef"
SECRETS = {
    "private_key": "-----BEGIN RSA " + f"PRIVATE KEY-----\n{BODY}\n-----END RSA " + "PRIVATE KEY-----",
    "aws_key": made("AK" + "IA", 16, string.ascii_uppercase + "234567"),
    "azure_key": made("", 86) + "==",
    "google_key": made("AI" + "za", 35),
    "github_token": made("gh" + "p_", 36),
    "gitlab_token": made("glp" + "at-", 20),
    "slack_token": made("xo" + "xb-", 40),
    "openai_key": made("sk" + "-proj-", 80),
    "anthropic_key": made("sk" + "-ant-api03-", 95),
    "huggingface_token": made("h" + "f_", 34),
    "stripe_key": made("sk" + "_live_", 24),
    "npm_token": made("np" + "m_", 36),
    "pypi_token": made("py" + "pi-AgEIcHlwaS5vcmc", 80),
    "sendgrid_key": made("S" + "G.", 22) + "." + made("", 43),
    "telegram_token": "1234509876:" + made("A" + "A", 33),
    "digitalocean_token": made("dop" + "_v1_", 64, HEX),
    "provider_token": made("gs" + "k_", 52),
    "jwt": made("ey" + "J", 30) + "." + made("ey" + "J", 40) + "." + made("", 43),
    "url_password": "nR7!vQz2mKp9",
    "password": "vT9#qLm2!xKe",
    "api_key": made("", 32, HEX),
}
FRAMES = {
    "azure_key": "AccountKey={};EndpointSuffix=x",
    "url_password": "postgres://svc:{}@db.internal/orders",
    "password": 'password = "{}"',
    "api_key": "api_key: {}",
}


def text_with(kind: str) -> str:
    return FRAMES.get(kind, "It is {} now.").format(SECRETS[kind])


NOTHING = [
    'api_key = "YOUR_API_KEY"',
    'password = os.environ["DB_PASSWORD"]',
    "password: changeme",
    "token: ${{ secrets.TOKEN }}",
    "gh" + "p_" + "x" * 36,
    "-----BEGIN RSA " + "PRIVATE KEY-----\n...\n-----END RSA " + "PRIVATE KEY-----",
    "-----BEGIN PUBLIC KEY-----\n" + BODY + "\n-----END PUBLIC KEY-----",
    "AK" + "IAIOSFODNN7EXAMPLE",
    "commit " + made("", 40, HEX),
    "password: [PASSWORD_1]",
    "if password == confirm_password:",
    "https://user:password@example.com/path",
    "The password must have 8 characters and 1 digit.",
    "primary_key = " + made("", 32, HEX),
    "api_key: 550e8400-e29b-41d4-a716-446655440000",
]


def test_there_is_a_sample_of_every_kind():
    assert set(SECRETS) == set(secrets.KINDS)


@pytest.mark.parametrize("kind", secrets.KINDS)
def test_each_kind_is_found_whole(kind: str):
    text = text_with(kind)
    assert [(span.kind, text[span.start : span.end]) for span in secrets.find(text)] == [(kind, SECRETS[kind])]


@pytest.mark.parametrize("kind", secrets.KINDS)
def test_default_actions(kind: str):
    kept, ledger = outcome(STAGE, rows(answer(text_with(kind))))
    if kind in ("jwt", "url_password", "password", "api_key"):
        placeholder = f"[{kind.upper()}_1]"
        assert kept["messages"][0][1]["content"] == text_with(kind).replace(SECRETS[kind], placeholder)
        assert ledger.select("kind", "reason", "value").rows() == [("edited", kind, 1.0)]
        assert outcome(STAGE, kept)[1].height == 0
    else:
        assert kept.height == 0
        assert ledger.select("kind", "reason", "value").rows() == [("dropped", kind, 1.0)]


@pytest.mark.parametrize("action", ["redact", "drop", "keep"])
@pytest.mark.parametrize("kind", secrets.KINDS)
def test_no_secret_gets_into_ledger_or_facts(kind: str, action: str):
    frame = rows(answer(text_with(kind), prompt=text_with(kind)))
    result = secrets.run(frame.lazy(), secrets.Config(actions={kind: action}), Context())
    told = orjson.dumps(result.facts).decode()
    for part in (result.dropped, result.edited, result.flagged):
        told += part.drop("row_id", "prompt_id").collect().write_json()  # type: ignore[union-attr]
    secret = SECRETS[kind]
    assert not [at for at in range(len(secret) - 7) if secret[at : at + 8] in told]
    assert result.facts == {"rows": {kind: 1}, "values": {kind: 2}, "examples": {}}


@pytest.mark.parametrize("text", NOTHING)
def test_placeholders_references_and_look_alikes(text: str):
    assert secrets.find(text) == []


def test_a_dropping_kind_wins_over_a_redacting_one_and_both_are_counted():
    frame = rows(answer(f"{text_with('password')}\n{text_with('github_token')}"))
    result = secrets.run(frame.lazy(), secrets.Config(), Context())
    assert result.dropped.select("reason", "value").collect().rows() == [("github_token", 1.0)]
    assert result.edited is not None
    assert result.edited.collect().height == 0
    assert result.facts["values"] == {"github_token": 1, "password": 1}


def test_secrets_in_the_arguments_of_a_tool_call():
    frame = rows(answer("Done."))
    row = frame.to_dicts()[0]
    arguments = orjson.dumps({"password": SECRETS["password"], "user": "mina"}).decode()
    row["messages"][1]["extra"] = orjson.dumps({"tool_calls": [{"function": {"arguments": arguments}}]}).decode()
    kept, _ = outcome(STAGE, pl.DataFrame([row], schema=frame.schema))
    extra = orjson.loads(kept["messages"][0][1]["extra"])
    assert orjson.loads(extra["tool_calls"][0]["function"]["arguments"]) == {"password": "[PASSWORD_1]", "user": "mina"}
