"""What rows say that refer to a text, an image, a file or a link: the patterns of `filter.missing_context`."""

from __future__ import annotations

_THING = (
    r"(?:text|article|passage|paragraph|sentences?|documents?|story|poem|essay|e-?mail|list|images?|pictures?|photos?"
    r"|files?|attachments?|code|data(?: ?set)?|table|input|content|context|link|question|prompt|conversation|video"
    r"|audio|details|information|lyrics|quote|review|topic|word|phrase|statement|excerpt|graph|chart)"
)
_COURTESY = (
    r"(?:(?:I(?:'m| am|’m) (?:sorry|afraid)|sorry|apologies|my apologies|unfortunately|sure|of course|certainly|okay)"
    r"[^.!?\n]{0,30}[,.!]? (?:but )?)?"
)
ASKS = (
    rf"(?i)\A{_COURTESY}(?:"
    r"(?:(?:could|can|would) you )?please (?:provide|share|paste|attach|upload|include|supply|enter|send|give)(?: me"
    r"| us)?"
    rf"(?: with)? [^.!?\n]{{0,40}}\b{_THING}\b"
    r"|(?:I (?:do not|don['’]t|cannot|can['’]t) (?:see|have)|there (?:is|was) no|there's no|no) (?:access to )?"
    rf"(?:any |an? |the |your )?(?:\w+ )?{_THING} (?:(?:was|were|is|has been|have been) )?"
    r"(?:provided|given|attached|included|uploaded|to |in your)"
    r"|(?:it (?:seems|looks like|appears)(?: that)? )?you (?:have not|haven['’]t|did not|didn['’]t|forgot to)"
    r" (?:provide|include|share|attach|upload)d?\b)"
)
_KO_THING = (
    r"(?:텍스트|글|기사|문장|문단|단락|본문|지문|문서|이미지|사진|그림|파일|첨부|코드|데이터|자료|표|목록|입력|내용"
    r"|맥락|링크"
    r"|대화|이메일|영상|정보|질문|주제)"
)
KO_ASKS = (
    r"\A(?:(?:죄송|미안)[^.\n]{0,30}[,.] ?|네,? |물론(?:입니다|이죠)[.!,]? )?"
    rf"[^.\n]{{0,30}}{_KO_THING}(?:의 내용)?[을를이가]? ?(?:먼저 |좀 |함께 |다시 |구체적으로 )?"
    r"(?:(?:제공|입력|첨부|공유|업로드|붙여 ?넣|보내|올려|알려)(?:해|어)? ?(?:주세요|주십시오|주시면|주시겠|주시기)"
    r"|(?:제공|첨부|입력|공유|포함|업로드)(?:되지 않|되어 있지 않|하지 않으|돼 있지 않)|(?:보이지|확인되지) 않)"
)

