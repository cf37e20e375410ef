"""Plans: what each would cost, which one fits a person, and which mix fits a team."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from bot.advice import NOT_MODELLED, Recommendation
from bot.ask import MonthlySpend
from bot.pricing.money import rounded, shown
from bot.pricing.plans import Plan
from bot.pricing.tiers import (
    HISTORY_DAYS,
    MIN_ACTIVE_DAYS,
    MIN_SAVING_SHARE,
    MIN_SAVING_USD,
    STEADY_DAYS,
    Advice,
    Option,
    Outlook,
    Spread,
    TeamAdvice,
    TeamPlan,
)
from bot.slack.blocks.message import Message, context, counted, escape, percent, quoting_section, section

MAX_LISTED = 12


def what_if_message(spend: MonthlySpend, best: Plan, options: list[Option], day: date) -> Message:
    """What each plan would cost for a spend that is the same on every working day; the cheapest first."""
    fact = f"{rounded(spend.usd)} a month at API prices"
    api = next(option for option in options if option.plan.is_api)
    saved = spend.usd - _worst(next(option for option in options if option.plan.id == best.id)).p50
    fits = (
        f"No plan saves more than ${MIN_SAVING_USD} and {percent(MIN_SAVING_SHARE)} of that: stay on the API."
        if best.id == api.plan.id
        else f"{escape(best.name)} fits: it saves {rounded(saved)} a month even if it carries as little as is known."
    )
    priced = _cheapest_first(options)
    lines = [_line(option) for option in priced[:MAX_LISTED]]
    unknown = [escape(option.plan.name) for option in options if option.low is None]
    blocks = [section(f"*{fact}*  ({spend.formula})", fits), quoting_section(*lines)]
    if unknown:
        blocks.append(section(f"No limit in dollars is published for {', '.join(unknown)}: only the fee is known."))
    blocks.append(context(_basis(day), f"Not in it: {'; '.join(NOT_MODELLED)}."))
    return Message(f"{fact}: {fits}", blocks)


def own_recommendation_message(found: Recommendation) -> Message:
    """The plan that fits one person, for that person alone."""
    (advice,) = found.people
    if advice.recommended is None or advice.month is None:
        sentence = (
            f"You have {counted(advice.active_days, 'active day')} in the last months; with fewer than "
            f"{MIN_ACTIVE_DAYS} nothing is recommended."
        )
        return Message(sentence, [section(sentence)])
    fact = _fact(advice, advice.recommended)
    option = advice.option(advice.recommended)
    lines = [
        f"You use {rounded(advice.month.p50)} at API prices in an ordinary month, {rounded(advice.month.p90)} in a bad "
        f"one (from {counted(advice.active_days, 'active day')}; your median active day is "
        f"{rounded(advice.usual_usd or Decimal(0))})"
    ]
    if option.low is not None:
        lines.append(
            f"On {escape(advice.recommended.name)}: {_range(option, 'p50')} in an ordinary month, "
            f"{_range(option, 'p90')} in a bad one{_blocked(option)}{_by_the_year(option.plan)}"
        )
    lines += _turning(advice)
    if advice.confidence == "low":
        lines.append("That is little to go by: the confidence is low")
    others = _cheapest_first(other for other in advice.options if other.plan.id != advice.recommended.id)
    blocks = [section(f"*{fact}*"), quoting_section(*lines)]
    blocks.append(quoting_section("Besides:", *(f"• {_line(other)}" for other in others[:4])))
    blocks.append(
        context("Only you see this", _basis(found.on), *_left_out(found), f"Not in it: {'; '.join(NOT_MODELLED)}.")
    )
    return Message(fact, blocks)


def team_recommendation_message(found: Recommendation, who: str) -> Message:
    """The cheapest mix of plans for a team: seats by plan, nobody's name."""
    team = found.team
    people = [] if team is None else list(team.now.plans)
    if team is None or not (people or team.not_compared):
        sentence = (
            f"Nobody in {escape(who)} has {MIN_ACTIVE_DAYS} active days yet; then a mix of plans can be worked out."
        )
        return Message(sentence, [quoting_section(sentence)])
    names = {plan.id: escape(plan.name) for plan in found.plans}
    saved = team.today.usd - team.now.usd
    fact = f"{rounded(team.now.usd)} a month is the least for {counted(len(people), 'person', 'people')}"
    if not saved:
        versus = "as much as today"
    elif team.is_worth:
        versus = f"{rounded(saved)} less than today"
    else:
        versus = (
            f"{rounded(saved)} less than today: stay as you are, as that is not over ${MIN_SAVING_USD} and "
            f"{percent(MIN_SAVING_SHARE)} in an ordinary month, or a bad one costs more"
        )
    lines = [_mix(team.now, names), *_renewal(team.now, team.at_renewal, names)]
    lines.append(
        f"An ordinary month {_ends(team.outlook, 'p50')}, a bad one {_ends(team.outlook, 'p90')} (as today: "
        f"{_ends(team.outlook_today, 'p50')} and {_ends(team.outlook_today, 'p90')})"
    )
    if team.outlook.blocked[0]:
        low, high = team.outlook.blocked[1], team.outlook.blocked[0]
        share = percent(high) if low == high else f"{percent(low)} to {percent(high)}"
        lines.append(f"Without credits those on a seat would wait in {share} of their weeks")
    compared = [f"all on API {rounded(team.all_api.usd)}"]
    if team.same is not None:
        compared.append(f"all on {names[next(iter(team.same.plans.values()))]} {rounded(team.same.usd)}")
    compared.append(f"as today {rounded(team.today.usd)}")
    lines.append(f"Beside it: {' · '.join(compared)}")
    if team.is_worth:
        changed = sum(team.today.plans[person] != plan for person, plan in team.now.plans.items())
        lines.append(f"{counted(changed, 'person changes', 'people change')} plans")
    if team.left_out:
        lines.append(
            f"{counted(len(team.left_out), 'person has', 'people have')} under {MIN_ACTIVE_DAYS} active days and "
            "cannot be compared: they stay as they are"
        )
    if team.not_compared:
        lines.append(
            f"{counted(len(team.not_compared), 'person is', 'people are')} on a plan whose limit is not published in "
            "dollars and cannot be compared: they stay as they are"
        )
    if found.unknown:
        lines.append(
            f"{counted(len(found.unknown), 'address', 'addresses')} on seats of the plans file "
            f"{'is' if len(found.unknown) == 1 else 'are'} nobody's here: {', '.join(map(escape, found.unknown[:5]))}"
            f"{' and others' if len(found.unknown) > 5 else ''}"
        )
    blocks = [section(f"*{fact}*, {versus}"), quoting_section(*(f"• {line}" for line in lines))]
    blocks.append(context(_basis(found.on), *_left_out(found), f"Not in it: {'; '.join(NOT_MODELLED)}."))
    return Message(f"{fact}, {versus}", blocks)


