"""Reports for people at a terminal: small tables and plain sentences."""

from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from bot.imports import MORE_PAGES, FileReport
from bot.ledger import Explanation, SpendReport
from bot.pricing.money import rounded
from bot.pricing.usage import TOKEN_KINDS
from bot.slack.blocks.explanation import NOT_COUNTED, rule_of, totals_in_lines
from bot.slack.blocks.labels import counted_unpriced, list_label, unpriced
from bot.slack.blocks.message import counted
from bot.spend.amounts import ZERO, Amount
from bot.spend.days import Period
from bot.store.identity import Unassigned
from bot.store.people import Person

MAX_PROBLEMS = 20
_console = Console(highlight=False, emoji=False, markup=False)


def _say(text: str) -> None:
    """One line, however long: a terminal wraps it, a pipe keeps it whole."""
    _console.print(text, soft_wrap=True)


def print_spend(report: SpendReport, by: Sequence[str], basis: str) -> None:
    """The total first, then what it is made of; ``basis`` says whose days and which prices."""
    total = report.total
    if report.period is not None and report.others and not (total.usage.tokens or total.usd):
        _say(f"No usage of Claude from {_days(report.period)}.")
        _print_others(report)
        _print_across(report)
        return
    if report.across is not None and not (total.usage.tokens or total.usd or total.unpriced_searches):
        _say(f"Of these days alone nothing is told. A total of {_days(report.across)} holds some of them: ask for all.")
        return
    if report.period is None or not (total.usage.tokens or total.usd or total.unpriced_searches or report.others):
        _say("Nothing is stored for that period. Import an export first: claudecost import FILE")
        return
    whole = "No price" if total.told_usd is None else rounded(total.usd)
    _console.print(f"{whole} from {_days(report.period)}")
    if by:
        _print_table([*by, "cost"], [[*row.group, _cost(row.amount)] for row in report.rows])
    _console.print(
        f"List price {rounded(total.list_usd)}, stated by the sources {rounded(total.reported_usd)}.", style="dim"
    )
    _say(
        f"{basis[0].upper()}{basis[1:]}, where the source states no cost; sources that know only UTC days count those."
    )
    if report.undated_usd != ZERO:
        _say(f"{rounded(report.undated_usd)} of it is told as a total of several days, which makes no alert by itself.")
    _print_across(report)
    if report.beyond is not None:
        more, (*_, last) = rounded(report.beyond.usd), report.beyond.days
        _say(
            f"Not in it: {more} that reports of the organization as a whole say more than is known of its people on "
            f"{counted(len(report.beyond.days), 'day')}. claudecost explain organization {last} shows the last of them."
        )
    _print_others(report)
    for line in unpriced(total):
        _say(f"{line}.")
    if total.size_unknown_usd != ZERO:
        _say(f"{rounded(total.size_unknown_usd)} of it takes all prompts for short ones, which the source leaves open.")
    if total.covered_usd != ZERO:
        _console.print(
            f"{rounded(total.covered_usd)} of it was used under a subscription: API-equivalent, not an invoice."
        )


def _print_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their longest cell, the last one to the right: of a year there are hundreds of thousands.

    For so many rich's own table takes minutes and gigabytes.
    """
    *widths, last = map(cell_len, names)
    for *cells, cost in rows:
        widths, last = list(map(max, widths, map(cell_len, cells))), max(last, cell_len(cost))

    def line(row: Sequence[str]) -> str:
        *cells, cost = row
        padded = [cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True)]
        return "  ".join([*padded, " " * (last - cell_len(cost)) + cost])

    _console.print(line(names), style="bold", soft_wrap=True)
    for row in rows:
        print(line(row))


def _days(period: Period) -> str:
    return f"{period.start} to {period.end} (that day not counted)"


def _print_across(report: SpendReport) -> None:
    if report.across is not None:
        _say(f"Not in it: what is told of more days together, such as the total of {_days(report.across)}.")


def _print_others(report: SpendReport) -> None:
    for other in report.others:
        covered = f", and {rounded(other.covered_usd)} covered by a plan" if other.covered_usd else ""
        _say(f"Besides, {other.vendor} charged {rounded(other.charged_usd)}{covered}; that is in no figure of Claude.")


def _cost(amount: Amount) -> str:
    """Dollars, and what is in none of them."""
    without = f"{counted_unpriced(amount)} without a price" if amount.has_unpriced else ""
    if amount.told_usd is None:
        return without
    return f"{rounded(amount.usd)} + {without}" if without else rounded(amount.usd)


def print_import(report: FileReport) -> None:
    """What one file brought, day totals that moved, and the first problems."""
    recorded = report.recorded
    days = f", days {recorded.days[0]} to {recorded.days[-1]}" if recorded.days else ""
    _say(
        f"{report.path} ({report.format}): {recorded.accepted:,} accepted, {report.rejected:,} rejected, "
        f"{recorded.unchanged:,} unchanged, {recorded.restated:,} restated{days}"
    )
    for start, until in recorded.ranges:
        alone = ", never makes an alert"
        if report.changes:
            more = counted(len(report.changes), "more day")
            alone = f"; {more} told apart from what was known before, the last {report.changes[-1].day}"
        _say(f"  {start} to {until} (that day not counted) as a whole: counts in month totals{alone}")
    for total in recorded.range_changes:
        what = f"{total.start} to {total.until} (that day not counted)"
        _say(f"  {what}: {rounded(total.before)} → {rounded(total.after)}")
    for change in report.moved:
        _say(f"  {change.day}: {rounded(change.before)} → {rounded(change.after)}{report.why_moved}")
    if report.outdated:
        _say(f"  {report.outdated}")
    if report.not_kept:
        _say(f"  {report.not_kept:,} rows are older than usage is kept, and were left out")
    if report.has_more:
        _say(f"  {MORE_PAGES}")
    for problem in report.problems[:MAX_PROBLEMS]:
        _say(f"  {problem.problem}")
    if len(report.problems) > MAX_PROBLEMS:
        listed = len(report.problems)
        which = "them" if report.rejected <= listed else f"the first {listed - 1:,}"
        _console.print(f"  … and {report.rejected - MAX_PROBLEMS:,} more; --json lists {which}")


def print_prices(document: dict[str, Any]) -> None:
    """The prices of a day, in dollars per million tokens."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("model")
    for name in ("input", "output", "cache read", "5m write", "1h write", "since"):
        table.add_column(name, justify="right")
    for row in document["models"]:
        table.add_row(row["model"], *_kinds(row), row["from"])
        for name, prices in (("fast", row["fast"]), ("long prompts", row["long_prompt"])):
            if prices:
                over = f" over {prices['over_tokens']:,}" if "over_tokens" in prices else ""
                table.add_row(f"  {name}{over}", *_kinds(prices), "")
    _console.print(f"Dollars per million tokens on {document['on']}, price book of {document['prices_as_of']}")
    _console.print(table)
    aliases = ", ".join(f"{alias} = {model}" for alias, model in document["aliases"].items())
    for discount in document["discounts"]:
        _say(f"Less {discount['percent']} % for {discount['model']} from {discount['from']}, by your contract.")
    _console.print(
        f"{aliases}. Batch: half. US-only inference: 1.1 times (models from 4.6 on). Web search: $0.01.", style="dim"
    )


