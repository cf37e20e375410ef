"""Exports that know totals but no days: the Console's Claude Code page, and the Team and Enterprise spend report.

The page says "this month"; the month is the one in its name, else the one it was written in. The report's range stands
in its file name alone. Successive reports that start on the same day are told apart into days when they are stored.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date
from decimal import Decimal

from msgspec.structs import replace

from bot.exports.reader import (
    Export,
    Reading,
    ReadingContext,
    UnreadableExport,
    as_count,
    as_dollars,
    as_name,
    csv_dicts,
    email_actor,
    first_line,
)
from bot.pricing import UNSPLIT, PriceBook, PriceConditions, PricingError, TokenUsage, list_cost
from bot.spend.days import ONE_DAY, next_month, so_far
from bot.spend.records import API, SUBSCRIPTION, Actor, Covered, Member, Problem, UsageRecord, View

_SPEND, _USER = "Spend this Month (USD)", "User"
_EMAIL, _PRODUCT, _NET, _GROSS = "user_email", "product", "total_net_spend_usd", "total_gross_spend_usd"
_DAY = r"(?<!\d)(2\d{3})[-_](\d{2})[-_](\d{2})(?![0-9a-z])"
_ORGANIZATION = rf"spend[-_ ]report[-_ ](?P<id>\S+?)[-_ ]{_DAY}[-_ ]to"
_PROMPT, _OUTPUT = "total_prompt_tokens", "total_completion_tokens"
_SPLIT = {
    "total_uncached_input_tokens": "input",
    "total_cache_read_tokens": "cache_read",
    "total_cache_write_5m_tokens": "cache_write_5m",
    "total_cache_write_1h_tokens": "cache_write_1h",
    "total_web_search_count": "web_searches",
}


class ConsoleClaudeCode:
    name = "console_claude_code_csv"
    title = "Claude Code page of the Console (CSV)"
    utc_days = True
    names_people = True

    def recognises(self, head: bytes) -> bool:
        return {_USER, "Lines this Month"} <= first_line(head)

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """One record per person or key for the whole month; ``row`` is the line of the file."""
        written = export.written_at.astimezone(UTC).date()
        start = _month_named(export.name) or written.replace(day=1)
        until = so_far(start, next_month(start), written)
        for number, row in csv_dicts(export, (_USER,), each_once=True):
            try:
                if isinstance(row, str):
                    raise ValueError(row)
                if _SPEND not in row:
                    raise UnreadableExport("it states lines but no spend; export it from the Console instead")
                user = as_name(row[_USER], _USER)
                usd = as_dollars(row[_SPEND], _SPEND, thousands=True)
                actor = email_actor(user) if "@" in user else Actor("api_key", user)
                yield UsageRecord(number, start, actor, "all models", TokenUsage(), reported_usd=usd, until=until)
            except ValueError as error:
                yield Problem(number, f"Row {number} was left out: {error}.")


class SpendReport:
    name = "spend_report_csv"
    title = "Team and Enterprise spend report (CSV)"
    utc_days = True
    names_people = True

    def recognises(self, head: bytes) -> bool:
        return {_EMAIL, _PRODUCT, _NET} <= first_line(head)

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """One record per row for the whole range; ``row`` is the line of the file."""
        start, until = _range_named(export.name)
        written = export.written_at.astimezone(UTC).date()
        if start <= written < until - ONE_DAY:
            # A range up to the end of this month says nothing of days to come, nor, a day late, of the one it is saved.
            until = max(written, start + ONE_DAY)
        yield Covered(start, until)
        organization = re.search(_ORGANIZATION, export.name, re.IGNORECASE)
        if organization:
            # Each has reports of its own: one that lacks somebody does not say that they used nothing before.
            yield View(as_name(organization["id"].lower(), "organization"), is_of_one_organization=True)
        known: set[str] = set()
        for number, row in csv_dicts(export, (_EMAIL, _PRODUCT, "model", _NET), each_once=True):
            try:
                if isinstance(row, str):
                    raise ValueError(row)
                actor = _actor(row)
                if actor.kind == "email" and actor.name not in known:
                    known.add(actor.name)
                    yield from _accounts(number, actor.name, row)
                yield from _records(number, row, actor, start, until, context.book)
            except ValueError as error:
                yield Problem(number, f"Row {number} was left out: {error}.")


def _actor(row: dict[str, str]) -> Actor:
    user = as_name(row[_EMAIL], _EMAIL)
    return email_actor(user) if "@" in user else Actor("api_key", user)


def _accounts(number: int, email: str, row: dict[str, str]) -> list[Member]:
    """The account ids that the report gives beside the address, by which other exports name the same person."""
    ids = {row.get("account_uuid"), row.get("user_id")} - {None, ""}
    return [Member(number, email, account=as_name(account or "", "account")) for account in sorted(map(str, ids))]


def _records(
    number: int, row: dict[str, str], actor: Actor, start: date, until: date, book: PriceBook
) -> Iterator[UsageRecord]:
    """What a row says: usage that was paid for, usage that a seat covers, or both.

    Seat plans state what they charge on top of what the seat covers, which is no cost of all the usage. Of that as
    much is taken for paid as the dollars before any discount buy at list price. Without a cliff: of successive reports
    each day must come out as what was charged and used on it.
    """
    usage = _usage(row)
    net = as_dollars(row[_NET] or "0", _NET, thousands=True)
    gross = as_dollars(row.get(_GROSS) or "0", _GROSS, thousands=True)
    channels = (row.get("slack_channel_id"), row.get("teams_channel_id"))
    model = as_name(row["model"] or "all models", "model")
    record = UsageRecord(
        row=number,
        day=start,
        actor=actor,
        model=model,
        usage=usage,
        conditions=PriceConditions(prompt_tier="unknown" if _is_split(row) or not usage.input else UNSPLIT),
        billing=API if net else SUBSCRIPTION,
        part=" ".join(as_name(word, "part") for word in (row[_PRODUCT] or "other", *channels) if word),
        reported_usd=net or gross,
        until=until,
    )
    if not usage.tokens:
        yield record
        return
    share = _paid_share(max(net, gross), usage, model, book.first_priced(model, start, until), book, row)
    if not net and share < 1:
        share = Decimal(0)  # dollars of which nothing is charged tell nothing of what a seat covers
    paid = TokenUsage(*(int(count * share) for count in usage))
    covered = TokenUsage(*(count - part for count, part in zip(usage, paid, strict=True)))
    if net or share:
        yield replace(record, usage=paid)
    if any(covered):
        yield replace(record, usage=covered, billing=SUBSCRIPTION, reported_usd=None)


def _paid_share(
    usd: Decimal, usage: TokenUsage, model: str, day: date, book: PriceBook, row: dict[str, str]
) -> Decimal:
    """How much of some usage dollars buy at API prices, from 0 to 1.

    Where its price is not known, the dollars are taken for it if they can be: no contract takes off more than half of
    what it costs at least.
    """
    if _is_split(row) and (listed := _list_usd(usage, model, day, book)):
        return min(Decimal(1), usd / listed)
    return Decimal(bool(usd) and usd * 2 >= _least_usd(row, usage, model, day, book))


def _least_usd(row: dict[str, str], usage: TokenUsage, model: str, day: date, book: PriceBook) -> Decimal:
    """The least that the usage can cost at API prices: of a model without a price, what the cheapest one would cost.

    Where the report does not split the prompt, all of it may have been read from a cache.
    """
    if not _is_split(row):
        usage = usage._replace(input=0, cache_read=usage.input)
    listed = _list_usd(usage, model, day, book)
    known = [_list_usd(usage, other.id, day, book) for other in book.models] if listed is None else [listed]
    return min((usd for usd in known if usd is not None), default=Decimal(0))


def _list_usd(usage: TokenUsage, model: str, day: date, book: PriceBook) -> Decimal | None:
    """What the usage costs at API prices; None where that is not known."""
    try:
        return list_cost(usage, model, day, book, PriceConditions(prompt_tier="unknown")).usd
    except PricingError:
        return None


def _is_split(row: dict[str, str]) -> bool:
    return "total_uncached_input_tokens" in row


def _usage(row: dict[str, str]) -> TokenUsage:
    counts = {kind: as_count(row[column] or "0", column) for column, kind in _SPLIT.items() if column in row}
    if "input" not in counts:
        # The older header has one sum for the prompt, caches included; nothing says how much of it was read from one.
        counts["input"] = as_count(row.get(_PROMPT) or "0", _PROMPT)
    return TokenUsage(output=as_count(row.get(_OUTPUT) or "0", _OUTPUT), **counts)


def _range_named(name: str) -> tuple[date, date]:
    """First day and day after the last, from the file name."""
    try:
        match = re.search(f"{_DAY}[-_ ]to[-_ ]{_DAY}(?!\\d)", name, re.IGNORECASE)
        if match:
            first = tuple(map(int, match.groups()))
            start, last = date(*first[:3]), date(*first[3:])
            if start > last:
                raise UnreadableExport(f"its name says from {start} to {last}, which is backwards")
            return start, last + ONE_DAY
    except ValueError as error:
        raise UnreadableExport(f"the days in its name cannot be read: {error}") from error
    month = None if re.search(_DAY, name) else _month_named(name)
    if month is None:
        raise UnreadableExport(
            "the days it covers stand in its file name alone, and this one has none; give it its name back, "
            "such as spend-report-2026-11-01-to-2026-11-19.csv"
        )
    return month, next_month(month)


def _month_named(name: str) -> date | None:
    match = re.search(r"(?<!\d)(20\d{2})[-_](0[1-9]|1[0-2])(?![0-9a-z])", name, re.IGNORECASE)
    return date(int(match[1]), int(match[2]), 1) if match else None
