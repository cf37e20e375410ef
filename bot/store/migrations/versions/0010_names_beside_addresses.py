"""Which address exports name beside an account, device or key: it goes where the address goes, and back.

Nobody knows it of those that were told already; the next import that tells them again does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    comment = "the address, as an actor, that exports name beside it; null for none, or if an admin said otherwise"
    with op.batch_alter_table("actors") as actors:
        actors.add_column(sa.Column("beside", sa.Integer(), nullable=True, comment=comment))