def print_history(document: dict[str, Any]) -> None:
    """The rows of one model, oldest first."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("from", "input", "output", "cache read", "5m write", "1h write"):
        table.add_column(name, justify="right")
    table.add_column("note")
    for row in document["rows"]:
        said = f"revoked: {row['revoked']}" if row["revoked"] else row["note"] or ""
        table.add_row(row["from"], *_kinds(row), said)
        if row["fast"]:
            table.add_row("fast", *_kinds(row["fast"]), "")
        if row["long_prompt"]:
            table.add_row(f"> {row['long_prompt']['over_tokens']:,}", *_kinds(row["long_prompt"]), "prompt tokens")
    _console.print(f"{document['name']} ({document['model']}), dollars per million tokens; --json names the sources")
    _console.print(table)


def _kinds(prices: dict[str, Any]) -> list[str]:
    return [prices[f"{kind}_usd_per_mtok"] for kind in TOKEN_KINDS]


def print_explanation(explanation: Explanation, label: str) -> None:
    """Which source speaks for a person's day and what each of them says, row by row."""
    person, day = explanation.person.label, explanation.day
    totals = totals_in_lines(explanation)
    if explanation.taken is None:
        _say(f"No source knows of any Claude usage of {person} on {day}{' alone' if totals else ''}.")
        for line in totals:
            _say(line)
        return
    cost = explanation.sources[explanation.taken]
    not_counted = "" if explanation.is_counted else NOT_COUNTED
    _say(f"{person} on {day} ({explanation.zone} day): {_cost(cost)}, from {explanation.taken}{not_counted}")
    _say(rule_of(explanation))
    for source, of in sorted(explanation.sources.items(), key=lambda item: -item[1].usage.tokens):
        mark = "→" if source == explanation.taken else " "
        _say(f"{mark} {source}: {of.usage.tokens:,} tokens, {_cost(of)}")
        for detail_source, name, quantity, amount in explanation.details:
            if detail_source == source:
                known = " stated" if quantity.reported_usd is not None else " list price"
                words = [word for word in quantity.conditions if word not in _USUAL]
                under = f" ({', '.join([quantity.billing, *words])})"
                dollars = f"{_cost(amount)}{'' if amount.told_usd is None else known}"
                _say(f"    {name}: {quantity.model}{under} {quantity.usage.tokens:,} tokens, {dollars}")
    for line in totals:
        _say(line)
    _say(f"{list_label(label)}, where the source states no cost.")


_USUAL = ("standard", "global", "base", "unknown")


def print_people(known: Sequence[tuple[Person, str | None, list[str]]], nobody: Sequence[Unassigned]) -> None:
    """Everybody with an address and the names they go by, then the names that nobody is behind."""
    if not known and not nobody:
        _say("Nobody is known yet. Import an export first: claudecost import FILE")
    for person, seat, names in known:
        also = f", also {', '.join(names)}" if names else ""
        _say(f"{person.email}{f' ({seat} seat)' if seat else ''}{also}")
    for entry in nobody:
        _say(f"unassigned: {entry.actor.name} ({entry.actor.kind.replace('_', ' ')}), {rounded(entry.usd)} so far")
    if nobody:
        _say("claudecost link NAME PERSON says whose a name is.")
