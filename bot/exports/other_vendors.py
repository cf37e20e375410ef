"""Usage of other vendors' assistants, kept apart from Claude: GitHub Copilot's CSV and Cursor's usage events."""

from decimal import Decimal

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from bot.exports.reader import (
    Count,
    Export,
    Reading,
    ReadingContext,
    as_count,
    as_day,
    as_dollars,
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
        actor=Actor("login", as_name(row["username"] or "(nobody named)", "username").lower()),
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


class _Event(Struct, rename="camel"):
    timestamp: str | int
    user_email: str
    model: str
    kind: str = ""
    token_usage: _TokenUse | None = None
    charged_cents: Decimal | None = None


class _Pagination(Struct, rename="camel"):
    has_next_page: bool | None = None


class _Events(Struct, rename="camel"):
    usage_events: list[Raw]
    pagination: _Pagination | None = None


class Cursor:
    name = "cursor_events"
    title = "Cursor usage events (filtered-usage-events)"
    utc_days = False
    names_people = True

    def recognises(self, head: bytes) -> bool:
        return has_keys(head, "usageEvents")

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """One record per event; ``row`` counts them over all pages from 1. Money is in cents, with fractions."""
        text = export.document()
        pages = decoded_pages(text, _Events, self.title)
        for number, raw in enumerate((raw for page in pages for raw in page.usage_events), start=1):
            try:
                yield _cursor_record(number, msgspec.json.decode(raw, type=_Event), bytes(raw), context)
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                yield Problem(number, f"Event {number} was left out: {why(error, raw)}.")
        if pages and (last := pages[-1].pagination) is not None and last.has_next_page:
            yield MorePages()


def _cursor_record(number: int, event: _Event, raw: bytes, context: ReadingContext) -> UsageRecord:
    at = as_milliseconds(event.timestamp, "timestamp")
    tokens = event.token_usage or _TokenUse()
    actor = email_actor(as_name(event.user_email, "userEmail"))
    told_apart = (at.isoformat(), actor.name, event.model, msgspec.structs.astuple(tokens))
    return UsageRecord(
        row=number,
        day=spend_day(at, context.zone),
        actor=actor,
        model=as_name(event.model, "model"),
        usage=TokenUsage(
            tokens.input_tokens, tokens.output_tokens, tokens.cache_read_tokens, tokens.cache_write_tokens
        ),
        billing=SUBSCRIPTION if event.kind.startswith("Included") else API,
        reported_usd=None if event.charged_cents is None else cents(event.charged_cents, "chargedCents"),
        request=Request(request_key(repr(told_apart).encode()), milliseconds(at), former=request_key(canonical(raw))),
        vendor=CURSOR,
    )
