"""The pictures: Vega-Lite specifications, made by pure functions, and the PNG of one. A white card suits any theme."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

from bot.pricing.money import rounded
from bot.pricing.plans import Plan
from bot.pricing.tiers import WORKING_DAYS, Advice
from bot.slack.blocks.message import one_line
from bot.spend.digest import DigestFacts

Spec = dict[str, Any]
OTHER = "other"

FONT = "Liberation Sans"  # inside vl-convert: the same picture on every machine
CARD, INK, SOFT, FAINT, BAND, ALERT = "#FFFFFF", "#1D1C1D", "#5F6368", "#E4E6EA", "#F3F4F6", "#B42318"
PALETTE = ["#1B4F91", "#6CB2EB", "#F2A93B", "#0F8F7E", "#73400D", "#B8BEC6"]  # the last is for "other"
LINES = ["#5F6368", "#1B4F91", "#C2410C", "#0F8F7E", "#8A3FA0"]  # darker: these colour words, too

TITLE_LETTERS = 40
"""So much of a team's name fits into a title."""

LEGEND_LETTERS = 60
"""Names of models that are longer together do not fit beside each other."""

CONFIG: Spec = {
    "background": CARD,
    "font": FONT,
    "padding": {"left": 20, "right": 20, "top": 18, "bottom": 16},
    "view": {"stroke": None},
    "title": {
        "anchor": "start",
        "frame": "bounds",
        "fontSize": 19,
        "fontWeight": "bold",
        "color": INK,
        "offset": 14,
        "subtitleFontSize": 13.5,
        "subtitleColor": SOFT,
        "subtitlePadding": 7,
    },
    "axis": {
        "labelColor": SOFT,
        "labelFontSize": 12.5,
        "titleColor": SOFT,
        "titleFontSize": 12.5,
        "titleFontWeight": "normal",
        "domain": False,
        "ticks": False,
        "gridColor": FAINT,
        "labelPadding": 7,
    },
    "legend": {
        "labelColor": INK,
        "labelFontSize": 13,
        "symbolSize": 130,
        "symbolStrokeWidth": 0,
        "columnPadding": 18,
        "labelOffset": 6,
        "title": None,
    },
}


def png(spec: Spec) -> bytes:
    """The picture, 1600 pixels wide. Takes half a second the first time, a tenth later, and no network."""
    import vl_convert  # 90 MB of code that most commands never need

    return vl_convert.vegalite_to_png(spec, vl_version="6.4", scale=2, allowed_base_urls=[])


def money(amount: Decimal) -> str:
    """Short, for labels in a picture."""
    if amount >= 10_000:
        return f"${amount / 1000:,.0f}k"
    return f"${amount:,.0f}" if amount >= 100 else rounded(amount)


