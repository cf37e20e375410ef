"""What came of an import, for whoever brought the file."""

from bot.imports import MORE_PAGES, FileReport
from bot.pricing.money import rounded
from bot.slack.blocks.message import MAX_SENTENCE, Block, Message, context, counted, escape, quoting_section, short_day
from bot.spend.days import ONE_DAY

MAX_LINES = 8
IMPORT = "import_files"
"""What the window is called in Slack's payloads."""

MAX_FILES = 10
_FILES, _CHOSEN = "files", "chosen"


def import_view() -> Block:
    """The window in which an admin chooses exports."""
    return {
        "type": "modal",
        "callback_id": IMPORT,
        "title": {"type": "plain_text", "text": "Import exports"},
        "submit": {"type": "plain_text", "text": "Import"},
        "close": {"type": "plain_text", "text": "Cancel"},
        "blocks": [
            {
                "type": "input",
                "block_id": _FILES,
                "label": {"type": "plain_text", "text": "Exports: CSV, JSON, JSONL, zip or gz, up to 20 MB each"},
                "element": {"type": "file_input", "action_id": _CHOSEN, "max_files": MAX_FILES},
            },
            context("What comes of it is said in my messages. docs/sources.md says how to get each export."),
        ],
    }


def chosen_files(values: Block) -> list[Block]:
    """The files that the window holds, as Slack describes them."""
    return list(values[_FILES][_CHOSEN].get("files") or [])


def importing_message(name: str) -> Message:
    """A file has arrived."""
    sentence = f"Importing {escape(name, 120)} …"
    return Message(sentence, [quoting_section(sentence)])


def refused_message(sentence: str) -> Message:
    """A file that is not taken."""
    said = escape(sentence, MAX_SENTENCE)
    return Message(said, [quoting_section(said), context("Nothing was stored")])


def imported_message(reports: list[FileReport]) -> Message:
    """Rows by what became of them, day totals that moved, and the first problems of each file."""
    blocks = []
    for report in reports[:MAX_LINES]:
        if report.refused is not None:
            blocks.append(quoting_section(escape(report.refused, MAX_SENTENCE)))
            continue
        recorded = report.recorded
        days = f", days {recorded.days[0]} to {recorded.days[-1]}" if recorded.days else ""
        lines = [
            f"*{escape(report.path, 120)}* ({escape(report.format or '')}): {recorded.accepted:,} accepted, "
            f"{report.rejected:,} rejected, {recorded.unchanged:,} unchanged, {recorded.restated:,} restated{days}"
        ]
        lines += [
            f"• {short_day(total.start)} to {short_day(total.until - ONE_DAY)} together: {rounded(total.before)} → "
            f"{rounded(total.after)}"
            for total in recorded.range_changes[:MAX_LINES]
        ]
        moved = report.moved
        lines += [
            f"• {short_day(change.day)}: {rounded(change.before)} → {rounded(change.after)}{report.why_moved}"
            for change in moved[:MAX_LINES]
        ]
        lines += [f"• {report.outdated}"] if report.outdated else []
        lines += [f"• {report.not_kept:,} rows are older than usage is kept"] if report.not_kept else []
        lines += [f"• {MORE_PAGES}"] if report.has_more else []
        lines += [f"• {escape(problem.problem, 200)}" for problem in report.problems[:MAX_LINES]]
        left = max(0, len(moved) - MAX_LINES) + max(0, report.rejected - MAX_LINES)
        lines += [f"and {left:,} more"] if left else []
        blocks.append(quoting_section(*lines))
    if len(reports) > MAX_LINES:
        blocks.append(context(f"and {counted(len(reports) - MAX_LINES, 'file')} more"))
    blocks.append(context("claudecost import does the same on the machine of the bot, with a list of all problems"))
    taken = sum(report.refused is None for report in reports)
    return Message(f"Imported {counted(taken, 'file')} of {len(reports)}", blocks)
