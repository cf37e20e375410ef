"""What the parts of a question look like, and the scan that cuts a text into them."""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

EXAMPLE = "500k in 80k out opus"


class Refusal(Exception):
    """A question that has no answer: one sentence that quotes what was wrong, and a question that works."""

    def __init__(self, sentence: str, suggestion: str = EXAMPLE) -> None:
        self.sentence = sentence
        self.suggestion = suggestion
        super().__init__(sentence)


class Item(NamedTuple):
    """One part: its kind, its words, and what the words say (a kind's name, a number, a model)."""

    kind: str
    text: str
    value: str


FAMILIES = "fable|haiku|mythos|opus|sonnet"
_OTHERS = r"gpt|gemini|llama|grok|mistral|deepseek|qwen|kimi|glm|codex|composer|o\d|claude"
_PEOPLE = "people|persons|developers|devs|engineers|users"
# One digit, or two with a separator; what goes on as a number or a unit is an amount, not a version.
_COUNTED = (
    "days?|times|people|turns?|messages?|searches|subagents?|cold|idle|checks|lines?|sessions?|requests?|runs?"
    "|bug|features?|refactors?|agent|autonomous"
)
_NOT_A_VERSION = (
    rf"(?![\d%]|[.,]\d| \d{{3}}\b|x\b| ?(?:[kmb]|bn|mio|million|thousand|{_COUNTED})\b| (?:{FAMILIES}) subagents?\b)"
)
_VERSION = rf"\d(?:[-. ]\d{_NOT_A_VERSION})?{_NOT_A_VERSION}"
_DATED = r"(?:-\d{8}|-latest)?"
_WRITE = r"cache[-_ ]?(?:writes?|creation)"
_HOUR = r"(?:1h|1[- ]?hr|1[- ]hour|one[- ]hour)"
# 20 or 1,000: neither a decimal comma nor a group of digits after a blank
_WHOLE = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?![.,]?\d| \d{3}\b)"
_TURNS = r"(?:turns?|messages?)"
_FIVE = r"(?:5m|5[- ]?min(?:ute)?s?)"
_FILLER = """
    how much what would will does do did is are was the a an of for with at and plus to if it be by we i me my our use
    using cost costs price prices priced pay spend run running token tokens tok toks please on about roughly approx say
    total session sessions request requests from compare vs versus against or than claude code model dollars usd each
    per day person a daily tell show calculate estimate have has hi hello hey thanks current currently now that this
    when there standard global
""".split()