def daily_spec(
    title: str,
    subtitle: str,
    days: Sequence[date],
    spend: Mapping[tuple[date, str], Decimal],
    models: Sequence[str],
    limit: Decimal | None,
    limit_label: str = "limit",
    off: frozenset[date] = frozenset(),
) -> Spec:
    """Bars stacked in the order of ``models``, the first at the bottom; ``off`` are weekends and holidays."""
    keys = [f"{d:%a}|{d.day} {d:%b}" for d in days]
    totals = [sum((spend.get((d, m), Decimal(0)) for m in models), Decimal(0)) for d in days]
    highest = max(totals, default=Decimal(0))
    shown_limit = limit if limit is not None and limit <= 3 * max(highest, Decimal(1)) else None
    legend: Spec = {"orient": "top", "direction": "horizontal", "symbolType": "square", "offset": 10}
    if sum(map(len, models)) > LEGEND_LETTERS:
        legend |= {"columns": 3, "labelLimit": 200}
    top = float(max(highest, shown_limit or Decimal(0), Decimal(1))) * 1.1
    bars = [
        {"day": k, "model": m, "i": i, "usd": float(spend[d, m]), "off": d in off}
        for k, d in zip(keys, days, strict=True)
        for i, m in enumerate(models)
        if spend.get((d, m))
    ]
    sums = [
        {"day": k, "total": float(t), "text": money(t), "over": limit is not None and t > limit, "off": d in off}
        for k, d, t in zip(keys, days, totals, strict=True)
        if t
    ]
    x = {"field": "day", "type": "ordinal", "scale": {"domain": keys, "paddingInner": 0.3, "paddingOuter": 0.15}}
    x_axis = {
        "title": None,
        "labelAngle": 0,
        "labelExpr": "split(datum.value, '|')",
        "labelLineHeight": 15,
        "labelColor": {
            "condition": {
                "test": {"field": "value", "oneOf": [k for k, d in zip(keys, days, strict=True) if d in off]},
                "value": "#7B8187",
            },
            "value": SOFT,
        },
    }
    y_axis = {"title": None, "format": "$,~f", "tickCount": 5}
    y_scale = {"domain": [0, top], "nice": False}
    layers: list[Spec] = [
        {
            "data": {"values": [{"day": k} for k, d in zip(keys, days, strict=True) if d in off]},
            "mark": {"type": "bar", "color": BAND, "width": {"band": 1.43}},
            "encoding": {"x": {**x, "axis": x_axis}, "y": {"value": 0}, "y2": {"value": "height"}},
        },
        {
            "data": {"values": bars},
            "mark": {"type": "bar", "stroke": CARD, "strokeWidth": 1},
            "encoding": {
                "x": {**x, "axis": x_axis},
                "y": {"field": "usd", "type": "quantitative", "stack": "zero", "axis": y_axis, "scale": y_scale},
                "order": {"field": "i"},
                "color": {
                    "field": "model",
                    "type": "nominal",
                    "scale": {"domain": list(models), "range": PALETTE},
                    "legend": legend,
                },
                "opacity": {"condition": {"test": "datum.off", "value": 0.5}, "value": 1},
            },
        },
    ]
    if shown_limit is not None:
        at = {"datum": float(shown_limit), "type": "quantitative"}
        layers += [
            {
                "data": {"values": [{}]},
                "mark": {"type": "rule", "color": ALERT, "strokeDash": [5, 4], "strokeWidth": 1.6},
                "encoding": {"y": at},
            },
            {
                "data": {"values": [{}]},
                "mark": {
                    "type": "text",
                    "align": "left",
                    "baseline": "middle",
                    "dx": 7,
                    "color": ALERT,
                    "fontSize": 12.5,
                    "fontWeight": "bold",
                    "lineHeight": 15,
                    "text": [limit_label, money(shown_limit)],
                },
                "encoding": {"x": {"value": "width"}, "y": at},
            },
        ]
    layers.append(  # a halo in the card's colour keeps a label readable on the limit's line
        {
            "data": {"values": sums},
            "encoding": {"x": x, "y": {"field": "total", "type": "quantitative"}, "text": {"field": "text"}},
            "layer": [
                {
                    "mark": {
                        "type": "text",
                        "dy": -8,
                        "fontSize": 12,
                        "fontWeight": "bold",
                        "strokeWidth": 4,
                        "strokeJoin": "round",
                    },
                    "encoding": {"stroke": {"condition": {"test": "datum.off", "value": BAND}, "value": CARD}},
                },
                {
                    "mark": {"type": "text", "dy": -8, "fontSize": 12, "fontWeight": "bold"},
                    "encoding": {
                        "color": {
                            "condition": [
                                {"test": "datum.over", "value": ALERT},
                                {"test": "datum.off", "value": "#6B7177"},
                            ],
                            "value": INK,
                        }
                    },
                },
            ],
        }
    )
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "config": CONFIG,
        "width": 800,
        "height": 400,
        "autosize": {"type": "fit", "contains": "padding"},
        "title": {"text": title, "subtitle": subtitle},
        "layer": layers,
        "resolve": {"scale": {"color": "independent"}},
    }


class PlanLine(NamedTuple):
    """A plan in a picture: dollars a month, and the usage at API prices that they carry; what is beyond is paid too."""

    name: str
    price: Decimal
    capacity: Decimal


def recommendation_spec(advice: Advice, plans: Sequence[Plan]) -> Spec:
    """Cost against daily spend for the plans of one person, with their own days as dots; limits at their low ends."""
    wanted = {"api", "claude-pro", "claude-max-5x", "claude-max-20x", advice.current.id}
    wanted |= {advice.recommended.id} if advice.recommended else set()
    lines = sorted(
        (
            PlanLine(plan.name, plan.usd, plan.limit.monthly_low if plan.limit else Decimal(0))
            for plan in plans
            if plan.id in wanted and (plan.limit or plan.is_api)
        ),
        key=lambda line: (line.price, line.name),
    )
    usual = f"your median day, {money(advice.usual_usd)}" if advice.usual_usd else "your median day"
    subtitle = [
        f"{WORKING_DAYS} working days a month · yellow: the cheapest choice · circles: where it changes",
        f"dots: your {advice.active_days} active days · triangle: {usual} · limits as low as observed",
    ]
    return plans_spec("What a month costs on each plan", subtitle, lines[: len(LINES)], advice.daily_usd, WORKING_DAYS)


