"""The connection to SQLite or PostgreSQL: how transactions begin, and how the schema comes up to date."""

from __future__ import annotations

import atexit
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

from bot.store.builder import sa
from bot.store.bulk import run_sql, select_rows
from bot.store.connection import Connection, Connections, sqlite_engine
from bot.store.schema import create_schema

SINGLE_WORKSPACE = 1
REVISION = "0010"
"""The newest migration in bot/store/migrations/versions."""

_OF_OUTAGES = frozenset({"OperationalError", "InterfaceError", "TimeoutError"})
"""What the drivers and SQLAlchemy call errors of the connection, and not of what was asked."""

_SILENT_CODES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOTADB,
    }
)

_READING: ContextVar[tuple[Connections, Connection] | None] = ContextVar("reading", default=None)
_MIGRATION_LOCK = 7_204_117
_ANOTHER = "Name another database in DATABASE_URL."
_SERVER_TIME = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"
_FILE = re.compile(r"sqlite:///(?!:memory:)(?P<file>[^?#%]+)")
_VERSIONED = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
_VERSIONED_POSTGRES = "SELECT 1 WHERE to_regclass('alembic_version') IS NOT NULL"
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite|_%' ESCAPE '|' ORDER BY name"


class DatabaseProblem(Exception):
    """The database cannot be used; one sentence that says why and what to do."""


class Database:
    """One database and the workspace whose rows are read and written through it."""

    def __init__(self, connections: Connections, workspace_id: int = SINGLE_WORKSPACE) -> None:
        self.connections = connections
        self.workspace_id = workspace_id

    @property
    def is_sqlite(self) -> bool:
        return self.connections.is_sqlite

    @property
    def engine(self) -> sa.Engine:
        """SQLAlchemy's, for those who use it by themselves."""
        return self.connections.engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads: it waits for nobody, and sees one moment throughout.

        What is read inside of another ``read`` is of that one's moment.
        """
        around = _READING.get()
        if around is not None and around[0] is self.connections:
            yield around[1]
            return
        with self.connections.transaction(is_read_only=True) as connection:
            token = _READING.set((self.connections, connection))
            try:
                yield connection
            finally:
                _READING.reset(token)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A short transaction that writes; on SQLite it holds the write lock from its first moment."""
        with self.connections.transaction() as connection:
            yield connection

    @contextmanager
    def write_usage(self) -> Iterator[Connection]:
        """Like write, and the only one of its kind at a time in this workspace.

        Usage, its roll-ups and the alerts that follow from them change together; two imports at once take turns,
        so that neither misses what the other added to a person's day.
        """
        with self.connections.transaction() as connection:
            if not self.is_sqlite:
                run_sql(connection, "SELECT pg_advisory_xact_lock(?, 1)", (self.workspace_id,))
            yield connection

    def now(self) -> datetime:
        """The time that all processes on this database agree on: the server's on PostgreSQL, else this machine's."""
        if self.is_sqlite:
            return datetime.now(UTC)
        with self.read() as connection:
            ((milliseconds,),) = select_rows(connection, _SERVER_TIME, ())
            return datetime.fromtimestamp(milliseconds / 1000, UTC)

    def write_out(self) -> None:
        """Write what is stored to where it stays: SQLite's journal holds what was deleted until then."""
        if self.is_sqlite:
            connection = self.engine.raw_connection()
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            connection.close()

    @property
    def shown_url(self) -> str:
        """The database's URL without a password."""
        return self.connections.shown_url

    def close(self) -> None:
        atexit.unregister(self.close)
        self.connections.close()


def connect(url: str) -> Database:
    """A database by URL (``sqlite:///file``, ``postgresql://…``), its schema unseen. Raises DatabaseProblem."""
    database = Database(_connections(url))
    # Only once its last connection is closed is all of SQLite in its one file, which people copy.
    atexit.register(database.close)
    return database


def _connections(url: str) -> Connections:
    named = _FILE.fullmatch(url)
    if named:
        file = str(Path(named["file"]).absolute())
        _make_folder(file)
        return Connections(file, None)
    try:
        parsed = _with_driver(sa.make_url(url))
        if parsed.get_backend_name() != "sqlite":
            return Connections(None, sa.create_engine(parsed, pool_pre_ping=True))
        if parsed.database and parsed.database != ":memory:":
            _make_folder(parsed.database)
        return Connections(None, sqlite_engine(parsed))
    except (sa.exc.ArgumentError, ValueError) as error:
        raise DatabaseProblem(
            "DATABASE_URL is not a database URL; it looks like postgresql://user:password@host/name or sqlite:////path/file.db."
        ) from error


def _make_folder(file: str) -> None:
    try:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseProblem(
            f"The folder of {file} cannot be made: {_reason(error)} Let CLAUDECOST_DATA_DIR name one that can."
        ) from error


