"""The columns of tables that are written without the query builder, which ``tables`` describes in full."""

from typing import NamedTuple

COUNTS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "web_searches")
"""The counts of a table, in the order of TokenUsage."""

LINE = ("model", "speed", "inference_geo", "service_tier", "prompt_tier", "billing")
"""What is used at what conditions."""


class Columns(NamedTuple):
    """A table, the columns that tell its rows apart, if any, and those of the others that rows are written with."""

    table: str
    key: tuple[str, ...]
    others: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, in the order of a row."""
        return self.key + self.others


_USED = (*COUNTS, "reported_usd")

SETTINGS = Columns("settings", ("workspace_id", "name"), ("value",))
PEOPLE = Columns("people", ("workspace_id", "email"), ("name", "is_organization"))
MEMBERS = Columns("people", ("workspace_id", "email"), ("name", "is_organization", "seat"))
ACTORS = Columns("actors", ("workspace_id", "kind", "name"), ("person_id", "linked_by"))
ACCOUNTS = Columns("actors", ("workspace_id", "kind", "name"), ("person_id", "linked_by", "beside"))
SOURCES = Columns("sources", ("workspace_id", "name"))
USAGE_LINES = Columns("usage_lines", (*LINE, "part", "vendor"))
USAGE_DAILY = Columns("usage_daily", ("workspace_id", "day", "source_id", "actor_id", "line_id"), _USED)
USAGE_RANGES = Columns("usage_ranges", ("workspace_id", "source_id", "start", "until", "actor_id", "line_id"), _USED)
SESSION_DAYS = Columns("session_days", ("workspace_id", "day", "source_id", "actor_id"), ("sessions",))
MODEL_DAYS = Columns("model_days", ("workspace_id", "day", "line_id", "is_reported"), (*_USED, "row_count"))
SEEN_REQUESTS = Columns(
    "seen_requests",
    ("workspace_id", "source_id", "key"),
    ("at", "sidechain", "series", "request", "day", "actor_id", "line_id", *_USED),
)
PERSON_DAYS = Columns(
    "person_days", ("workspace_id", "day", "person_id"), ("source_id", "tokens", "usd", "unpriced_tokens")
)
PERSON_RANGES = Columns(
    "person_ranges",
    ("workspace_id", "until", "start", "source_id", "person_id"),
    ("tokens", "usd", "days", "day_tokens", "day_usd", "is_fuller"),
)
IMPORT_PROBLEMS = Columns("import_problems", (), ("import_id", "row", "problem"))
READ_FILES = Columns(
    "read_files",
    ("workspace_id", "path"),
    ("size", "changed_at", "settings", "format", "row_count", "days", "problem"),
)
