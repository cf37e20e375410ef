"""The JSON documents of the command line: a contract with scripts. Dollars are decimal strings, days ISO 8601."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.pricing import PriceBook, PricingError
from bot.pricing.money import exact
from bot.pricing.usage import TOKEN_KINDS

if TYPE_CHECKING:
    # Each command has but one of these at hand.
    from collections.abc import Iterable, Sequence
    from datetime import date

    from bot.ask import Answer, Refusal
    from bot.imports import FileReport
    from bot.ledger import SpendReport
    from bot.pricing import CostLine
    from bot.pricing.price_book import KindPrices, PriceRow
    from bot.slack.blocks.message import Message
    from bot.spend.alerts import Alert
    from bot.spend.digest import DigestFacts
    from bot.store.identity import Unassigned
    from bot.store.people import Person
    from bot.store.recording import DayChange

Json = dict[str, Any]
"""Whole numbers, strings, lists and objects; never a float."""


def answer_json(answer: Answer) -> Json:
    return {
        "model": answer.model.id,
        "total_usd": exact(answer.cost.usd),
        "lines": _lines(answer.cost.lines),
        "prices_as_of": answer.prices_as_of.isoformat(),
        "assumptions": answer.assumptions,
        "alternatives": [{"model": other.model.id, "total_usd": exact(other.usd)} for other in answer.alternatives],
    }


def refusal_json(refusal: Refusal) -> Json:
    return {"refusal": refusal.sentence, "try": refusal.suggestion}


def import_json(reports: Sequence[FileReport]) -> Json:
    return {"files": [_file(report) for report in reports]}


def spend_json(report: SpendReport, by: Sequence[str]) -> Json:
    return {
        "from": report.period.start.isoformat() if report.period else None,
        "to": report.period.end.isoformat() if report.period else None,
        "total_usd": exact(report.total.usd),
        "list_usd": exact(report.total.list_usd),
        "reported_usd": exact(report.total.reported_usd),
        "unpriced_tokens": report.total.unpriced_tokens,
        **_if_any("unpriced_web_searches", report.total.unpriced_searches),
        "tokens": report.total.usage.by_kind(),
        "rows": [
            {
                **dict(zip(by, row.group, strict=True)),
                "usd": exact(row.amount.usd),
                **_if_unpriced(row.amount.unpriced_tokens),
            }
            for row in report.rows
        ],
        **({"undated_usd": exact(report.undated_usd)} if report.undated_usd else {}),
        **_if_any(
            "other_vendors",
            [
                {"vendor": o.vendor, "charged_usd": exact(o.charged_usd), "covered_usd": exact(o.covered_usd)}
                for o in report.others
            ],
        ),
    }


def digest_json(facts: DigestFacts, message: Message) -> Json:
    amount, baseline, fresh = facts.amount, facts.baseline, facts.freshness
    return {
        "day": facts.day.isoformat(),
        "zone": facts.whose_zone,
        "total_usd": None if facts.told_usd is None else exact(facts.told_usd),
        "usual": {"of": baseline.name, "usd": exact(baseline.usd), "days": baseline.samples} if baseline else None,
        "month_usd": exact(facts.month_usd),
        "models": [{"model": model.id or "other", "usd": exact(model.usd)} for model in facts.models],
        "people": facts.people.active,
        "over_limit": facts.people.over_limit,
        "limit_usd": exact(facts.limit_usd),
        "unassigned_usd": exact(facts.people.unassigned_usd),
        "unpriced_tokens": amount.unpriced_tokens if amount else 0,
        "unpriced_models": [name for name, _ in facts.unpriced],
        "data_to": fresh.last_day.isoformat() if fresh else None,
        "received_at": fresh.received_at.isoformat() if fresh else None,
        "prices_as_of": facts.prices_as_of.isoformat(),
        "message": {"text": message.text, "blocks": message.blocks},
    }


def alerts_json(day: date, alerts: Sequence[Alert]) -> Json:
    return {
        "day": day.isoformat(),
        "alerts": [
            {"person": a.person, "usd": exact(a.usd), "limit_usd": exact(a.limit_usd), "step": f"{a.step}x"}
            for a in alerts
        ],
    }


def people_json(known: Sequence[tuple[Person, str | None, list[str]]], nobody: Sequence[Unassigned]) -> Json:
    return {
        "people": [{"person": person.email, "seat": seat, "names": names} for person, seat, names in known],
        "unassigned": [{"name": e.actor.name, "kind": e.actor.kind, "usd": exact(e.usd)} for e in nobody],
    }


def prices_json(book: PriceBook, day: date) -> Json:
    """Every model that has a price on the day, with its own id, not the alias."""
    models = []
    for model in book.models:
        try:
            row = book.price_at(model.id, day)
        except PricingError:
            continue
        models.append(
            {
                "model": model.id,
                "name": model.name,
                "family": model.family,
                "from": row.start.isoformat(),
                **_priced(row),
                "fast": _priced(row.fast) if row.fast else None,
                "long_prompt": _long_prompt(row),
                "us_routing": model.us_routing,
                "source": book.sources[row.source],
            }
        )
    aliases = {family: book.current(family, day).id for family in book.families if book.has_family(family, day)}
    return {
        "on": day.isoformat(),
        "prices_as_of": book.as_of.isoformat(),
        "discounts": [
            {"model": discount.model, "percent": str(discount.percent), "from": discount.start.isoformat()}
            for discount in book.discounts
            if discount.start <= day
        ],
        "aliases": aliases,
        "models": models,
    }


def history_json(book: PriceBook, name: str, day: date) -> Json:
    """Every row that a model ever had, revoked ones included. Raises PricingError for a name that means no model."""
    model = book.model(name, day)
    return {
        "model": model.id,
        "name": model.name,
        "released": model.released.isoformat(),
        "prices_as_of": book.as_of.isoformat(),
        "rows": [
            {
                "from": row.start.isoformat(),
                **_priced(row),
                "fast": _priced(row.fast) if row.fast else None,
                "long_prompt": _long_prompt(row),
                "source": book.sources[row.source],
                "note": row.note,
                "revoked": row.revoked,
            }
            for row in model.prices
        ],
    }


def _long_prompt(row: PriceRow) -> Json | None:
    if row.long_prompt is None:
        return None
    return {"over_tokens": row.long_prompt.over_tokens, **_priced(row.long_prompt.prices)}


def _lines(lines: list[CostLine]) -> list[Json]:
    return [
        {
            "kind": line.kind,
            "tokens": line.tokens,
            "usd_per_mtok": exact(line.price if line.kind != "web_search" else line.price * 10**6),
            "usd": exact(line.usd),
        }
        for line in lines
    ]


def _file(report: FileReport) -> Json:
    recorded = report.recorded
    problems = [{"row": problem.row, "problem": problem.problem} for problem in report.problems]
    if report.refused:
        problems.append({"row": 0, "problem": report.refused})
    return {
        "path": report.path,
        "format": report.format,
        "accepted": recorded.accepted,
        "rejected": report.rejected,
        "unchanged": recorded.unchanged,
        "restated": recorded.restated,
        "days": [day.isoformat() for day in recorded.days],
        "problems": problems,
        **_if_any("ranges", [{"from": start.isoformat(), "to": until.isoformat()} for start, until in recorded.ranges]),
        **_if_any(
            "range_changes",
            [
                {
                    "from": one.start.isoformat(),
                    "to": one.until.isoformat(),
                    "before_usd": exact(one.before),
                    "after_usd": exact(one.after),
                }
                for one in recorded.range_changes
            ],
        ),
        **_if_any("changes", _changes(report.changes if recorded.restated else report.moved)),
        **_if_any("outdated", recorded.outdated),
        **_if_any("not_kept", report.not_kept),
        **_if_any("has_more", report.has_more),
    }


def _changes(changes: Iterable[DayChange]) -> list[Json]:
    return [
        {"day": change.day.isoformat(), "before_usd": exact(change.before), "after_usd": exact(change.after)}
        for change in changes
    ]


def _if_any(name: str, values: list[Json] | int) -> Json:
    """A key that is there only where it says something."""
    return {name: values} if values else {}


def _if_unpriced(tokens: int) -> Json:
    return {"unpriced_tokens": tokens} if tokens else {}


def _priced(prices: KindPrices) -> Json:
    return {f"{kind}_usd_per_mtok": exact(getattr(prices, kind)) for kind in TOKEN_KINDS}
