"""A person's own quiet hours, whether a digest was told of part of a day, and sessions of a day."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "session_days",
        sa.Column("workspace_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "source_id",
            sa.Integer(),
            sa.ForeignKey("sources.id", name=op.f("fk_session_days_source_id")),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "actor_id",
            sa.Integer(),
            sa.ForeignKey("actors.id", name=op.f("fk_session_days_actor_id")),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("sessions", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "day", "source_id", "actor_id", name=op.f("pk_session_days")),
        sqlite_with_rowid=False,
    )
    comment = "HH:MM-HH:MM on their own clock, or off; the installation's where null"
    with op.batch_alter_table("people") as people:
        people.add_column(sa.Column("quiet_hours", sa.Text(), nullable=True, comment=comment))
    comment = "whether it said that the day's data may not be all"
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.add_column(sa.Column("is_partial", sa.Boolean(), nullable=True, comment=comment))
