"""What each person's totals of several days say beside the days: a digest compares thousands of them in no time.

The roll-up is filled when the app or a command next opens the database. Also when files were exported, and whether an
edit of a digest may have been made without our knowing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    key = ("workspace_id", "until", "start", "source_id", "person_id")
    op.create_table(
        "person_ranges",
        *(sa.Column(name, sa.Integer(), autoincrement=False, nullable=False) for name in key),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("usd", sa.BigInteger(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False, comment="on which the person is known to have used anything"),
        sa.Column("day_tokens", sa.BigInteger(), nullable=False, comment="what those days come to"),
        sa.Column("day_usd", sa.BigInteger(), nullable=False),
        sa.Column("is_fuller", sa.Boolean(), nullable=False, comment="whether the total says more than those days"),
        sa.PrimaryKeyConstraint(*key, name=op.f("pk_person_ranges")),
        sqlite_with_rowid=False,
    )
    comment = "when the file was exported; null for what is no file"
    with op.batch_alter_table("imports") as imports:
        imports.add_column(sa.Column("written_at", sa.BigInteger(), nullable=True, comment=comment))
    comment = "whether an edit was begun of which nobody knows if Slack made it"
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.add_column(sa.Column("is_edit_uncertain", sa.Boolean(), nullable=True, comment=comment))
