"""What refusing, disclaiming and courteous sentences look like in English.

The patterns read one clause at a time (`curation.filter.refusal.clauses`), in lower case, with straight apostrophes.
"""

from __future__ import annotations

import re
from typing import Final

_MODEL = (
    r"(?:(?:ai|artificial intelligence|(?:large |text-based |text )?language model|text(?:-based)? (?:model"
    r"|assistant|ai)"
    r"|machine learning model|chat ?bot|virtual assistant|computer program|bot)\b"
    r"(?: (?:language model|model|assistant|chat ?bot|system))?)"
)
_AI = rf"an? (?:\w+ )?{_MODEL}"

# Without any of these a clause neither refuses nor disclaims.
QUICK: Final = re.compile(
    r"n't|\b(?:not|no|nope|never|cannot|only|unable|declin|refus|pass on|lack|beyond|outside|off the table|against"
    r"|violat|contrary|prohibit"
    r"|conflict|prevent|forbid|require|involve|rather|prefer|incapable|impossible|without|limited|knowledge"
    r"|training|my (?:last|latest)|unlawful|crosses)"
)
# What may stand before the refusing words: courtesy, a connective, who is speaking.
LEAD: Final = re.compile(
    rf"""(?:
   
    (?:no(?:pe)?|oh|uh|ah|hmm?|well|hi|hello|hey|ok(?:ay)?|alas|but|and|so|yet|also|again|honestly|sadly|however|therefore
      |thus|absolutely|as\ such|that\ said|for\ (?:this|that)\ reason|at\ this\ time|in\ that\ case|please\ note|note
      |thank\ you|thanks|unfortunately|regrettably|i\ understand|i\ see|for\ safety|by\ design)(?:\ that)?\b[\ ,.!:;-]+
    |(?:(?:i'm|i\ am)\ (?:\w+\ )?(?:sorry|afraid)|(?:so\ |very\ |really\ )?sorry|(?:my\ )?apologies|i\ apologi[sz]e)
      (?:\ about\ that|\ for\ [^,.]{{0,60}})?(?:\ that(?!'))?(?:\b[\ ,.!:;-]+|$)
    |(?:as|being|(?:(?:since|because|given\ that)\ )?(?:i'm|i\ am))\ (?:\w+\ )?{_AI}[\ ,;:]+
      (?:and\ )?(?:so\ |therefore\ |thus\ )?
    |as\ (?:my|your)\ [^,]{{1,30}},\ |it\ (?:seems|looks\ like)\ [^,]{{0,60}},\ |(?:response|answer|output|ai):\s
    )+""",
    re.VERBOSE,
)

