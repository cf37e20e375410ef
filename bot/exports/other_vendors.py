"""Usage of other vendors' assistants, kept apart from Claude: GitHub Copilot's CSV, Cursor's usage events and CSV."""

from datetime import datetime, time
from decimal import Decimal

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from bot.exports.reader import (
    Count,
    Export,
    Reading,
    ReadingContext,
    UnreadableExport,
    as_count,
    as_day,
    as_dollars,
    as_instant,
    as_milliseconds,
    as_name,
    canonical,
    cents,
    csv_dicts,
    decoded_pages,
    email_actor,
    first_line,
    has_keys,
    why,
)
from bot.pricing import TokenUsage
from bot.spend.days import milliseconds, spend_day
from bot.spend.records import (
    API,
    CURSOR,
    GITHUB,
    SUBSCRIPTION,
    Actor,
    MorePages,
    Problem,
    Request,
    UsageRecord,
    request_key,
)

_NOBODY = "(nobody named)"
_COPILOT = ("date", "username", "sku", "model", "quantity", "gross_amount", "net_amount")


class Copilot:
    name = "copilot_csv"
    title = "GitHub Copilot usage CSV (AI credits or premium requests)"
    utc_days = True
    names_people = True

    def recognises(self, head: bytes) -> bool:
        return {"username", "sku", "gross_amount"} <= first_line(head)

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """Per row what was charged, and apart from it what the plan's credits covered; ``row`` is the line."""
        if "model" not in first_line(export.head()):
            raise UnreadableExport("it names no models; of GitHub's reports, export the one of AI usage, which does")
        for number, row in csv_dicts(export, _COPILOT, each_once=True):
            try:
                if isinstance(row, str):
                    raise ValueError(row)
                yield from _copilot_records(number, row)
            except ValueError as error:
                yield Problem(number, f"Row {number} was left out: {error}.")


def _copilot_records(number: int, row: dict[str, str]) -> Reading:
    gross, net = as_dollars(row["gross_amount"], "gross_amount"), as_dollars(row["net_amount"], "net_amount")
    if net > gross:
        raise ValueError(f"its net_amount {row['net_amount']} is over its gross_amount {row['gross_amount']}")
    record = UsageRecord(
        row=number,
        day=as_day(row["date"], "date"),
        actor=Actor("login", as_name(row["username"] or _NOBODY, "username").lower()),
        model=as_name(row["model"] or row["sku"], "model"),
        usage=TokenUsage(
            *(as_count(row.get(name) or "0", name) for name in ("input", "output", "cache_read", "cache_write"))
        ),
        part=as_name(f"{row['sku']} {row.get('organization', '')} {row.get('cost_center_name', '')}", "sku"),
        vendor=GITHUB,
    )
    if net or not gross:
        yield replace(record, billing=API, reported_usd=net)
    if gross > net:
        covered = replace(record, billing=SUBSCRIPTION, reported_usd=gross - net)
        yield replace(covered, usage=TokenUsage()) if net else covered


class _TokenUse(Struct, rename="camel"):
    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_write_tokens: Count = 0
    cache_read_tokens: Count = 0


class _TokenCost(Struct, rename="camel"):
    total_cents: Decimal | None = None


class _Event(Struct, rename="camel"):
    timestamp: str | int
    model: str
    user_email: str | None = None
    owning_user: str | int | None = None
    kind: str = ""
    token_usage: Raw = Raw(b"{}")
    charged_cents: Decimal | None = None


class _Pagination(Struct, rename="camel"):
    has_next_page: bool | None = None


class _Events(Struct, rename="camel"):
    """A page of the Admin API, or one of the dashboard."""

    usage_events: list[Raw] | None = None
    usage_events_display: list[Raw] | None = None
    pagination: _Pagination | None = None

    @property
    def events(self) -> list[Raw]:
        return self.usage_events or self.usage_events_display or []


class Cursor:
    name = "cursor_events"
    title = "Cursor usage events (filtered-usage-events)"
    utc_days = False
    names_people = True

    def recognises(self, head: bytes) -> bool:
        return has_keys(head, "usageEvents") or has_keys(head, "usageEventsDisplay")

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """One record per event; ``row`` counts them over all pages from 1. Money is in cents, with fractions."""
        text = export.document()
        pages = decoded_pages(text, _Events, self.title)
        for number, raw in enumerate((raw for page in pages for raw in page.events), start=1):
            try:
                yield _cursor_record(number, msgspec.json.decode(raw, type=_Event), bytes(raw), context)
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                yield Problem(number, f"Event {number} was left out: {why(error, raw)}.")
        if pages and (last := pages[-1].pagination) is not None and last.has_next_page:
            yield MorePages()


