CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE deliveries (
	id INTEGER NOT NULL,
	workspace_id INTEGER NOT NULL,
	"key" TEXT NOT NULL,
	kind TEXT NOT NULL,
	target TEXT NOT NULL,
	day INTEGER NOT NULL,
	step INTEGER,
	state TEXT NOT NULL,
	due_at BIGINT NOT NULL,
	expires_at BIGINT,
	owner TEXT,
	lease_until BIGINT,
	fence INTEGER NOT NULL,
	attempts INTEGER NOT NULL,
	send_started_at BIGINT,
	channel TEXT,
	payload TEXT,
	ts TEXT,
	problem TEXT, usd BIGINT, corrected_at BIGINT, edition TEXT, is_partial BOOLEAN, members TEXT, is_edit_uncertain BOOLEAN,
	CONSTRAINT pk_deliveries PRIMARY KEY (id),
	CONSTRAINT uq_deliveries_workspace_id UNIQUE (workspace_id, "key")
);

CREATE TABLE feeds (
	workspace_id INTEGER NOT NULL,
	name TEXT NOT NULL,
	started_at BIGINT,
	succeeded_at BIGINT,
	failed_at BIGINT,
	problem TEXT,
	next_at BIGINT,
	newest_day INTEGER,
	received BIGINT NOT NULL,
	usual_lag BIGINT,
	arrived_at BIGINT,
	told_at BIGINT,
	CONSTRAINT pk_feeds PRIMARY KEY (workspace_id, name)
);

CREATE TABLE read_files (
	workspace_id INTEGER NOT NULL,
	path TEXT NOT NULL,
	size BIGINT NOT NULL,
	changed_at BIGINT NOT NULL,
	format TEXT NOT NULL,
	settings TEXT NOT NULL,
	row_count BIGINT NOT NULL,
	days TEXT NOT NULL, problem TEXT,
	CONSTRAINT pk_read_files PRIMARY KEY (workspace_id, path)
);

CREATE TABLE settings (
	workspace_id INTEGER NOT NULL,
	name TEXT NOT NULL,
	value TEXT NOT NULL,
	CONSTRAINT pk_settings PRIMARY KEY (workspace_id, name)
);

CREATE TABLE sources (
	id INTEGER NOT NULL,
	workspace_id INTEGER NOT NULL,
	name TEXT NOT NULL,
	CONSTRAINT pk_sources PRIMARY KEY (id),
	CONSTRAINT uq_sources_workspace_id UNIQUE (workspace_id, name)
);

CREATE TABLE usage_lines (
	id INTEGER NOT NULL,
	model TEXT NOT NULL,
	speed TEXT NOT NULL,
	inference_geo TEXT NOT NULL,
	service_tier TEXT NOT NULL,
	prompt_tier TEXT NOT NULL,
	billing TEXT NOT NULL,
	part TEXT NOT NULL,
	vendor TEXT NOT NULL,
	CONSTRAINT pk_usage_lines PRIMARY KEY (id),
	CONSTRAINT uq_usage_lines UNIQUE (model, speed, inference_geo, service_tier, prompt_tier, billing, part, vendor)
);

CREATE TABLE actors (
	id INTEGER NOT NULL,
	workspace_id INTEGER NOT NULL,
	kind TEXT NOT NULL,
	name TEXT NOT NULL,
	person_id INTEGER NOT NULL,
	linked_by TEXT, beside INTEGER,
	CONSTRAINT pk_actors PRIMARY KEY (id),
	CONSTRAINT fk_actors_person_id FOREIGN KEY(person_id) REFERENCES people (id),
	CONSTRAINT uq_actors_workspace_id UNIQUE (workspace_id, kind, name)
);

CREATE INDEX ix_actors_person_id ON actors (person_id);

CREATE TABLE audit (
	id INTEGER NOT NULL,
	workspace_id INTEGER NOT NULL,
	at BIGINT NOT NULL,
	who TEXT NOT NULL,
	what TEXT NOT NULL,
	person_id INTEGER,
	CONSTRAINT pk_audit PRIMARY KEY (id),
	CONSTRAINT fk_audit_person_id FOREIGN KEY(person_id) REFERENCES people (id)
);

CREATE INDEX ix_audit_person_id ON audit (person_id);