_ADVERB = (
    r"(?:even|really|possibly|directly|actually|currently|legally|ethically|personally|physically|simply|just|also"
    r"|still"
    r"|knowingly|truly|presently|yet|either|ever|in good conscience|at this time|be able to|accurately|reliably)"
)
_NOT = (
    r"(?:cannot|can't|can not|can never|(?:could not|couldn't) (?:possibly|ever|in good)|won't|will not|will never"
    r"|(?:wouldn't|would not) (?=help|give|tell)|shouldn't"
    r"|should not|do not think i (?:can|should)|don't think i (?:can|should|could)|do not want to|don't want to"
    r"|(?:'m|am) (?:\w+ )?(?:not able to|unable to|not going to|not willing to|not here to|not about to|incapable of)"
    r"|(?:'m|am) not sure i (?:can|should)|(?:do not|don't) (?:provide|support|condone|engage))"
)
_OBJECT = r"(?:that|this|these|those|such|any|your|you|it|so|anything|something)"
_MEDIA = (
    r"(?:images?|pictures?|photos?|videos?|audio|music|files?|links?|websites?|attachments?|screens?|documents?|songs?"
    r"|pages?|urls?|the (?:internet|web|future))"
)
# What an assistant is asked to do. Verbs that stories, letters and idioms use too need their object ("I can't help but
# feel", "I can't give this hotel more than one star", "I can't recommend this book enough").
_ACT = (
    rf"(?:help(?: (?:to|you|with|create|plan|make|write|in|anyone|someone|find|hide|spread)\b|\s*[.,!;]|$)"
    r"|assist|aid you|comply|obey|fulfil|participate|engage|browse"
    rf"|(?:do|say|answer|discuss|support|condone|encourage|endorse|promote|facilitate|fulfil+|complete|carry out)"
    rf" (?:\w+ ){{0,2}}?{_OBJECT}\b|respond to|answer (?:the|questions)|do (?:the remaining|the rest)"
    r"|provide|generate|produce|disclose|divulge|diagnose|prescribe|speculate|foretell|foresee|impersonate|advise"
    rf"|offer (?:you |any )?(?:\w+ )?(?:advice|opinions?|instructions|guidance|help|assistance|information|support)"
    r"|(?:write|create|compose|draft|make|give|share|reveal|tell|show|teach|recommend|list|describe|explain|reproduce"
    r"|translate|summari[sz]e|make up|draw|paint|rank|compare|point|guide|instruct|walk|insult|pretend)"
    rf" (?:out |about |up )?(?:{_OBJECT}\b|an?(?: \w+)? (?:{_MEDIA}|drawing|logo|graphic|diagram|review|essay"
    rf"|story|joke)|a"
    r"|an|the (?:full|exact|whole|entire|complete|attached|content)|(?:\w+ )?(?:advice|instructions|information|details"
    r"|content|jokes|material|passwords|images|pictures|guidance|diagnos[ei]s|figures|quotes|code|essays|reviews)"
    r"|how to|which|who|whom|what|trying|someone|anyone(?:'s)?|private|personal|sexual|explicit|hateful|people"
    r"|racist)\b"
    r"(?!.*\benough\b)"
    rf"|(?:see|view|watch|hear|open|access|read|visit|process|play|record|send|display|analy[sz]e|look at|search|edit"
    rf"|listen to|interpret|download|retrieve) (?:\w+ ){{0,2}}?(?:{_MEDIA}\b|real-time|external|live|e-?mails|your"
    rf"|code)"
    r"|predict|look up|execute|run (?:code|this|that|the|scripts?)|connect to|send (?:e-?mails|messages|an e-?mail)"
    r"|make (?:phone )?(?:calls|reservations|purchases)|place (?:orders|calls)|(?:order|book) \w+ for you"
    r"|verify (?:that|this|the)|recall (?:what|our|any)|remember (?:what we|our|previous|past)|contribute to|be part of"
    r"|take (?:sides|part in)|point you|(?:say|tell|know) (?:who|whom|which|when|exactly|for (?:sure|certain))\b"
    r"|access (?:the|your|this|that|real|any|personal))"
)
_ABILITY = r"(?:ability|capability|capacity|capabilities|means|authority|authori[sz]ation|permission|tools|expertise)"
_BARRED = (
    r"not (?:able|allowed|permitted|programmed|designed|authori[sz]ed|qualified|equipped|trained|built|capable|licensed"
    r"|comfortable|in a position)\b"
)
_REFUSING = (
    rf"\bi ?(?:{_ADVERB},? )*{_NOT} ?(?:{_ADVERB} )*{_ACT}",
    rf"^i ?(?:{_ADVERB} )*{_NOT}\s*[.!]?$",
    rf"^(?:not going to|not able to|unable to|can't|cannot|won't) {_ACT}",
    rf"^i(?:'m| am| can| do)\b[^.]{{1,70}}\b(?:and|so)(?: i)?(?: am| do)?(?: thus| therefore| so| also)? (?:{_NOT}"
    rf"|unable to|not able to|not) {_ACT}",
    rf"\bi(?:'m| am) (?:\w+ )?{_BARRED}(?! (?:to (?:be|come|go|attend|make it|join)|sure))",
    r"\bi(?:'m| am) (?:\w+ )?(?:declining|refusing)\b",
    r"\bi (?:must|have to|need to|will have to|'?ll have to|am going to have to|respectfully|politely|do|shall)"
    r" (?:respectfully |politely )?(?:decline|refuse|pass on this)\b",
    r"^i (?:refuse|decline)\b",
    r"\bi(?:'d| would) (?:much )?(?:rather|prefer) not\b",
    r"\bi (?:don't|do not|wouldn't|would not) feel (?:comfortable|right)\b",
    rf"\bi (?:don't|do not|lack|have no)(?: (?:have|possess))?(?: \w+){{0,2}}? {_ABILITY} (?:to|of|for)\b",
    r"\bi (?:don't|do not|have no)(?: currently| actually)?(?: have)? ?(?:direct |any )?access to\b",
    r"\bi have no way (?:of|to)\b|\bthere(?:'s| is) no way for me\b",
    r"\bi (?:don't|do not|have no)(?: have)?(?: any)? (?:information (?:about|on) (?:you\b|your)|memory of"
    r"|real-time|up-to-date"
    r"|current data|live data|records? of (?:you|our))",
    r"\b(?:isn't|is not|'s not|are not|aren't) (?:something|anything|a thing|one) (?:that )?i(?:'m| am|'ll| can"
    r"| will| could| would)\b",
    r"\b(?:isn't|is not|not|im)\s?possible for me\b|^(?:that(?:'s| is)|this is|it(?:'s| is)) (?:not "
    r"|im)possible\s*[.!]?$",
    r"\bit (?:would(?: not|n't)|is not|isn't)(?: be)? (?:appropriate|right|ethical|responsible|proper) (?:for me )?to"
    r" (?:provide|help|assist|answer|give|share|write|create|generate|make|discuss|offer|support|encourage)",
    r"\b(?:is|are|it's|falls?|lies|goes) (?:\w+ )?(?:beyond|outside)(?: of)? (?:the scope of )?(?:my|what i)\b",
    r"\b(?:is|are) off the table\W*$|\bno can do\b",
    r"\b(?:against|violates?|contrary to|prohibited by|conflicts? with) (?:my|our|the) (?:\w+ ){0,2}?"
    r"(?:programming|guidelines?|polic(?:y|ies)|principles|values|instructions|terms|rules|ethics|training"
    r"|code of conduct)",
    r"\bmy (?:\w+ ){0,2}?(?:programming|guidelines?|polic(?:y|ies)|instructions|training|principles)"
    r" (?:\w+ )?(?:prevents?|prohibits?|forbids?|does not|doesn't|do not|don't|won't|will not)",
    r"\b(?:your|this|that|the|such a) (?:request|task|prompt|instruction|question)\b[^.]{0,60}"
    r"\b(?:cannot be|can't be|can not be|could not be|not be|goes against|crosses)\b",
    rf"\b(?:this|the|such a) (?:task|instruction|request)\b[^.]{{0,60}}\b(?:requires?|involves|does not meet"
    rf"|is (?:not|beyond))\b"
    rf"[^.]{{0,90}}(?:visual|{_MODEL}|\bgpt\b|\bthe model\b)",
    r"\bi only (?:process|work with|understand|handle|deal with) text\b|\bonly able to (?:process|work with"
    r"|read) text\b",
    r"\bi (?:can|could) (?:only|not)\b[^.]{0,40}\b(?:and|but) (?:am )?(?:unable|not able|cannot|can't)\b",
)
REFUSES: Final = re.compile("|".join(_REFUSING))
# An answer that opens so, to a prompt that does not ask for somebody else's words, refuses whatever the
# verb, idioms aside.
OPENS: Final = re.compile(
    rf"^i ?(?:{_ADVERB} )*(?:cannot|can't|can not|won't|will not|(?:'m|am) (?:\w+ )?(?:not able to|unable to"
    rf"|not going to)) "
    r"(?!help but|figure|see (?:how|why|what|where|any)|recommend .* (?:enough|highly)|believe|imagine|wait\b"
    r"|stop\b|stress|emphasi|remember|think of|understand|hear\b|make (?:it|sense)|lie\b|deny"
    r"|argue with|agree more|thank|complain|tell if|tell whether|be\b|know\b|agree\b|break\b|keep\b"
    r"|find (?:the text|any)"
    r"|afford|attend|come\b"
    r"|go\b|stand\b|take it|get enough|live without|have an? )(?!.*\benough\b)\w+"
)
# In a clause that is all of a very short answer, or behind an apology.
BARE_NO: Final = re.compile(r"^(?:no|nope|absolutely not|no way)\s*[.!]?$")
SORRY: Final = re.compile(r"\b(?:sorry|apolog|afraid|unfortunately|regrettabl)")
# Late in an answer, only what an assistant alone says.
LATE: Final = re.compile(
    r"^i(?:'m| am)? (?:cannot|can't|won't|will not|unable to|not able to|not going to|must decline) (?:help|assist"
    r"|provide"
    r"|generate|create|fulfil|comply|do the|give (?:you|that)|answer the|reproduce|share the|write (?:the|that|this))"
)

