"""The daily digest of a channel: readable in ten seconds, counts instead of names."""

from decimal import Decimal
from zoneinfo import ZoneInfo

from bot.pricing.money import rounded, rounded_parts, shown
from bot.slack.blocks.labels import money_label
from bot.slack.blocks.message import (
    MAX_HEADER,
    Block,
    Message,
    actions,
    button,
    context,
    counted,
    escape,
    header,
    one_line,
    percent,
    quoting_section,
    section,
    short_day,
)
from bot.spend.amounts import Amount
from bot.spend.digest import MONTHLY, WEEKLY, DigestFacts, Freshness, Month

MY_SPEND, EXPECTED = "digest_my_spend", "digest_expected"
"""What the buttons are called in Slack's payloads; their value is the digest's last day, or the one that stood out."""


def digest_message(
    facts: DigestFacts, *, corrected: str | None = None, picture: Block | None = None, plans: str | None = None
) -> Message:
    """One digest; days without data get one line that says so, never $0.

    ``corrected`` says what the total was before; ``picture`` is an image block; ``plans``, what plans would save.
    """
    title = _title(facts)
    if facts.amount is None:
        return _no_data(title, facts, corrected)
    headline = _headline(facts)
    total = "No price" if facts.told_usd is None else rounded(facts.told_usd)
    blocks = [header(title), section(f"*{total}* {headline}", *_month(facts))]
    if picture is not None:
        blocks.append(picture)
    if facts.models:
        blocks.append(quoting_section(f"By model: {_models(facts, facts.amount)}"))
    worth_a_look = [*_worth_a_look(facts, facts.amount), *([plans] if plans else [])]
    if worth_a_look:
        blocks.append(quoting_section(_WORTH, *(f"• {line}" for line in worth_a_look)))
    blocks.append(_footer(corrected, _coverage(facts), money_label(facts.amount, facts.price_label)))
    blocks.append(_buttons(facts))
    return Message(f"{escape(title, MAX_HEADER)}: {total} {headline}", blocks)


def _footer(corrected: str | None, coverage: str, *notes: str) -> Block:
    found = context(coverage, *notes)
    if corrected:
        # As plain text, in which the “:42:” of a time is no emoji.
        found["elements"][0] = {"type": "plain_text", "text": f"{corrected} · {coverage}", "emoji": False}
    return found


def _buttons(facts: DigestFacts) -> Block:
    found = [button(MY_SPEND, "My spend", facts.day.isoformat())]
    if facts.anomaly is not None:
        found.append(button(EXPECTED, "This was expected", f"{facts.anomaly.day}|{facts.team or ''}"))
    return actions(*found)


def without_anomaly(blocks: list[Block]) -> list[Block]:
    """The blocks of a digest without what it says about a day that stood out."""
    found = []
    for block in blocks:
        if block["type"] == "actions":
            found.append(actions(*(one for one in block["elements"] if one["action_id"] != EXPECTED)))
        elif block["type"] == "section" and block["text"]["text"].startswith(_WORTH):
            lines = [line for line in block["text"]["text"].splitlines() if _STOOD_OUT not in line]
            if len(lines) > 1:
                found.append(quoting_section(*lines))
        else:
            found.append(block)
    return found


MAX_NAMED = 3
"""People over their limit who are named, where names are on, and models without a price."""

MAX_DAYS_NAMED = 2
"""Missing days that are named; of more, their number is said."""

MAX_SHOWN = 34
"""Characters of a name, of which a dozen may stand in a message of 1,500."""

_WORTH, _STOOD_OUT = "Worth a look:", " times the usual one, mostly "


def _title(facts: DigestFacts) -> str:
    what = {WEEKLY: "Claude Code week", MONTHLY: "Claude Code month"}.get(facts.edition, "Claude Code spend")
    when = f" · {_days(facts)} ({_whose_day(facts)})"
    # A long name gives way to the day, and whose it is.
    team = f" · {one_line(facts.team, MAX_HEADER - len(what) - len(when) - 3)}" if facts.team else ""
    return f"{what}{team}{when}"


