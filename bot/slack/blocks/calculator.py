"""The calculator: a window whose answer changes with what is typed and chosen."""

from typing import Any, NamedTuple

from bot.ask import Answer, Refusal
from bot.slack.blocks.answer import answer_message
from bot.slack.blocks.message import MAX_SENTENCE, Block, button, escape, quoting_section

CALCULATOR = "calculator"
"""What the window is called in Slack's payloads; the names of its parts begin like this."""

TOKENS = "tokens"
_PRESETS = (
    (TOKENS, "the tokens below"),
    ("bug fix", "a bug fix"),
    ("feature", "a feature"),
    ("refactor", "a refactor"),
    ("agent team", "an agent team"),
    ("session 60 turns", "a session of 60 turns"),
)
_CACHED = tuple((share, f"{share} %") for share in ("0", "50", "80", "90", "95"))
_CONDITIONS = (("fast", "Fast mode"), ("batch", "Batch"))


class Entries(NamedTuple):
    """What the window holds."""

    preset: str = TOKENS
    tokens: str = "500k in 80k out"
    model: str = "opus"
    cached: str = "0"
    conditions: tuple[str, ...] = ()
    times: str = "1"
    days: str = "1"

    @property
    def question(self) -> str:
        """The same as a question in words."""
        parts = [self.tokens if self.preset == TOKENS else self.preset, self.model]
        parts += [f"{self.cached}% cached"] * (self.preset == TOKENS and self.cached != "0")
        parts += self.conditions
        parts += [f"x {count}" for count in (self.times, self.days) if count not in ("", "1")]
        return " ".join(parts)


def calculator_view(entries: Entries, models: list[str], answer: Answer | Refusal, where: str) -> Block:
    """The window; ``models`` are the words to choose from, ``where`` is kept for whoever shares the answer."""
    view: Block = {
        "type": "modal",
        "callback_id": CALCULATOR,
        "private_metadata": where,
        "title": _plain("What does it cost?"),
        "close": _plain("Close"),
        "blocks": [
            _select("preset", "What", _PRESETS, entries.preset),
            _typed(TOKENS, "Tokens", entries.tokens, "500k in 80k out 2M cache read"),
            _select("model", "Model", tuple((name, _model_words(name)) for name in models), entries.model),
            _select("cached", "Input from the cache", _CACHED, entries.cached),
            _checkboxes(entries.conditions),
            _number("times", "Times a day", entries.times),
            _number("days", "Days", entries.days),
            {"type": "divider"},
            *_result(answer),
        ],
    }
    if where and isinstance(answer, Answer):
        view["submit"] = _plain("Share here")
    return view


def read_entries(values: dict[str, Any]) -> Entries:
    """What somebody typed and chose, from the state of the window."""
    usual = Entries()

    def chosen(name: str) -> str | None:
        return (values.get(name, {}).get(f"{CALCULATOR}_{name}", {}).get("selected_option") or {}).get("value")

    def typed(name: str) -> str:
        return str(values.get(name, {}).get(f"{CALCULATOR}_{name}", {}).get("value") or "").strip()

    marked = values.get("conditions", {}).get(f"{CALCULATOR}_conditions", {}).get("selected_options") or []
    return Entries(
        chosen("preset") or usual.preset,
        typed(TOKENS),
        chosen("model") or usual.model,
        chosen("cached") or usual.cached,
        tuple(option["value"] for option in marked),
        typed("times"),
        typed("days"),
    )


def _result(answer: Answer | Refusal) -> list[Block]:
    if isinstance(answer, Refusal):
        return [quoting_section(escape(answer.sentence, MAX_SENTENCE))]
    return answer_message(answer, is_shared=True).blocks


def open_button() -> Block:
    """Opens the calculator, where a command cannot."""
    return {"type": "actions", "elements": [button(CALCULATOR, "Open the calculator", "-")]}


def _model_words(name: str) -> str:
    return f"Compare {name}" if " vs " in name else name


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def _input(name: str, label: str, element: Block) -> Block:
    element["action_id"] = f"{CALCULATOR}_{name}"
    return {
        "type": "input",
        "block_id": name,
        "optional": True,
        "dispatch_action": True,
        "label": _plain(label),
        "element": element,
    }


def _typed(name: str, label: str, value: str, example: str) -> Block:
    return _input(
        name,
        label,
        {
            "type": "plain_text_input",
            "initial_value": value,
            "max_length": 300,
            "placeholder": _plain(example),
            "dispatch_action_config": {"trigger_actions_on": ["on_enter_pressed", "on_character_entered"]},
        },
    )


def _number(name: str, label: str, value: str) -> Block:
    return _input(
        name,
        label,
        {
            "type": "number_input",
            "is_decimal_allowed": False,
            "initial_value": value or "1",
            "min_value": "1",
            "max_value": "100000",
            "dispatch_action_config": {"trigger_actions_on": ["on_enter_pressed", "on_character_entered"]},
        },
    )


def _select(name: str, label: str, options: tuple[tuple[str, str], ...], value: str) -> Block:
    made = [{"text": _plain(said), "value": option} for option, said in options]
    initial = next((option for option in made if option["value"] == value), made[0])
    return _input(name, label, {"type": "static_select", "options": made, "initial_option": initial})


def _checkboxes(marked: tuple[str, ...]) -> Block:
    options = [{"text": _plain(said), "value": name} for name, said in _CONDITIONS]
    element: Block = {"type": "checkboxes", "options": options}
    initial = [option for option in options if option["value"] in marked]
    if initial:
        element["initial_options"] = initial
    return _input("conditions", "Conditions", element)
