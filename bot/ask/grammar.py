"""What the parts of a question look like, and the scan that cuts a text into them."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cache
from typing import NamedTuple

EXAMPLE = "500k in 80k out opus"


class Refusal(Exception):
    """A question that has no answer: one sentence that quotes what was wrong, and a question that works."""

    def __init__(self, sentence: str, suggestion: str = EXAMPLE, replaced: str = "") -> None:
        self.sentence = sentence
        self.suggestion = suggestion
        self.replaced = replaced
        """The words of the question that the suggestion takes the place of; all of them, if empty."""

        super().__init__(sentence)


class Item(NamedTuple):
    """One part: its kind, its words, and what the words say (a kind's name, a number, a model)."""

    kind: str
    text: str
    value: str


FAMILIES = "fable|haiku|mythos|opus|sonnet"
_OTHERS = r"gpt|gemini|llama|grok|mistral|deepseek|qwen|kimi|glm|codex|composer|o\d|claude"
_MAKERS = "gpt|gemini|llama|grok|mistral|deepseek|qwen|kimi|glm"
_PEOPLE = "people|persons?|developers?|devs?|engineers?|users?"
_UNIT = "k|m|b|bn|mn|mio|mil|million|thousand|billion"
# One digit, or two with a separator; what goes on as a number or a unit is an amount, not a version.
_COUNTED = (
    f"(?:working |work |active )?days?|times|{_PEOPLE}|turns?|messages?|(?:web[- ]?)?search(?:es)?|subagents?|cold|idle"
    "|checks|lines?|sessions?|requests?|runs?|bug|features?|refactors?|agent|autonomous|hours?|h"
)
_NOT_AN_AMOUNT = rf"(?![\d%]|[.,]\d|x\b| ?(?:{_UNIT})\b| ?\*)"
_NOT_A_VERSION = (
    rf"(?![\d%]|[.,]\d| \d{{3}}\b|x\b| ?\*| ?(?:{_UNIT}|{_COUNTED})\b"
    rf"| (?:{FAMILIES})(?: \d(?:[-.]\d)?)? subagents?\b)"
)
_VERSION = rf"(?:\d[-.]\d{_NOT_AN_AMOUNT}|\d \d{_NOT_A_VERSION}|\d{_NOT_A_VERSION})"
_DATED = r"(?:[-@]\d{8}|-latest)?(?:-v\d(?::\d)?)?"
_VENDOR = r"(?:anthropic[/.])?"
_AGENT = rf"(?:claude[- ])?(?:{FAMILIES})(?:[- ]\d(?:[-.]\d)?(?:-\d{{8}})?)?"
# Before "subagents", a single digit counts them: opus, 3 subagents
_THEIR = rf"(?:claude[- ])?(?:{FAMILIES})(?:[- ]\d[-.]\d(?:-\d{{8}})?)?"
_WRITE = r"cache[-_ ]?(?:writes?|creation)"
_HOUR = r"(?:1h|1[- ]?hr|1[- ]hour|one[- ]hour)"
# 20 or 1,000: neither a decimal comma nor a group of digits after a blank
_WHOLE = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?![.,]?\d| \d{3}\b)"
_TURNS = r"(?:turns?|messages?|prompts)"
_MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?"
)
_FIVE = r"(?:5m|5[- ]?min(?:ute)?s?)"
_CACHED = r"(?:from (?:the )?cache|read from (?:the )?cache|cache[- ]?(?:hits?|reads?)|cached|cache)"
_SOME = rf"(?:\d{{1,3}}(?:[,_' ]\d{{3}})+|\d+(?:[.,]\d+)?) ?(?:{_UNIT})?"
_PERCENT = r"(?:%|percent|per cent)"
_FILLER = """
    how much many what will would does do did is are was the a an of for with at and if it be by we i me my our use
    using used need needs want cost costs price prices priced pay spend run running token tokens tok toks please about
    roughly
    approx around say total session request from compare claude code model models usd dollars each person developer dev
    user engineer team tell show calculate estimate have has hi hello hey thanks current currently newest latest now
    that this when there can could you get give let know s d ll re ve over
""".split()

