"""The automations of docs/publish.md are ones that the installed Prefect takes."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

DOCS = Path(__file__).resolve().parents[2] / "docs" / "publish.md"
EVENTS = {"prefect.flow-run.Failed", "prefect.flow-run.Crashed"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCS.read_text(), re.DOTALL)


def check(automation: Any, texts: list[str]) -> None:
    from prefect.server.utilities.user_templates import validate_user_template

    from flows.nightly import nightly

    assert automation.trigger.expect == EVENTS
    related = automation.trigger.match_related
    assert related.root == {"prefect.resource.name": nightly.name, "prefect.resource.role": "flow"}
    for text in texts:
        assert "flow_run" in text
        validate_user_template(text)


def test_the_webhooks_automation_is_made_as_written(monkeypatch: pytest.MonkeyPatch):
    from prefect.automations import Automation
    from prefect.blocks.webhook import Webhook
    from prefect.server.utilities.user_templates import render_user_template_sync

    block, made = uuid.uuid4(), []
    monkeypatch.setattr(Webhook, "save", lambda *_, **__: block)
    monkeypatch.setattr(Automation, "create", lambda automation: made.append(automation))
    (code,) = [text for text in blocks("python") if "Automation(" in text]
    exec(compile(code, "publish.md", "exec"), {})
    (automation,) = made
    (action,) = automation.actions
    assert action.block_document_id == block
    check(automation, [action.payload])
    failed = SimpleNamespace(name="r", state=SimpleNamespace(message='a "gate"\nfailed'))
    told = render_user_template_sync(action.payload, {"flow_run": failed})
    assert json.loads(told) == {"text": 'r: a "gate"\nfailed'}


def test_the_e_mails_automation_parses_as_the_command_line_parses_it():
    from prefect.events.schemas.automations import AutomationCore

    (text,) = blocks("yaml")
    automation = AutomationCore.model_validate(yaml.safe_load(text))
    (action,) = automation.actions
    assert action.type == "send-notification"
    check(automation, [action.subject, action.body])
