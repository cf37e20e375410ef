"""What people do in Slack, and what answers it. Questions come first: they are most of the traffic."""

from slack_bolt import App

from bot.slack.blocks.answer import COMMAND
from bot.slack.listeners.commands import Commands, asks_a_question, has_word
from bot.slack.listeners.failures import answer_failure


def register(app: App, commands: Commands) -> None:
    """Register every listener on a Bolt app."""
    app.command(COMMAND, matchers=[asks_a_question])(commands.answer_question)
    app.command(COMMAND, matchers=[has_word("me")])(ack=commands.acknowledge, lazy=[commands.show_own_spend])
    app.command(COMMAND, matchers=[has_word("digest")])(ack=commands.acknowledge, lazy=[commands.show_digest])
    app.command(COMMAND, matchers=[has_word("article")])(commands.show_article)
    app.command(COMMAND, matchers=[has_word("plans")])(commands.show_plans)
    app.command(COMMAND, matchers=[has_word("recommend")])(
        ack=commands.acknowledge, lazy=[commands.show_recommendation]
    )
    app.command(COMMAND)(commands.show_help)
    app.error(answer_failure)