# Tried in this order at each place of the text; the first that fits is taken.
_PATTERNS = (
    ("claude_md", rf"claude\.md(?: (?:of|with|has|at))? (?P<lines>{_WHOLE}) lines?\b"),
    ("claude_md", rf"(?P<lines>{_WHOLE})[- ]lines? claude\.md\b"),
    ("turns_per_hour", rf"(?P<rate>{_WHOLE}) {_TURNS} (?:per|an|a|each|every) hour\b"),
    ("turns", rf"(?P<turns>{_WHOLE})[- ]{_TURNS}\b"),
    (
        "compact",
        r"/?compact(?:ed|ing|ion|s)?(?: (?:at|every|over))? "
        rf"(?P<compact>\d{{1,3}}(?: \d{{3}})+|\d[\d.,]* ?(?:{_UNIT})?)(?! tokens? (?:in|out)\b)(?!\w)",
    ),
    (
        "subagents",
        rf"(?:\d+ )?(?:{_THEIR} )?subagents?(?:(?:: | (?:on|with|using|uses?|run(?:ning)?(?: on)?|are) ){_AGENT})?\b",
    ),
    ("subagents", rf"{_AGENT} (?:for|in) (?:the |all |my |its )?subagents?\b"),
    ("cold", r"(?P<cold>\d+) (?:cold|idle)(?: turns?| pauses?)?\b"),
    ("checks", r"(?P<checks>\d+) checks(?: (?:per|an|a) hour)?\b|auto[- ]mode\b"),
    ("plan_mode", r"(?:in )?plan mode\b"),
    (
        "preset",
        rf"(?:{_WHOLE} )?(?P<preset>bug[- ]?fix|feature|refactor|agent team)(?:e?s|ing|oring)?(?: (?:build|run))?\b",
    ),
    ("autonomous", r"(?P<hours>\d+) ?h(?:ou)?r?s?(?: of)? autonomous(?:ly)?\b"),
    ("autonomous", r"autonomous(?:ly)?(?: for)?(?: (?P<hours>\d+) ?h(?:ou)?r?s?)?\b"),
    ("day", r"(?:on |at |as of |of |since )?(?P<day>\d{4}-\d{2}-\d{2}|today)\b"),
    (
        "other_day",
        rf"(?:on |in |as of )?(?:\d{{1,2}}(?:st|nd|rd|th)? )?(?:{_MONTHS})(?: \d{{1,2}}(?:st|nd|rd|th)?)?,? \d{{4}}\b",
    ),
    ("other_day", r"(?:on |as of )\d{8}\b|\d{1,2}[./]\d{1,2}[./](?:\d{4}|\d{2})\b|\d{4}[./]\d{1,2}[./]\d{1,2}\b"),
    ("money", rf"\$ ?\d[\d.,]*(?: ?(?:{_UNIT})\b)?|\d[\d.,]* ?(?:\$|usd\b|dollars?\b)"),
    (
        "times",
        rf"(?:x|\*) ?(?P<times>{_WHOLE})(?! ?(?:{_UNIT})\b)"
        rf"(?: (?:times|(?:working |work |active )?days?|sessions?|requests?|runs?|{_PEOPLE}))?(?!\w)",
    ),
    ("times", rf"(?P<times>{_WHOLE})(?: ?(?:x\b|\*|times\b)| (?:sessions|requests|runs)\b)"),
    ("times", rf"(?:for |over )?(?P<times>{_WHOLE}) (?:(?:working |work |active )?days?|{_PEOPLE})\b"),
    (
        "cached",
        r"(?:of (?:which|it|them|that|those) )?"
        rf"(?P<cached>\d+(?:[.,]\d+)?) ?{_PERCENT} ?(?:of (?:the |it |its |them )?(?:inputs? ?)?(?:tokens )?)?"
        rf"(?:is |are |was |were )?{_CACHED}\b",
    ),
    (
        "cached",
        rf"(?:cached|cache[- ]?hit(?:[- ]rate)?s?|cache rate)[:= ]+(?:of )?(?P<cached>\d+(?:[.,]\d+)?) ?{_PERCENT}",
    ),
    (
        "cached_part",
        rf"(?P<part>{_SOME}) of (?:it|them|that|those|which|this|(?:the )?inputs?) (?:tokens )?"
        rf"(?:is |are |was |were |being )?{_CACHED}\b",
    ),
    (
        "cached_part",
        rf"(?:of which|including|of these|of them) (?P<part>{_SOME}) (?:tokens )?(?:is |are |was |were )?{_CACHED}\b",
    ),
    (
        "cached_part",
        rf"(?P<part>{_SOME}) (?:tokens )?(?:is |are |was |were )?{_CACHED} of (?:it|them|that|those|the inputs?)\b",
    ),
    ("cached_part", rf"\((?P<part>{_SOME}) (?:tokens )?(?:is |are |of it |of them )?{_CACHED}\)"),
    ("model", rf"{_VENDOR}claude[- ]\d(?:[-.]\d)?[- ](?:{FAMILIES}){_DATED}(?!\w)"),
    # "opus 5 500 000 in" can be Opus 5 and 500,000, or opus and 5,500,000.
    ("ambiguous", rf"(?:claude[- ])?(?:{FAMILIES}) \d(?: \d)? \d{{3}}\b"),
    (
        "model",
        rf"{_VENDOR}(?:claude[- ])?(?:{FAMILIES})(?:[- ]?{_VERSION})?{_DATED}(?:\[1m\])?(?![\w-])",
    ),
    ("version", rf"(?:vs\.?|versus|against|or) (?P<version>\d(?:[-.]\d)?){_NOT_A_VERSION}(?!\w)"),
    ("version", rf"(?:and|,) ?(?P<version>\d[-.]\d){_NOT_A_VERSION}(?!\w)"),
    ("other_model", rf"(?:{_OTHERS})(?:-?[\w.:/@-]*\d[\w.:/@-]*|-[a-z][\w.:/-]*)"),
    (
        "other_model",
        rf"(?:{_MAKERS})(?: \d(?:\.\d)?{_NOT_A_VERSION}(?!\w))?(?: (?:pro|flash|turbo|mini|ultra|nano))*(?![\w-])",
    ),
    ("other_model", r"[a-z][\w-]*\.(?:[\w-]+\.)?claude-[\w.:@-]+"),
    ("filler", r"\bin (?=total|all\b|dollars|usd)"),
    ("both", r"with(?: and | or | and/or |/)without(?: (?:the )?\w+)?"),
    ("both", r"(?:(?:with|in) )?(?:a )?(?:fast|batch|cach(?:e|ing)|us)(?: mode)? and without(?: it)?\b"),
    (
        "filler",
        r"(?:costs?|tells?|shows?|gives?|charges?|takes?|lets?|for|between|among) us\b"
        r"(?![- ](?:only|region|geo|routing|inference))",
    ),
    ("plain", r"(?:no|without|not)(?: (?:a|any|the))? (?:prompt )?cach(?:e|ing|ed)\b|uncached(?! in)\b"),
    ("standard_speed", r"(?:not|no|non|without|never)[- ](?:in )?fast(?:[- ]mode)?\b"),
    ("standard_tier", r"(?:not|no|non|without|never)[- ](?:in |the )?batch(?:ed|es)?(?:[- ](?:api|mode))?\b"),
    (
        "global",
        r"(?:not|no|non|without|outside)[- ](?:in )?(?:the )?usa?(?:[- ](?:only|region|geo|routing|inference))?\b",
    ),
    ("global", r"global(?:ly)?(?: (?:routing|inference))?\b"),
    ("standard", r"standard(?: (?:speed|tier|mode|price))?\b"),
    ("fast", r"fast(?:[- ]mode)?\b"),
    ("batch", r"batch(?:ed|es)?(?:[- ](?:api|mode))?\b"),
    ("us", r"(?:the )?usa?(?:[- ](?:only|region|geo|geography|routing|inference))?\b"),
    ("kind", rf"(?P<cache_write_1h>{_HOUR}[- ]{_WRITE}|{_WRITE}[- _]?\(?{_HOUR}\)?)(?!\w)"),
    ("kind", rf"(?P<cache_write_5m>{_FIVE}[- ]{_WRITE}|{_WRITE}[- _]?\(?{_FIVE}\)?)(?!\w)"),
    ("kind", rf"(?P<cache_write>{_WRITE})\b"),
    (
        "kind",
        r"(?P<cache_read>cache[-_ ]?(?:reads?|hits?)|cached(?: (?:input|reads?))?|read from (?:the )?cache|cache)\b",
    ),
    ("cache_1h", rf"{_HOUR} (?:cache|ttl|lifetime)\b|cache lifetime {_HOUR}\b"),
    ("lifetime", rf"{_HOUR}(?!\w)"),
    ("kind", r"(?P<web_search>(?:web[- ]?)?search(?:es)?)\b"),
    ("kind", r"(?P<input>(?:uncached |fresh |plain )?in(?:puts?)?|prompts?)\b"),
    ("kind", r"(?P<output>out(?:puts?)?|completions?)\b"),
    ("number", r"(?P<number>(?:a|one)) (?P<unit>million|thousand|billion)\b"),
    (
        "number",
        r"(?P<number>\d{1,3}(?:[,_']\d{3})+(?:\.\d+)?(?!\d)"
        rf"|\d{{1,3}}(?: \d{{3}})+(?!\d|[.,]\d| ?(?:{_UNIT})\b)"
        rf"|(?<![\d][.,])\d+(?:[.,]\d+)*(?! \d{{3}}(?:{_UNIT})\b)|\.\d+)"
        rf" ?(?P<unit>{_UNIT})?(?![\w%]|[.,]\d)",
    ),
    (
        "mark",
        r"(?:plus|to|vs|versus|against|than|or|per|on|sessions|requests|runs|day|daily|days)\b"
        r"|\.\.+|\+|/(?= ?(?:day|hour)\b)",
    ),
    ("filler", rf"(?:{'|'.join(_FILLER)})\b"),
    (
        "gap",
        rf"(?:[\s,;:?!&)=/|\"'`~]|\((?!{_SOME} (?:tokens )?(?:is |are |of it |of them )?{_CACHED}\))|[-.](?!\d|\.))+",
    ),
)
MARKS_OF_TWO = ("+", "plus", "to", "..", "...", "vs", "versus", "against", "than", "or")
"""Marks that say that the amounts beside them belong together in a way that a question has no words for."""

