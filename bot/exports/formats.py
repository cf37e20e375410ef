"""All formats that can be read, and which one a file is."""

from bot.exports.analytics_api import AnalyticsApi
from bot.exports.console_usage import ConsoleUsage
from bot.exports.reader import Reader, UnreadableExport
from bot.exports.transcripts import Transcripts

READERS: tuple[Reader, ...] = (AnalyticsApi(), ConsoleUsage(), Transcripts())
HEAD_BYTES = 65536


def reader_named(name: str) -> Reader:
    """The reader of a ``--format`` word. Raises UnreadableExport that lists the words."""
    for reader in READERS:
        if reader.name == name:
            return reader
    raise UnreadableExport(f"“{name}” is no format; formats are {', '.join(reader.name for reader in READERS)}")


def recognise(data: bytes) -> Reader:
    """The reader for these bytes, told from their content. Raises UnreadableExport."""
    head = data[:HEAD_BYTES]
    if not head.strip():
        raise UnreadableExport("it is empty")
    for reader in READERS:
        if reader.recognises(head):
            return reader
    first = head.strip().splitlines()[0].decode("utf-8", "replace")
    start = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in first[:60])
    titles = "; ".join(f"{reader.title} (--format {reader.name})" for reader in READERS)
    raise UnreadableExport(f"it starts with “{start}”, which is no known export. Known: {titles}")