def _cursor_record(number: int, event: _Event, raw: bytes, context: ReadingContext) -> UsageRecord:
    at = as_milliseconds(event.timestamp, "timestamp")
    said = b"{}" if bytes(event.token_usage) == b"null" else event.token_usage
    tokens = msgspec.json.decode(said, type=_TokenUse)
    user = event.user_email or str(event.owning_user or "")
    amount = event.charged_cents
    if amount is None:  # as before Cursor told what it charges; without its fee, where it takes one
        amount = msgspec.json.decode(said, type=_TokenCost).total_cents
    return _cursor_usage(
        number,
        at,
        _cursor_actor(user),
        event.model,
        tokens,
        event.kind,
        None if amount is None else cents(amount, "chargedCents"),
        context,
        former=request_key(canonical(raw)),
    )


_CURSOR_CSV = (
    "Date",
    "Model",
    "Input (w/ Cache Write)",
    "Input (w/o Cache Write)",
    "Cache Read",
    "Output Tokens",
    "Cost",
)
_NO_COST = ("", "-", "included", "free", "nan")


class CursorCsv:
    name = "cursor_csv"
    title = "Cursor usage CSV of a team"
    utc_days = False
    names_people = True

    def recognises(self, head: bytes) -> bool:
        return {*_CURSOR_CSV, "User"} <= first_line(head)

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """One record per event; ``row`` is the line. Input with a cache write is not in the input without one."""
        for number, row in csv_dicts(export, _CURSOR_CSV):
            try:
                if isinstance(row, str):
                    raise ValueError(row)
                yield self._record(number, row, context)
            except ValueError as error:
                yield Problem(number, f"Row {number} was left out: {error}.")

    def _record(self, number: int, row: dict[str, str], context: ReadingContext) -> UsageRecord:
        written, fresh, read, output = (as_count(row[name].replace(",", "") or "0", name) for name in _CURSOR_CSV[2:6])
        cost = row["Cost"].removeprefix("$")
        return _cursor_usage(
            number,
            _cursor_time(row["Date"], context),
            _cursor_actor(row["User"]) if self.names_people else context.someone,
            row["Model"],
            _TokenUse(fresh, output, written, read),
            row.get("Kind", ""),
            None if cost.lower() in _NO_COST else as_dollars(cost, "Cost", thousands=True),
            context,
        )


class OwnCursorCsv(CursorCsv):
    """The same of one account, which is not named."""

    name = "cursor_own_csv"
    title = "Cursor usage CSV of one person"
    names_people = False

    def recognises(self, head: bytes) -> bool:
        columns = first_line(head)
        return set(_CURSOR_CSV) <= columns and "User" not in columns


def _cursor_actor(user: str) -> Actor:
    """Whose an event is: an address, or what dashboards call an account, or nothing, as of a service."""
    return email_actor(as_name(user, "user")) if "@" in user else Actor("account", as_name(user or _NOBODY, "user"))


def _cursor_time(text: str, context: ReadingContext) -> datetime:
    """The time of an event. Old tables say the day alone."""
    if len(text) == len("2026-11-19"):
        return datetime.combine(as_day(text, "Date"), time(), context.zone)
    return as_instant(text, "Date")


def _cursor_usage(
    number: int,
    at: datetime,
    actor: Actor,
    model: str,
    tokens: _TokenUse,
    kind: str,
    usd: Decimal | None,
    context: ReadingContext,
    former: bytes | None = None,
) -> UsageRecord:
    """``kind`` is "Usage-based", "On-Demand", "Included in Business", "Errored, Not Charged", … or the dashboard's
    USAGE_EVENT_KIND_USAGE_BASED, …; ``usd`` what was charged, or what it is worth where a plan includes it.
    """
    said = kind.lower().removeprefix("usage_event_kind_").replace("_", " ")
    is_included = said.startswith("included")
    is_free = any(words in said for words in ("not charged", "no charge", "free"))
    told_apart = (at.isoformat(), actor.name, model, msgspec.structs.astuple(tokens))
    return UsageRecord(
        row=number,
        day=spend_day(at, context.zone),
        actor=actor,
        model=as_name(model, "model"),
        usage=TokenUsage(
            tokens.input_tokens, tokens.output_tokens, tokens.cache_read_tokens, tokens.cache_write_tokens
        ),
        billing=SUBSCRIPTION if is_included else API,
        reported_usd=Decimal(0) if is_free else usd,
        request=Request(request_key(repr(told_apart).encode()), milliseconds(at), former=former),
        vendor=CURSOR,
    )
