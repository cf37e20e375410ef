"""Indexes for questions that must take as long after three years as after a month; a smaller one for requests.

The index of what counts up since a start holds only that: most requests do not, and are stored faster without it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.drop_index("ix_seen_requests_series", "seen_requests")
    some = sa.text("series IS NOT NULL")
    columns = ["workspace_id", "source_id", "series"]
    op.create_index("ix_seen_requests_series", "seen_requests", columns, sqlite_where=some, postgresql_where=some)
    op.create_index("ix_imports_imported_at", "imports", ["workspace_id", "imported_at"])
    op.create_index("ix_imports_source", "imports", ["workspace_id", "source_id", "imported_at"])
    op.create_index("ix_imports_last_day", "imports", ["workspace_id", "last_day"])
    op.create_index("ix_people_team_id", "people", ["team_id"])
    limited = sa.text("limit_usd IS NOT NULL")
    op.create_index(
        "ix_people_limit_usd", "people", ["workspace_id"], sqlite_where=limited, postgresql_where=limited
    )
    op.create_index("ix_deliveries_day", "deliveries", ["workspace_id", "day", "target"])
    op.create_index("ix_deliveries_state", "deliveries", ["workspace_id", "state", "due_at"])
    op.create_index("ix_deliveries_kind", "deliveries", ["workspace_id", "kind", "send_started_at"])
    op.drop_index("ix_deliveries_due_at", "deliveries")
