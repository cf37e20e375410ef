"""The ids of sources and of lines, made where they are new."""

from collections.abc import Iterable

from bot.store.bulk import insert_missing, select_in, select_rows
from bot.store.columns import SOURCES, USAGE_LINES
from bot.store.connection import Connection
from bot.store.tally import Line, Tally


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
        insert_missing(connection, SOURCES, [values])
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
    lines = sorted(wanted)
    found = _known_lines(connection, lines)
    missing = [line for line in lines if line not in found]
    if missing:
        insert_missing(connection, USAGE_LINES, missing)
        found = _known_lines(connection, lines)
    return found


def _known_lines(connection: Connection, lines: list[Line]) -> dict[Line, int]:
    sql = f"SELECT id, {', '.join(USAGE_LINES.names)} FROM usage_lines WHERE model IN"  # noqa: S608
    wanted = set(lines)
    found = {row[1:]: row[0] for row in select_in(connection, sql, [], sorted({line[0] for line in lines}))}
    return {line: line_id for line, line_id in found.items() if line in wanted}