def plans_in_a_line(team: TeamAdvice) -> str | None:
    """One line for a monthly digest: what another mix of plans would save; None if it is not worth a change."""
    if not team.is_worth:
        return None
    saved = team.today.usd - team.now.usd
    changed = sum(team.today.plans[person] != plan for person, plan in team.now.plans.items())
    return (
        f"Plans: another mix would save about {rounded(saved)} a month ({counted(changed, 'person', 'people')} on "
        "another plan); leads and admins ask /claudecost recommend team"
    )


def own_plan_in_a_line(found: Recommendation | None) -> str | None:
    """One line for an alert: what the plan that is recommended to a person would cost, if it is another one."""
    for advice in found.people if found else ():
        if advice.recommended is None or advice.recommended.id == advice.current.id:
            continue
        new, now = advice.option(advice.recommended).low, advice.option(advice.current).low
        if new is not None and now is not None:
            return (
                f"By your last {HISTORY_DAYS} days, {escape(advice.recommended.name)} would be about "
                f"{rounded(new.p50)} a month instead of {rounded(now.p50)}: /claudecost recommend"
            )
    return None


def plan_list_message(plans: Iterable[Plan], day: date, typical: tuple[Decimal, Decimal] | None) -> Message:
    """The plans that are known on a day."""
    known = list(plans)
    lines = [_listed(plan) for plan in known if not plan.is_api]
    api = "API: what the tokens cost, nothing else"
    if typical:
        average, p90 = (usd * 22 for usd in typical)
        api = (
            f"API: on average {rounded(average)} a month ({shown(typical[0])} × 22 days), for nine in ten up to "
            f"{rounded(p90)} ({shown(typical[1])} × 22 days)"
        )
    fact = f"{counted(len(known), 'plan is', 'plans are')} known on {day}"
    return Message(
        fact,
        [
            section(f"*{fact}*", api),
            quoting_section(*lines),
            context(
                "Dollars per seat and month; what a plan carries is the lowest to the highest that a source gives, at "
                "API prices.",
                "/claudecost plans $6 a day compares them for a spend",
            ),
        ],
    )


def no_usage_message() -> Message:
    """Nothing is known of the person who asks for a recommendation."""
    sentence = "I have no usage of yours to go by. Ask with an amount instead: /claudecost plans $6 a day"
    return Message(sentence, [section(sentence)])


def _fact(advice: Advice, plan: Plan) -> str:
    current = escape(advice.current.name)
    if advice.option(advice.current).low is None:
        return f"{current} cannot be compared: its limit is not published in dollars"
    if advice.waits_for is not None:
        return f"Stay on {current} for now: {escape(advice.waits_for.name)} fits your newest usage"
    if plan.id == advice.current.id:
        return f"Stay on {current}: no change saves more than ${MIN_SAVING_USD} and {percent(MIN_SAVING_SHARE)} a month"
    saved = _worst(advice.option(advice.current)).p50 - _worst(advice.option(plan)).p50
    since = f"From {advice.renews} on, when {current} renews, " if advice.renews else ""
    return f"{since}{escape(plan.name)} fits you better than {current}: about {rounded(saved)} a month less"


