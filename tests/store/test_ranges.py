"""Totals of several days beside the days: a digest, a month and spend agree with a plain recomputation."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from itertools import combinations, pairwise
from random import Random

import pytest
from msgspec.structs import replace
from sqlalchemy import delete, select

from bot.ledger import Ledger
from bot.pricing import PriceBook, TokenUsage
from bot.spend.records import ORGANIZATION, Actor, UsageRecord
from bot.store.database import Database
from bot.store.identity import unassigned
from bot.store.linking import link_actor
from bot.store.recording import rebuild_rollups
from bot.store.retention import delete_before
from bot.store.tables import person_ranges
from tests.usage import DANA, NOW, POLICY, opus_for, store, used, utc_policy

CI, KIM, EVERYBODY = Actor("api_key", "ci"), Actor("email", "kim@example.com"), Actor(ORGANIZATION, "all")
PER_MILLION = {"claude-opus-5-5": Decimal(4), "claude-haiku-5-5": Decimal("0.10"), "someone-elses-model": Decimal(0)}
"""Of input, in November 2026."""

Said = tuple[int, Decimal]
"""Tokens and US dollars."""

Fuller = tuple[date, date, int, int, Decimal]
"""First day and the day after the last of a total, its tokens, and how many more tokens and dollars than the days'."""