def database_errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """What is raised where the database cannot be asked, by a driver or by SQLAlchemy in its place, and ``others``."""
    raised: list[type[Exception]] = [sqlite3.Error, *others]
    if "sqlalchemy" in sys.modules:
        raised.append(sa.exc.SQLAlchemyError)
    if "psycopg" in sys.modules:
        raised.append(sys.modules["psycopg"].Error)
    return tuple(raised)


def is_outage(error: Exception) -> bool:
    """Whether the database does not answer, in which case to ask again later may help."""
    said = getattr(error, "orig", None) or error
    if isinstance(said, sqlite3.Error):
        # What SQLite calls an OperationalError may be a wrong question as well.
        return getattr(said, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF in _SILENT_CODES
    names = {kind.__name__ for kind in type(error).__mro__}
    is_silent = isinstance(error, database_errors()) and not names.isdisjoint(_OF_OUTAGES)
    return is_silent or isinstance(error, DatabaseProblem)


def open_database(url: str) -> Database:
    """Connect and bring the schema up to date. Raises DatabaseProblem with what to do."""
    database = connect(url)
    _bring_up_to_date(database)
    return database


def is_still_to_be_made(url: str) -> bool:
    """Whether a URL is of a file of SQLite that is not there yet, so that there is nothing in that database."""
    named = _FILE.fullmatch(url)
    try:
        file = named["file"] if named else _file_of(url)
        if file is not None:
            Path(file).stat()
    except FileNotFoundError:
        return True
    except OSError:
        pass  # whoever opens it says what is wrong
    return False


def _file_of(url: str) -> str | None:
    """The file of a URL of any form, if it is of one and nothing else is said of it."""
    if not url.startswith("sqlite"):
        return None
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        return None
    is_file = parsed.database not in (None, "", ":memory:") and "uri" not in parsed.query
    return parsed.database if is_file else None


@contextmanager
def passing_database() -> Iterator[Database]:
    """An empty database of which nothing stays, unless this process is killed.

    Raises DatabaseProblem where there is no folder for it.
    """
    from tempfile import TemporaryDirectory  # takes longer to load than to use, and next to nobody needs one

    try:
        folder = TemporaryDirectory(prefix="claudecost-")
    except OSError as error:
        reason = error.strerror or error
        raise DatabaseProblem(
            f"No temporary database can be made: {reason}. Let TMPDIR name a folder that may be written."
        ) from error
    with folder as name:
        database = Database(Connections(str(Path(name, "claudecost.db")), None, is_lasting=False))
        try:
            _bring_up_to_date(database)
            yield database
        finally:
            database.close()


def _bring_up_to_date(database: Database) -> None:
    try:
        migrate(database)
    except database_errors(OSError) as error:
        raise DatabaseProblem(
            f"The database {database.shown_url} cannot be opened: {_reason(error)} {_todo(error)}"
        ) from error


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
    with database.connections.transaction(is_unchecked=True) as connection:
        if database.is_sqlite:
            others = [name for (name,) in select_rows(connection, _TABLES, ())]
            if not others:
                create_schema(connection)
                return REVISION
            if "alembic_version" not in others:
                raise DatabaseProblem(f"The database has tables of another program, such as {others[0]}. {_ANOTHER}")
        else:
            run_sql(connection, "SELECT pg_advisory_xact_lock(?)", (_MIGRATION_LOCK,))
        upgrade(connection.built)
    return REVISION


def upgrade(connection: sa.Connection, revision: str = REVISION) -> None:
    """Apply the missing migrations, up to a revision."""
    # Alembic takes longer to import than most commands take to run, and is needed only when something changes.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _revision(database: Database) -> str | None:
    with database.read() as connection:
        if not select_rows(connection, _VERSIONED if database.is_sqlite else _VERSIONED_POSTGRES, ()):
            return None
        found = select_rows(connection, "SELECT version_num FROM alembic_version", ())
    return str(found[0][0]) if found else None


def _with_driver(url: sa.URL) -> sa.URL:
    if url.get_backend_name() in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite":
        return url.set(drivername="sqlite")
    raise DatabaseProblem(f"DATABASE_URL names {url.get_backend_name()}; SQLite and PostgreSQL are supported.")


def _todo(error: Exception) -> str:
    if "locked" in str(error):
        return "Another process holds it: try again in a minute."
    if "disk" in str(error):
        return "Look if its disk is full and make room there; what was stored before is kept."
    return f"Look if that is where it should be, and if it may be read and written. {_ANOTHER}"


def _reason(error: Exception) -> str:
    said = str(getattr(error, "orig", None) or error)  # SQLAlchemy says the statement as well
    return said.strip().splitlines()[0].rstrip(".") + "."
