"""What was wrong with a file that need not be read again: it is told for as long as the file is there.

Nobody knows it of those that were read already.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    comment = "the first thing that was wrong with it; null for a sound one"
    with op.batch_alter_table("read_files") as files:
        files.add_column(sa.Column("problem", sa.Text(), nullable=True, comment=comment))
