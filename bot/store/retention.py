"""How long usage is kept."""

from datetime import UTC, date, datetime, time

from sqlalchemy import delete, exists, or_, select

from bot.store.audit import LOOKED_AT, write_audit
from bot.store.database import Database
from bot.store.deliveries import NOTICE, SILENT
from bot.store.ranges import forget_ranges_before
from bot.store.tables import (
    audit,
    deliveries,
    model_days,
    person_days,
    read_files,
    seen_requests,
    session_days,
    usage_daily,
    usage_ranges,
)

BY_RETENTION = "retention"
"""Who deleted it, in the audit log."""


def delete_before(database: Database, day: date, now: datetime) -> int:
    """Delete the usage of days before ``day``, with messages and looks of that time; returns the rows of usage.

    Totals of several days go once their whole chain is that old: a later one is told apart from the earlier by
    difference. So are counts since a start.
    """
    mine, deleted = database.workspace_id, 0
    with database.write_usage() as connection:
        for table in (usage_daily, session_days, person_days, model_days):
            gone = connection.execute(delete(table).where(table.c.workspace_id == mine, table.c.day < day)).rowcount
            deleted += gone if table is usage_daily else 0
        later, request = seen_requests.alias(), seen_requests.c
        counts_on = (
            select(later.c.series)
            .where(later.c.workspace_id == mine, later.c.series.is_not(None), later.c.day >= day)
            .scalar_subquery()
        )
        is_over = or_(request.series.is_(None), request.series.not_in(counts_on))
        connection.execute(delete(seen_requests).where(request.workspace_id == mine, request.day < day, is_over))
        following, total = usage_ranges.alias(), usage_ranges.c
        goes_on = exists().where(
            following.c.workspace_id == mine,
            following.c.source_id == total.source_id,
            following.c.start == total.start,
            following.c.until > day,
        )
        ranges = delete(usage_ranges).where(total.workspace_id == mine, total.until <= day, ~goes_on)
        deleted += connection.execute(ranges).rowcount
        forget_ranges_before(connection, mine, day)
        if deleted:
            # A file that brings them again must be read to say so.
            connection.execute(delete(read_files).where(read_files.c.workspace_id == mine))
        # What says that a silence was told stays: the source may still be silent, and would be told again.
        is_silence = deliveries.c.key.startswith(f"{NOTICE}:{SILENT}")
        messages = (deliveries.c.workspace_id == mine, deliveries.c.day < day, ~is_silence)
        connection.execute(delete(deliveries).where(*messages))
        looks = (audit.c.workspace_id == mine, audit.c.what.startswith(LOOKED_AT))
        connection.execute(delete(audit).where(*looks, audit.c.at < datetime.combine(day, time(0), UTC)))
        if deleted:
            write_audit(connection, mine, now, BY_RETENTION, f"deleted {deleted:,} rows of usage before {day}")
    return deleted
