"""Which request a stored one is, where its key is of the message: another one of the same message counts as well.

Nobody knows it of those that are stored already: the first that comes again is taken for it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    comment = "which request of the message that the key is of; null for all others"
    with op.batch_alter_table("seen_requests") as requests:
        requests.add_column(sa.Column("request", sa.BigInteger(), nullable=True, comment=comment))
