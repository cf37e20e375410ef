"""Plans: what each would cost, which one fits a person, and which mix fits a team."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from bot.advice import NOT_MODELLED, Recommendation
from bot.ask import MonthlySpend
from bot.pricing.money import rounded, shown
from bot.pricing.plans import Plan
from bot.pricing.tiers import MIN_ACTIVE_DAYS, Advice, Option, Spread, TeamPlan
from bot.slack.blocks.message import Message, context, counted, escape, percent, quoting_section, section

MAX_LISTED = 12


def what_if_message(spend: MonthlySpend, best: Plan, options: list[Option], day: date) -> Message:
    """What each plan would cost for a spend that is the same on every working day; the cheapest first."""
    fact = f"{rounded(spend.usd)} a month at API prices"
    api = next(option for option in options if option.plan.is_api)
    saved = spend.usd - _worst(next(option for option in options if option.plan.id == best.id)).p50
    fits = (
        "Paying by tokens is the best there is for that."
        if best.id == api.plan.id
        else f"{escape(best.name)} fits: it saves {rounded(saved)} a month even if it carries as little as is known."
    )
    priced = sorted((option for option in options if option.low), key=lambda option: _worst(option).p50)
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
        f"{rounded(advice.usual_usd or Decimal(0))})",
        f"On {escape(advice.recommended.name)}: {_range(option, 'p50')} in an ordinary month, "
        f"{_range(option, 'p90')} in a bad one{_blocked(option)}",
    ]
    lines += _turning(advice)
    if advice.confidence == "low":
        lines.append("That is little to go by: the confidence is low")
    others = sorted(
        (other for other in advice.options if other.low and other.plan.id != advice.recommended.id),
        key=lambda other: _worst(other).p50,
    )
    blocks = [section(f"*{fact}*"), quoting_section(*lines)]
    blocks.append(quoting_section("Besides:", *(f"• {_line(other)}" for other in others[:4])))
    blocks.append(
        context("Only you see this", _basis(found.on), *_left_out(found), f"Not in it: {'; '.join(NOT_MODELLED)}.")
    )
    return Message(fact, blocks)


def team_recommendation_message(found: Recommendation, who: str) -> Message:
    """The cheapest mix of plans for a team: seats by plan, nobody's name."""
    team = found.team
    people = [advice for advice in found.people if advice.confidence != "none"]
    if team is None or not people:
        sentence = (
            f"Nobody in {escape(who)} has {MIN_ACTIVE_DAYS} active days yet; then a mix of plans can be worked out."
        )
        return Message(sentence, [quoting_section(sentence)])
    names = {plan.id: escape(plan.name) for plan in found.plans}
    saved = team.today.usd - team.now.usd
    fact = f"{rounded(team.now.usd)} a month is the least for {counted(len(people), 'person', 'people')}"
    versus = f"{rounded(saved)} less than today" if saved else "as much as today"
    lines = [_mix(team.now, names), *_renewal(team.now, team.at_renewal, names)]
    compared = [f"all on API {rounded(team.all_api.usd)}"]
    if team.same is not None:
        compared.append(f"all on {names[next(iter(team.same.plans.values()))]} {rounded(team.same.usd)}")
    compared.append(f"as today {rounded(team.today.usd)}")
    worth = [advice for advice in people if advice.recommended and advice.recommended.id != advice.current.id]
    lines.append(f"Beside it: {' · '.join(compared)}")
    lines.append(
        f"For {counted(len(worth), 'person', 'people')} a change is worth it by itself (over $10 and 15 %)"
        if worth
        else "For nobody is a change worth it by itself (over $10 and 15 %)"
    )
    if team.left_out:
        lines.append(
            f"{counted(len(team.left_out), 'person has', 'people have')} too few active days and stay as they are"
        )
    blocks = [section(f"*{fact}*, {versus}"), quoting_section(*(f"• {line}" for line in lines))]
    blocks.append(context(_basis(found.on), *_left_out(found), f"Not in it: {'; '.join(NOT_MODELLED)}."))
    return Message(f"{fact}, {versus}", blocks)


def plans_in_a_line(found: Recommendation) -> str | None:
    """One line for a monthly digest: whom another plan would save something worth it; None if nobody."""
    worth = [
        advice
        for advice in found.people
        if advice.recommended is not None and advice.recommended.id != advice.current.id
    ]
    if not worth or found.team is None or found.team.now.usd >= found.team.today.usd:
        return None
    saved = found.team.today.usd - found.team.now.usd
    return (
        f"Plans: another mix would save about {rounded(saved)} a month ({counted(len(worth), 'person', 'people')} on "
        "another plan); leads and admins ask /claudecost recommend team"
    )


def plan_list_message(plans: Iterable[Plan], day: date, typical: tuple[Decimal, Decimal] | None) -> Message:
    """The plans that are known on a day."""
    lines = [_listed(plan) for plan in plans if not plan.is_api]
    api = "API: what the tokens cost, nothing else"
    if typical:
        average, p90 = (usd * 22 for usd in typical)
        api = (
            f"API: on average {rounded(average)} a month ({shown(typical[0])} × 22 days), for nine in ten up to "
            f"{rounded(p90)} ({shown(typical[1])} × 22 days)"
        )
    fact = f"{len(lines) + 1} plans are known on {day}"
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


def not_for_you_message() -> Message:
    """Only leads and admins see a team's recommendation."""
    sentence = "The recommendation for a team is for its lead and for admins (CLAUDECOST_ADMINS)."
    return Message(sentence, [section(sentence)])


def _fact(advice: Advice, plan: Plan) -> str:
    current = escape(advice.current.name)
    if plan.id == advice.current.id:
        return f"Stay on {current}: no change saves enough"
    saved = _worst(advice.option(advice.current)).p50 - _worst(advice.option(plan)).p50
    return f"{escape(plan.name)} fits you better than {current}: about {rounded(saved)} a month less"


def _turning(advice: Advice) -> list[str]:
    lines = []
    mean = advice.month.mean if advice.month else Decimal(0)
    for flip in advice.flips:
        way = "pass" if flip.usd > mean else "fall below"
        share = f", or Opus makes {percent(flip.opus_share)} of the cost" if flip.opus_share else ""
        lines.append(
            f"It becomes {escape(flip.plan.name)} if you {way} {rounded(flip.usd)} a month at API prices{share}"
        )
    if advice.waits_for is not None:
        lines.append(f"Your newest usage calls for {escape(advice.waits_for.name)}; it is said once it lasts a month")
    return lines


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


def _worst(option: Option) -> Spread:
    return option.low or Spread(option.plan.usd, option.plan.usd, option.plan.usd)


def _blocked(option: Option) -> str:
    if option.blocked is None or not option.blocked[0]:
        return ""
    low, high = option.blocked[1], option.blocked[0]
    share = percent(high) if low == high else f"{percent(low)} to {percent(high)}"
    return f"; without credits you would wait in {share} of the weeks"


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
    if found.newer:
        said.append(f"Newer than this usage, and left out: {', '.join(map(escape, found.newer))}")
    return said


def _basis(day: date) -> str:
    return f"API-equivalent list prices of the usage's days; plans of {day}; what plans carry is observed, not official"
