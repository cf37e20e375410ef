"""What people do in Slack, and what answers it. Questions come first: they are most of the traffic."""

from slack_bolt import App

from bot.slack.blocks.answer import COMMAND, SHARE
from bot.slack.blocks.digest import EXPECTED, MY_SPEND
from bot.slack.blocks.home import HOME_UNMUTE
from bot.slack.blocks.personal import ALERT_LIMIT, ALERT_MUTE, ALERT_PLANNED
from bot.slack.listeners.actions import Actions
from bot.slack.listeners.channels import Channels
from bot.slack.listeners.commands import Commands, asks_a_question, has_word
from bot.slack.listeners.failures import answer_failure
from bot.slack.listeners.home import Home


def register(app: App, commands: Commands, actions: Actions, channels: Channels, home: Home) -> None:
    """Register every listener on a Bolt app."""
    app.command(COMMAND, matchers=[asks_a_question])(commands.answer_question)
    app.command(COMMAND, matchers=[has_word("me")])(ack=commands.acknowledge, lazy=[commands.show_own_spend])
    app.command(COMMAND, matchers=[has_word("digest")])(ack=commands.acknowledge, lazy=[commands.show_digest])
    app.command(COMMAND, matchers=[has_word("article")])(commands.show_article)
    app.command(COMMAND, matchers=[has_word("plans")])(commands.show_plans)
    app.command(COMMAND, matchers=[has_word("recommend")])(
        ack=commands.acknowledge, lazy=[commands.show_recommendation]
    )
    for word in ("limit", "mute", "unmute", "quiet"):
        app.command(COMMAND, matchers=[has_word(word)])(ack=commands.acknowledge, lazy=[commands.change_alerts])
    app.command(COMMAND, matchers=[has_word("subscribe")])(ack=commands.acknowledge, lazy=[channels.subscribe])
    app.command(COMMAND, matchers=[has_word("unsubscribe")])(ack=commands.acknowledge, lazy=[channels.unsubscribe])
    app.command(COMMAND, matchers=[has_word("subscriptions")])(ack=commands.acknowledge, lazy=[channels.list_them])
    app.command(COMMAND)(commands.show_help)
    app.action(MY_SPEND)(ack=actions.acknowledge, lazy=[actions.show_own_spend])
    app.action(EXPECTED)(ack=actions.acknowledge, lazy=[actions.note_expected])
    app.action(ALERT_PLANNED)(ack=actions.acknowledge, lazy=[actions.plan_day])
    app.action(ALERT_MUTE)(ack=actions.acknowledge, lazy=[actions.mute])
    app.action(ALERT_LIMIT)(actions.open_limit)
    app.view(ALERT_LIMIT)(actions.save_limit)
    app.action(SHARE)(ack=actions.acknowledge, lazy=[actions.share_answer])
    app.event("app_home_opened")(ack=home.acknowledge, lazy=[home.show])
    app.action(HOME_UNMUTE)(ack=home.acknowledge, lazy=[home.unmute])
    app.error(answer_failure)