_HUMAN = (
    r"(?:(?:any |my own |own |moral |religious |political |real |human |true |a |an )*(?:personal|feelings?"
    r"|emotions?|opinions?"
    r"|beliefs?|preferences?|experiences?|tastes?|views?|taste buds|consciousness|senses|stake|childhood"
    r"|favou?rites?|body"
    r"|life|regrets?|hobbies|family|memories|desires?|moods?|gender|physical|physical form|age))"
)
_DENIES = r"(?:not|n't|\bno|never|cannot|lack|limited|unable|without|may be (?:out|in)|only)"
DISCLAIMS: Final = re.compile(
    rf"\b(?:as|being|i'm|i am|because i am|since i am|since i'm)(?: (?:just|only|merely"
    rf"|simply))? {_AI}\b(?=.*{_DENIES})"
    rf"|{_DENIES}\b[^.]{{0,60}}\b(?:as|being|because i am|because i'm|since i'm|since i am) {_AI}"
    rf"|\bi (?:don't|do not|cannot|can't|lack|have no)(?: (?:actually|really|personally|truly))?"
    rf" ?(?:have|hold|possess|experience|form)? {_HUMAN}\b(?! (?:information|data|details|time|car|use|contact"
    rf"|account))"
    r"|\bmy (?:own )?(?:knowledge|training)(?: data| cut-?off)*\b[^.]{0,40}"
    r"\b(?:only|up to|until|ends?|cut-?off|limited|is from|was|stops|20\d\d)\b"
    r"|\b(?:as of|since|until|up to|at the time of) my (?:last|latest|most recent|knowledge|training|current)\b"
)
# Behind such an opening the sentence itself says something.
OPENINGS: Final = re.compile(
    r"^((?:while|although|though|even though|whilst)\b[^,]{0,120}|(?:as of|up to|until|according to) my\b[^,]{0,60}"
    r"|to my knowledge[^,]{0,40}), (.+)$"
)

