"""PostgreSQL no longer looks up who and what each row of usage is of: that took most of an import's time.

The ids are of rows that the same transaction has read or made, and those are never deleted while usage names them.
SQLite goes on checking, which costs it next to nothing.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

CHECKED = {
    "usage_daily": ("source_id", "actor_id", "line_id"),
    "seen_requests": ("source_id", "actor_id", "line_id"),
    "person_days": ("person_id", "source_id"),
}


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table, columns in CHECKED.items():
        for column in columns:
            op.drop_constraint(f"fk_{table}_{column}", table, type_="foreignkey")
