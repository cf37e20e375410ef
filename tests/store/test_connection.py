"""SQLite by its driver alone, as commands use it that build no statement: SQLAlchemy is not loaded for them."""

import sqlite3
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import insert, select

from bot.store import columns, tables
from bot.store.bulk import select_rows
from bot.store.columns import Columns
from bot.store.connection import Connections
from bot.store.database import (
    Database,
    DatabaseProblem,
    connect,
    database_errors,
    is_still_to_be_made,
    migrate,
    open_database,
    passing_database,
)
from bot.store.settings import read_setting, read_setting_in, write_setting, write_setting_in
from tests.transcripts import tangled

ALL_COLUMNS = [value for value in vars(columns).values() if isinstance(value, Columns)]


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setattr(Connections, "_is_driver_enough", lambda self: True)
    database = Database(Connections(f"{tmp_path}/alone.db", None))
    migrate(database)
    return database


def test_a_built_statement_is_a_part_of_the_transaction_and_does_not_end_it(alone: Database) -> None:
    of_settings = select(tables.settings.c.name).order_by(tables.settings.c.name)

    def write_both_and_fail() -> None:
        with alone.write() as connection:
            write_setting_in(connection, 1, "a", "1")
            connection.execute(insert(tables.settings).values(workspace_id=1, name="b", value="2"))
            assert connection.execute(of_settings).scalars().all() == ["a", "b"]
            assert read_setting_in(connection, 1, "b") == "2"
            raise KeyError

    with pytest.raises(KeyError):
        write_both_and_fail()
    with alone.read() as connection:
        assert connection.execute(of_settings).scalars().all() == []
    with alone.write() as connection:
        connection.execute(insert(tables.settings).values(workspace_id=1, name="b", value="2"))
        write_setting_in(connection, 1, "a", "1")
    assert (read_setting(alone, "a"), read_setting(alone, "b")) == ("1", "2")


def test_what_is_undone_is_gone(alone: Database) -> None:
    with alone.write() as connection:
        write_setting_in(connection, 1, "a", "1")
        connection.execute(insert(tables.settings).values(workspace_id=1, name="b", value="2"))
        connection.rollback()
    assert (read_setting(alone, "a"), read_setting(alone, "b")) == (None, None)


def test_a_reader_sees_one_moment_throughout(alone: Database) -> None:
    with alone.read() as connection:
        assert read_setting(alone, "a") is None
        with alone.write() as writing:
            write_setting_in(writing, 1, "a", "1")
        assert read_setting_in(connection, 1, "a") is None
    assert read_setting(alone, "a") == "1"


def test_those_that_come_after_sqlalchemy_see_what_was_written_before(
    alone: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_setting(alone, "a", "1")
    monkeypatch.undo()
    with alone.write() as connection:
        assert connection.execute(select(tables.settings.c.value)).scalars().all() == ["1"]
        write_setting_in(connection, 1, "a", "2")
    assert read_setting(alone, "a") == "2"
    alone.close()


def test_what_the_driver_raises_is_known_as_the_databases(alone: Database) -> None:
    with pytest.raises(database_errors()), alone.read() as connection:
        select_rows(connection, "SELECT 1 FROM nothing", ())


def test_a_relative_path_is_that_of_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its name reads like a URI, which the driver would follow to another file."""
    monkeypatch.chdir(tmp_path)
    database = connect("sqlite:///file:a.db")
    monkeypatch.chdir("/")
    migrate(database)
    database.close()
    assert [path.name for path in tmp_path.iterdir()] == ["file:a.db"]


def test_tables_of_another_program_are_let_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE sqliteish (a)")
    with pytest.raises(DatabaseProblem, match="another program, such as sqliteish"):
        open_database(f"sqlite:///{tmp_path}/other.db")


def test_what_cannot_be_opened_leaves_nothing_beside_it(alone: Database, tmp_path: Path) -> None:
    alone.close()
    (tmp_path / "cut.db").write_bytes((tmp_path / "alone.db").read_bytes()[:60_000])
    cut = Database(Connections(f"{tmp_path}/cut.db", None))
    with pytest.raises(database_errors()):
        migrate(cut)
    cut.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.db", "cut.db"]


@pytest.mark.parametrize("is_driver_enough", [True, False])
def test_of_a_passing_database_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_driver_enough: bool
) -> None:
    monkeypatch.setattr(Connections, "_is_driver_enough", lambda self: is_driver_enough)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with passing_database() as database:
        with database.write() as connection, database.read() as other:
            write_setting_in(connection, 1, "a", "1")
            assert read_setting_in(other, 1, "a") is None
        assert read_setting(database, "a") == "1"
        assert [*tmp_path.iterdir()] != []
    assert [*tmp_path.iterdir()] == []


def test_where_nothing_may_pass_a_dry_run_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with (
        pytest.raises(DatabaseProblem, match="No such file or directory. Let TMPDIR name a folder"),
        passing_database(),
    ):
        pass


@pytest.mark.parametrize(
    "url", ["sqlite:///{}/new.db", "sqlite:///{}/100%25.db", "sqlite+pysqlite:///{}/n.db?timeout=5"]
)
def test_a_database_is_made_where_none_is_there(tmp_path: Path, url: str) -> None:
    assert is_still_to_be_made(url.format(tmp_path))
    open_database(url.format(tmp_path)).close()
    assert not is_still_to_be_made(url.format(tmp_path))


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///:memory:",
        "sqlite://",
        "sqlite:///file:{}/new.db?uri=true",
        "sqlite:///{}/file/below.db",
        "sqlite://a:b",
        "postgresql://host/name",
        "nothing",
    ],
)
def test_of_other_databases_nobody_knows_but_whoever_opens_them(tmp_path: Path, url: str) -> None:
    (tmp_path / "file").touch()
    assert not is_still_to_be_made(url.format(tmp_path))


def test_a_url_of_nothing_is_refused_in_a_sentence() -> None:
    with pytest.raises(DatabaseProblem, match="is not a database URL"):
        connect("sqlite://host/x.db")


@pytest.mark.parametrize("described", ALL_COLUMNS, ids=lambda described: described.table)
def test_columns_are_those_of_the_tables(described: Columns) -> None:
    table = tables.metadata.tables[described.table]
    unique = [[column.name for column in one.columns] for one in table.constraints if hasattr(one, "columns")]
    assert not described.key or sorted(described.key) in map(sorted, unique)
    needed = {column.name for column in table.columns if not column.nullable and column.name != "id"}
    assert needed <= set(described.names) <= {column.name for column in table.columns}


def test_transcripts_are_imported_without_sqlalchemy(tmp_path: Path) -> None:
    transcript = tmp_path / "projects" / "one.jsonl"
    transcript.parent.mkdir()
    environment: dict[str, Any] = {"HOME": str(tmp_path), "CLAUDECOST_TIMEZONE": "UTC"}
    script = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('sqlalchemy' in sys.modules, file=sys.stderr))\n"
        f"sys.argv = ['claudecost', 'import', {str(transcript.parent)!r}]\n"
        "from bot.cli import main\n"
        "main()"
    )
    for added in (tangled(Random(1), 9), "", tangled(Random(2), 9)):  # new, unchanged, grown
        with transcript.open("a", encoding="utf-8") as file:
            file.write(added)
        command = [sys.executable, "-c", script]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2]
        )
        assert (done.returncode, done.stderr) == (0, "False\n")