_SCANNER = tuple((name, re.compile(pattern, re.ASCII)) for name, pattern in _PATTERNS)
_GAP = dict(_SCANNER)["gap"]
_QUOTES = str.maketrans(
    dict.fromkeys("‘’‚‛′", "'") | dict.fromkeys("“”„‟″«»", '"') | dict.fromkeys("‐‑‒–—―−", "-") | {"×": "x"}
)


def normalised(text: str) -> str:
    """The text in lower case, with plain spaces, quotes and dashes, and without control characters."""
    unescaped = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    plain = unicodedata.normalize("NFKC", unescaped.translate(_QUOTES)).translate(_QUOTES).lower()
    return re.sub(r"\s+", " ", "".join(c if unicodedata.category(c)[0] != "C" else " " for c in plain)).strip()


def scan(text: str, own_names: Sequence[str] = (), own_prefixes: Sequence[str] = ()) -> Iterator[Item]:
    """The parts of a normalised text in their order, without filler words. Raises Refusal at what is no part.

    ``own_names`` are models' names in lower case that are read besides the known spellings, and ``own_prefixes`` what
    may stand before a known id. Where an own name and a known spelling both fit, the longer one is meant.
    """
    own = _own_pattern(own_names, own_prefixes)
    position = 0
    while position < len(text):
        kind, match = _part_at(text, position)
        named = own.match(text, position) if own else None
        if named and (match is None or kind != "model" or named.end() >= match.end()):
            kind, match = "model", named
        if match is None:
            raise _unreadable(text, position)
        if kind == "ambiguous":
            raise Refusal(f"“{match[0]}” can be read in two ways; write the model as opus-5 and the amount as 500,000.")
        if kind not in ("gap", "filler"):
            value = match.lastgroup or "" if kind == "kind" else next(filter(None, match.groups()), "")
            yield Item(kind, match[0].strip(), value if kind != "number" else match[0].strip())
        position = match.end()


