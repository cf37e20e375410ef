"""Lists of people, which hold no usage: the members CSV of claude.ai and the users of the Admin API."""

from decimal import Decimal

import msgspec
from msgspec import Raw, Struct

from bot.exports.reader import (
    Export,
    Page,
    Reading,
    ReadingContext,
    as_dollars,
    as_name,
    csv_dicts,
    decoded_pages,
    email_actor,
    first_line,
    has_keys,
    more_pages,
    shortened,
    why,
)
from bot.spend.records import Member, Problem


class Members:
    name = "members_csv"
    title = "members CSV of claude.ai"
    utc_days = False
    names_people = True

    def recognises(self, head: bytes) -> bool:
        return {"Name", "Email", "Seat Tier"} <= first_line(head)

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """One member per row; ``row`` is the line of the file."""
        spent = Decimal(0)
        for number, row in csv_dicts(export, ("Name", "Email", "Seat Tier")):
            try:
                if isinstance(row, str):
                    raise ValueError(row)
                spent += _spent(row.get(_SPENT, ""))
                yield Member(number, _address(row["Email"]), row["Name"] or None, seat=row["Seat Tier"].title() or None)
            except ValueError as error:
                yield Problem(number, f"Row {number} was left out: {error}.")
        if spent:
            said = f"The {_SPENT} of these members, {spent:,.2f} in all, was not counted"
            yield Problem(0, f"{said}: it tells no models. Import the spend report as well, which does.", 0)


_SPENT = "Estimated Spend (USD)"
"""A column of the analytics of members, which are a list of them otherwise."""


def _spent(text: str) -> Decimal:
    try:
        return as_dollars(text, _SPENT, thousands=True)
    except ValueError:
        return Decimal(0)  # nothing of it is counted


class _User(Struct):
    id: str
    email: str
    name: str | None = None


class _Page(Page):
    data: list[Raw]


class AdminUsers:
    name = "admin_users"
    title = "users list of the Admin API"
    utc_days = False
    names_people = True

    def recognises(self, head: bytes) -> bool:
        return has_keys(head, "first_id", "email") or has_keys(head, "added_at", "email", "role")

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """One member per user; ``row`` counts them over all pages from 1."""
        text = export.document()
        pages = decoded_pages(text, _Page, self.title)
        for number, raw in enumerate((raw for page in pages for raw in page.data), start=1):
            try:
                user = msgspec.json.decode(raw, type=_User)
                yield Member(number, _address(user.email), user.name, as_name(user.id, "id"))
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                yield Problem(number, f"User {number} was left out: {why(error, raw)}.")
        yield from more_pages(pages)


def _address(text: str) -> str:
    if "@" not in text:
        raise ValueError(f"its e-mail address is “{shortened(text)}”" if text else "it has no e-mail address yet")
    return email_actor(as_name(text, "e-mail address")).name