# Tried in this order at each place of the text; the first that fits is taken.
_PATTERNS = (
    ("claude_md", rf"claude\.md(?: (?:of|with|has|at))? (?P<lines>{_WHOLE}) lines?\b"),
    ("claude_md", rf"(?P<lines>{_WHOLE})[- ]lines? claude\.md\b"),
    ("turns_per_hour", rf"(?P<rate>{_WHOLE}) {_TURNS} (?:per|an|a) hour\b"),
    ("turns", rf"(?P<turns>{_WHOLE}) {_TURNS}\b"),
    (
        "compact",
        r"/?compact(?:ed|ing|ion)?(?: (?:at|every|over))? (?P<compact>\d[\d.,]* ?(?:k|m|thousand|million)?)(?!\w)",
    ),
    ("subagents", rf"(?:\d+ )?(?:(?:{FAMILIES}) )?subagents?(?: (?:on|with|using) (?:{FAMILIES}))?\b"),
    ("cold", r"(?P<cold>\d+) (?:cold|idle)(?: turns?| pauses?)?\b"),
    ("checks", r"(?P<checks>\d+) checks(?: (?:per|an|a) hour)?\b|auto[- ]mode\b"),
    ("plan_mode", r"(?:in )?plan mode\b"),
    ("preset", r"(?P<preset>bug ?fix|feature|refactor|agent team)(?:e?s|ing|oring)?(?: (?:build|run))?\b"),
    ("autonomous", r"autonomous(?:ly)?(?: for)?(?: (?P<hours>\d+) ?h(?:ours?)?)?\b"),
    ("day", r"(?:on |at |as of |of |since )?(?P<day>\d{4}-\d{2}-\d{2}|today)\b"),
    ("times", rf"x ?(?P<times>{_WHOLE})(?: (?:times|days?|sessions?|requests?|runs?|{_PEOPLE}))?\b"),
    ("times", rf"(?P<times>{_WHOLE})(?: ?(?:x|times)| (?:sessions|requests|runs))\b"),
    ("times", rf"(?:for |over )?(?P<times>{_WHOLE}) (?:working |work |active )?(?:days?|{_PEOPLE})\b"),
    (
        "cached",
        r"(?P<cached>\d+(?:\.\d+)?) ?% (?:of (?:the |it )?(?:input )?)?(?:is |are )?"
        r"(?:from (?:the )?cache|cache[- ]?(?:hits?|reads?)|cached|cache)\b",
    ),
    ("model", rf"(?:anthropic/)?claude[- ]\d(?:[-.]\d)?[- ](?:{FAMILIES}){_DATED}\b"),
    # "opus 5 500 000 in" can be Opus 5 and 500,000, or opus and 5,500,000.
    ("ambiguous", rf"(?:claude[- ])?(?:{FAMILIES}) \d \d{{3}}\b"),
    (
        "model",
        rf"(?:anthropic/)?(?:claude[- ])?(?:{FAMILIES})(?:[- ]?{_VERSION})?{_DATED}(?:\[1m\])?(?![\w-])",
    ),
    ("other_model", rf"(?:{_OTHERS})(?:-?[\w.:/-]*\d[\w.:/-]*|-[a-z][\w.:/-]*)"),
    ("filler", r"\bin (?=total|all\b|dollars|usd)"),
    ("fast", r"(?:in )?fast(?:[- ]mode)?\b"),
    ("batch", r"(?:in )?batch(?:ed|es)?(?:[- ](?:api|mode))?\b"),
    ("us", r"(?:in (?:the )?)?usa?(?:[- ](?:only|region|geo|geography|routing|inference))?\b"),
    ("kind", rf"(?P<cache_write_1h>{_HOUR}[- ]{_WRITE}|{_WRITE}[- _]?\(?{_HOUR}\)?)(?!\w)"),
    ("kind", rf"(?P<cache_write_5m>{_FIVE}[- ]{_WRITE}|{_WRITE}[- _]?\(?{_FIVE}\)?)(?!\w)"),
    ("kind", rf"(?P<cache_write>{_WRITE})\b"),
    ("kind", r"(?P<cache_read>cache[-_ ]?(?:reads?|hits?)|cached(?: (?:input|reads?))?|read from (?:the )?cache)\b"),
    ("cache_1h", rf"{_HOUR} (?:cache|ttl|lifetime)\b|cache lifetime {_HOUR}\b"),
    ("lifetime", rf"{_HOUR}(?!\w)"),
    ("kind", r"(?P<web_search>(?:web[- ]?)?search(?:es)?)\b"),
    ("kind", r"(?P<input>(?:uncached |fresh )?in(?:puts?)?|prompts?)\b"),
    ("kind", r"(?P<output>out(?:puts?)?|completions?)\b"),
    (
        "number",
        r"(?P<number>\d{1,3}(?:[,_']\d{3})+(?:\.\d+)?(?!\d)"
        r"|\d{1,3}(?: \d{3})+(?!\d|[.,]\d| ?(?:k|m|b|mio|million|thousand)\b)"
        r"|(?<![\d][.,])\d+(?:[.,]\d+)*(?! \d{3}(?:k|m|b|mio|million|thousand)\b)|\.\d+)"
        r" ?(?P<unit>k|m|b|bn|mn|mio|mil|million|thousand|billion)?(?![\w%])",
    ),
    ("filler", rf"(?:{'|'.join(_FILLER)})\b"),
    ("gap", r"(?:[\s,;:?!+&()=/|*$\"'`]|[-.](?!\d))+"),
)
_SCANNER = tuple((name, re.compile(pattern, re.ASCII)) for name, pattern in _PATTERNS)
_QUOTES = str.maketrans(
    dict.fromkeys("‘’‚‛′", "'") | dict.fromkeys("“”„‟″«»", '"') | dict.fromkeys("‐‑‒–—―−", "-") | {"×": "x"}
)


def normalised(text: str) -> str:
    """The text in lower case, with plain spaces, quotes and dashes, and without control characters."""
    plain = unicodedata.normalize("NFKC", text.translate(_QUOTES)).translate(_QUOTES).lower()
    return re.sub(r"\s+", " ", "".join(c if unicodedata.category(c)[0] != "C" else " " for c in plain)).strip()


def scan(text: str, own_names: list[str]) -> Iterator[Item]:
    """The parts of a normalised text in their order, without filler words. Raises Refusal at what is no part.

    ``own_names`` are models' names in lower case that are read besides the known spellings.
    """
    scanner = _SCANNER
    if own_names:
        pattern = re.compile(rf"(?:{'|'.join(re.escape(name) for name in own_names)})(?![\w-])", re.ASCII)
        scanner = (("model", pattern), *_SCANNER)
    position = 0
    while position < len(text):
        for kind, pattern in scanner:  # noqa: B007 - read after the loop
            match = pattern.match(text, position)
            if match and match.end() > position:
                break
        else:
            raise _unreadable(text, position)
        if kind == "ambiguous":
            raise Refusal(f"“{match[0]}” can be read in two ways; write the model as opus-5 and the amount as 500,000.")
        if kind not in ("gap", "filler"):
            value = match.lastgroup or "" if kind == "kind" else next(filter(None, match.groups()), "")
            yield Item(kind, match[0].strip(), value if kind != "number" else match[0].strip())
        position = match.end()


def _unreadable(text: str, position: int) -> Refusal:
    start, end = text.rfind(" ", 0, position) + 1, text.find(" ", position)
    word = text[start : end if end >= 0 else None].strip(",;.?\"'") or text[position]
    sentence = f"I could not read “{word[:60]}”."
    number = re.fullmatch(r"-?(\d+)[a-z]?", word)
    if number:
        return Refusal(f"{sentence} Numbers look like 80k, 1.2M or 80,000.", text.replace(word, f"{number[1]}k", 1))
    return Refusal(
        f"{sentence} Leave it out, or write it as in the example.",
        re.sub(r"\s+", " ", text.replace(word, " ", 1)).strip(),
    )