class Stored:
    """What was stored, kept as plain rows and added up by the rules alone."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, date, date | None, Actor, str, str], Said] = {}
        self.owner: dict[Actor, str] = {}

    def add(self, source: str, records: Iterable[UsageRecord]) -> None:
        for one in records:
            usd = one.reported_usd
            if usd is None:
                usd = one.usage.input * PER_MILLION[one.model] / 10**6
            self.rows[source, one.day, one.until, one.actor, one.model, one.part] = (one.usage.input, usd)
            self.owner.setdefault(one.actor, one.actor.name)

    def month_usd(self, first: date, end: date) -> tuple[Decimal, int]:
        """The dollars of a month, and how many totals stand in the place of days."""
        days: dict[tuple[str, date], dict[str, Said]] = defaultdict(dict)
        totals: dict[tuple[str, str, date, date], Said] = {}
        for (source, day, until, actor, _, _), said in self.rows.items():
            who = self.owner[actor]
            if until is None and first <= day < end:
                days[who, day][source] = added(days[who, day].get(source), said)
            elif until is not None and first <= day and until <= end:
                totals[who, source, day, until] = added(totals.get((who, source, day, until)), said)
        spoken = {key: fullest(by_source.values()) for key, by_source in days.items()}
        covered = {day for who, day in spoken if who != EVERYBODY.name}
        spoken = {key: said for key, said in spoken.items() if key[0] != EVERYBODY.name or key[1] not in covered}
        longest: dict[tuple[str, str, date], date] = {}
        for who, source, start, until in totals:
            longest[who, source, start] = max(until, longest.get((who, source, start), until))
        fuller: dict[str, list[Fuller]] = defaultdict(list)
        for (who, source, start, until), said in totals.items():
            own = [one for (name, day), one in spoken.items() if name == who and start <= day < until]
            by_day = (sum(tokens for tokens, _ in own), sum((usd for _, usd in own), Decimal(0)))
            if longest[who, source, start] == until and fullest([by_day, said]) is said:
                fuller[who].append((start, until, said[0], said[0] - by_day[0], said[1] - by_day[1]))
        claimed = {who: most(every) for who, every in fuller.items()}
        everybody = claimed.pop(EVERYBODY.name, [])
        people = [one for some in claimed.values() for one in some]
        found = sum((usd for _, usd in spoken.values()), Decimal(0)) + sum((one[-1] for one in people), Decimal(0))
        for start, until, *_, more in everybody:
            is_known = any(start <= day < until for day in covered)
            if not is_known and not any(start < other[1] and other[0] < until for other in people):
                found += more
        for (who, day), (_, usd) in spoken.items():
            if who == EVERYBODY.name and any(start <= day < until for start, until, *_ in people):
                found -= usd
        instead = len(people)
        return found, instead


def most(totals: list[Fuller]) -> list[Fuller]:
    """Of all that can be chosen without an overlap what says most tokens, then dollars, then is fewest.

    Where some that hang together know dollars alone, dollars decide, and 5 cents of each of those are rounding.
    """
    days = sorted({day for start, until, *_ in totals for day in (start, until)})
    cuts = [day for day in days if not any(start < day < until for start, until, *_ in totals)]
    parts = [[one for one in totals if a <= one[0] < b] for a, b in pairwise([*cuts, date.max])]
    return [one for part in parts if part for one in (_most(part) if len(part) > 1 else part)]


def _most(totals: list[Fuller]) -> list[Fuller]:
    by_dollars = any(not tokens for _, _, tokens, _, _ in totals)

    def size(chosen: tuple[Fuller, ...]) -> tuple[Decimal, Decimal, int]:
        more = Decimal(sum(tokens for _, _, _, tokens, _ in chosen))
        usd = sum((usd - (0 if tokens else Decimal("0.05")) for _, _, tokens, _, usd in chosen), Decimal(0))
        return (usd, more, -len(chosen)) if by_dollars else (more, usd, -len(chosen))

    every = (chosen for count in range(len(totals) + 1) for chosen in combinations(totals, count))
    apart = (chosen for chosen in every if all(a[1] <= b[0] or b[1] <= a[0] for a, b in combinations(chosen, 2)))
    best: tuple[Fuller, ...] = max(apart, key=size)
    return list(best)


def added(before: Said | None, said: Said) -> Said:
    return said if before is None else (before[0] + said[0], before[1] + said[1])


def fullest(said: Iterable[Said]) -> Said:
    """The most tokens, then dollars; dollars without tokens speak where they are 5 cents more. The first of equals."""
    every = list(said)
    best = max((one for one in every if one[0]), default=None)
    dollars = max((one for one in every if not one[0]), default=None)
    is_more = dollars is not None and (best is None or dollars[1] > best[1] + Decimal("0.05"))
    return dollars if dollars is not None and is_more else best or every[0]


def rolled_up(database: Database) -> list[tuple[object, ...]]:
    with database.read() as connection:
        return sorted(map(tuple, connection.execute(select(person_ranges)).all()))


def test_a_month_is_the_same_in_digests_and_in_spend_and_as_recomputed(database: Database, book: PriceBook) -> None:
    """Days, totals of weeks and of months from two sources, of people who may be the organization, in any mixture."""
    random = Random(20261126)
    stored, ledger, instead = Stored(), Ledger(database, book, utc_policy), 0
    months = [date(2026 + (10 + month) // 12, (10 + month) % 12 + 1, 1) for month in range(10)]

    def check(first: date) -> int:
        last = first + timedelta(days=27)
        expected, count = stored.month_usd(first, last + timedelta(days=1))
        assert ledger.digest(last).month_usd == expected
        assert ledger.spend(first, last + timedelta(days=1), ()).total.usd == expected
        monthly = ledger.digest(last, start=first, edition="monthly")
        people = ledger.spend(first, last + timedelta(days=1), ("person",)).rows
        assert (monthly.amount.usd if monthly.amount else 0) == expected
        assert monthly.people.active == sum("unassigned" not in row.group[0] for row in people)
        nobody = [row.amount.usd for row in people if "unassigned" in row.group[0]]
        assert (monthly.people.unassigned_actors, monthly.people.unassigned_usd) == (len(nobody), sum(nobody))
        return count

    for first in months:
        for source in ("enterprise_spend_report", "ccusage", "enterprise_spend_report"):
            records = [
                replace(
                    used(
                        TokenUsage(random.choice((0, 10**6, 2 * 10**6, 3 * 10**6))),
                        first + timedelta(days=start),
                        random.choice((DANA, CI, KIM, EVERYBODY)),
                        random.choice(list(PER_MILLION)),
                        part=str(number),
                        reported=random.choice((None, "1.23", "40")),
                    ),
                    until=None if length == 1 else first + timedelta(days=start + length),
                )
                for number in range(8)
                for start, length in [random.choice(((0, 1), (3, 1), (8, 1), (0, 7), (7, 7), (0, 28), (2, 9)))]
            ]
            stored.add(source, records)
            store(database, *records, source=source)
        instead += check(first)
    assert instead > 20
    before = rolled_up(database)
    link_actor(database, "ci", "kim@example.com", "admin", book, POLICY, NOW)
    stored.owner[CI] = KIM.name
    assert sum(map(check, months)) > 10
    after = rolled_up(database)
    assert after != before
    with database.write() as connection:
        connection.execute(delete(person_ranges))
    rebuild_rollups(database, book)
    assert rolled_up(database) == after
    link_actor(database, "ci", "dana@example.com", "admin", book, POLICY, NOW)
    stored.owner[CI] = DANA.name
    sum(map(check, months))


def test_what_the_retention_deletes_is_in_no_total_any_more(database: Database, book: PriceBook) -> None:
    """October's report says $30, of which $10 on the 5th; the days before the 10th are deleted, later all of it."""
    october, november = date(2026, 10, 1), date(2026, 11, 1)
    store(database, used(opus_for(10), date(2026, 10, 5)))
    store(database, replace(used(opus_for(30), october), until=november), source="spend_report_csv")
    assert [row[5:] for row in rolled_up(database)] == [
        (7_500_000, Decimal(30), 1, 2_500_000, Decimal(10), True)  # $30 and $10 at $4 per million tokens
    ]
    delete_before(database, date(2026, 10, 10), NOW)
    assert [row[5:] for row in rolled_up(database)] == [(7_500_000, Decimal(30), 0, 0, Decimal(0), True)]
    delete_before(database, november, NOW)
    assert rolled_up(database) == []


