"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table('deliveries',
    sa.Column('id', ID, nullable=False),
    sa.Column('workspace_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('target', sa.Text(), nullable=False, comment='a channel id for a digest, a person id for an alert'),
    sa.Column('day', sa.Integer(), nullable=False),
    sa.Column('step', sa.Integer(), nullable=True),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('due_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=True),
    sa.Column('owner', sa.Text(), nullable=True),
    sa.Column('lease_until', sa.BigInteger(), nullable=True),
    sa.Column('fence', sa.Integer(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('send_started_at', sa.BigInteger(), nullable=True),
    sa.Column('channel', sa.Text(), nullable=True),
    sa.Column('payload', sa.Text(), nullable=True),
    sa.Column('ts', sa.Text(), nullable=True),
    sa.Column('problem', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id', name='pk_deliveries'),
    sa.UniqueConstraint('workspace_id', 'key', name='uq_deliveries_workspace_id')
    )
    op.create_index('ix_deliveries_due_at', 'deliveries', ['due_at'], unique=False)
    op.create_table('feeds',
    sa.Column('workspace_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('started_at', sa.BigInteger(), nullable=True),
    sa.Column('succeeded_at', sa.BigInteger(), nullable=True),
    sa.Column('failed_at', sa.BigInteger(), nullable=True),
    sa.Column('problem', sa.Text(), nullable=True),
    sa.Column('next_at', sa.BigInteger(), nullable=True),
    sa.Column('newest_day', sa.Integer(), nullable=True),
    sa.Column('received', sa.BigInteger(), nullable=False),
    sa.Column('usual_lag', sa.BigInteger(), nullable=True, comment='seconds between arrivals, the largest lately'),
    sa.Column('arrived_at', sa.BigInteger(), nullable=True, comment='when the feed last brought anything'),
    sa.Column('told_at', sa.BigInteger(), nullable=True, comment='when the admins were told that it is silent'),
    sa.PrimaryKeyConstraint('workspace_id', 'name', name='pk_feeds')
    )
    op.create_table('people',
    sa.Column('id', ID, nullable=False),
    sa.Column('workspace_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('email', sa.Text(), nullable=True),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('slack_user_id', sa.Text(), nullable=True),
    sa.Column('limit_usd', sa.BigInteger(), nullable=True),
    sa.Column('seat', sa.Text(), nullable=True, comment='the seat of a subscription, as a members list names it'),
    sa.Column('is_organization', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('id', name='pk_people'),
    sa.UniqueConstraint('workspace_id', 'email', name='uq_people_workspace_id')
    )
    op.create_table('read_files',
    sa.Column('workspace_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('path', sa.Text(), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('changed_at', sa.BigInteger(), nullable=False, comment="the file's time of change in nanoseconds"),
    sa.Column('format', sa.Text(), nullable=False),
    sa.Column('settings', sa.Text(), nullable=False, comment='what else the reading depended on'),
    sa.Column('row_count', sa.BigInteger(), nullable=False),
    sa.Column('days', sa.Text(), nullable=False, comment='the days of its rows, with commas between'),
    sa.PrimaryKeyConstraint('workspace_id', 'path', name='pk_read_files')
    )
    op.create_table('settings',
    sa.Column('workspace_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('value', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('workspace_id', 'name', name='pk_settings')
    )
    op.create_table('sources',
    sa.Column('id', ID, nullable=False),
    sa.Column('workspace_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name='pk_sources'),
    sa.UniqueConstraint('workspace_id', 'name', name='uq_sources_workspace_id')
    )
    op.create_table('usage_lines',
    sa.Column('id', ID, nullable=False),
    sa.Column('model', sa.Text(), nullable=False),
    sa.Column('speed', sa.Text(), nullable=False),
    sa.Column('inference_geo', sa.Text(), nullable=False),
    sa.Column('service_tier', sa.Text(), nullable=False),
    sa.Column('prompt_tier', sa.Text(), nullable=False),
    sa.Column('billing', sa.Text(), nullable=False),
    sa.Column('part', sa.Text(), nullable=False),
    sa.Column('vendor', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name='pk_usage_lines'),
    sa.UniqueConstraint('model', 'speed', 'inference_geo', 'service_tier', 'prompt_tier', 'billing', 'part', 'vendor', name='uq_usage_lines')
    )
    op.create_table('actors',
    sa.Column('id', ID, nullable=False),
    sa.Column('workspace_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('person_id', ID, nullable=False),
    sa.Column('linked_by', sa.Text(), nullable=True, comment='who said whose it is: an export, a rule, Slack, an admin; null for nobody'),
    sa.ForeignKeyConstraint(['person_id'], ['people.id'], name='fk_actors_person_id'),
    sa.PrimaryKeyConstraint('id', name='pk_actors'),
    sa.UniqueConstraint('workspace_id', 'kind', 'name', name='uq_actors_workspace_id')
    )
    op.create_index('ix_actors_person_id', 'actors', ['person_id'], unique=False)
    op.create_table('audit',
    sa.Column('id', ID, nullable=False),
    sa.Column('workspace_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('who', sa.Text(), nullable=False),
    sa.Column('what', sa.Text(), nullable=False),
    sa.Column('person_id', ID, nullable=True),
    sa.ForeignKeyConstraint(['person_id'], ['people.id'], name='fk_audit_person_id'),
    sa.PrimaryKeyConstraint('id', name='pk_audit')
    )
    op.create_index('ix_audit_person_id', 'audit', ['person_id'], unique=False)
    op.create_table('imports',
    sa.Column('id', ID, nullable=False),
    sa.Column('workspace_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('source_id', ID, nullable=False),
    sa.Column('path', sa.Text(), nullable=False),
    sa.Column('imported_at', sa.BigInteger(), nullable=False),
    sa.Column('accepted', sa.BigInteger(), nullable=False),
    sa.Column('rejected', sa.BigInteger(), nullable=False),
    sa.Column('unchanged', sa.BigInteger(), nullable=False),
    sa.Column('restated', sa.BigInteger(), nullable=False),
    sa.Column('first_day', sa.Integer(), nullable=True),
    sa.Column('last_day', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['source_id'], ['sources.id'], name='fk_imports_source_id'),
    sa.PrimaryKeyConstraint('id', name='pk_imports')
    )
    op.create_table('model_days',
    sa.Column('workspace_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('day', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('line_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('is_reported', sa.Boolean(), autoincrement=False, nullable=False),
    sa.Column('input', sa.BigInteger(), nullable=False),
    sa.Column('output', sa.BigInteger(), nullable=False),
    sa.Column('cache_read', sa.BigInteger(), nullable=False),
    sa.Column('cache_write_5m', sa.BigInteger(), nullable=False),
    sa.Column('cache_write_1h', sa.BigInteger(), nullable=False),
    sa.Column('web_searches', sa.BigInteger(), nullable=False),
    sa.Column('reported_usd', sa.BigInteger(), nullable=True),
    sa.Column('row_count', sa.BigInteger(), nullable=False, comment='of usage_daily; without any the row is removed'),
    sa.ForeignKeyConstraint(['line_id'], ['usage_lines.id'], name='fk_model_days_line_id'),
    sa.PrimaryKeyConstraint('workspace_id', 'day', 'line_id', 'is_reported', name='pk_model_days'),
    sqlite_with_rowid=False
    )
    op.create_table('person_days',
    sa.Column('workspace_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('day', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('person_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('source_id', ID, nullable=False, comment='the fullest source of this person and day'),
    sa.Column('tokens', sa.BigInteger(), nullable=False),
    sa.Column('usd', sa.BigInteger(), nullable=False),
    sa.Column('unpriced_tokens', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['people.id'], name='fk_person_days_person_id'),
    sa.ForeignKeyConstraint(['source_id'], ['sources.id'], name='fk_person_days_source_id'),
    sa.PrimaryKeyConstraint('workspace_id', 'day', 'person_id', name='pk_person_days'),
    sqlite_with_rowid=False
    )
    op.create_table('import_problems',
    sa.Column('id', ID, nullable=False),
    sa.Column('import_id', ID, nullable=False),
    sa.Column('row', sa.BigInteger(), nullable=False),
    sa.Column('problem', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['import_id'], ['imports.id'], name='fk_import_problems_import_id'),
    sa.PrimaryKeyConstraint('id', name='pk_import_problems')
    )
    op.create_index('ix_import_problems_import_id', 'import_problems', ['import_id'], unique=False)
    op.create_table('seen_requests',
    sa.Column('workspace_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('source_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('key', sa.LargeBinary(), autoincrement=False, nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False, comment='UTC epoch milliseconds'),
    sa.Column('sidechain', sa.Boolean(), nullable=False),
    sa.Column('series', sa.LargeBinary(), nullable=True, comment="what counts up since a start; the day's share is the difference"),
    sa.Column('day', sa.Integer(), nullable=False),
    sa.Column('actor_id', ID, nullable=False),
    sa.Column('line_id', ID, nullable=False),
    sa.Column('input', sa.BigInteger(), nullable=False),
    sa.Column('output', sa.BigInteger(), nullable=False),
    sa.Column('cache_read', sa.BigInteger(), nullable=False),
    sa.Column('cache_write_5m', sa.BigInteger(), nullable=False),
    sa.Column('cache_write_1h', sa.BigInteger(), nullable=False),
    sa.Column('web_searches', sa.BigInteger(), nullable=False),
    sa.Column('reported_usd', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['actor_id'], ['actors.id'], name='fk_seen_requests_actor_id'),
    sa.ForeignKeyConstraint(['line_id'], ['usage_lines.id'], name='fk_seen_requests_line_id'),
    sa.ForeignKeyConstraint(['source_id'], ['sources.id'], name='fk_seen_requests_source_id'),
    sa.PrimaryKeyConstraint('workspace_id', 'source_id', 'key', name='pk_seen_requests'),
    sqlite_with_rowid=False
    )
    op.create_index('ix_seen_requests_day', 'seen_requests', ['workspace_id', 'source_id', 'day', 'actor_id'], unique=False)
    op.create_index('ix_seen_requests_series', 'seen_requests', ['workspace_id', 'source_id', 'series'], unique=False)
    op.create_table('usage_daily',
    sa.Column('workspace_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('day', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('source_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('actor_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('line_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('input', sa.BigInteger(), nullable=False),
    sa.Column('output', sa.BigInteger(), nullable=False),
    sa.Column('cache_read', sa.BigInteger(), nullable=False),
    sa.Column('cache_write_5m', sa.BigInteger(), nullable=False),
    sa.Column('cache_write_1h', sa.BigInteger(), nullable=False),
    sa.Column('web_searches', sa.BigInteger(), nullable=False),
    sa.Column('reported_usd', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['actor_id'], ['actors.id'], name='fk_usage_daily_actor_id'),
    sa.ForeignKeyConstraint(['line_id'], ['usage_lines.id'], name='fk_usage_daily_line_id'),
    sa.ForeignKeyConstraint(['source_id'], ['sources.id'], name='fk_usage_daily_source_id'),
    sa.PrimaryKeyConstraint('workspace_id', 'day', 'source_id', 'actor_id', 'line_id', name='pk_usage_daily'),
    sqlite_with_rowid=False
    )
    op.create_table('usage_ranges',
    sa.Column('workspace_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('source_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('start', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('until', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('actor_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('line_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('input', sa.BigInteger(), nullable=False),
    sa.Column('output', sa.BigInteger(), nullable=False),
    sa.Column('cache_read', sa.BigInteger(), nullable=False),
    sa.Column('cache_write_5m', sa.BigInteger(), nullable=False),
    sa.Column('cache_write_1h', sa.BigInteger(), nullable=False),
    sa.Column('web_searches', sa.BigInteger(), nullable=False),
    sa.Column('reported_usd', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['actor_id'], ['actors.id'], name='fk_usage_ranges_actor_id'),
    sa.ForeignKeyConstraint(['line_id'], ['usage_lines.id'], name='fk_usage_ranges_line_id'),
    sa.ForeignKeyConstraint(['source_id'], ['sources.id'], name='fk_usage_ranges_source_id'),
    sa.PrimaryKeyConstraint('workspace_id', 'source_id', 'start', 'until', 'actor_id', 'line_id', name='pk_usage_ranges'),
    sqlite_with_rowid=False
    )
