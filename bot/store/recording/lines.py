"""The ids of sources and of lines, made where they are new."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from bot.store.bulk import select_in, select_rows
from bot.store.quantities import LINE
from bot.store.tables import sources, usage_lines
from bot.store.tally import Line, Tally
from bot.store.upsert import insert_missing


def source_name(connection: Connection, workspace_id: int, format_name: str, tally: Tally) -> str:
    """The source that a file is of: its format, and which view of the usage, or whose where there are several.

    The organization whose reports came first needs no name in that of the source.
    """
    if not tally.view:
        return format_name
    named = f"{format_name}_{tally.view}"
    if not tally.is_of_one_organization:
        return named
    where = "FROM imports JOIN sources ON sources.id = source_id WHERE imports.workspace_id = ? AND name = ?"
    values = (workspace_id, format_name)
    is_first = not select_rows(connection, f"SELECT 1 {where} LIMIT 1", values)
    is_theirs = f"SELECT 1 {where} AND LOWER(path) LIKE ? LIMIT 1"
    return format_name if is_first or select_rows(connection, is_theirs, (*values, f"%{tally.view}%")) else named


def source_id(connection: Connection, workspace_id: int, name: str) -> int:
    """The id of a source, made where it is new."""
    sql, values = "SELECT id FROM sources WHERE workspace_id = ? AND name = ?", (workspace_id, name)
    found = select_rows(connection, sql, values)
    if not found:
        insert_missing(connection, sources, [{"workspace_id": workspace_id, "name": name}], "workspace_id", "name")
        found = select_rows(connection, sql, values)
    return int(found[0][0])


def _storable(line: Line) -> Line:
    """PostgreSQL holds no text with a NUL in it."""
    return tuple(word.replace("\0", "�") for word in line) if any("\0" in word for word in line) else line


def line_ids(connection: Connection, wanted: Iterable[Line]) -> dict[Line, int]:
    """The ids of some lines: model, the four conditions, billing, part and vendor."""
    storable = {line: _storable(line) for line in wanted}
    ids = _ids(connection, set(storable.values()))
    return {line: ids[stored] for line, stored in storable.items()}


def _ids(connection: Connection, wanted: Iterable[Line]) -> dict[Line, int]:
    columns = (*LINE, usage_lines.c.part, usage_lines.c.vendor)
    lines = sorted(wanted)
    found = _known_lines(connection, lines, columns)
    missing = [line for line in lines if line not in found]
    if missing:
        names = [column.name for column in columns]
        insert_missing(connection, usage_lines, [dict(zip(names, line, strict=True)) for line in missing], *names)
        found = _known_lines(connection, lines, columns)
    return found


def _known_lines(connection: Connection, lines: list[Line], columns: tuple[Any, ...]) -> dict[Line, int]:
    names = ", ".join(column.name for column in columns)
    sql = f"SELECT id, {names} FROM usage_lines WHERE model IN"  # noqa: S608
    wanted = set(lines)
    found = {row[1:]: row[0] for row in select_in(connection, sql, [], sorted({line[0] for line in lines}))}
    return {line: line_id for line, line_id in found.items() if line in wanted}