def _days(facts: DigestFacts) -> str:
    if facts.edition == MONTHLY:
        return f"{facts.day:%B %Y}"
    return short_day(facts.day) if facts.start == facts.day else f"{short_day(facts.start)} to {short_day(facts.day)}"


def _month(facts: DigestFacts) -> list[str]:
    month = facts.month
    if not facts.month_usd and (facts.edition == MONTHLY or facts.told_usd is None):
        return []
    share = percent(facts.month_usd / month.budget_usd) if month.budget_usd else ""
    if facts.edition == MONTHLY:
        return [f"{share} of the budget ({rounded(month.budget_usd)})"] if month.budget_usd else []
    if not facts.month_usd and facts.freshness and facts.freshness.last_day < facts.day.replace(day=1):
        return [f"{facts.day:%B} so far: no data yet"]
    lines = [f"{facts.day:%B} so far: {rounded(facts.month_usd) if facts.month_usd else 'nothing'}"]
    if month.budget_usd:
        lines[0] += f" of {rounded(month.budget_usd)} budget ({share})"
    lines[0] += f" · {month.working_days} of {month.all_working_days} working days"
    if month.forecast is not None:
        usd, low, high = month.forecast
        lines.append(f"Forecast: {rounded(usd)} ({rounded(low)} to {rounded(high)}){_against(month)}")
    return lines


def _against(month: Month) -> str:
    if month.budget_usd is None or month.forecast is None:
        return ""
    if month.forecast.low > month.budget_usd:
        return ", over the budget"
    return ", within the budget" if month.forecast.high <= month.budget_usd else ", the budget is at risk"


def _headline(facts: DigestFacts) -> str:
    active = facts.people.active
    people = f"across {counted(active, 'person', 'people')}" if active else "by nobody known"
    late = facts.freshness.late_people if facts.freshness else 0
    if facts.is_partial:
        people += f", partial: {active - late:,} of {active:,} reported" if 0 < late < active else ", so far"
    if facts.baseline is None and (facts.day - facts.start).days >= 7 and facts.edition != MONTHLY:
        return people  # a longer span than is ever compared
    if facts.baseline is None:
        return f"{people} · too few earlier days to say what is usual"
    one = "" if facts.edition == MONTHLY else "a usual "
    if facts.change is None:
        return f"{people} · {one}{facts.baseline.name} is {rounded(facts.baseline.usd)}"
    usual = f"{one}{facts.baseline.name} ({rounded(facts.baseline.usd)})"
    if abs(facts.change) < Decimal("0.005"):
        return f"{people} · like {usual}"
    return f"{people} · {percent(abs(facts.change))} {'above' if facts.change > 0 else 'below'} {usual}"


def _models(facts: DigestFacts, amount: Amount) -> str:
    parts = []
    for model, dollars in zip(facts.models, rounded_parts([model.usd for model in facts.models]), strict=True):
        name = "other" if model.name is None else _shown_model(model.name)
        share = f" ({percent(model.usd / amount.usd)})" if amount.usd else ""
        parts.append(f"{name} {dollars}{share}")
    return " · ".join(parts)


def _shown_model(name: str) -> str:
    """A model's name; of one that is too long, as those of profiles are, the end, which tells it from others."""
    return escape(name if len(name) <= MAX_SHOWN else f"…{name[1 - MAX_SHOWN :]}")