_USES = (
    r"(?:summari[sz]e|re-?write|translate|classify|analy[sz]e|edit|correct|proofread|paraphrase|identify|find|describe"
    r"|read|convert|extract|rate|evaluate|categori[sz]e|determine|explain|interpret|reword|rearrange|sort|calculate"
    r"|answer|complete|shorten|simplify|review|critique|tell me|what|which|who|how|count|highlight|underline|fix|debug)"
)
_PIECE = (
    r"(?:text|paragraph|passage|article|sentences?|poem|essay|excerpt|document|dialogue|conversation|transcript|speech"
    r"|list|table|data ?set|data|code(?: snippet)?|snippet|review|lyrics|statements?|phrases?|quotes?|words|numbers"
    r"|equation|abstract|email|letter|tweet|headline|recipe|story)"
)
TEXT = (
    rf"(?i)\A(?:please |can you |could you )?{_USES}\b[^.?!\n]{{0,60}}"
    rf"(\b(?:the (?:following|given|below|provided|above)|this) (?:\w+ )?{_PIECE}\b"
    rf"|\bthe {_PIECE} (?:below|provided|above))"
)
ENDS_SO = rf"(?i)(\bthe (?:following|given) (?:\w+ )?{_PIECE}(?: below)?)\s*[.:]?\s*\z"
_KO_USES = r"요약|번역|분류|고쳐|수정|교정|분석|읽고|바꿔|바꾸|정리|추출|찾아|평가|해석|다듬|줄여|설명"
KO_TEXT = (
    r"(?:\A|\s)((?:다음|아래|주어진|제시된|제공된|이)의? ?(?:글|문장|문단|단락|기사|지문|텍스트|본문|표|코드|데이터"
    r"|목록|대화"
    rf"|이메일|리뷰|발췌문|문서|인용문|내용|이야기|수식|단어들?)[을를에의은는이가로,])[^.?!\n]*(?:{_KO_USES})"
)
_PICTURES = (
    r"(?:images?|pictures?|photos?|photographs?|diagrams?|screenshots?|illustrations?|paintings?|drawings?"
    r"|sketch(?:es)?|graphs?"
    r"|charts?|figures?|videos?|audio(?: clips?)?)"
)
# A mark that stands for a picture: [Image of a website], <Picture Attached>, (link to photo), [사진].
PICTURE_MARK = (
    rf"(?i)([\[<](?:link to |insert )?(?:an? |the )?{_PICTURES}(?: (?:of|from|with|showing|attached|here"
    rf"|below)\b[^\]>\n]{{0,80}}"
    rf"| ?\d*)[\]>]|\((?:link to|insert|attached) (?:an? |the )?{_PICTURES}[^)\n]{{0,40}}\)|\b{_PICTURES} attached\b"
    r"|[\[<](?:이미지|사진|그림|도표|그래프)(?: ?첨부)?[\]>])(?:[^(]|\z)"
)
IMAGE = (
    rf"(?i)(\b(?:the )?(?:attached|following|above|below|given|provided|accompanying) (?:\w+ )?{_PICTURES}\b"
    rf"|\b(?:in|of|from|at|on|see) (?:this|these) {_PICTURES}\b"
    rf"|\b(?:describe|caption|analy[sz]e|identify) (?:the|this|these) {_PICTURES}\b"
    rf"|\b(?:the|this) {_PICTURES} (?:below|above|attached|provided|shown))"
)
KO_IMAGE = (
    r"(?:\A|\s)((?:첨부(?:된|한)?|다음|아래|이|해당|주어진|제시된)의? ?"
    r"(?:이미지|사진|그림|그래프|도표|차트|스크린 ?샷|삽화|동영상|영상)[을를에의은는이가로])"
)
FILE = (
    r"(?i)\b(?:attached|uploaded|enclosed) (?:\w+ )?(?:file|document|pdf|spreadsheet|csv|excel|report|paper|resume|cv"
    r"|contract|data ?set|data|article|letter)\b|\bin the (?:attachment|attached)\b|\bthis (?:pdf|csv|spreadsheet"
    r"|file)\b"
    r"|(?:첨부(?:된|한)?|업로드(?:된|한)) ?(?:파일|문서|자료|엑셀|보고서|계약서|이력서|논문|데이터)"
)
MAKES = (
    r"(?i)\b(?:creat|generat|design|mak(?:e|ing)\b|draw(?:s|n)?\b|paint(?:s|ed)?\b|produc|compos|edit\b|send|upload"
    r"|delete|how (?:do|can|to|would)|function|program|python|code|html|render|display)\w*"
    r"|만들|생성|그려|디자인|작성|코드|함수|프로그램|방법|어떻게"
)
URL = r"(?:https?://|www\.)\S+"
# The link behind a word of the prompt, [word](link), which is no part of what is asked.
BEHIND_WORD = r"\]\((?:https?://|www\.)[^)\s]*\)"
ABOUT_LINK = (
    r"(?i)\b(?:summari[sz]e|summary|read|translate|review|analy[sz]e|according to|article|headline|extract|paraphrase"
    r"|what"
    r" does|describe|classify|identify)\b|요약|읽고|번역|분석|기사|정리해|설명해"
)
TOOLS = ["toolformer", "api", "curl", "scrap", "pars", "regex", "domain", "url encod", "url short", "()", "(url)"]
# What a prompt has beside a request: a second paragraph, something behind a colon, in quotation marks, in a row.
MORE = r"\n\s*\S|[:：]\s*\S|[\"“”‘「『《<`]\S|\s'\S|(?:,[^,]+){3,}|\d+(?:[,;]\s*\d+)+|[.?!]\s+\S[^.?!]{20,}"
# Every text on which a rule may fire has one of these, whatever the case of its ASCII letters.
SEEN = [
    *("image", "picture", "photo", "diagram", "screenshot", "illustration", "painting", "drawing", "sketch", "graph"),
    *("chart", "figure", "video", "audio", "이미지", "사진", "그림", "도표", "차트", "샷", "삽화", "영상"),
]
MARKED = [f"{opening}{article}{word}" for opening in "[<" for article in ("", "an ", "a ", "the ") for word in SEEN]
MARKED += [f"{opening}{word}" for opening in "[<(" for word in ("link to", "insert", "attached")] + [" attached"]
WORDS = [
    *("following", "given", "below", "provided", " this ", "above", "attach", "upload", "enclosed", "accompanying"),
    *("첨부", "업로드", "다음", "아래", "주어진", "제시된", "제공된", "이 ", "해당", *SEEN),
]
OPENS = [
    *(
        "please provide",
        "please share",
        "please paste",
        "please attach",
        "please upload",
        "please include",
        "please send",
    ),
    *(
        "please supply",
        "please enter",
        "please give",
        "t see",
        "not see",
        "t have",
        "not have",
        " no ",
        "no ",
        "forgot",
    ),
    *(
        "you did",
        "you have",
        "제공",
        "첨부",
        "입력",
        "공유",
        "업로드",
        "붙여",
        "보내",
        "올려",
        "알려",
        "보이지",
        "확인되지",
    ),
]
