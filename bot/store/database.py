"""The connection to SQLite or PostgreSQL: how transactions begin, and how the schema comes up to date."""

import atexit
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from bot.store.bulk import run_sql
from bot.store.schema import create_schema

SINGLE_WORKSPACE = 1
REVISION = "0009"
"""The newest migration in bot/store/migrations/versions."""

_READING: ContextVar[Connection | None] = ContextVar("reading", default=None)
_MIGRATION_LOCK = 7_204_117
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON", "secure_delete=ON")
"""Of SQLite. What is deleted is overwritten, as only some builds do by themselves: the file keeps no erased names."""

_ANOTHER = "Name another database in DATABASE_URL."
_SERVER_TIME = text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)")


class DatabaseProblem(Exception):
    """The database cannot be used; one sentence that says why and what to do."""


class Database:
    """One database and the workspace whose rows are read and written through it."""

    def __init__(self, engine: Engine, workspace_id: int = SINGLE_WORKSPACE) -> None:
        self.engine = engine
        self.workspace_id = workspace_id

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads: it waits for nobody, and sees one moment throughout.

        What is read inside of another ``read`` is of that one's moment.
        """
        around = _READING.get()
        if around is not None and around.engine is self.engine:
            yield around
            return
        options = {"read_only": True} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with self.engine.connect().execution_options(**options) as connection, connection.begin():
            token = _READING.set(connection)
            try:
                yield connection
            finally:
                _READING.reset(token)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A short transaction that writes; on SQLite it holds the write lock from its first moment."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write_usage(self) -> Iterator[Connection]:
        """Like write, and the only one of its kind at a time in this workspace.

        Usage, its roll-ups and the alerts that follow from them change together; two imports at once take turns,
        so that neither misses what the other added to a person's day.
        """
        with self.engine.begin() as connection:
            if not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock, 1)"), {"lock": self.workspace_id})
            yield connection

    def now(self) -> datetime:
        """The time that all processes on this database agree on: the server's on PostgreSQL, else this machine's."""
        if self.is_sqlite:
            return datetime.now(UTC)
        with self.read() as connection:
            return datetime.fromtimestamp(connection.execute(_SERVER_TIME).scalar_one() / 1000, UTC)

    def write_out(self) -> None:
        """Write what is stored to where it stays: SQLite's journal holds what was deleted until then."""
        if self.is_sqlite:
            connection = self.engine.raw_connection()
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            connection.close()

    def close(self) -> None:
        atexit.unregister(self.close)
        self.engine.dispose()


def connect(url: str) -> Database:
    """A database by URL (``sqlite:///file``, ``postgresql://…``), its schema unseen. Raises DatabaseProblem."""
    try:
        parsed = _with_driver(make_url(url))
    except (ArgumentError, ValueError) as error:
        raise DatabaseProblem(
            "DATABASE_URL is not a database URL; it looks like postgresql://user:password@host/name or sqlite:////path/file.db."
        ) from error
    if parsed.get_backend_name() == "sqlite":
        try:
            database = Database(_sqlite_engine(parsed))
        except OSError as error:
            raise DatabaseProblem(f"The folder of {parsed.database} cannot be made: {_reason(error)}") from error
    else:
        database = Database(create_engine(parsed, pool_pre_ping=True))
    # Only once its last connection is closed is all of SQLite in its one file, which people copy.
    atexit.register(database.close)
    return database


def open_database(url: str) -> Database:
    """Connect and bring the schema up to date. Raises DatabaseProblem with what to do."""
    database = connect(url)
    try:
        migrate(database)
    except (DBAPIError, OSError) as error:
        shown = database.engine.url.render_as_string(hide_password=True)
        raise DatabaseProblem(f"The database {shown} cannot be opened: {_reason(error)} {_todo(error)}") from error
    return database


def migrate(database: Database) -> str:
    """Apply the missing migrations in one transaction under one lock; returns the schema's revision.

    Started by several processes at once, one applies and the others wait; killed in the middle, nothing has changed.
    """
    found = _revision(database)
    if found == REVISION:
        return REVISION
    if found is not None and not re.fullmatch(r"\d{4}", found):
        raise DatabaseProblem(f"The database is another program's (schema {found}). {_ANOTHER}")
    if found is not None and found > REVISION:
        raise DatabaseProblem(f"The database is of a newer claudecost (schema {found}); update this one.")
    with _unchecked(database) as connection, connection.begin():
        if database.is_sqlite:
            others = inspect(connection).get_table_names()
            if not others:
                create_schema(connection)
                return REVISION
            if "alembic_version" not in others:
                raise DatabaseProblem(f"The database has tables of another program, such as {others[0]}. {_ANOTHER}")
        else:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        upgrade(connection)
    return REVISION


@contextmanager
def _unchecked(database: Database) -> Iterator[Connection]:
    """A connection on which SQLite lets a table be copied and dropped that others refer to, as migrations do."""
    with database.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        if database.is_sqlite:
            driver.execute("PRAGMA foreign_keys = OFF")
        try:
            yield connection
        finally:
            if database.is_sqlite:
                driver.execute("PRAGMA foreign_keys = ON")


def upgrade(connection: Connection, revision: str = REVISION) -> None:
    """Apply the missing migrations, up to a revision."""
    # Alembic takes longer to import than most commands take to run, and is needed only when something changes.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(files("bot.store").joinpath("migrations")))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _revision(database: Database) -> str | None:
    with database.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found


def _with_driver(url: URL) -> URL:
    if url.get_backend_name() in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite":
        return url.set(drivername="sqlite")
    raise DatabaseProblem(f"DATABASE_URL names {url.get_backend_name()}; SQLite and PostgreSQL are supported.")


def _sqlite_engine(url: URL) -> Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # The driver's own BEGIN comes only before writes, which loses updates between processes: we begin ourselves.
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("read_only"):
            run_sql(connection, "BEGIN", ())
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _todo(error: DBAPIError | OSError) -> str:
    if "locked" in str(error):
        return "Another process holds it: try again in a minute."
    return f"Look if that is where it should be, and if it may be read and written. {_ANOTHER}"


def _reason(error: DBAPIError | OSError) -> str:
    said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    return said.strip().splitlines()[0].rstrip(".") + "."
