"""A person's own quiet hours."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    comment = "HH:MM-HH:MM on their own clock, or off; the installation's where null"
    with op.batch_alter_table("people") as people:
        people.add_column(sa.Column("quiet_hours", sa.Text(), nullable=True, comment=comment))
