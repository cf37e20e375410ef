"""What most tests share: the price book, and an empty database on SQLite and on PostgreSQL."""

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.engine import make_url

from bot.pricing import PriceBook, default_price_book
from bot.store.database import Database, connect, open_database
from tests.postgres import postgres_server

TODAY = date(2026, 11, 23)
SAMPLES = Path(__file__).parent / "data" / "samples"


@pytest.fixture(scope="session")
def book() -> PriceBook:
    return default_price_book()


@pytest.fixture(scope="session")
def postgres_url(worker_id: str) -> Iterator[str]:
    """A PostgreSQL database of this test process; its server is started when the first test asks for it."""
    with postgres_server() as server:
        yield new_database(server, f"claudecost_{worker_id}")


def new_database(server_url: str, name: str) -> str:
    """The URL of a new, empty database on a PostgreSQL server, in place of an older one of that name."""
    server = connect(server_url)
    with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    server.close()
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "empty.db"
    open_database(f"sqlite:///{path}").close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database with the current schema, once on each of the two kinds."""
    if request.param == "sqlite":
        path = tmp_path / "claudecost.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    url: str = request.getfixturevalue("postgres_url")
    emptied = open_database(url)
    with emptied.write() as connection:
        names = ", ".join(name for name in inspect(connection.built).get_table_names() if name != "alembic_version")
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
    emptied.close()
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database with the current schema, once on each of the two kinds."""
    opened = open_database(database_url)
    yield opened
    opened.close()
