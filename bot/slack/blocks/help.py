"""The help of the slash command, and the two sentences for when something went wrong."""

from bot.slack.blocks.answer import COMMAND
from bot.slack.blocks.message import Message, context, section

_EXAMPLES = (
    ("500k in 80k out opus", "what those tokens cost, with the formula"),
    ("2M cache read 100k cache write 1h 20k out sonnet", "with the prompt cache"),
    ("500k in 80% cached 80k out opus x 20", "a share from the cache, twenty times"),
    ("500k in 80k out opus 4.6 vs sonnet on 2026-03-28", "models compared, at the prices of a day"),
    ("1m in 50k out fable fast", "also batch, us, 3 searches"),
    ("session 60 turns opus compact at 100k", "a session turn by turn; also 3 haiku subagents, auto mode"),
    ("bug fix sonnet", "typical sizes: feature, refactor, agent team, autonomous 8h"),
    ("me", "your own spend; only you see it"),
    ("article", "the figures of an article on session costs beside ours"),
    ("digest", "yesterday's digest of the team; only you see it"),
)


def help_message() -> Message:
    """Everything that can be typed after the command."""
    lines = [f"`{COMMAND} {example}`  {meaning}" for example, meaning in _EXAMPLES]
    return Message(
        f"Ask {COMMAND} 500k in 80k out opus",
        [
            section("*What does it cost?* Say amounts and a model, in any order.", *lines),
            context(
                "Dollars are list prices unless a message says otherwise.",
                "Models: opus, sonnet, haiku, fable, or an exact id.",
            ),
        ],
    )


def failure_message(reference: str) -> Message:
    """Something broke on our side; ``reference`` is in the log."""
    sentence = (
        f"Something went wrong on my side, and nothing was changed. Try again; if it stays, tell an admin: {reference}."
    )
    return Message(sentence, [section(sentence)])
