"""Private keys, and the tokens of providers, which have prefixes made to be found.

Prefixes and lengths are those of the rules of gitleaks 8 (config/gitleaks.toml) and the plugins of detect-secrets 1.5,
which have them from the providers' documentation; where the two differ, the newer. A token must look random: as in
gitleaks, the Shannon entropy of what follows the prefix has a floor, which leaves out `ghp_xxxx` and `sk-YOUR-KEY`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from curation.privacy.assignments import entropy, is_placeholder
from curation.privacy.spans import Span

# Body of a key: base64, with the headers that old PEM has, and line breaks that are real or escaped.
_BEGIN = r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
_PRIVATE = re.compile(
    rf"{_BEGIN}((?:(?!-----)[A-Za-z0-9+/=\s\\,:.()-]){{16,}}?)(?:-----END (?:[A-Z0-9]+ ){{0,3}}PRIVATE KEY(?: "
    rf"BLOCK)?-----|"
    r"(?![A-Za-z0-9+/=\s\\,:.()-]|-----END)|\Z)"
)
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/]{16}")

_KINDS = {
    "aws_key": r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}|ABSK[A-Za-z0-9+/]{109,269}={0,2}",
    "google_key": r"AIza[\w-]{35}|GOCSPX-[\w-]{28}|ya29\.[\w-]{60,}",
    "github_token": r"gh[pousr]_[0-9A-Za-z]{36,251}|github_pat_\w{82}",
    "gitlab_token": r"gl(?:pat|rt|dt|ptt|ft|soat|cbt|agent|oas|imt|ffct)-[\w.-]{20,300}|GR1348941[\w-]{20}",
    "slack_token": r"xox[abeoprs](?:\.xox[bp])?-[0-9A-Za-z-]{10,250}|xapp-\d-[A-Z0-9]+-\d+-[0-9A-Za-z]+|"
    r"https://hooks\.slack\.com/(?:services|workflows|triggers)/[\w+/]{40,60}",
    "anthropic_key": r"sk-ant-(?:api|admin|oat|sid)\d\d-[\w-]{80,120}",
    "openai_key": r"sk-(?:proj|svcacct|admin|None)-[\w-]{40,200}|sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}|"
    r"sk-[A-Za-z0-9]{40,64}",
    "huggingface_token": r"(?:hf|api_org)_[A-Za-z0-9]{34}",
    "stripe_key": r"(?:sk|rk)_(?:live|test|prod)_[0-9A-Za-z]{16,247}|whsec_[0-9A-Za-z]{32,}",
    "npm_token": r"npm_[0-9A-Za-z]{36}",
    "pypi_token": r"pypi-AgEIcHlwaS5vcmc[\w-]{50,1000}",
    "sendgrid_key": r"SG\.[\w-]{22}\.[\w-]{43}",
    "telegram_token": r"\d{8,10}:AA[\w-]{32,33}",
    "digitalocean_token": r"do[opr]_v1_[0-9a-f]{64}",
    # Groq, xAI, Perplexity, OpenRouter, Replicate, Shopify, Docker, Vault, Linear, Notion, Databricks, Postman, Square,
    # Facebook
    "provider_token": r"gsk_\w{52}|xai-\w{80}|pplx-\w{48}|sk-or-v1-[0-9a-f]{64}|r8_\w{37}|shp(?:at|ca|pa|"
    r"ss)_[0-9a-fA-F]{32}|"
    r"dckr_(?:pat|oat)_[\w-]{27,32}|hvs\.[\w-]{24,}|lin_api_\w{40}|ntn_\w{46}|dapi[0-9a-f]{32}|"
    r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}|"
    r"sq0(?:atp|csp)-[\w-]{22,60}|EAA[A-Z][A-Za-z0-9]{60,}",
    "jwt": r"ey[A-Za-z0-9_-]{15,}\.ey[A-Za-z0-9_-]{15,}(?:\.[A-Za-z0-9_-]{10,}={0,2})?",
}
_TOKEN = re.compile(
    "(?<![A-Za-z0-9_-])(?:" + "|".join(f"(?P<{kind}>{form})" for kind, form in _KINDS.items()) + ")(?![A-Za-z0-9_])"
)
# Known by the name beside them alone.
_NAMED = (
    (
        "aws_key",
        re.compile(
            r"(?i:aws.{0,20}?secret.{0,20}?|secret_?access_?key.{0,4}?)[=:>\s'\"]{1,6}([A-Za-z0-9/+]{40})(?![\w/+])"
        ),
    ),
    ("azure_key", re.compile(r"(?i:account_?key|shared_?access_?key)[=:\s'\"]{1,4}([A-Za-z0-9/+]{42,86}={1,2})")),
)
_PREFIX = re.compile(r"^(?:https://hooks\.slack\.com/\w+/|[A-Za-z]{2,6}[-_](?:[a-z]{2,8}[-_])*|[A-Z]{4}|SG\.)")
_FLOOR = 2.5  # bits a character; gitleaks has 2 to 4 for these rules
_JWT_SAMPLE = (
    "c3ViIjoiMTIzNDU2Nzg5MC|zdWIiOiIxMjM0NTY3ODkw|InN1YiI6IjEyMzQ1Njc4OTAi"  # "sub":"1234567890" of jwt.io, in base64
)
_SAMPLES = re.compile(f"EXAMPLE|{_JWT_SAMPLE}")

_MARKERS = (
    "AKIA ASIA ABIA ACCA ABSK AIza GOCSPX- ya29. ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- glrt- gldt- glptt- "
    "glft- glsoat- glcbt- glagent- gloas- glimt- glffct- GR1348941 xoxa xoxb xoxe xoxo xoxp xoxr xoxs xapp- "
    "hooks.slack.com sk-ant- sk-proj- sk-svcacct- sk-admin- sk-None- T3BlbkFJ hf_ api_org_ sk_live sk_test sk_prod "
    "rk_live rk_test rk_prod whsec_ gsk_ xai- pplx- sk-or- r8_ shpat_ shpca_ shppa_ shpss_ dckr_ hvs. lin_api_ ntn_ "
    "dapi PMAK- sq0 EAA npm_ pypi-AgE SG. :AA doo_v1_ dop_v1_ dor_v1_ AccountKey AccessKey accountkey eyJ"
)
# What stands in every private key and token but those that are known by their names.
MARKERS = ["PRIVATE KEY", *_MARKERS.split()]


def private_keys(text: str) -> Iterator[Span]:
    """Blocks of private keys from BEGIN to END; to the end of the base64 where the END is cut off."""
    if "PRIVATE KEY" in text:
        for match in _PRIVATE.finditer(text):
            if _BASE64_RUN.search(match[1]):
                end = match.start() + len(match[0].rstrip())
                yield Span(match.start(), end, "private_key", match[0])


def tokens(text: str) -> Iterator[Span]:
    """Tokens of providers, by prefix and length, or by the name they are assigned to."""
    for match in _TOKEN.finditer(text):
        body = _PREFIX.sub("", match[0])
        if entropy(body) >= _FLOOR and not is_placeholder(body, typed=False) and not _SAMPLES.search(body):
            yield Span(match.start(), match.end(), match.lastgroup or "", match[0])
    for kind, pattern in _NAMED:
        for match in pattern.finditer(text):
            if entropy(match[1]) >= _FLOOR and not _SAMPLES.search(match[1]):
                yield Span(*match.span(1), kind, match[1])
