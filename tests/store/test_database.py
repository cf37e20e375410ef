"""The schema and the transactions, on both databases."""

import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from slack_sdk.oauth.state_store.sqlalchemy import SQLAlchemyOAuthStateStore
from sqlalchemy import text

from bot.store.database import REVISION, Database, DatabaseProblem, connect, migrate, open_database, upgrade
from bot.store.schema import create_schema, written_schema
from bot.store.settings import read_setting, write_setting
from bot.store.tables import metadata
from bot.workspaces import STATE_SECONDS, InstallationStore
from tests.conftest import new_database


def test_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection.built, opts={"compare_type": True})
        of_the_sdk = [InstallationStore("id", "secret", database).metadata]
        of_the_sdk.append(SQLAlchemyOAuthStateStore(STATE_SECONDS, database.engine).metadata)
        found = compare_metadata(context, [metadata, *of_the_sdk])  # type: ignore[arg-type]  # it takes several
    # What each row of usage is of is looked up by SQLite alone.
    checks = {
        check.name
        for table in ("usage_daily", "seen_requests", "person_days")
        for check in metadata.tables[table].foreign_key_constraints
    }
    assert len(checks) == 8
    assert {(kind, check.name) for kind, check in found} == (
        set() if database.is_sqlite else {("add_fk", c) for c in checks}
    )


def test_a_new_sqlite_database_is_what_the_migrations_make() -> None:
    created, migrated = connect("sqlite:///:memory:"), connect("sqlite:///:memory:")
    with created.write() as connection:
        create_schema(connection)
        found = written_schema(connection)
    with migrated.write() as connection:
        upgrade(connection.built)
        assert found == written_schema(connection), "run: python -m bot.store.schema"
    assert migrate(created) == REVISION


def test_a_database_of_the_first_revision_is_upgraded_with_those_in_it(tmp_path: Path, postgres_url: str) -> None:
    for url in (f"sqlite:///{tmp_path}/old.db", new_database(postgres_url, "old")):
        database = connect(url)
        with database.engine.begin() as connection:
            upgrade(connection, "0001")
            said = "(id, workspace_id, email, name, is_organization) VALUES (7, 1, 'a@x.com', 'Ada', :no)"
            connection.execute(text(f"INSERT INTO people {said}"), {"no": False})
            said = "(id, workspace_id, kind, name, person_id) VALUES (9, 1, 'email', 'a@x.com', 7)"
            connection.execute(text(f"INSERT INTO actors {said}"))
        assert migrate(database) == REVISION
        with database.read() as connection:
            found = connection.execute(text("SELECT email, kind FROM people JOIN actors ON person_id = people.id"))
            assert found.all() == [("a@x.com", "email")]
            if database.is_sqlite:
                assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
                assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
        database.close()


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["CREATE TABLE cookies (a INTEGER)"], "has tables of another program, such as cookies. Name another database"),
        (
            ["CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('ae1027a6acf')"],
            r"another program's \(schema ae1027a6acf\). Name another database",
        ),
        (
            ["CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('0999')"],
            r"a newer claudecost \(schema 0999\); update this one",
        ),
    ],
)
def test_a_database_of_another_program_is_left_alone(tmp_path: Path, statements: list[str], said: str) -> None:
    database = connect(f"sqlite:///{tmp_path}/other.db")
    with database.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    with pytest.raises(DatabaseProblem, match=said):
        migrate(database)
    with database.read() as connection:
        tables = connection.execute(text("SELECT name FROM sqlite_master")).scalars().all()
    database.close()
    assert tables == [statements[0].split()[2]]


def test_migrating_twice_changes_nothing(database: Database) -> None:
    assert migrate(database) == REVISION
    assert migrate(database) == REVISION


def test_processes_that_start_at_once_migrate_once(tmp_path: Path, postgres_url: str) -> None:
    for url in (f"sqlite:///{tmp_path}/racing.db", new_database(postgres_url, "racing")):
        command = [sys.executable, "-c", f"from bot.store.database import *; open_database({url!r})"]
        racers = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(4)]
        errors = [racer.communicate()[1].decode() for racer in racers]
        assert [racer.returncode for racer in racers] == [0, 0, 0, 0], errors


def test_a_reader_is_not_kept_waiting_by_a_writer(database: Database) -> None:
    write_setting(database, "price_book", "old")
    with database.write() as connection:
        connection.execute(text("UPDATE settings SET value = 'new'"))
        assert read_setting(database, "price_book") == "old"
    assert read_setting(database, "price_book") == "new"


def _add_up(url: str, times: int) -> None:
    database = connect(url)
    for _ in range(times):
        with database.write_usage() as connection:
            value = int(connection.execute(text("SELECT value FROM settings WHERE name = 'count'")).scalar_one())
            connection.execute(
                text("UPDATE settings SET value = :value WHERE name = 'count'"), {"value": str(value + 1)}
            )


def test_no_update_is_lost_between_processes(database: Database, database_url: str) -> None:
    write_setting(database, "count", "0")
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_add_up, args=(database_url, 100)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert read_setting(database, "count") == "200"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("not a url", "DATABASE_URL is not a database URL"),
        ("mysql://host/name", "DATABASE_URL names mysql; SQLite and PostgreSQL are supported."),
        ("postgresql://nobody@127.0.0.1:1/none", "cannot be opened: connection"),
    ],
)
def test_an_unusable_database_is_refused_in_one_sentence(url: str, said: str) -> None:
    with pytest.raises(DatabaseProblem, match=said.replace(".", r"\.")):
        open_database(url)


def test_a_password_is_not_repeated_in_the_refusal() -> None:
    with pytest.raises(DatabaseProblem) as refused:
        open_database("postgresql://me:hunter2@127.0.0.1:1/none")
    assert "hunter2" not in str(refused.value)
