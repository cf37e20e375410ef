"""A person's own quiet hours, and whether a digest was told of part of a day."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    comment = "HH:MM-HH:MM on their own clock, or off; the installation's where null"
    with op.batch_alter_table("people") as people:
        people.add_column(sa.Column("quiet_hours", sa.Text(), nullable=True, comment=comment))
    comment = "whether it said that the day's data may not be all"
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.add_column(sa.Column("is_partial", sa.Boolean(), nullable=True, comment=comment))
