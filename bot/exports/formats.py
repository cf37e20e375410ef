"""All formats that can be read, and which one a file is."""

import re
from datetime import timedelta

from bot.exports.analytics_api import AnalyticsApi
from bot.exports.anthropic_reports import (
    AdminCost,
    AdminUsage,
    BetaCost,
    BetaUsage,
    EnterpriseCost,
    EnterpriseUsage,
    SpendLimits,
)
from bot.exports.ccusage import Ccusage, ClaudePrint
from bot.exports.console_cost import ConsoleCost
from bot.exports.console_usage import ConsoleUsage
from bot.exports.directories import AdminUsers, Members
from bot.exports.gateways import LiteLlmActivity, LiteLlmLogs, OpenRouter, OpenRouterLogs
from bot.exports.month_totals import ConsoleClaudeCode, SpendReport
from bot.exports.other_vendors import Copilot, Cursor, CursorCsv, OwnCursorCsv
from bot.exports.otlp import OtlpEvents, OtlpMetrics
from bot.exports.reader import Export, Reader, UnreadableExport, error_said
from bot.exports.transcripts import TRANSCRIPTS

READERS: tuple[Reader, ...] = (
    OtlpEvents(),
    OtlpMetrics(),
    ConsoleUsage(),
    ConsoleCost(),
    ConsoleClaudeCode(),
    SpendReport(),
    Members(),
    Copilot(),
    OpenRouter(),
    OpenRouterLogs(),
    Ccusage(),
    ClaudePrint(),
    Cursor(),
    CursorCsv(),
    OwnCursorCsv(),
    LiteLlmActivity(),
    LiteLlmLogs(),
    SpendLimits(),
    BetaUsage(),
    BetaCost(),
    EnterpriseCost(),
    AdminCost(),
    EnterpriseUsage(),
    AdminUsage(),
    AdminUsers(),
    AnalyticsApi(),
    TRANSCRIPTS,
)
"""In the order in which they are asked: what has unmistakable words comes first."""


CONTINUOUS = ("transcripts", "otlp_events", "otlp_metrics")
"""Sources of single requests: whatever they bring of a day, they know the days before it by then."""

LAGS = {AnalyticsApi.name: timedelta(hours=1)}
"""How much later than it is used a source tells usage, where it says so."""

_OTHERS = (Copilot.name, Cursor.name, CursorCsv.name, OwnCursorCsv.name)
"""Sources of other vendors' products alone."""

_OF_SOME = (*CONTINUOUS, Ccusage.name, ClaudePrint.name, *_OTHERS)
"""Sources of single people's machines, and of other vendors."""

RECEIVED = "OpenTelemetry"
"""What stands for the path of what was not read from a file, but received."""


def reader_named(name: str) -> Reader:
    """The reader of a ``--format`` word. Raises UnreadableExport that lists the words."""
    for reader in READERS:
        if reader.name == name:
            return reader
    names = ", ".join(sorted(reader.name for reader in READERS))
    raise UnreadableExport(f"“{name}” is no format; formats are {names}")


def has_utc_days(source: str) -> bool:
    """Whether the days of a source are UTC days; a view of a source is named after it.

    Buckets narrower than a day, whose view ends in their seconds, are put on the days of the installation.
    """
    if re.search(r"_\d+s$", source):
        return False
    return any(reader.utc_days and f"{source}_".startswith(f"{reader.name}_") for reader in READERS)


def knows_everybody(source: str) -> bool:
    """Whether a source knows what everybody used of Claude, so that a day without any is a day without usage."""
    return not any(f"{source}_".startswith(f"{name}_") for name in _OF_SOME)


def knows_claude(source: str) -> bool:
    """Whether a source tells usage of Claude, and not of another vendor alone."""
    return not any(f"{source}_".startswith(f"{name}_") for name in _OTHERS)


def source_reader(source: str) -> str:
    """The name of a source's reader: the source's own, unless it is a view of what the reader reads."""
    return next((reader.name for reader in READERS if f"{source}_".startswith(f"{reader.name}_")), source)


def source_said(source: str) -> str:
    """The name of a source's reader, and in brackets what tells a view of what it reads from others."""
    view = source.removeprefix(source_reader(source)).strip("_")
    return f"{source_reader(source)} ({view})" if view else source


def source_title(source: str) -> str:
    """What people call a source; a view of it the same."""
    titles = (reader.title for reader in READERS if reader.name == source_reader(source))
    return next(titles, source)


def recognise(export: Export) -> Reader:
    """The reader for a file, told from its content. Raises UnreadableExport."""
    head = export.head()
    if not head.strip():
        raise UnreadableExport("it is empty")
    if TRANSCRIPTS.is_certain(head):
        return TRANSCRIPTS  # what a tool was given stands in it as it is, and may have the words of any other export
    for reader in READERS:
        if reader.recognises(head):
            return reader
    said = error_said(head)
    if said is not None:
        raise UnreadableExport(f"it is an error from an API, not usage: “{said}”")
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UnreadableExport("it is text in UTF-16; save it as UTF-8")
    if head[257:262] == b"ustar":
        raise UnreadableExport("it is a tar archive; import its files, or pack them as zip")
    first = head.strip().splitlines()[0].decode("utf-8", "replace")
    if first.lower().startswith("sep=,"):
        raise UnreadableExport("its first line, “sep=,”, is for spreadsheets alone; remove it")
    if first.lower().startswith("sep=") or ("," not in first and re.search(r"\w[;\t]\w", first)):
        raise UnreadableExport("its columns are told apart by other signs; save it as a CSV with commas, in UTF-8")
    start = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in first[:60])
    raise UnreadableExport(
        f"it starts with “{start}”, which is no known export. docs/sources.md lists the {len(READERS)} formats; "
        "--format names one where it cannot be told from the content"
    )