def _turning(advice: Advice) -> list[str]:
    lines = []
    mean = advice.month.mean if advice.month else Decimal(0)
    for flip in advice.flips:
        way = "pass" if flip.usd > mean else "fall below"
        share = f", or Opus makes {percent(flip.opus_share)} of the cost" if flip.opus_share else ""
        when = f"if you {way} {rounded(flip.usd)} a month at API prices{share}"
        stays = flip.plan.id == advice.current.id
        lines.append(
            f"No change from {escape(flip.plan.name)} is worth it any more {when}"
            if stays
            else f"It becomes {escape(flip.plan.name)} {when}"
        )
    if advice.waits_for is not None:
        lines.append(
            f"A change to {escape(advice.waits_for.name)} is recommended once your usage has called for it for "
            f"{STEADY_DAYS} days"
        )
    return lines


def _cheapest_first(options: Iterable[Option]) -> list[Option]:
    return sorted((option for option in options if option.low), key=lambda option: _worst(option).p50)


def _by_the_year(plan: Plan) -> str:
    if plan.price.annual is None or plan.price.monthly is None or plan.price.annual == plan.price.monthly:
        return ""
    return f" (its fee is {shown(plan.price.annual)} a month by the year, {shown(plan.price.monthly)} by the month)"


def _mix(plan: TeamPlan, names: dict[str, str]) -> str:
    counts = [f"{count} × {names[plan_id]}" for plan_id, count in sorted(plan.seats.items(), key=lambda one: -one[1])]
    on_api = sum(chosen == "api" for chosen in plan.plans.values())
    return " · ".join([*counts, *([f"{on_api} × API"] if on_api else [])]) or "nobody needs anything"


def _renewal(now: TeamPlan, later: TeamPlan, names: dict[str, str]) -> list[str]:
    if now.usd == later.usd:
        return []
    return [f"Once the seats that are paid for can go: {rounded(later.usd)}, with {_mix(later, names)}"]


def _line(option: Option) -> str:
    seats = f" · from {option.plan.min_seats} seats on" if option.plan.min_seats > 1 else ""
    days = f" · the fee is {counted(option.break_even_days, 'such day')}" if option.break_even_days else ""
    return f"{escape(option.plan.name)}: {_range(option, 'p50')}{seats}{days}"


def _range(option: Option, which: str) -> str:
    if option.low is None or option.high is None:
        return "unknown"
    low, high = getattr(option.low, which), getattr(option.high, which)
    return rounded(low) if low == high else f"{rounded(high)} to {rounded(low)}"


def _ends(outlook: Outlook, which: str) -> str:
    low, high = getattr(outlook.low, which), getattr(outlook.high, which)
    return rounded(low) if low == high else f"{rounded(high)} to {rounded(low)}"


def _worst(option: Option) -> Spread:
    return option.low or Spread(option.plan.usd, option.plan.usd, option.plan.usd)


def _blocked(option: Option) -> str:
    if option.blocked is None or not option.blocked[0]:
        return ""
    low, high = option.blocked[1], option.blocked[0]
    share = percent(high) if low == high else f"{percent(low)} to {percent(high)}"
    per = f"{option.plan.limit.per}s" if option.plan.limit else "weeks"
    return f"; without credits you would wait in {share} of the {per}"


def _listed(plan: Plan) -> str:
    fee = f"{shown(plan.price.monthly)}" if plan.price.monthly is not None else ""
    annual = f"{shown(plan.price.annual)} by the year" if plan.price.annual is not None else ""
    limit = "no limit in dollars published"
    if plan.limit is not None:
        low, high = plan.limit.low, plan.limit.high
        carried = rounded(low) if low == high else f"{rounded(low)} to {rounded(high)}"
        limit = f"carries {carried} a {plan.limit.per}" if high else "carries nothing: all usage at API prices"
    seats = f" · {plan.min_seats} seats or more" if plan.min_seats > 1 else ""
    pooled = " pooled" if plan.pooled else ""
    return f"{escape(plan.name)}: {' / '.join(filter(None, (fee, annual)))} · {limit}{pooled}{seats}"


def _left_out(found: Recommendation) -> list[str]:
    said = []
    if found.unpriced_tokens:
        said.append(f"{found.unpriced_tokens:,} tokens had no price and are in no figure")
    if found.without_days_usd:
        said.append(
            f"Totals of several days say {rounded(found.without_days_usd)} more than the days, which is in no figure: "
            "import exports that know days (docs/sources.md)"
        )
    if found.newer:
        said.append(f"Newer than this usage, and left out: {', '.join(map(escape, found.newer))}")
    return said


def _basis(day: date) -> str:
    return f"API-equivalent list prices of the usage's days; plans of {day}; what plans carry is observed, not official"
