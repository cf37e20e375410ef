"""The schema of a new SQLite database, written down: the migrations that made it take longer than most commands.

After a new migration ``python -m bot.store.schema`` writes it down again.
"""

from pathlib import Path

from bot.store.bulk import run_sql, select_rows
from bot.store.connection import Connection

_WRITTEN = "schema.sql"
_BETWEEN = ";\n\n"


def create_schema(connection: Connection) -> None:
    """Make all tables of the newest migration in an empty SQLite database."""
    for statement in Path(__file__).with_name(_WRITTEN).read_text(encoding="utf-8").split(_BETWEEN):
        run_sql(connection, statement, ())


def written_schema(connection: Connection) -> str:
    """The statements that make the tables of a migrated SQLite database."""
    rows = select_rows(connection, "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid", ())
    ((revision,),) = select_rows(connection, "SELECT version_num FROM alembic_version", ())
    stamp = f"INSERT INTO alembic_version (version_num) VALUES ('{revision}')"  # noqa: S608
    tables = ("\n".join(map(str.rstrip, sql.strip().splitlines())) for (sql,) in rows)
    return _BETWEEN.join([*tables, stamp]) + "\n"


def main() -> None:
    """Write down what the migrations make."""
    from bot.store.database import connect, upgrade

    database = connect("sqlite:///:memory:")
    with database.write() as connection:
        upgrade(connection.built)
        Path(__file__).with_name(_WRITTEN).write_text(written_schema(connection), encoding="utf-8")


if __name__ == "__main__":
    main()
