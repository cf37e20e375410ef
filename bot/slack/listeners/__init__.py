"""What people do in Slack, and what answers it. Questions come first: they are most of the traffic."""

import re

from slack_bolt import App

from bot.slack.blocks.answer import COMMAND, RUN, SHARE
from bot.slack.blocks.calculator import CALCULATOR
from bot.slack.blocks.digest import EXPECTED, MY_SPEND
from bot.slack.blocks.home import HOME_ASSIGN, HOME_NAME, HOME_UNMUTE
from bot.slack.blocks.imported import IMPORT
from bot.slack.blocks.notice import SEND_AGAIN
from bot.slack.blocks.personal import ALERT_LIMIT, ALERT_MUTE, ALERT_PLANNED
from bot.slack.blocks.settings import SETTINGS
from bot.slack.listeners.actions import Actions
from bot.slack.listeners.calculator import Calculator
from bot.slack.listeners.failures import answer_failure
from bot.slack.listeners.home import Home
from bot.slack.listeners.router import Router
from bot.slack.listeners.settings import SettingsWindow
from bot.slack.listeners.uploads import Uploads, brings_files


def register(
    app: App,
    router: Router,
    actions: Actions,
    home: Home,
    calculator: Calculator,
    uploads: Uploads,
    settings: SettingsWindow,
) -> None:
    """Register every listener on a Bolt app."""
    app.command(COMMAND, matchers=[lambda command: not router.is_slow(command)])(router.answer_now)
    app.command(COMMAND)(ack=router.acknowledge, lazy=[router.answer_later])
    app.event("app_mention")(ack=router.acknowledge, lazy=[router.answer_mention])
    app.event("message", matchers=[brings_files])(ack=router.acknowledge, lazy=[uploads.take])
    app.event("message")(ack=router.acknowledge, lazy=[router.answer_message])
    app.action(re.compile(f"^{RUN}(_|$)"))(ack=router.acknowledge, lazy=[router.run_button])
    app.action(CALCULATOR)(calculator.open)
    app.action(re.compile(f"^{CALCULATOR}_"))(calculator.change)
    app.view(CALCULATOR)(calculator.share)
    app.action(SETTINGS)(settings.open)
    app.view(SETTINGS)(ack=settings.check, lazy=[settings.save])
    app.view(IMPORT)(ack=uploads.acknowledge_chosen, lazy=[uploads.take_chosen])
    app.action(MY_SPEND)(ack=actions.acknowledge, lazy=[actions.show_own_spend])
    app.action(EXPECTED)(ack=actions.acknowledge, lazy=[actions.note_expected])
    app.action(ALERT_PLANNED)(ack=actions.acknowledge, lazy=[actions.plan_day])
    app.action(ALERT_MUTE)(ack=actions.acknowledge, lazy=[actions.mute])
    app.action(ALERT_LIMIT)(actions.open_limit)
    app.view(ALERT_LIMIT)(ack=actions.check_limit, lazy=[actions.save_limit])
    app.action(SHARE)(ack=actions.acknowledge, lazy=[actions.share_answer])
    app.event("app_home_opened")(ack=home.acknowledge, lazy=[home.show])
    app.action(HOME_UNMUTE)(ack=home.acknowledge, lazy=[home.unmute])
    app.action(HOME_NAME)(ack=home.acknowledge, lazy=[home.change_name])
    app.action(HOME_ASSIGN)(ack=home.acknowledge, lazy=[home.assign])
    app.action(SEND_AGAIN)(ack=home.acknowledge, lazy=[home.send_again])
    # The manifest for HTTP asks for these; with one token there is nothing to forget.
    app.event("app_uninstalled")(router.acknowledge)
    app.event("tokens_revoked")(router.acknowledge)
    app.error(answer_failure)
