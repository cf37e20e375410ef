"""The help of the slash command, and the sentences for when something went wrong."""

from bot.ask.question import FORMS
from bot.slack.blocks.answer import COMMAND
from bot.slack.blocks.message import Message, context, escape, section

_COMMANDS = (
    ("500k in 80k out opus", "what those tokens cost; more below"),
    ("", "your own numbers, and buttons"),
    ("calculator", "a window in which you type and choose, and can share the answer"),
    ("me", "your own spend, or me today, me week, me month; only you see it"),
    ("compare", "your last 30 days on other models; only you see it"),
    ("explain 2026-11-19", "where your figure of a day comes from; only you see it"),
    ("digest", "yesterday's digest of the team, or of a day: digest 2026-11-19; only you see it"),
    ("limit 20", "your own daily limit; limit usual takes it back; mute 3d and unmute; quiet 21-7"),
    ("team", "yesterday of your team, or team NAME for its lead and admins"),
    ("plans", "what subscriptions cost; plans $6 a day compares them for a spend"),
    ("recommend", "which plan fits you, from what you used; only you see it"),
    ("subscribe weekdays 09:00", "this channel's digest, for admins; unsubscribe, subscriptions"),
    ("import", "how to bring an export: drop the file into my messages, for admins"),
    ("link KEY @person", "whose a key or account is, for admins"),
    ("settings", "time zone, limit, budgets, names, quiet hours, holidays, retention, picture; for admins"),
    ("changes", "the last changes, and looks at people's figures, for admins"),
    ("article", "the figures of an article on session costs beside ours"),
)
_EXAMPLES = (
    "500k in 80% cached 80k out opus x 20",
    "500k in 80k out opus 4.6 vs sonnet on 2026-03-28",
    "session 60 turns opus compact at 100k",
)


def help_message(topic: str = "", *, is_terminal: bool = False) -> Message:
    """Everything that can be typed after the command, or what is about a topic; in a terminal, the questions alone."""
    known = _COMMANDS[:1] if is_terminal else _COMMANDS
    asked = topic.lower().split()[:1]
    about = [(words, meaning) for words, meaning in known if asked and asked == words.split()[:1]] or [
        (words, meaning) for words, meaning in known if asked and asked[0] in f"{words} {meaning}".lower()
    ]
    commands = [f"`{f'{COMMAND} {words}'.strip()}`  {meaning}" for words, meaning in about or known]
    if about:
        return Message(f"Help on {escape(topic)}", [section(*commands), context(f"{COMMAND} help lists everything.")])
    forms = [f"• {name}: {written}" for name, written in FORMS]
    return Message(
        f"Ask {COMMAND} 500k in 80k out opus",
        [
            section(*commands),
            section("*A question is any of these, in any order*", *forms),
            section("*Such as*", *(f"`{COMMAND} {example}`" for example in _EXAMPLES)),
            context(
                "Dollars are list prices unless a message says otherwise.",
                "Models: opus, sonnet, haiku, fable, or an exact id.",
            ),
        ],
    )


def no_answer_message() -> Message:
    """Slack itself did not say who somebody is."""
    sentence = "Slack did not answer my question, so I did nothing; try again in a minute."
    return Message(sentence, [section(sentence)])


def no_database_message(reference: str) -> Message:
    """The database does not answer; ``reference`` is in the log."""
    sentence = (
        "My database does not answer, so nothing was changed. Try again in a minute; "
        f"if it stays, tell an admin: {reference}."
    )
    return Message(sentence, [section(sentence)])


def failure_message(reference: str) -> Message:
    """Something broke on our side; ``reference`` is in the log."""
    sentence = (
        f"Something went wrong on my side, and nothing was changed. Try again; if it stays, tell an admin: {reference}."
    )
    return Message(sentence, [section(sentence)])