CREATE TABLE imports (
	id INTEGER NOT NULL,
	workspace_id INTEGER NOT NULL,
	source_id INTEGER NOT NULL,
	path TEXT NOT NULL,
	imported_at BIGINT NOT NULL,
	accepted BIGINT NOT NULL,
	rejected BIGINT NOT NULL,
	unchanged BIGINT NOT NULL,
	restated BIGINT NOT NULL,
	first_day INTEGER,
	last_day INTEGER, written_at BIGINT,
	CONSTRAINT pk_imports PRIMARY KEY (id),
	CONSTRAINT fk_imports_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
);

CREATE TABLE model_days (
	workspace_id INTEGER NOT NULL,
	day INTEGER NOT NULL,
	line_id INTEGER NOT NULL,
	is_reported BOOLEAN NOT NULL,
	input BIGINT NOT NULL,
	output BIGINT NOT NULL,
	cache_read BIGINT NOT NULL,
	cache_write_5m BIGINT NOT NULL,
	cache_write_1h BIGINT NOT NULL,
	web_searches BIGINT NOT NULL,
	reported_usd BIGINT,
	row_count BIGINT NOT NULL,
	CONSTRAINT pk_model_days PRIMARY KEY (workspace_id, day, line_id, is_reported),
	CONSTRAINT fk_model_days_line_id FOREIGN KEY(line_id) REFERENCES usage_lines (id)
)
 WITHOUT ROWID;

CREATE TABLE person_days (
	workspace_id INTEGER NOT NULL,
	day INTEGER NOT NULL,
	person_id INTEGER NOT NULL,
	source_id INTEGER NOT NULL,
	tokens BIGINT NOT NULL,
	usd BIGINT NOT NULL,
	unpriced_tokens BIGINT NOT NULL,
	CONSTRAINT pk_person_days PRIMARY KEY (workspace_id, day, person_id),
	CONSTRAINT fk_person_days_person_id FOREIGN KEY(person_id) REFERENCES people (id),
	CONSTRAINT fk_person_days_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
)
 WITHOUT ROWID;

CREATE TABLE import_problems (
	id INTEGER NOT NULL,
	import_id INTEGER NOT NULL,
	"row" BIGINT NOT NULL,
	problem TEXT NOT NULL,
	CONSTRAINT pk_import_problems PRIMARY KEY (id),
	CONSTRAINT fk_import_problems_import_id FOREIGN KEY(import_id) REFERENCES imports (id)
);

CREATE INDEX ix_import_problems_import_id ON import_problems (import_id);

CREATE TABLE seen_requests (
	workspace_id INTEGER NOT NULL,
	source_id INTEGER NOT NULL,
	"key" BLOB NOT NULL,
	at BIGINT NOT NULL,
	sidechain BOOLEAN NOT NULL,
	series BLOB,
	day INTEGER NOT NULL,
	actor_id INTEGER NOT NULL,
	line_id INTEGER NOT NULL,
	input BIGINT NOT NULL,
	output BIGINT NOT NULL,
	cache_read BIGINT NOT NULL,
	cache_write_5m BIGINT NOT NULL,
	cache_write_1h BIGINT NOT NULL,
	web_searches BIGINT NOT NULL,
	reported_usd BIGINT, request BIGINT,
	CONSTRAINT pk_seen_requests PRIMARY KEY (workspace_id, source_id, "key"),
	CONSTRAINT fk_seen_requests_actor_id FOREIGN KEY(actor_id) REFERENCES actors (id),
	CONSTRAINT fk_seen_requests_line_id FOREIGN KEY(line_id) REFERENCES usage_lines (id),
	CONSTRAINT fk_seen_requests_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
)
 WITHOUT ROWID;

CREATE INDEX ix_seen_requests_day ON seen_requests (workspace_id, source_id, day, actor_id);

CREATE TABLE usage_daily (
	workspace_id INTEGER NOT NULL,
	day INTEGER NOT NULL,
	source_id INTEGER NOT NULL,
	actor_id INTEGER NOT NULL,
	line_id INTEGER NOT NULL,
	input BIGINT NOT NULL,
	output BIGINT NOT NULL,
	cache_read BIGINT NOT NULL,
	cache_write_5m BIGINT NOT NULL,
	cache_write_1h BIGINT NOT NULL,
	web_searches BIGINT NOT NULL,
	reported_usd BIGINT,
	CONSTRAINT pk_usage_daily PRIMARY KEY (workspace_id, day, source_id, actor_id, line_id),
	CONSTRAINT fk_usage_daily_actor_id FOREIGN KEY(actor_id) REFERENCES actors (id),
	CONSTRAINT fk_usage_daily_line_id FOREIGN KEY(line_id) REFERENCES usage_lines (id),
	CONSTRAINT fk_usage_daily_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
)
 WITHOUT ROWID;

