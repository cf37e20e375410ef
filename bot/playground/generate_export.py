"""Makes the bundled export of a fictional team, always the same: ``python -m bot.playground.generate_export``.

Fourteen people from 30 October to 19 November 2026, as pages of the Claude Code Analytics API, one page a UTC day. On
the last day some pass $12. One model has no published price, one API key belongs to nobody, and 18 November comes again
in a second file with more usage, as late data does.
"""

import json
import random
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, NamedTuple

from bot.pricing import TokenUsage, default_price_book, list_cost

SEED = 20261119
FIRST_DAY = date(2026, 10, 30)
LAST_DAY = date(2026, 11, 19)
RESTATED_DAY = date(2026, 11, 18)
FOLDER = Path(__file__).parent / "export"
MAIN_FILE = FOLDER / "analytics-2026-10-30-to-2026-11-19.json"
RESTATED_FILE = FOLDER / "analytics-2026-11-18-again.json"
ORGANIZATION = "5b0c2d4e-7f7a-4c39-9d52-0a1e6f3b8c71"
UNPRICED_MODEL = "claude-zephyr-9"
ONE_DAY_OF_WORK = TokenUsage(input=30_000, output=80_000, cache_read=20_000_000, cache_write_5m=400_000)


class Member(NamedTuple):
    """One person of the team: how much they use on a usual day (1 is about $8 on Opus), and which models."""

    name: str
    email: str
    usual: float
    models: tuple[str, ...]
    is_on_subscription: bool = False


OPUS, SONNET, HAIKU = "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"

TEAM = (
    Member("Ada Moreau", "ada@example.com", 1.3, (OPUS, HAIKU)),
    Member("Bilal Haddad", "bilal@example.com", 0.9, (SONNET,)),
    Member("Chiara Conti", "chiara@example.com", 0.7, (SONNET, HAIKU)),
    Member("Dana Weiss", "dana@example.com", 1.1, (OPUS,)),
    Member("Emre Yildiz", "emre@example.com", 0.8, (OPUS, SONNET)),
    Member("Freya Lund", "freya@example.com", 1.6, (OPUS, SONNET)),
    Member("Goran Petrov", "goran@example.com", 0.4, (SONNET,)),
    Member("Hana Sato", "hana@example.com", 1.0, (OPUS,)),
    Member("Isaac Owusu", "isaac@example.com", 0.6, (SONNET, HAIKU)),
    Member("Jonas Keller", "jonas@example.com", 0.5, (SONNET,), is_on_subscription=True),
    Member("Kavya Rao", "kavya@example.com", 1.2, (OPUS, HAIKU)),
    Member("Lucia Romero", "lucia@example.com", 0.3, (HAIKU, SONNET)),
    Member("Mateo Silva", "mateo@example.com", 0.9, (OPUS,), is_on_subscription=True),
    Member("Noor Aziz", "noor@example.com", 0.2, (SONNET,)),
)


def main() -> None:
    """Write both files."""
    FOLDER.mkdir(exist_ok=True)
    pages = team_pages()
    MAIN_FILE.write_text(_text(pages), encoding="utf-8")
    RESTATED_FILE.write_text(_text([restated_page(pages)]), encoding="utf-8")


def team_pages() -> list[dict[str, Any]]:
    """One page for each day."""
    draw = random.Random(SEED)
    days = [FIRST_DAY + timedelta(days=count) for count in range((LAST_DAY - FIRST_DAY).days + 1)]
    return [_page(day, draw) for day in days]


def restated_page(pages: list[dict[str, Any]]) -> dict[str, Any]:
    """RESTATED_DAY as the API gives it a day later: two people turn out to have used more."""
    page: dict[str, Any] = json.loads(json.dumps(next(page for page in pages if _is_of(page, RESTATED_DAY))))
    for record in page["data"][:2]:
        record["model_breakdown"] = [
            _model_usage(entry["model"], _grown(entry["tokens"]), RESTATED_DAY) for entry in record["model_breakdown"]
        ]
    return page


def _page(day: date, draw: random.Random) -> dict[str, Any]:
    records = []
    for member in TEAM:
        is_working = draw.random() < (0.93 if day.weekday() < 5 else 0.12)
        amount = member.usual * draw.lognormvariate(0, 0.3)
        if day == LAST_DAY and member.name == "Freya Lund":
            is_working, amount = True, 4.2
        if is_working:
            records.append(_member_record(member, day, amount))
    records.append(
        _record(
            day,
            {"type": "api_actor", "api_key_name": "ci-nightly"},
            "api",
            "non-interactive",
            [_model_usage(HAIKU, _scaled(Decimal(str(round(draw.uniform(0.5, 0.9), 3)))), day)],
        )
    )
    return {"data": records, "has_more": False, "next_page": None}


def _member_record(member: Member, day: date, amount: float) -> dict[str, Any]:
    shares = (Decimal(1),) if len(member.models) == 1 else (Decimal("0.8"), Decimal("0.2"))
    usages = [
        _model_usage(model, _scaled(Decimal(str(round(amount, 3))) * share), day)
        for model, share in zip(member.models, shares, strict=True)
    ]
    if member.name == "Kavya Rao" and day >= date(2026, 11, 17):
        usages.append(_model_usage(UNPRICED_MODEL, _scaled(Decimal("0.15")), day))
    customer = "subscription" if member.is_on_subscription else "api"
    return _record(day, {"type": "user_actor", "email_address": member.email}, customer, "vscode", usages)


def _record(
    day: date, actor: dict[str, str], customer: str, terminal: str, usages: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "date": f"{day}T00:00:00Z",
        "actor": actor,
        "organization_id": ORGANIZATION,
        "customer_type": customer,
        "subscription_type": "team" if customer == "subscription" else None,
        "terminal_type": terminal,
        "core_metrics": {"num_sessions": 1 + usages[0]["tokens"]["output"] // 20_000},
        "model_breakdown": usages,
    }


def _scaled(amount: Decimal) -> TokenUsage:
    return TokenUsage(*(int(count * amount) for count in ONE_DAY_OF_WORK))


def _grown(tokens: dict[str, int]) -> TokenUsage:
    counts = [tokens["input"], tokens["output"], tokens["cache_read"], tokens["cache_creation"]]
    return TokenUsage(*(count * 5 // 4 for count in counts))


def _model_usage(model: str, usage: TokenUsage, day: date) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "model": model,
        "tokens": {
            "input": usage.input,
            "output": usage.output,
            "cache_read": usage.cache_read,
            "cache_creation": usage.cache_write_5m,
        },
    }
    if model != UNPRICED_MODEL:
        cents = (list_cost(usage, model, day, default_price_book()).usd * 100).quantize(Decimal(1), ROUND_HALF_UP)
        entry["estimated_cost"] = {"currency": "USD", "amount": int(cents)}
    return entry


def _is_of(page: dict[str, Any], day: date) -> bool:
    return bool(page["data"][0]["date"].startswith(day.isoformat()))


def _text(pages: list[dict[str, Any]]) -> str:
    """One record a line, so that a change of the script shows in a diff."""
    lines = []
    for page in pages:
        records = ",\n".join(json.dumps(record, separators=(",", ":")) for record in page["data"])
        lines.append(f'{{"data":[\n{records}\n],"has_more":false,"next_page":null}}')
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    main()
