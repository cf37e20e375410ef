"""How long usage is kept."""

from datetime import UTC, date, datetime, time

from sqlalchemy import delete

from bot.store.audit import LOOKED_AT, write_audit
from bot.store.database import Database
from bot.store.tables import (
    audit,
    deliveries,
    model_days,
    person_days,
    seen_requests,
    session_days,
    usage_daily,
    usage_ranges,
)

BY_RETENTION = "retention"
"""Who deleted it, in the audit log."""


def delete_before(database: Database, day: date, now: datetime) -> int:
    """Delete the usage of days before ``day``, with messages and looks of that time; returns the rows of usage.

    A total of several days goes once its last day is that old.
    """
    mine, deleted = database.workspace_id, 0
    with database.write_usage() as connection:
        for table in (usage_daily, seen_requests, session_days, person_days, model_days):
            gone = connection.execute(delete(table).where(table.c.workspace_id == mine, table.c.day < day)).rowcount
            deleted += gone if table is usage_daily else 0
        ranges = delete(usage_ranges).where(usage_ranges.c.workspace_id == mine, usage_ranges.c.until <= day)
        deleted += connection.execute(ranges).rowcount
        connection.execute(delete(deliveries).where(deliveries.c.workspace_id == mine, deliveries.c.day < day))
        looks = (audit.c.workspace_id == mine, audit.c.what.startswith(LOOKED_AT))
        connection.execute(delete(audit).where(*looks, audit.c.at < datetime.combine(day, time(0), UTC)))
        if deleted:
            write_audit(connection, mine, now, BY_RETENTION, f"deleted {deleted:,} rows of usage before {day}")
    return deleted
