"""Teams, subscriptions of channels, and what a person says about their own alerts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "teams",
        sa.Column("id", ID, nullable=False),
        sa.Column("workspace_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("lead", sa.Text(), nullable=True, comment="the lead's Slack user id"),
        sa.Column("limit_usd", sa.BigInteger(), nullable=True),
        sa.Column("budget_usd", sa.BigInteger(), nullable=True, comment="dollars of a month"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
        sa.UniqueConstraint("workspace_id", "name", name=op.f("uq_teams_workspace_id")),
    )
    op.create_table(
        "subscriptions",
        sa.Column("workspace_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("edition", sa.Text(), nullable=False, comment="daily, weekly or monthly"),
        sa.Column("team", sa.Text(), nullable=False, comment="a team's name; empty for everybody"),
        sa.Column("at", sa.Text(), nullable=False, comment="HH:MM on the clock of the zone"),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("weekdays", sa.Text(), nullable=False, comment="digits of days it comes on, 1 for Monday"),
        sa.Column("skips_unchanged", sa.Boolean(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "channel", "edition", "team", name=op.f("pk_subscriptions")),
    )
    with op.batch_alter_table("people") as people:
        people.add_column(sa.Column("team_id", ID, sa.ForeignKey("teams.id", name=op.f("fk_people_team_id"))))
        people.add_column(sa.Column("muted_until", sa.Integer(), nullable=True, comment="the first day with alerts again"))
        people.add_column(sa.Column("planned_day", sa.Integer(), nullable=True, comment="a day of planned work: no alert"))
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.add_column(sa.Column("usd", sa.BigInteger(), nullable=True, comment="the total that was told"))
        deliveries.add_column(sa.Column("corrected_at", sa.BigInteger(), nullable=True))
        deliveries.add_column(sa.Column("edition", sa.Text(), nullable=True, comment="of a digest, and its team"))