OPENS_WITH: Final = (
    "while ",
    "although ",
    "though ",
    "even though ",
    "whilst ",
    "as of ",
    "up to ",
    "until ",
    "according to ",
    "to my ",
)

COURTESY: Final = re.compile(
    r"\b(?:(?:anything|something) else|other (?:questions?|topics?|requests?|ways)|another (?:question|topic|request)"
    r"|let me know|feel free|happy to|glad(?:ly)? to|i will gladly|i'd be glad|here to help|how (?:can"
    r"|may) i (?:help|assist)"
    r"|would you like|do you have any|can i help|i(?:'m| am) here|hope (?:this|you|that)|(?:thank you"
    r"|thanks) for (?!asking)"
    r"|i understand|i appreciate|i respect|i recogni[sz]e|i hear|i know (?:this|that|it)|instead of)"
    r"|^(?:i'm|i am)?\s*(?:\w+ )?(?:sorry|afraid)\b|^(?:i )?apologi|^unfortunately$|^(?:no|nope|well|oh|hi|hello"
    r"|absolutely not)\W*$"
    r"|^if (?:you|there)\b|^(?:please|kindly|perhaps|maybe|try to|consider|remember)\b"
    r"|\bare you (?:a|an|sure|ok|okay|trying|in)\b|^(?:why|what) (?:would|do|are|makes|did) you\b"
    r"|\b(?:consult|contact|speak(?:ing)? (?:to|with)|talk(?:ing)? (?:to|with|it)|reach(?:ing)? out|seek(?:ing)?"
    r"|refer to|see) (?:\w+ ){0,4}?"
    r"(?:professional|doctor|physician|lawyer|attorney|adviser|advisor|counsel\w+|therapist|vet|expert|help"
    r"|authorit\w+|police"
    r"|hotline|helpline|someone|manager|mediator|hr|specialist|website|source|support|dermatologist|pharmacist)"
    r"|\bi (?:would |'d )?(?:recommend|suggest|encourage|advise|urge)\b|\byou (?:may|might|should|could|can"
    r"|will need to|'ll need to)"
    r" (?:want to |wish to |try to |also |always |instead )*(?:consult|contact|speak|talk|reach|seek|check|refer"
    r"|visit|ask|consider|call)\b"
    r"|\bcrisis line|switchboard"
)
LECTURES: Final = re.compile(
    r"\b(?:illegal|unethical|unlawful|immoral|wrong|crimes?|criminal|dangerous|harmful|inappropriate|offensive"
    r"|unacceptable"
    r"|violat\w+|invasion|invade|dishonest\w*|discriminat\w+|disrespectful|hurtful|abusive|consequences"
    r"|against the law|consent"
    r"|copyright|copyrighted|privacy|misleading|defamatory|scientific basis|plagiarism|misuse|unfair|cruel|hate"
    r"|never (?:ok|okay|right))\b"
    r"|\b(?:it is|it's) (?:\w+ )?(?:important|best|essential|crucial|never|not (?:ok|okay|right|acceptable|good"
    r"|nice))\b"
    r"|\bmy (?:purpose|goal|role|aim|job|function) is|\bi (?:am|'m|was) (?:\w+ )?(?:designed|programmed|trained"
    r"|made|built|created|here) to\b"
    r"|\bi (?:can )?only (?:process|respond|provide|have|communicate|work|generate)|\bi(?:'m| am) (?:just |only "
    r"|merely )?an? "
    r"|\bi don't want to\b|^(?:so )?i (?:do not|don't|cannot|can't|am not|'m not)\b|\b(?:makes"
    r"|made) me (?:feel )?uncomfortable"
)

