"""What counts as personal data and what does not, and what the stage does with it."""

from __future__ import annotations

import pytest

from curation.privacy.personal_data import KINDS, find
from tests.helpers import answer, outcome, rows

# Of each kind one that is found: a text, and what of it is personal.
SAMPLES = {
    "email": ("Write to mira.kestrel@postbox.ch, please.", "mira.kestrel@postbox.ch"),
    "iban": ("IBAN: DE68210501700012345678", "DE68210501700012345678"),
    "credit_card": ("Charge 4539 5787 6362 1486 now", "4539 5787 6362 1486"),
    "resident_number": ("주민등록번호 920817-2034566", "920817-2034566"),
    "foreigner_number": ("외국인등록번호 920817-6034569", "920817-6034569"),
    "driver_licence": ("면허 11-19-284736-52", "11-19-284736-52"),
    "ssn": ("His SSN is 536-28-4471.", "536-28-4471"),
    "passport_number": ("여권번호 M70418826", "M70418826"),
    "phone": ("Call (415) 867-2291 today", "(415) 867-2291"),
    "ip_address": ("login from 84.112.47.203", "84.112.47.203"),
    "postal_address": ("Ship to 4821 Larkspur Lane, Boise, ID 83704.", "4821 Larkspur Lane, Boise, ID 83704"),
}

FORMS = [
    ("010-7731-2948", "+821077312948"),
    ("01077312948", "+821077312948"),
    ("010 7731 2948", "+821077312948"),
    ("+82 (0)10-7731-2948", "+821077312948"),
    ("82-10-7731-2948", "+821077312948"),
    ("\uff10\uff11\uff10\uff0d\uff17\uff17\uff13\uff11\uff0d\uff12\uff19\uff14\uff18", "+821077312948"),
    ("010\u20117731\u20112948", "+821077312948"),
    ("02)735-8214", "+8227358214"),
    ("(415) 867-2291", "+14158672291"),
    ("+1 415.867.2291", "+14158672291"),
    ("+44 20 8743 2261", "+442087432261"),
    ("mira (at) postbox (dot) ch", "mira@postbox.ch"),
    ("mira [at] postbox.ch", "mira@postbox.ch"),
    ("mira dot kestrel at postbox dot com", "mira.kestrel@postbox.com"),
    ("mira\u200b.kestrel@post\u2060box.ch", "mira.kestrel@postbox.ch"),
    ("Mira.Kestrel@PostBox.CH", "mira.kestrel@postbox.ch"),
    ("2A02:8108:4640:1D3C::1", "2a02:8108:4640:1d3c::1"),
]

EXAMPLES = [
    ("user@example.com", "email"),
    ("test@test.com", "email"),
    ("your.name@gmail.com", "email"),
    ("call 555-0142", "phone"),
    ("(212) 555-0199", "phone"),
    ("123-456-7890", "phone"),
    ("tel 020 7946 0958", "phone"),
    ("SSN 123-45-6789", "ssn"),
    ("4111 1111 1111 1111", "credit_card"),
    ("GB29 NWBK 6016 1331 9268 19", "iban"),
    ("주민등록번호 900101-1234567", "resident_number"),
    ("123 Main Street, Anytown, NY 10001", "postal_address"),
]

NOTHING = [
    "[EMAIL_1] [PHONE_12] [POSTAL_ADDRESS_3]",
    "version 84.112.47.203",
    "192.168.0.1 255.255.255.0 203.0.113.9 2001:db8::1 13.52.0.0/14",
    "git@github.com:owner/project.git and ssh root@host.postbox.ch",
    "https://mira@files.postbox.ch/a",
    "logo@2x.png and x@w.transpose(0, 1)",
    "order 415-867-2291",
    "송장번호 010-7731-2948",
    "4539 5787 6362 1487",
    "DE68210501700012345679",
    "920817-2034567",
    "921317-2034566",
    "1704067200000",
    "536-00-4471 900-28-4471 666-28-4471",
    "M70418826",
    "2010-2019 1592-1598",
    "서울 강남구 인구는 53만 명, 부산 해운대구 우동 3개 동",
]


def test_there_is_a_sample_of_every_kind():
    assert set(SAMPLES) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_found_and_redacted(kind: str):
    text, value = SAMPLES[kind]
    kept, ledger = outcome("privacy.personal_data", rows(answer("Done.", prompt=text)))
    content = kept["messages"][0][0]["content"]
    assert content == text.replace(value, f"[{kind.upper()}_1]")
    assert ledger.select("kind", "reason", "value").rows() == [("edited", kind, 1.0)]
    assert ledger["prompt_id"].to_list() == kept["prompt_id"].to_list()


@pytest.mark.parametrize(("text", "value"), FORMS)
def test_spellings_of_one_value(text: str, value: str):
    assert [(span.value, text[span.start : span.end]) for span in find(text)] == [(value, text)]


@pytest.mark.parametrize(("text", "kind"), EXAMPLES)
def test_examples_are_treated_like_any_other_unless_they_are_to_be_kept(text: str, kind: str):
    frame = rows(answer(text))
    kept, ledger = outcome("privacy.personal_data", frame, examples="keep")
    assert kept.equals(frame)
    assert ledger.select("kind", "reason").rows() == [("flagged", kind)]
    assert '"example":true' in ledger["detail"][0]
    treated, ledger = outcome("privacy.personal_data", frame)
    assert f"[{kind.upper()}_1]" in treated["messages"][0][1]["content"]
    assert ledger.select("kind", "reason").rows() == [("edited", kind)]


@pytest.mark.parametrize("examples", ["keep", "treat"])
@pytest.mark.parametrize(
    ("text", "kind"),
    [("1-800-273-8255", "phone"), ("고객센터 1588-3366", "phone"), ("ping 8.8.8.8", "ip_address")],
)
def test_what_anybody_is_meant_to_use_is_kept_and_flagged(text: str, kind: str, examples: str):
    frame = rows(answer(text))
    kept, ledger = outcome("privacy.personal_data", frame, examples=examples, actions={kind: "drop"})
    assert kept.equals(frame)
    assert ledger.select("kind", "reason").rows() == [("flagged", kind)]


@pytest.mark.parametrize("text", NOTHING)
def test_look_alikes(text: str):
    assert [span for span in find(text) if not span.example] == []


def test_numbers_since_october_2020_need_no_check_digit_and_older_ones_a_word():
    # 920817-203456: 9*2+2*3+0*4+8*5+1*6+7*7+2*8+0*9+3*2+4*3+5*4+6*5 = 203, (11 - 203 % 11) % 10 = 6.
    assert [span.kind for span in find("920817-2034566")] == ["resident_number"]
    assert find("920817-2034567") == []
    assert [span.kind for span in find("주민번호 920817-2034567")] == ["resident_number"]
    assert [span.kind for span in find("211105-3034567")] == ["resident_number"]
    assert find("200917-3034567") == []


def test_actions_by_kind():
    text = f"{SAMPLES['email'][0]} {SAMPLES['phone'][0]}"
    frame = rows(answer(text))
    dropped, ledger = outcome("privacy.personal_data", frame, actions={"phone": "drop"})
    assert dropped.height == 0
    assert ledger.select("kind", "reason", "value").rows() == [("dropped", "phone", 1.0)]
    kept, ledger = outcome("privacy.personal_data", frame, actions={"phone": "keep"})
    assert kept["messages"][0][1]["content"] == text.replace(SAMPLES["email"][1], "[EMAIL_1]")
    assert ledger.select("kind", "reason").rows() == [("edited", "email"), ("flagged", "phone")]
