"""What was left to be filled in, and prompts that ask for such: the patterns of `filter.placeholders`."""

from __future__ import annotations

NOTHING = (
    r"(?i)\A\s*[<\[(\"'*`]*(?:n/a|n\.a\.?|nan|none|null|nil|undefined|tbd|todo|not (?:applicable|available)|no answer"
    r"|no response|해당 ?(?:사항 ?)?없음|없음|답변? ?없음|무응답|미정|[-.…_?·]{1,9})[>\])\"'*`]*\.?\s*\z"
)
SHORT = 60  # bytes; no text of NOTHING is longer
# The prompt names the very answer, or asks for a choice, a value, a mark or what something returns.
ASKS_FOR_NOTHING = (
    r"(?i)\b(?:none|null|nan|nil|n/a|undefined|unknown|empty|missing|not applicable|todo|tbd|which|any|whether)\b"
    r"|\b(?:identify|find|detect|extract|classif|categori[sz]e|label|select|choose|pick|return|output|print|value|type)"
    r"|punctuat|symbol|\bmarks?\b|\bsigns?\b|character|operator|morse|emoji|silen"
    r"|없음|없으면|없다면|해당|어느|어떤|찾아|고르|골라|분류|추출|출력|반환|값|부호|기호|구두점|문자|침묵"
)
MARK = r"(?i)<\s*no[ _-]?(?:in|out)puts?\s*>|\[no(?:in|out)put\]|\bno(?:input|output)\b|<(?:입력|출력) ?없음>"
ABOUT_MARKS = r"(?i)\bno(?:input|output)\b[^\n]*\?"
LOREM = r"(?i)lorem ipsum dolor"
FILLER = (
    r"(?i)lorem|placeholder|dummy|filler|html|\bcss\b|web ?page|website|layout|template|더미|자리 ?표시|웹|템플릿|양식"
)

_WHOSE = (
    r"my|first|last|full|their|his|her|recipient|sender|hiring|client|customer|company|business|school|product|event"
    r"|job|manager|employer|candidate|friend|teacher|professor|phone|email|contact|street|team|city|project"
)
_WHAT = r"name|address|title|date|number|position|company|city|topic|amount|email|phone|link|location|signature"
_KO_WHOSE = (
    r"(?:(?:귀하|당신|본인|고객|수신[자인]|발신[자인]|받는 ?사람|보내는 ?사람|담당자|회사|상대방|친구)(?:의|님의)? ?)?"
)
_KO_WHAT = (
    r"(?:이름|성함|성명|회사명|회사 이름|날짜|일자|주소|연락처|전화번호|이메일|직책|직위|금액|제품명|링크|서명)"
    r"[을를]?(?: ?(?:입력|기입|삽입))?"
)
# Not the words of a link, [your account](...).
BLANK = (
    r"(?i)([\[<](?:your|insert|enter|add|fill in)(?: (?:the|an?))? [a-z][a-z0-9 /,'’-]{1,40}[\]>]"
    rf"|\[(?:(?:{_WHOSE})(?:['’]s)? ?){{0,3}}(?:{_WHAT})\]"
    r"|(?-i:\bINSERT [A-Z]{3,}(?: [A-Z]{2,})* HERE\b)"
    rf"|[\[<]{_KO_WHOSE}{_KO_WHAT}[\]>]|[O○◯]{{2,3}} ?(?:님께|귀하|드림|올림))(?:[^(]|\z)"
)
WANTS_BLANKS = (
    r"(?i)template|sample|form letter|fill.?in|placeholder|blank|boilerplate|mad ?lib"
    r"|템플릿|양식|서식|견본|샘플|빈칸|예시문"
)
ANONYMISED = r"\bNAME_\d{1,2}\b"
VARIABLE = (
    r"(?:\A|[\s(\"'“,.:>*])(\{\{ ?[A-Za-z_][\w.]* ?\}\}|\$\{[A-Za-z_][\w.]*\}|<%= ?\w+ ?%>"
    r"|\{(?:name|user|user_?name|title|company|question|answer|instruction|input|output|context)\})"
)
ABOUT_CODE = (
    r"(?i)cod(?:e|ing)\b|template|jinja|yaml|function|script|program|string|variable|python|java|\bc\+\+|sql|react|vue"
    r"|html|latex|shell|bash|regex|\{|코드|템플릿|함수|변수|스크립트|프로그램|파이썬"
)
# Every text on which a rule may fire has one of these, whatever the case of its ASCII letters.
MARKS = [f"no{join}{way}put" for join in ("", " ", "-", "_") for way in ("in", "out")] + ["력없음>", "력 없음>"]
QUICK = [f"{opening}{word}" for opening in "[<" for word in ("your", "insert", "enter", "add", "fill in")]
QUICK += [*(f"{word}]" for word in _WHAT.split("|")), "insert ", "lorem ipsum", "name_", "{{", "${", "<%="]
QUICK += [f"{{{word}" for word in ("name", "user", "title", "company", "question", "answer", "in", "output", "context")]
KO_QUICK = r"[\[<][가-힣]|[O○◯]{2,3} ?(?:님께|귀하|드림|올림)"
