"""The index of what counts up since a start holds only that: most requests do not, and are stored faster without it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.drop_index("ix_seen_requests_series", "seen_requests")
    some = sa.text("series IS NOT NULL")
    columns = ["workspace_id", "source_id", "series"]
    op.create_index("ix_seen_requests_series", "seen_requests", columns, sqlite_where=some, postgresql_where=some)
