"""Owing alerts, in the transaction of whatever changed a person's days."""

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from bot.spend.alerts import MAX_AGE_DAYS, MAX_AHEAD_DAYS, newly_reached
from bot.spend.days import ONE_DAY
from bot.store.bulk import run_sql, select_in, select_rows
from bot.store.connection import Connection
from bot.store.values import day_number, from_nano, number_day


class AlertPolicy(NamedTuple):
    """The limit for people without one of their own, and the day that counts as today."""

    limit_usd: Decimal
    today: date


def look_again(
    connection: Connection, workspace_id: int, policy: AlertPolicy, now: datetime, person_id: int | None = None
) -> None:
    """Let alerts follow limits and quiet hours that were changed: everybody's, or one person's.

    Recent days that reach a limit by now are owed, and alerts that wait are looked at now.
    """
    first = day_number(policy.today - MAX_AGE_DAYS * ONE_DAY)
    recent, values = "SELECT day, person_id FROM person_days WHERE workspace_id = ? AND day >= ?", [workspace_id, first]
    if person_id is not None:
        recent, values = f"{recent} AND person_id = ?", [*values, person_id]
    touched = {(number_day(day), who) for day, who in select_rows(connection, recent, values)}
    owe_alerts(connection, workspace_id, touched, policy, now)
    at = int(now.timestamp())
    run_sql(connection, _HASTEN, (at, workspace_id, at))  # what they wait for may have changed


def owe_alerts(
    connection: Connection, workspace_id: int, touched: set[tuple[date, int]], policy: AlertPolicy, now: datetime
) -> None:
    """Owe a message to each touched person with an e-mail address whose recent day reached a new step."""
    for day in sorted({day for day, _ in touched if -MAX_AHEAD_DAYS <= (policy.today - day).days <= MAX_AGE_DAYS}):
        who = sorted(person for when, person in touched if when == day)
        for person_id, usd_nano, own_nano in select_in(connection, _SPENT, (workspace_id, day_number(day)), who):
            usd, limit = from_nano(usd_nano), policy.limit_usd if own_nano is None else from_nano(own_nano)
            if usd >= limit:
                from bot.store import deliveries  # most imports owe nobody anything

                told = deliveries.alert_steps(connection, workspace_id, person_id, day)
                step = newly_reached(usd, limit, told)
                if step is not None:
                    deliveries.owe_alert(connection, workspace_id, person_id, day, step, now)


_HASTEN = "UPDATE deliveries SET due_at = ? WHERE workspace_id = ? AND kind = 'alert' AND state = 'due' AND due_at > ?"
_SPENT = (
    "SELECT person_id, usd, COALESCE(people.limit_usd, teams.limit_usd) FROM person_days "
    "JOIN people ON people.id = person_id LEFT JOIN teams ON teams.id = people.team_id "
    "WHERE person_days.workspace_id = ? AND day = ? AND email IS NOT NULL AND person_id IN"
)