def _part_at(text: str, position: int) -> tuple[str, re.Match[str] | None]:
    if text[position] == " ":
        return "gap", _GAP.match(text, position)
    for kind, pattern in _SCANNER:
        match = pattern.match(text, position)
        if match and match.end() > position:
            return kind, match
    return "", None


@cache
def _compiled(alternatives: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?:{'|'.join(alternatives)})(?![\w-])", re.ASCII)


def _own_pattern(names: Sequence[str], prefixes: Sequence[str]) -> re.Pattern[str] | None:
    prefixed = [rf"{re.escape(prefix)}[\w.:@/-]*\w" for prefix in prefixes]
    alternatives = (*prefixed, *(re.escape(name) for name in names))
    return _compiled(alternatives) if alternatives else None


def _unreadable(text: str, position: int) -> Refusal:
    start, end = text.rfind(" ", 0, position) + 1, text.find(" ", position)
    word = text[start : end if end >= 0 else None].strip(",;.?\"'") or text[position]
    sentence = f"I could not read “{word[:60]}”."
    number = re.fullmatch(r"-?(\d+)[a-z]?", word)
    if number:
        return Refusal(f"{sentence} Numbers look like 80k, 1.2M or 80,000.", text.replace(word, f"{number[1]}k", 1))
    near = [] if re.search(r"\d", word) else get_close_matches(word, _VOCABULARY, 1, 0.7)
    if near == [word]:
        before = text[:start].split()[-1:]
        return Refusal(f"I could not read “{' '.join([*before, word])[:60]}”: a whole number belongs before “{word}”.")
    if near:
        return Refusal(f"{sentence} Did you mean “{near[0]}”?", text.replace(word, near[0], 1))
    sentence += " Leave it out, or write it as in the example."
    beside = [*text[:start].split()[-1:], *text[start + len(word) :].split()[:1]]
    if re.search(rf"\d|{FAMILIES}", word) or any(re.search(_CARRYING, other) for other in (word, *beside)):
        # Without the word, an amount or a model beside it could mean something else.
        return Refusal(sentence)
    return Refusal(sentence, re.sub(r"\s+", " ", text.replace(word, " ", 1)).strip())


_CARRYING = r"\d|^(?:an?|one|million|thousand|billion|half|cached?|tokens?)$"
"""What a word may change by standing beside it."""


_VOCABULARY = [
    *FAMILIES.split("|"),
    *"input output cached cache search searches fast batch turns session days people subagents compact feature".split(),
    *"refactor autonomous today times million thousand".split(),
]