CREATE TABLE usage_ranges (
	workspace_id INTEGER NOT NULL,
	source_id INTEGER NOT NULL,
	start INTEGER NOT NULL,
	until INTEGER NOT NULL,
	actor_id INTEGER NOT NULL,
	line_id INTEGER NOT NULL,
	input BIGINT NOT NULL,
	output BIGINT NOT NULL,
	cache_read BIGINT NOT NULL,
	cache_write_5m BIGINT NOT NULL,
	cache_write_1h BIGINT NOT NULL,
	web_searches BIGINT NOT NULL,
	reported_usd BIGINT,
	CONSTRAINT pk_usage_ranges PRIMARY KEY (workspace_id, source_id, start, until, actor_id, line_id),
	CONSTRAINT fk_usage_ranges_actor_id FOREIGN KEY(actor_id) REFERENCES actors (id),
	CONSTRAINT fk_usage_ranges_line_id FOREIGN KEY(line_id) REFERENCES usage_lines (id),
	CONSTRAINT fk_usage_ranges_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
)
 WITHOUT ROWID;

CREATE TABLE teams (
	id INTEGER NOT NULL,
	workspace_id INTEGER NOT NULL,
	name TEXT NOT NULL,
	lead TEXT,
	limit_usd BIGINT,
	budget_usd BIGINT,
	CONSTRAINT pk_teams PRIMARY KEY (id),
	CONSTRAINT uq_teams_workspace_id UNIQUE (workspace_id, name)
);

CREATE TABLE subscriptions (
	workspace_id INTEGER NOT NULL,
	channel TEXT NOT NULL,
	edition TEXT NOT NULL,
	team TEXT NOT NULL,
	at TEXT NOT NULL,
	zone TEXT NOT NULL,
	weekdays TEXT NOT NULL,
	skips_unchanged BOOLEAN NOT NULL,
	since BIGINT NOT NULL,
	CONSTRAINT pk_subscriptions PRIMARY KEY (workspace_id, channel, edition, team)
);

CREATE TABLE "people" (
	id INTEGER NOT NULL,
	workspace_id INTEGER NOT NULL,
	email TEXT,
	name TEXT NOT NULL,
	slack_user_id TEXT,
	limit_usd BIGINT,
	seat TEXT,
	is_organization BOOLEAN NOT NULL,
	team_id INTEGER,
	muted_until INTEGER,
	planned_day INTEGER, quiet_hours TEXT, hides_name BOOLEAN, planned_before INTEGER,
	CONSTRAINT pk_people PRIMARY KEY (id),
	CONSTRAINT uq_people_workspace_id UNIQUE (workspace_id, email),
	CONSTRAINT fk_people_team_id FOREIGN KEY(team_id) REFERENCES teams (id)
);

CREATE TABLE session_days (
	workspace_id INTEGER NOT NULL,
	day INTEGER NOT NULL,
	source_id INTEGER NOT NULL,
	actor_id INTEGER NOT NULL,
	sessions BIGINT NOT NULL,
	CONSTRAINT pk_session_days PRIMARY KEY (workspace_id, day, source_id, actor_id),
	CONSTRAINT fk_session_days_source_id FOREIGN KEY(source_id) REFERENCES sources (id),
	CONSTRAINT fk_session_days_actor_id FOREIGN KEY(actor_id) REFERENCES actors (id)
)
 WITHOUT ROWID;

CREATE TABLE workspaces (
	id INTEGER NOT NULL,
	team_id TEXT NOT NULL,
	enterprise_id TEXT,
	installer TEXT,
	CONSTRAINT pk_workspaces PRIMARY KEY (id),
	CONSTRAINT uq_workspaces_team_id UNIQUE (team_id)
);

CREATE TABLE answers (
	id INTEGER NOT NULL,
	workspace_id INTEGER NOT NULL,
	slack_user_id TEXT NOT NULL,
	question TEXT NOT NULL,
	answer TEXT NOT NULL,
	CONSTRAINT pk_answers PRIMARY KEY (id)
);