def test_a_total_does_not_become_the_fuller_one_as_its_days_are_deleted(database: Database, book: PriceBook) -> None:
    """$4 on each of 1 to 5 October beside a report of $12: once three of the days are gone, the other two are $8."""
    for day in range(1, 6):
        store(database, used(opus_for(4), date(2026, 10, day)))
    october = replace(used(opus_for(12), date(2026, 10, 1)), until=date(2026, 11, 1))
    store(database, october, source="spend_report_csv")
    spent = Ledger(database, book, utc_policy).spend
    assert spent(None, None, ()).total.usd == 20
    delete_before(database, date(2026, 10, 4), NOW)
    assert spent(None, None, ()).total.usd == 8
    assert [row.group for row in spent(None, None, ("day",)).rows] == [("2026-10-04",), ("2026-10-05",)]


@pytest.mark.parametrize("then", ["row", "link", "total"])
def test_a_total_that_was_no_fuller_stays_so_whatever_comes_once_its_days_are_deleted(
    database: Database, book: PriceBook, then: str
) -> None:
    """$4 on each of 1 to 5 October beside a report of $12; of the two days that are left one gets $2 more."""
    for day in range(1, 6):
        store(database, used(opus_for(4), date(2026, 10, day)))
    store(database, used(opus_for(2), date(2026, 10, 5), CI))
    october = replace(used(opus_for(12), date(2026, 10, 1)), until=date(2026, 11, 1))
    store(database, october, source="spend_report_csv")
    delete_before(database, date(2026, 10, 4), NOW)
    usd = 10
    if then == "row":
        store(database, used(opus_for(6), date(2026, 10, 4)))
        usd = 12
    elif then == "link":
        link_actor(database, "ci", "dana@example.com", "admin", book, POLICY, NOW)
    else:
        store(database, october, source="spend_report_csv")
    assert Ledger(database, book, utc_policy).spend(None, None, ()).total.usd == usd


def test_a_total_that_says_more_than_it_did_counts_though_its_days_are_deleted(
    database: Database, book: PriceBook
) -> None:
    """A report of $12 beside five days of $4 is restated to $500 once three of them are deleted."""
    for day in range(1, 6):
        store(database, used(opus_for(4), date(2026, 10, day)))
    october = replace(used(opus_for(12), date(2026, 10, 1)), until=date(2026, 11, 1))
    store(database, october, source="spend_report_csv")
    delete_before(database, date(2026, 10, 4), NOW)
    delete_before(database, date(2026, 9, 1), NOW)  # as after the retention was lengthened
    store(database, used(opus_for(6), date(2026, 10, 4)))
    spent = Ledger(database, book, utc_policy).spend
    assert spent(None, None, ()).total.usd == 10
    store(database, replace(october, usage=opus_for(500)), source="spend_report_csv")
    assert spent(None, None, ()).total.usd == 500


