"""Transactions on SQLite or PostgreSQL, and where their connections come from.

Fixed questions and rows in bulk go to the driver, statements that are built go through SQLAlchemy. As long as no
statement was built, SQLite is used without it: to load SQLAlchemy takes longer than most commands run.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeVarTuple, overload

from bot.store.builder import sa

_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "busy_timeout=30000",
    "foreign_keys=ON",
    "secure_delete=ON",
    "cache_size=-20000",
)
"""Of SQLite. What is deleted is overwritten, as only some builds do by themselves: the file keeps no erased names. Its
cache may take 20 MB: with the usual 2 MB an import reads pages again and again."""

_PASSING = "synchronous=OFF"
"""In place of the same above: nothing is written to where it would outlast the system."""

_Columns = TypeVarTuple("_Columns")
_Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Connection:
    """One transaction. ``driver`` is the connection of sqlite3 or psycopg."""

    def __init__(self, driver: Any, *, is_sqlite: bool, built: sa.Connection | None = None) -> None:
        self.driver = driver
        self.is_sqlite = is_sqlite
        self._built = built

    @property
    def built(self) -> sa.Connection:
        """The same transaction for SQLAlchemy."""
        if self._built is None:
            only_this = sa.StaticPool(lambda: _Within(self.driver))
            self._built = sa.create_engine("sqlite://", pool=only_this).connect()
        return self._built

    @overload
    def execute(
        self, statement: sa.sql.selectable.TypedReturnsRows[*_Columns], parameters: _Parameters | None = None
    ) -> sa.CursorResult[*_Columns]: ...

    @overload
    def execute(
        self, statement: sa.Executable, parameters: _Parameters | None = None
    ) -> sa.CursorResult[*tuple[Any, ...]]: ...

    def execute(self, statement: sa.Executable, parameters: _Parameters | None = None) -> sa.CursorResult[Any]:
        """What a statement of the query builder finds."""
        return self.built.execute(statement, parameters)

    def rollback(self) -> None:
        """Undo what the transaction did so far."""
        self.driver.rollback()


class _Within:
    """A driver's connection while the transaction on it is not SQLAlchemy's to end."""

    def __init__(self, driver: sqlite3.Connection) -> None:
        self._driver = driver

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def commit(self) -> None:
        """Nothing: whoever began it commits."""

    rollback = close = commit


class Connections:
    """Begins the transactions of one database, and keeps their connections for the next ones."""

    def __init__(self, file: str | None, engine: sa.Engine | None, *, is_lasting: bool = True) -> None:
        """Either a ``file`` of SQLite, whose engine is made once SQLAlchemy is loaded, or an ``engine``.

        Where it need not outlast this process, and so is not ``is_lasting``, nothing waits for the disk.
        """
        self.file = file
        self._pragmas = _PRAGMAS if is_lasting else (*_PRAGMAS, _PASSING)
        self._engine = engine
        self._engine_made = Lock()
        self._idle: list[sqlite3.Connection] = []

    @property
    def is_sqlite(self) -> bool:
        return self._engine is None or self._engine.dialect.name == "sqlite"

    @property
    def shown_url(self) -> str:
        """The database's URL without a password."""
        if self._engine is None:
            return f"sqlite:///{self.file}"
        return self._engine.url.render_as_string(hide_password=True)

    @property
    def engine(self) -> sa.Engine:
        """SQLAlchemy's, whose pool the connections come from once it is loaded."""
        with self._engine_made:
            if self._engine is None:
                self._engine = sqlite_engine(sa.URL.create("sqlite", database=self.file), self._pragmas)
            return self._engine

    @contextmanager
    def transaction(self, *, is_read_only: bool = False, is_unchecked: bool = False) -> Iterator[Connection]:
        """A transaction, undone by an error. On SQLite it holds the write lock from its first moment unless it reads.

        Where ``is_unchecked``, SQLite lets a table be copied and dropped that others refer to, as migrations do.
        """
        if self._is_driver_enough():
            with self._driver() as alone, _unchecked(alone, is_unchecked), _begun(alone, is_read_only) as connection:
                yield connection
            return
        options = {"read_only": True} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with self.engine.connect() as built:
            if is_read_only:
                built.execution_options(**options)
            driver: Any = built.connection.driver_connection
            with _unchecked(driver, is_unchecked and self.is_sqlite), built.begin():
                yield Connection(driver, is_sqlite=self.is_sqlite, built=built)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()
        if self._engine is not None:
            self._engine.dispose()

    def _is_driver_enough(self) -> bool:
        return self._engine is None and "sqlalchemy" not in sys.modules

    @contextmanager
    def _driver(self) -> Iterator[sqlite3.Connection]:
        try:
            driver = self._idle.pop()
        except IndexError:
            driver = _connect(str(self.file), self._pragmas)
        try:
            yield driver
        finally:
            if self._is_driver_enough():
                self._idle.append(driver)
            else:
                driver.close()


def sqlite_engine(url: str | sa.URL, pragmas: Sequence[str] = _PRAGMAS) -> sa.Engine:
    """An engine whose transactions begin at their first statement, and not at their first change."""
    engine = sa.create_engine(url)

    @sa.event.listens_for(engine, "connect")
    def prepare(driver: sqlite3.Connection, _record: Any) -> None:
        _prepare(driver, pragmas)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        driver: Any = connection.connection.driver_connection
        _begin(driver, is_read_only=connection.get_execution_options().get("read_only", False))

    return engine


def _connect(file: str, pragmas: Sequence[str]) -> sqlite3.Connection:
    driver = sqlite3.connect(file, check_same_thread=False)
    try:
        _prepare(driver, pragmas)
    except sqlite3.Error:
        driver.close()
        raise
    return driver


def _prepare(driver: sqlite3.Connection, pragmas: Sequence[str]) -> None:
    # The driver's own BEGIN comes only before writes, which loses updates between processes: we begin ourselves.
    driver.isolation_level = None
    for pragma in pragmas:
        driver.execute(f"PRAGMA {pragma}")


def _begin(driver: sqlite3.Connection, *, is_read_only: bool) -> None:
    driver.execute("BEGIN" if is_read_only else "BEGIN IMMEDIATE")


@contextmanager
def _begun(driver: sqlite3.Connection, is_read_only: bool) -> Iterator[Connection]:
    _begin(driver, is_read_only=is_read_only)
    try:
        yield Connection(driver, is_sqlite=True)
        driver.commit()
    except BaseException:
        driver.rollback()
        raise


@contextmanager
def _unchecked(driver: Any, is_unchecked: bool) -> Iterator[None]:
    if is_unchecked:
        driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        if is_unchecked:
            driver.execute("PRAGMA foreign_keys = ON")
