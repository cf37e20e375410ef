"""How long usage is kept."""

from datetime import UTC, date, datetime, time

from bot.store.audit import LOOKED_AT, write_audit
from bot.store.builder import sa, tables
from bot.store.database import Database
from bot.store.deliveries import NOTICE, SILENT
from bot.store.ranges import forget_ranges_before

BY_RETENTION = "retention"
"""Who deleted it, in the audit log."""


def delete_before(database: Database, day: date, now: datetime) -> int:
    """Delete the usage of days before ``day``, with messages and looks of that time; returns the rows of usage.

    Totals of several days go once their whole chain is that old: a later one is told apart from the earlier by
    difference. So are counts since a start.
    """
    mine, deleted = database.workspace_id, 0
    with database.write_usage() as connection:
        for table in (tables.usage_daily, tables.session_days, tables.person_days, tables.model_days):
            gone = connection.execute(sa.delete(table).where(table.c.workspace_id == mine, table.c.day < day)).rowcount
            deleted += gone if table is tables.usage_daily else 0
        later, request = tables.seen_requests.alias(), tables.seen_requests.c
        counts_on = (
            sa.select(later.c.series)
            .where(later.c.workspace_id == mine, later.c.series.is_not(None), later.c.day >= day)
            .scalar_subquery()
        )
        is_over = sa.or_(request.series.is_(None), request.series.not_in(counts_on))
        connection.execute(
            sa.delete(tables.seen_requests).where(request.workspace_id == mine, request.day < day, is_over)
        )
        following, total = tables.usage_ranges.alias(), tables.usage_ranges.c
        goes_on = sa.exists().where(
            following.c.workspace_id == mine,
            following.c.source_id == total.source_id,
            following.c.start == total.start,
            following.c.until > day,
        )
        ranges = sa.delete(tables.usage_ranges).where(total.workspace_id == mine, total.until <= day, ~goes_on)
        deleted += connection.execute(ranges).rowcount
        forget_ranges_before(connection, mine, day)
        if deleted:
            # A file that brings them again must be read to say so.
            connection.execute(sa.delete(tables.read_files).where(tables.read_files.c.workspace_id == mine))
        # What says that a silence was told stays: the source may still be silent, and would be told again.
        is_silence = tables.deliveries.c.key.startswith(f"{NOTICE}:{SILENT}")
        messages = (tables.deliveries.c.workspace_id == mine, tables.deliveries.c.day < day, ~is_silence)
        connection.execute(sa.delete(tables.deliveries).where(*messages))
        looks = (tables.audit.c.workspace_id == mine, tables.audit.c.what.startswith(LOOKED_AT))
        connection.execute(
            sa.delete(tables.audit).where(*looks, tables.audit.c.at < datetime.combine(day, time(0), UTC))
        )
        if deleted:
            write_audit(connection, mine, now, BY_RETENTION, f"deleted {deleted:,} rows of usage before {day}")
    return deleted
