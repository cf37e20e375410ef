"""Everything from SQLite to another database: figures, people and what was sent already."""

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import MetaData, insert, select

from bot.ledger import Ledger
from bot.playground.generate_export import MAIN_FILE
from bot.pricing import PriceBook
from bot.spend.records import Actor
from bot.store.database import Database, DatabaseProblem, open_database
from bot.store.erasure import erase_person
from bot.store.identity import BY_ADMIN
from bot.store.linking import link_actor
from bot.store.moving import copy_everything
from bot.store.settings import write_setting
from bot.store.tables import metadata
from bot.store.teams import all_teams, set_team
from tests.exports.test_samples import importer
from tests.usage import NOW, POLICY, opus_for, store, used, utc_policy

CI = Actor("api_key", "ci")


@pytest.fixture
def old_url(tmp_path: Path, book: PriceBook) -> str:
    """A team's weeks with alerts owed, a linked key, somebody erased, a limit, bad rows and an installation."""
    url = f"sqlite:///{tmp_path}/old.db"
    old = open_database(url)
    bad = tmp_path / "bad.csv"
    bad.write_text("usage_date_utc,model_version,api_key,workspace,usage_input_tokens_no_cache,usage_output_tokens\n")
    with bad.open("a") as file:
        file.write("2026-11-19,claude-opus-5-5,ci,Default,x,0\n2026-11-19,claude-opus-5-5,ci,Default,1000000,0\n")
    list(importer(old, book).import_files([MAIN_FILE, bad], NOW))
    link_actor(old, "ci", "ada@example.com", BY_ADMIN, book, POLICY, NOW)
    erase_person(old, "noor@example.com", "tests", NOW)
    with old.write() as connection:
        described = MetaData()
        described.reflect(connection.built, only=["slack_installations"])
        row = {
            "client_id": "1.2",
            "app_id": "A1",
            "user_id": "U1",
            "team_id": "T1",
            "installed_at": datetime(2026, 11, 20, tzinfo=UTC),
        }
        connection.execute(insert(described.tables["slack_installations"]), {**row, "is_enterprise_install": False})
    old.close()
    return url


def contents(database: Database) -> dict[str, list[str]]:
    """All rows of all tables, as the query builder reads them."""
    described = MetaData()
    with database.read() as connection:
        described.reflect(connection.built, only=["slack_bots", "slack_installations"])
        every = [*metadata.sorted_tables, *described.tables.values()]
        return {table.name: sorted(map(repr, connection.execute(select(table)))) for table in every}


def test_everything_is_copied_and_goes_on(database: Database, old_url: str, book: PriceBook) -> None:
    write_setting(database, "usual_limit", "99.00")  # as any command does that ran in the new place before
    copied = copy_everything(old_url, database)
    old = open_database(old_url)
    before, after = contents(old), contents(database)
    assert after == before
    assert copied == sum(map(len, after.values()))
    assert all(after[name] for name in ("usage_daily", "deliveries", "import_problems", "slack_installations", "audit"))
    spent = [Ledger(one, book, utc_policy).spend(None, None, ("person", "day")) for one in (old, database)]
    assert spent[0] == spent[1]
    old.close()
    # New rows get numbers of their own, and the same usage again changes nothing.
    store(database, used(opus_for(1), actor=Actor("email", "new@example.com")))
    (report,) = importer(database, book).import_files([MAIN_FILE], NOW)
    assert (report.recorded.accepted, report.recorded.restated) == (0, 0)
    total = Ledger(database, book, utc_policy).spend(None, None, ()).total.usd
    assert total == spent[0].total.usd + 1


def test_a_database_in_use_is_not_copied_into(database: Database, old_url: str) -> None:
    store(database, used(opus_for(1)))
    before = contents(database)
    with pytest.raises(DatabaseProblem, match="in use already \\(there is something in sources\\). Nothing was copied"):
        copy_everything(old_url, database)
    assert contents(database) == before


def test_a_team_alone_is_not_written_over(database: Database, old_url: str) -> None:
    write_setting(database, "usual_limit", "12.00")  # as any command does
    set_team(database, "core", [])
    with pytest.raises(DatabaseProblem, match="is in use already \\(there is something in teams\\)"):
        copy_everything(old_url, database)
    assert [team.name for team, _ in all_teams(database)] == ["core"]


@pytest.mark.parametrize("name", ["none.db", "new/none.db", "empty.db", "other.db"])
def test_what_is_no_database_of_ours_is_refused_and_left(database: Database, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.db").touch()
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE others (a)")
    before = {path: path.stat().st_size for path in tmp_path.rglob("*")}
    with pytest.raises(DatabaseProblem, match=f"There is no.* at sqlite:///.*{name}"):
        copy_everything(f"sqlite:///{tmp_path}/{name}", database)
    assert {path: path.stat().st_size for path in tmp_path.rglob("*")} == before


def test_an_address_that_is_none_is_told_as_what_was_said(database: Database) -> None:
    with pytest.raises(DatabaseProblem, match="^--from names mysql"):
        copy_everything("mysql://x/y", database)


def test_a_copy_that_ends_midway_leaves_nothing(database: Database, old_url: str) -> None:
    def until_deliveries(names: Sequence[str]) -> Iterator[str]:
        for name in names:
            if name == "deliveries":
                raise KeyboardInterrupt
            yield name

    before = contents(database)
    with pytest.raises(KeyboardInterrupt):
        copy_everything(old_url, database, until_deliveries)
    assert contents(database) == before