CREATE INDEX ix_answers_slack_user_id ON answers (workspace_id, slack_user_id);

CREATE TABLE slack_oauth_states (
	id INTEGER NOT NULL,
	state VARCHAR(200) NOT NULL,
	expire_at DATETIME NOT NULL,
	CONSTRAINT pk_slack_oauth_states PRIMARY KEY (id)
);

CREATE TABLE slack_bots (
	id INTEGER NOT NULL,
	client_id VARCHAR(32) NOT NULL,
	app_id VARCHAR(32) NOT NULL,
	enterprise_id VARCHAR(32),
	enterprise_name VARCHAR(200),
	team_id VARCHAR(32),
	team_name VARCHAR(200),
	bot_token TEXT,
	bot_id VARCHAR(32),
	bot_user_id VARCHAR(32),
	bot_scopes VARCHAR(1000),
	bot_refresh_token TEXT,
	bot_token_expires_at DATETIME,
	is_enterprise_install BOOLEAN NOT NULL,
	installed_at DATETIME NOT NULL,
	CONSTRAINT pk_slack_bots PRIMARY KEY (id)
);

CREATE INDEX slack_bots_idx ON slack_bots (client_id, enterprise_id, team_id, installed_at);

CREATE TABLE slack_installations (
	id INTEGER NOT NULL,
	client_id VARCHAR(32) NOT NULL,
	app_id VARCHAR(32) NOT NULL,
	enterprise_id VARCHAR(32),
	enterprise_name VARCHAR(200),
	enterprise_url VARCHAR(200),
	team_id VARCHAR(32),
	team_name VARCHAR(200),
	bot_token TEXT,
	bot_id VARCHAR(32),
	bot_user_id VARCHAR(32),
	bot_scopes VARCHAR(1000),
	bot_refresh_token TEXT,
	bot_token_expires_at DATETIME,
	user_id VARCHAR(32) NOT NULL,
	user_token TEXT,
	user_scopes VARCHAR(1000),
	user_refresh_token TEXT,
	user_token_expires_at DATETIME,
	incoming_webhook_url TEXT,
	incoming_webhook_channel VARCHAR(200),
	incoming_webhook_channel_id VARCHAR(200),
	incoming_webhook_configuration_url VARCHAR(200),
	is_enterprise_install BOOLEAN NOT NULL,
	token_type VARCHAR(32),
	installed_at DATETIME NOT NULL,
	CONSTRAINT pk_slack_installations PRIMARY KEY (id)
);

CREATE INDEX slack_installations_idx ON slack_installations (client_id, enterprise_id, team_id, user_id, installed_at);

CREATE INDEX ix_seen_requests_series ON seen_requests (workspace_id, source_id, series) WHERE series IS NOT NULL;

CREATE INDEX ix_imports_imported_at ON imports (workspace_id, imported_at);

CREATE INDEX ix_imports_source ON imports (workspace_id, source_id, imported_at);

CREATE INDEX ix_imports_last_day ON imports (workspace_id, last_day);

CREATE INDEX ix_people_team_id ON people (team_id);

CREATE INDEX ix_people_limit_usd ON people (workspace_id) WHERE limit_usd IS NOT NULL;

CREATE INDEX ix_deliveries_day ON deliveries (workspace_id, day, target);

CREATE INDEX ix_deliveries_state ON deliveries (workspace_id, state, due_at);

CREATE INDEX ix_deliveries_kind ON deliveries (workspace_id, kind, send_started_at);

CREATE TABLE person_ranges (
	workspace_id INTEGER NOT NULL,
	until INTEGER NOT NULL,
	start INTEGER NOT NULL,
	source_id INTEGER NOT NULL,
	person_id INTEGER NOT NULL,
	tokens BIGINT NOT NULL,
	usd BIGINT NOT NULL,
	days INTEGER NOT NULL,
	day_tokens BIGINT NOT NULL,
	day_usd BIGINT NOT NULL,
	is_fuller BOOLEAN NOT NULL,
	CONSTRAINT pk_person_ranges PRIMARY KEY (workspace_id, until, start, source_id, person_id)
)
 WITHOUT ROWID;

INSERT INTO alembic_version (version_num) VALUES ('0010')