def _worth_a_look(facts: DigestFacts, amount: Amount) -> list[str]:
    lines = []
    if facts.anomaly is not None:
        day, times, model, more = facts.anomaly
        which = "The day" if facts.start == facts.day else short_day(day)
        grown = f"{_shown_model(model)} ({rounded(more)} more)"
        lines.append(f"{which} is {times.quantize(Decimal('0.1')):,}{_STOOD_OUT}{grown}")
    if facts.people.over_limit:
        who = counted(facts.people.over_limit, "person", "people")
        told = facts.people.told
        privately = (
            "; told privately" if told == facts.people.over_limit else f"; {told} told privately" if told else ""
        )
        lines.append(
            f"{who} reached the daily limit ({shown(facts.limit_usd)} unless they or their team set another)"
            f"{_named(facts)}{privately}"
        )
    if facts.unpriced:
        tokens = sum(count for _, count in facts.unpriced)
        names = ", ".join(_shown_model(name) for name, _ in facts.unpriced[:MAX_NAMED])
        if len(facts.unpriced) > MAX_NAMED:
            names += f" and {len(facts.unpriced) - MAX_NAMED} more"
        share = percent(Decimal(tokens) / amount.usage.tokens) if amount.usage.tokens else ""
        searches = facts.amount.unpriced_searches if facts.amount else 0
        what = [f"{tokens:,} tokens ({share})"] * bool(tokens) + [f"{searches:,} web searches"] * bool(searches)
        lines.append(f"{' and '.join(what)} had no price ({names}) and are in no dollar figure here")
    if facts.people.unassigned_actors:
        keys = counted(facts.people.unassigned_actors, "key or machine", "keys or machines")
        usd = f"{rounded(facts.people.unassigned_usd)} is from " if facts.people.unassigned_usd else ""
        lines.append(f"{usd}{keys} that no person is assigned to{'' if usd else ', without a price'}")
    if facts.beyond_usd:
        lines.append(
            f"Reports of the organization as a whole say {rounded(facts.beyond_usd)} more than its people's usage; "
            "that is in no figure here until their own usage comes in"
        )
    return lines


def _named(facts: DigestFacts) -> str:
    named, more = facts.people.named[:MAX_NAMED], facts.people.over_limit - len(facts.people.named[:MAX_NAMED])
    if not named:
        return ""
    return f": {', '.join(escape(name, MAX_SHOWN) for name in named)}{f' and {more:,} more' if more else ''}"


def _no_data(title: str, facts: DigestFacts, corrected: str | None) -> Message:
    sentence = f"No usage data for {_days(facts)} yet."
    if facts.is_idle:
        when = "in" if facts.edition == MONTHLY else "on" if facts.start == facts.day else "from"
        sentence = f"Nobody{' of the team' if facts.team else ''} used Claude {when} {_days(facts)}."
    since = _coverage(facts) + ("" if facts.freshness else ": run `claudecost import FILE`")
    return Message(
        f"{escape(title, MAX_HEADER)}: {sentence}", [header(title), section(sentence), _footer(corrected, since)]
    )


def _coverage(facts: DigestFacts) -> str:
    fresh = facts.freshness
    if fresh is None:
        return "Totals of several days alone were imported" if facts.has_totals else "Nothing was imported so far"
    silent = "".join(
        f" · {escape(name)} silent since {short_day(at.astimezone(ZoneInfo(facts.zone)).date())}"
        for name, at in fresh.silent[:1]
    )
    if len(fresh.silent) > 1:
        silent += f", {len(fresh.silent) - 1} more silent"
    before = ", later days are not known yet" if fresh.last_day < facts.day else ", before all of the last day had come"
    before = before if facts.is_partial and fresh.is_partial else ""
    before += _missing(fresh) if facts.is_partial else ""
    if facts.is_partial and fresh.awaited:
        days = "that day" if facts.start == facts.day else "some of these days"
        before += f", nothing of {days} from {escape(' and '.join(fresh.awaited))} yet"
    return f"Usage to {short_day(fresh.last_day)}{before}, received {_received(fresh, facts.zone)}{silent}"


def _missing(fresh: Freshness) -> str:
    if not fresh.missing:
        return ""
    named = " and ".join(map(short_day, fresh.missing))
    days = named if len(fresh.missing) <= MAX_DAYS_NAMED else f"{len(fresh.missing)} working days"
    return f", nothing is known of {days}"


def _received(fresh: Freshness, zone: str) -> str:
    at = fresh.received_at.astimezone(ZoneInfo(zone))
    return f"{short_day(at.date())} {at:%H:%M} {zone}"


def _whose_day(facts: DigestFacts) -> str:
    return f"{facts.whose_zone} {'day' if facts.start == facts.day else 'days'}"