@pytest.mark.parametrize("tokens", [1, 3, 999_999])
def test_a_total_of_the_same_usage_says_no_more_than_its_days(database: Database, book: PriceBook, tokens: int) -> None:
    """A token read from the cache of Haiku 5.5 is $0.01 per million, in the US x 1.1: a fraction of a nanodollar."""
    usage = TokenUsage(cache_read=tokens)
    days = [used(usage, date(2026, 11, day), model="claude-haiku-5-5") for day in (3, 4, 5)]
    days = [replace(one, conditions=one.conditions._replace(inference_geo="us")) for one in days]
    whole = replace(days[0], day=date(2026, 11, 1), until=date(2026, 11, 20), usage=usage.times(3))
    store(database, *days)
    store(database, whole, source="ccusage")
    facts = Ledger(database, book, utc_policy).digest(date(2026, 11, 20))
    assert facts.month_usd == 3 * tokens * Decimal("0.01") * Decimal("1.1") / 10**6
    assert [row[-1] for row in rolled_up(database)] == [False]


def test_a_longer_total_of_what_is_known_takes_nothing_away(database: Database, book: PriceBook) -> None:
    """Five weeks of $7 are $35, of which a report of October says $31: 28 to 30 September and 1 November are apart."""
    week = timedelta(days=7)
    first = date(2026, 9, 28)
    for number in range(5):
        start = first + number * week
        store(database, replace(used(opus_for(7), start, CI), until=start + week), source="ccusage_weekly")
    spent = Ledger(database, book, utc_policy).spend
    assert spent(first, first + 5 * week, ()).total.usd == 35
    store(
        database, replace(used(opus_for(31), date(2026, 10, 1), CI), until=date(2026, 11, 1)), source="ccusage_monthly"
    )
    assert spent(first, first + 5 * week, ()).total.usd == 35
    assert spent(date(2026, 10, 1), date(2026, 11, 1), ()).total.usd == 31
    # $37 are more than the five weeks, each of which overlaps with October.
    more = replace(used(opus_for(37), date(2026, 10, 1), CI), until=date(2026, 11, 1))
    store(database, more, source="ccusage_monthly")
    assert spent(first, first + 5 * week, ()).total.usd == 37
    assert [(entry.actor, entry.usd) for entry in unassigned(database, first)] == [(CI, Decimal(37))]
    assert spent(first, first + 5 * week, ()).across is None
    assert spent(first, date(2026, 10, 2), ()).across == (first, first + week)
    assert spent(date(2026, 10, 30), NOW.date(), ()).across == (date(2026, 10, 1), date(2026, 11, 1))


def test_a_total_of_dollars_decides_nothing_about_others_far_from_it(database: Database, book: PriceBook) -> None:
    """In November 100M tokens of Haiku, $10, say more than 50M for which $200 are stated, whatever October says."""
    october, november, end = date(2026, 10, 1), date(2026, 11, 1), date(2026, 11, 20)
    haiku = TokenUsage(100 * 10**6)
    ours = replace(used(haiku, november, KIM, "claude-haiku-5-5"), until=date(2026, 11, 15))
    theirs = replace(used(TokenUsage(50 * 10**6), date(2026, 11, 8), KIM, reported="200"), until=end)
    store(database, ours, source="ccusage_monthly")
    store(database, theirs, source="spend_report_csv")
    spent = Ledger(database, book, utc_policy).spend
    assert spent(october, end, ()).total.usd == 10
    store(
        database,
        replace(used(TokenUsage(), october, KIM, reported="20"), until=november),
        source="console_claude_code_csv",
    )
    assert spent(october, end, ()).total.usd == 30
    # What nobody has a price for stays, though the day within it cost a dollar.
    day = used(opus_for(1), november, DANA)
    unknown = replace(used(haiku, november, DANA, "someone-elses-model"), until=date(2026, 11, 15))
    store(database, day)
    store(database, unknown, source="ccusage_monthly")
    store(
        database,
        replace(used(TokenUsage(), october, DANA, reported="20"), until=november),
        source="console_claude_code_csv",
    )
    whole = spent(october, end, ()).total
    assert whole.usd == 30 + 20
    assert whole.unpriced_tokens == 100 * 10**6