def monthly_cost(plan: PlanLine, per_day: Decimal, days: int) -> Decimal:
    """Dollars of a month of so many equal days."""
    return plan.price + max(Decimal(0), per_day * days - plan.capacity)


def break_evens(plans: Sequence[PlanLine], days: int, until: Decimal) -> list[tuple[Decimal, Decimal, PlanLine]]:
    """Where the cheapest plan changes: ($ per day, $ per month, the plan that is cheapest from there on)."""
    kinks = {p.capacity / days for p in plans}
    crossings = {(q.price - p.price + p.capacity) / days for p in plans for q in plans if q.price > p.price}
    steps = sorted({Decimal(0), until} | {x for x in kinks | crossings if 0 < x < until})
    best = [min(plans, key=lambda p: (monthly_cost(p, (a + b) / 2, days), p.price)) for a, b in pairwise(steps)]
    return [
        (x, monthly_cost(new, x, days), new)
        for x, old, new in zip(steps[1:], best, best[1:], strict=False)
        if new != old
    ]


def plans_spec(
    title: str, subtitle: str | list[str], plans: Sequence[PlanLine], own: Sequence[Decimal], days: int
) -> Spec:
    """``plans`` in rising price, the first being usage at API prices; ``days`` are worked in a month."""
    busiest = max(own, default=Decimal(5))
    near = [x for x, _, _ in break_evens(plans, days, max(Decimal(30), busiest * 2))]
    x_max = max([Decimal(5), busiest * Decimal("1.1"), *(x * Decimal("1.3") for x in near)])
    usual = Decimal(median(own)) if own else Decimal(0)
    y_max = max(
        Decimal(25),
        Decimal("1.25") * max(p.price for p in plans),
        Decimal("1.15") * min(monthly_cost(p, usual, days) for p in plans),
    )
    turns = break_evens(plans, days, x_max)

    def path(plan: PlanLine) -> list[tuple[Decimal, Decimal]]:
        """The line's corners, cut where it leaves the picture at the top."""
        knee = min(plan.capacity / days, x_max)
        end = min(x_max, (plan.capacity + y_max - plan.price) / days)
        return [(x, monthly_cost(plan, x, days)) for x in sorted({Decimal(0), knee, end}) if x <= end]

    lines = [{"plan": p.name, "x": float(x), "y": float(y)} for p in plans for x, y in path(p)]
    edges = [Decimal(0), *(x for x, _, _ in turns), x_max]
    floor: list[Spec] = []
    for a, b in pairwise(edges):
        plan = min(plans, key=lambda p: (monthly_cost(p, (a + b) / 2, days), p.price))
        turns_up, leaves = plan.capacity / days, (plan.capacity + y_max - plan.price) / days
        corners = sorted({a, b} | {x for x in (turns_up, leaves) if a < x < b})
        floor += [
            {"x": float(x), "y": float(monthly_cost(plan, x, days))}
            for x in corners
            if monthly_cost(plan, x, days) <= y_max
        ]
    ends: list[Spec] = []
    for p in plans:
        x, y = path(p)[-1]
        leaves_at_top = x < x_max
        ends.append({"plan": p.name, "x": float(x), "y": float(y), "top": leaves_at_top, "text": p.name})
    beside = sorted((e for e in ends if not e["top"]), key=lambda e: e["y"])
    for low, high in pairwise(beside):  # 17 px apart at least, on a plot about 270 px high
        high["y"] = max(high["y"], low["y"] + float(y_max) * 17 / 270)
    above = sorted((e for e in ends if e["top"]), key=lambda e: e["x"])
    for left, right in pairwise(above):  # about 7.5 px a letter, on a plot about 650 px wide
        width = 7.5 * (len(left["text"]) + len(right["text"])) / 2 + 14
        right["x"] = max(right["x"], left["x"] + float(x_max) * width / 650)
    names = [p.name for p in plans]
    x_at = {"field": "x", "type": "quantitative", "scale": {"domain": [0, float(x_max)], "nice": False}}
    y_at = {"field": "y", "type": "quantitative", "scale": {"domain": [0, float(y_max)], "nice": False}}
    x_axis = {
        "title": "your spend on a working day, at API prices",
        "format": "$,~f",
        "grid": False,
        "tickCount": 8,
        "titlePadding": 8,
        "offset": 22,
        "labelFlush": False,
    }
    y_axis = {"title": None, "format": "$,~f", "tickCount": 5}
    colour = {"field": "plan", "type": "nominal", "scale": {"domain": names, "range": LINES}, "legend": None}
    text = {"type": "text", "fontSize": 12.5, "fontWeight": "bold"}
    layers: list[Spec] = [
        {
            "data": {"values": floor},
            "mark": {
                "type": "line",
                "color": "#FFE39B",
                "strokeWidth": 11,
                "strokeCap": "round",
                "strokeJoin": "round",
            },
            "encoding": {"x": {**x_at, "axis": x_axis}, "y": {**y_at, "axis": y_axis}, "order": {"field": "x"}},
        },
        {
            "data": {"values": lines},
            "mark": {"type": "line", "strokeWidth": 2.5, "strokeJoin": "round"},
            "encoding": {"x": x_at, "y": y_at, "color": colour, "order": {"field": "x"}},
        },
        {
            "data": {"values": beside},
            "mark": {**text, "align": "left", "baseline": "middle", "dx": 8},
            "encoding": {"x": {"value": "width"}, "y": y_at, "text": {"field": "text"}, "color": colour},
        },
        {
            "data": {"values": above},
            "mark": {**text, "align": "center", "dy": -15},
            "encoding": {"x": x_at, "y": y_at, "text": {"field": "text"}, "color": colour},
        },
    ]
    points = [{"x": float(a), "y": float(b), "text": money(a), "plan": p.name} for a, b, p in turns if b <= y_max]
    layers += [
        {
            "data": {"values": points},
            "mark": {"type": "rule", "color": "#B8BDC4", "strokeDash": [2, 3], "strokeWidth": 1.2},
            "encoding": {"x": x_at, "y": y_at, "y2": {"datum": 0}},
        },
        {
            "data": {"values": points},
            "mark": {
                "type": "point",
                "filled": True,
                "fill": CARD,
                "stroke": INK,
                "strokeWidth": 2,
                "size": 70,
                "opacity": 1,
            },
            "encoding": {"x": x_at, "y": y_at},
        },
        {
            "data": {"values": points},
            "mark": {
                "type": "text",
                "fontSize": 12.5,
                "fontWeight": "bold",
                "dy": 16,
                "dx": 8,
                "align": "left",
                "stroke": CARD,
                "strokeWidth": 4,
                "strokeJoin": "round",
            },
            "encoding": {"x": x_at, "y": y_at, "text": {"field": "text"}},
        },
        {
            "data": {"values": points},
            "mark": {
                "type": "text",
                "fontSize": 12.5,
                "fontWeight": "bold",
                "dy": 16,
                "dx": 8,
                "align": "left",
                "color": INK,
            },
            "encoding": {"x": x_at, "y": y_at, "text": {"field": "text"}},
        },
        {
            "data": {"values": [{"x": float(d)} for d in own]},
            "mark": {"type": "point", "filled": True, "color": INK, "size": 62, "opacity": 0.4, "yOffset": 13},
            "encoding": {"x": x_at, "y": {"value": "height"}},
        },
    ]
    if own:
        layers.append(
            {
                "data": {"values": [{"x": float(usual)}]},
                "mark": {
                    "type": "point",
                    "shape": "triangle-up",
                    "filled": True,
                    "color": ALERT,
                    "size": 110,
                    "opacity": 1,
                    "yOffset": 13,
                },
                "encoding": {"x": x_at, "y": {"value": "height"}},
            }
        )
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "config": CONFIG,
        "width": 800,
        "height": 420,
        "autosize": {"type": "fit", "contains": "padding"},
        "title": {"text": title, "subtitle": subtitle, "offset": 26},
        "layer": layers,
    }


def trend_spec(facts: DigestFacts) -> Spec:
    """The last two weeks of a digest, stacked by model, with a day's share of the budget where there is a budget."""
    totals: dict[str, Decimal] = {}
    spend: dict[tuple[date, str], Decimal] = {}
    for day in facts.trend:
        for model, usd in day.models.items():
            name = model or OTHER
            totals[name] = totals.get(name, Decimal(0)) + usd
            spend[day.day, name] = spend.get((day.day, name), Decimal(0)) + usd
    models = sorted(totals, key=lambda name: (name == OTHER, -totals[name], name))
    month = facts.month
    share = month.budget_usd / month.all_working_days if month.budget_usd and month.all_working_days else None
    first, last = facts.trend[0].day, facts.trend[-1].day
    whose = f" of {one_line(facts.team, TITLE_LETTERS)}" if facts.team else ""
    return daily_spec(
        f"Claude Code spend{whose}, {first.day} {first:%b} to {last.day} {last:%b}",
        f"{rounded(sum(totals.values(), Decimal(0)))} in {len(facts.trend)} {facts.whose_zone} days, by model",
        [day.day for day in facts.trend],
        spend,
        models,
        share,
        "budget a day",
        frozenset(day.day for day in facts.trend if not day.is_working),
    )