# Prompts that ask for such words, and prompts whose answers speak for somebody else.
ASKS_FOR_IT: Final = re.compile(
    r"\b(?:refus|declin(?!e in)|apolog|reject|turn(?:ing|s)? (?:it |them |him |her |me )?down|excuse"
    r"|say(?:ing)? no\b|sorry"
    r"|rude|disclaimer|unable|not able|error (?:message|text)|out of office|voicemail)"
    r"|\b(?:can't|cannot|won't|can not|could not|cant)\b.*[\"']|(?:correct|edit|fix|rewrite|rephrase|paraphrase"
    r"|translate|proofread)"
    r"\b.*(?:can't|cannot|won't|can not|cant|could not|죄송|없|못)"
)
SPEAKS_FOR_ANOTHER: Final = re.compile(
    r"\b(?:act(?:ing)? (?:as|like)|pretend|role ?-?play|play (?:the|a|an)\b|in the (?:voice|style|role|persona) of"
    r"|imagine (?:you|that you)"
    r"|you are (?:an? |the )(?!ai\b|language|assistant|helpful)|(?:speak|answer|respond|reply|talk"
    r"|write)(?: \w+)? (?:as|like) (?:if|an?|the)\b"
    r"|impersonate an?\b|persona|character|dialogue|conversation between|monologue|screenplay|scene|skit"
    r"|(?:a|the|this|following) (?:customer|client|guest|user|patient)|customer (?:service|support)|invitation"
    r"|sign for|greeting)"
)
WRITES: Final = re.compile(
    r"^(?!(?:please |can you |could you )?(?:send|record|read|print|open|play|call|draw|show|run|watch)\b).*"
    r"\b(?:e-?mail|letter|message|note|memo|reply|response to|tweet|post|caption|slogan|motto|speech|quote|line"
    r"|sentence|phrase"
    r"|lyrics?|song|poem|haiku|verse|story|stories|tale|novel|diary|journal|review|statement|complete|continue"
    r"|finish|fill in"
    r"|example of|tongue twister|riddle|joke|limerick|headline|title|paragraph)\b"
)
NEGATES: Final = re.compile(r"\b(?:can't|cannot|can not|cant|unable|won't)\b")
META: Final = re.compile(
    rf"\b(?:requests?|assist|comply|fulfil\w*|{_MODEL}|guidelines?|policy|programm\w+|content|prompt)\b"
    rf"|\bhelp(?: you)?(?: with\b|[.!]|$)"
    r"|\b(?:write|create|generate|produce|provide|compose|make|reproduce|share|disclose|give you)\b"
    r"|\bthat(?:'s not)?\b\s*(?:[.!]|$)|^i(?: must| have to)? decline[.]?$"
)
LETTER: Final = re.compile(
    r"(?:^|\n)\s*(?:dear|subject:|hi \w+,|hello \w+,|to whom)|\b(?:sincerely|regards|yours truly),?\s*(?:\n|$)"
)
