"""The JSON documents about plans; apart from the others, as they need numpy, which takes a while to load."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from bot.advice import NOT_MODELLED, Recommendation
from bot.ask.monthly import WORKING_DAYS
from bot.pricing.money import exact
from bot.pricing.plans import Plan, PlanBook
from bot.pricing.tiers import Advice, Option, Outlook, Spread, TeamAdvice, TeamPlan

Json = dict[str, Any]


def plans_json(book: PlanBook, day: date) -> Json:
    """The plans of a day, per seat and month, and what the API costs by the documentation of that day."""
    typical = book.typical(day)
    return {
        "on": day.isoformat(),
        "plans_as_of": book.as_of.isoformat() if book.as_of else None,
        "plans": [_plan(plan, book) for plan in book.on(day)],
        "typical": [
            {"name": name, "usd_per_day": exact(usd), "usd": exact(usd * WORKING_DAYS)}
            for name, usd in (("API, average", typical.average), ("API, 90th percentile", typical.p90))
        ]
        if typical
        else [],
    }


def _plan(plan: Plan, book: PlanBook) -> Json:
    limit = plan.limit
    return {
        "plan": plan.id,
        "name": plan.name,
        "vendor": plan.vendor,
        "tool": plan.tool,
        "product": plan.product,
        "from": plan.price.start.isoformat(),
        "monthly_usd": None if plan.price.monthly is None else exact(plan.price.monthly),
        "annual_usd": None if plan.price.annual is None else exact(plan.price.annual),
        "min_seats": plan.min_seats,
        "max_seats": plan.max_seats,
        "pooled": plan.pooled,
        "beyond": plan.price.beyond,
        "limit": {
            "per": limit.per,
            "low_usd": exact(limit.low),
            "high_usd": exact(limit.high),
            "from": limit.start.isoformat(),
            "low_source": book.source(limit.low_source),
            "high_source": book.source(limit.high_source),
        }
        if limit
        else None,
        "source": plan.source,
        "note": plan.note,
    }


def recommendation_json(found: Recommendation) -> Json:
    return {
        "on": found.on.isoformat(),
        "people": [_advice(advice) for advice in found.people],
        "team": _team_advice(found.team) if found.team else None,
        "unpriced_tokens": found.unpriced_tokens,
        **({"without_days_usd": exact(found.without_days_usd)} if found.without_days_usd else {}),
        "newer_plans": found.newer,
        "unknown_people": list(found.unknown),
        "not_modelled": list(NOT_MODELLED),
    }


def _advice(advice: Advice) -> Json:
    return {
        "person": advice.person,
        "current": advice.current.id,
        "renews": advice.renews.isoformat() if advice.renews else None,
        "recommended": advice.recommended.id if advice.recommended else None,
        "confidence": advice.confidence,
        "active_days": advice.active_days,
        "usual_usd": _optional(advice.usual_usd),
        "month": _spread(advice.month),
        "waits_for": advice.waits_for.id if advice.waits_for else None,
        "flips": [
            {
                "usd": exact(flip.usd),
                "plan": flip.plan.id,
                "opus_share": None if flip.opus_share is None else str(flip.opus_share.quantize(Decimal("0.001"))),
            }
            for flip in advice.flips
        ],
        "options": options_json(advice.options),
    }


def options_json(options: Iterable[Option]) -> list[Json]:
    """What each plan would cost: ``p50_usd`` and ``p90_usd`` if it carries as little as is known."""
    return [
        {
            "plan": option.plan.id,
            "annual_usd": _optional(option.plan.price.annual),
            "p50_usd": _optional(option.low.p50 if option.low else None),
            "p90_usd": _optional(option.low.p90 if option.low else None),
            "best_p50_usd": _optional(option.high.p50 if option.high else None),
            "best_p90_usd": _optional(option.high.p90 if option.high else None),
            "blocked": None if option.blocked is None else [str(share.quantize(_SHARE)) for share in option.blocked],
            "break_even_days": option.break_even_days,
        }
        for option in options
    ]


_SHARE = Decimal("0.001")


def _team_advice(team: TeamAdvice) -> Json:
    return {
        "now": _team_plan(team.now),
        "at_renewal": _team_plan(team.at_renewal),
        "all_api_usd": exact(team.all_api.usd),
        "same": _team_plan(team.same) if team.same else None,
        "today_usd": exact(team.today.usd),
        "is_worth": team.is_worth,
        "outlook": _outlook(team.outlook),
        "outlook_today": _outlook(team.outlook_today),
        "left_out": team.left_out,
        "not_compared": team.not_compared,
    }


def _outlook(outlook: Outlook) -> Json:
    return {
        "low": _spread(outlook.low),
        "high": _spread(outlook.high),
        "blocked": [str(share.quantize(_SHARE)) for share in outlook.blocked],
    }


def _team_plan(plan: TeamPlan) -> Json:
    return {"usd": exact(plan.usd), "seats": plan.seats, "plans": plan.plans}


def _spread(spread: Spread | None) -> Json | None:
    if spread is None:
        return None
    return {"mean_usd": exact(spread.mean), "p50_usd": exact(spread.p50), "p90_usd": exact(spread.p90)}


def _optional(usd: Decimal | None) -> str | None:
    return None if usd is None else exact(usd)
