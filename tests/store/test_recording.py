"""Storing usage: the same again changes nothing, newer replaces, sources never add up, limits are noticed once."""

import multiprocessing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import func, insert, select, update

from bot.ledger import Ledger
from bot.pricing import PriceBook, TokenUsage
from bot.spend.amounts import total
from bot.spend.days import Period, milliseconds
from bot.spend.records import ORGANIZATION, THIS_MACHINE, Actor, UsageRecord
from bot.store.alerting import AlertPolicy
from bot.store.database import Database, connect
from bot.store.deliveries import all_deliveries
from bot.store.erasure import erase_person
from bot.store.people import people_of_team
from bot.store.quantities import (
    VendorSpend,
    people_on,
    quantities,
    quantities_of,
    shares,
    stored_period,
    vendor_spend,
)
from bot.store.recording import DayChange, rebuild_rollups
from bot.store.retention import delete_before
from bot.store.tables import imports, model_days, person_days, seen_requests, usage_daily, usage_lines, usage_ranges
from tests.usage import DANA, DAY, NOW, POLICY, crowded_team, opus_for, request, store, used, utc_policy

EVER = Period(date(2020, 1, 1), date(2030, 1, 1))
CI = Actor("api_key", "ci")


def dollars(database: Database, book: PriceBook) -> Decimal:
    return total(quantities(database, EVER), book).usd


def test_the_same_file_again_is_unchanged_and_moves_no_figure(database: Database, book: PriceBook) -> None:
    first = store(database, used(opus_for(5)), used(opus_for(2), actor=CI))
    again = store(database, used(opus_for(5)), used(opus_for(2), actor=CI))
    assert first[:3] == (2, 0, 0)
    assert again[:3] == (0, 2, 0)
    assert again.changes == []
    assert dollars(database, book) == 7


def test_a_restated_row_replaces_and_tells_the_totals(database: Database, book: PriceBook) -> None:
    store(database, used(opus_for(5)), used(opus_for(2), actor=CI))
    restated = store(database, used(opus_for(6)))
    assert restated[:3] == (0, 0, 1)
    assert restated.changes == [DayChange(DAY, Decimal(7), Decimal(8))]
    assert dollars(database, book) == 8


def test_rows_of_one_file_that_mean_the_same_thing_add_up(database: Database, book: PriceBook) -> None:
    assert store(database, used(opus_for(5)), used(opus_for(2)))[:3] == (2, 0, 0)
    assert store(database, used(opus_for(5)), used(opus_for(2)))[:3] == (0, 2, 0)
    assert dollars(database, book) == 7


def test_a_page_for_another_terminal_does_not_replace_the_first(database: Database, book: PriceBook) -> None:
    store(database, used(opus_for(5), part="vscode"))
    store(database, used(opus_for(2), part="iTerm.app"))
    assert dollars(database, book) == 7


def test_a_dry_run_tells_the_same_and_stores_nothing(database: Database, book: PriceBook) -> None:
    assert store(database, used(opus_for(5)), keep=False)[:3] == (1, 0, 0)
    assert stored_period(database) is None
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(imports)).scalar() == 0
    assert store(database, used(opus_for(5)))[:3] == (1, 0, 0)


def test_the_fullest_source_speaks_for_a_persons_day(database: Database, book: PriceBook) -> None:
    store(database, used(opus_for(5)), source="claude_code_analytics_api")
    store(database, used(opus_for(3)), used(opus_for(2), day=DAY + timedelta(days=1)), source="transcripts")
    assert dollars(database, book) == 7
    assert [(s.source, s.quantity.day) for s in shares(database, EVER)] == [
        ("claude_code_analytics_api", DAY),
        ("transcripts", DAY + timedelta(days=1)),
    ]
    store(database, used(opus_for(6)), source="transcripts")
    assert dollars(database, book) == 8


def test_sources_of_different_people_do_add_up(database: Database, book: PriceBook) -> None:
    store(database, used(opus_for(5)), source="claude_code_analytics_api")
    store(database, used(opus_for(3), actor=CI), source="console_usage_csv")
    assert dollars(database, book) == 8
    assert [entry.person.label for entry in people_on(database, DAY)] == ["dana@example.com", "unassigned (ci)"]


def test_rows_told_apart_by_a_condition_stand_beside_each_other(database: Database, book: PriceBook) -> None:
    row = used(opus_for(4))
    batch = replace(row, conditions=row.conditions._replace(service_tier="batch"))
    store(database, row, batch)
    store(database, row)  # an export of the standard rows alone
    store(database, batch)
    assert dollars(database, book) == 6  # 4 and half of 4


def test_days_follow_the_zone_when_it_changes(database: Database, book: PriceBook) -> None:
    store(database, used(opus_for(1), request=request("a")), source="transcripts")
    moved = store(database, used(opus_for(1), day=DAY + timedelta(days=1), request=request("a")), source="transcripts")
    assert moved[:3] == (0, 0, 1)
    assert [quantity.day for quantity in quantities(database, EVER)] == [DAY + timedelta(days=1)]
    assert dollars(database, book) == 1


class TestRequests:
    def test_lines_of_one_response_count_once_at_their_fullest(self, database: Database, book: PriceBook) -> None:
        partial, whole = TokenUsage(10**6, 1), TokenUsage(10**6, 10**5)
        found = store(
            database, used(partial, request=request("a")), used(whole, request=request("a")), source="transcripts"
        )
        assert found[:3] == (1, 0, 0)
        assert dollars(database, book) == 6  # 1M x 4 + 100k x 20

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_files_in_any_order_come_to_the_same(
        self, database: Database, book: PriceBook, order: tuple[int, int]
    ) -> None:
        files = (
            [used(TokenUsage(10**6, 1), request=request("a")), used(opus_for(1), request=request("b"))],
            [used(TokenUsage(10**6, 10**5), request=request("a")), used(opus_for(1), request=request("c"))],
        )
        for number in (*order, *order):
            store(database, *files[number], source="transcripts")
        assert dollars(database, book) == 8  # 6 + 1 + 1

    def test_a_copied_response_in_another_file_is_unchanged(self, database: Database) -> None:
        store(database, used(opus_for(1), request=request("a")), source="transcripts")
        again = store(
            database,
            used(opus_for(1), request=request("a")),
            used(opus_for(1), request=request("b")),
            source="transcripts",
        )
        assert again[:3] == (1, 1, 0)

    def test_saying_whose_it_is_moves_it_and_not_saying_it_again_does_not(
        self, database: Database, book: PriceBook
    ) -> None:
        machine = Actor("machine", "transcripts")
        for actor in (machine, DANA, machine):
            store(database, used(opus_for(1), actor=actor, request=request("a")), source="transcripts")
            labels = [entry.person.label for entry in people_on(database, DAY)]
        assert labels == ["dana@example.com"]
        assert dollars(database, book) == 1


def test_reported_dollars_are_shown_where_stated(database: Database, book: PriceBook) -> None:
    store(database, used(opus_for(5), reported="4.50"), used(opus_for(2), actor=CI))
    found = total(quantities(database, EVER), book)
    assert (found.usd, found.list_usd, found.reported_usd) == (Decimal("6.50"), Decimal(7), Decimal("4.50"))


def test_tokens_without_a_price_are_counted_and_cost_nothing(database: Database, book: PriceBook) -> None:
    store(database, used(opus_for(5)), used(TokenUsage(700, 77), model="claude-zephyr-9"))
    found = total(quantities(database, EVER), book)
    assert (found.usd, found.unpriced_tokens) == (Decimal(5), 777)


def test_fractions_of_a_nanodollar_are_exact_in_totals(database: Database, book: PriceBook) -> None:
    # Haiku 5.5, 5-minute writes in the US: 0.125 x 1.1 = 0.1375 per million, so one token is 137.5 nanodollars.
    row = used(TokenUsage(cache_write_5m=1), model="claude-haiku-5-5")
    us = replace(row, conditions=row.conditions._replace(inference_geo="us"))
    store(database, us, replace(us, actor=CI))
    assert dollars(database, book) == Decimal("0.000000275")


def test_rebuilding_the_rollups_changes_nothing(database: Database, book: PriceBook) -> None:
    store(database, used(opus_for(5)), used(opus_for(2), actor=CI))
    store(database, used(opus_for(9)), source="transcripts")
    before = (quantities(database, EVER), people_on(database, DAY))
    rebuild_rollups(database, book)
    assert (quantities(database, EVER), people_on(database, DAY)) == before


def test_a_file_of_many_people_and_days(database: Database, book: PriceBook) -> None:
    rows = [
        used(opus_for(1), day=DAY - timedelta(days=day), actor=Actor("email", f"p{person}@example.com"))
        for person in range(120)
        for day in range(20)
    ]
    assert store(database, *rows).accepted == 2400
    assert store(database, *rows).unchanged == 2400
    assert dollars(database, book) == 2400
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(usage_daily)).scalar() == 2400


@pytest.mark.parametrize("many_people", [0, 200])
def test_a_days_first_rows_are_rolled_up_as_they_would_be_from_the_tables(
    database: Database, book: PriceBook, monkeypatch: pytest.MonkeyPatch, many_people: int
) -> None:
    monkeypatch.setattr("bot.store.rollups.MANY_PEOPLE", many_people)
    organization = Actor(ORGANIZATION, "all")
    store(
        database,
        used(opus_for(5)),
        used(opus_for("0.000004"), part="batch"),  # a single token
        used(opus_for(2), actor=CI, reported="1.25"),
        used(TokenUsage(output=7), model="claude-unheard-of"),
        used(opus_for(1), day=DAY - timedelta(days=1), actor=organization),
    )
    store(database, used(opus_for(3)), used(opus_for(4), day=DAY - timedelta(days=1)), source="litellm_activity")

    def rolled_up() -> list[list[Any]]:
        with database.read() as connection:
            queries = (select(table).order_by(*table.primary_key.columns) for table in (person_days, model_days))
            return [list(connection.execute(query)) for query in queries]

    made = rolled_up()
    # $5 + $0.000004 + $1.25 of the day; on the day before somebody's $4, and not the organization's $1.
    assert dollars(database, book) == Decimal("6.250004") + 4
    rebuild_rollups(database, book)
    assert rolled_up() == made


class TestAlertsOwed:
    def keys(self, database: Database) -> list[str]:
        return [delivery.key for delivery in all_deliveries(database)]

    @pytest.mark.parametrize(
        ("usd", "steps"),
        [("11.999996", []), ("12", [1]), ("23.99", [1]), ("24", [2]), ("47.99", [2]), ("48", [4]), ("1000", [4])],
    )
    def test_only_the_highest_step_reached_is_told(self, database: Database, usd: str, steps: list[int]) -> None:
        store(database, used(opus_for(usd)))
        assert self.keys(database) == [f"alert:P1:2026-11-19:{step}x" for step in steps]

    def test_the_same_step_is_told_once_and_a_higher_one_again(self, database: Database) -> None:
        for usd in (13, 20, 13, 25, 20, 13, 50):
            store(database, used(opus_for(usd)))
        assert self.keys(database) == [f"alert:P1:2026-11-19:{step}x" for step in (1, 2, 4)]

    def test_rows_below_the_limit_add_up_to_an_alert(self, database: Database) -> None:
        store(database, used(opus_for(7)))
        store(database, used(opus_for(5), part="iTerm.app"))
        assert self.keys(database) == ["alert:P1:2026-11-19:1x"]

    def test_days_before_yesterday_are_history(self, database: Database) -> None:
        for age in range(-2, 4):
            store(database, used(opus_for(13), day=POLICY.today - timedelta(days=age)))
        # Tomorrow's too: west of Greenwich the UTC day has begun.
        assert self.keys(database) == [f"alert:P1:2026-11-{day}:1x" for day in (21, 20, 19)]

    def test_a_key_without_a_person_gets_none(self, database: Database) -> None:
        store(database, used(opus_for(99), actor=CI))
        assert self.keys(database) == []

    def test_the_limit_is_the_policys(self, database: Database) -> None:
        store(database, used(opus_for(13)), policy=AlertPolicy(Decimal(30), POLICY.today))
        assert self.keys(database) == []


def _import_seven_dollars(url: str, part: str, people: int, barrier: "multiprocessing.synchronize.Barrier") -> None:
    database = connect(url)
    for person in range(people):
        barrier.wait()
        row: UsageRecord = used(opus_for(7), actor=Actor("email", f"p{person}@example.com"), part=part)
        store(database, row)
    database.close()


def test_two_imports_at_once_never_miss_the_limit(database: Database, database_url: str) -> None:
    people = 40
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    both = [
        context.Process(target=_import_seven_dollars, args=(database_url, part, people, barrier))
        for part in ("vscode", "iTerm.app")
    ]
    for importer in both:
        importer.start()
    for importer in both:
        importer.join()
    assert len(all_deliveries(database)) == people


@pytest.mark.parametrize("many_people", [0, 200])
def test_other_makers_models_of_one_source_are_in_no_figure_of_claude(
    database: Database, book: PriceBook, monkeypatch: pytest.MonkeyPatch, many_people: int
) -> None:
    monkeypatch.setattr("bot.store.rollups.MANY_PEOPLE", many_people)
    gpt = replace(used(TokenUsage(10**6), model="openai/gpt-6", reported="7"), vendor="openai")
    store(database, used(opus_for(5)), gpt, source="litellm_activity")
    store(database, used(opus_for(6)), source="litellm_activity")
    team = crowded_team(database, "Core", ["dana@example.com"])
    assert dollars(database, book) == 6
    assert total((share.quantity for share in shares(database, EVER)), book).usd == 6
    assert total(quantities_of(database, EVER, people_of_team(database, team.id)), book).usd == 6
    assert [(one.person.email, one.usd) for one in people_on(database, DAY)] == [("dana@example.com", Decimal(6))]
    assert vendor_spend(database, EVER) == [VendorSpend("openai", Decimal(7), Decimal(0))]


def test_a_row_that_an_older_version_rolled_up_for_another_vendor_is_passed_over(
    database: Database, book: PriceBook
) -> None:
    gpt = replace(used(TokenUsage(10**6), model="openai/gpt-6", reported="7"), vendor="openai")
    store(database, used(opus_for(5)), gpt)
    with database.write() as connection:
        line = select(usage_lines.c.id).where(usage_lines.c.vendor == "openai").scalar_subquery()
        zeros = dict.fromkeys(("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "web_searches"), 0)
        old = {"workspace_id": 1, "day": DAY, "is_reported": True, "reported_usd": Decimal(7), "row_count": 1, **zeros}
        connection.execute(insert(model_days).values(line_id=line, **old))
    assert store(database, used(opus_for(6))).changes == [DayChange(DAY, Decimal(5), Decimal(6))]
    assert dollars(database, book) == 6


def test_several_names_of_an_erased_person_add_up(database: Database, book: PriceBook) -> None:
    store(database, used(opus_for(5)))
    erase_person(database, "dana@example.com", "admin", NOW)
    keys = [Actor("api_key", f"claude_code_key_dana_{letters}") for letters in ("abcd", "efgh")]
    month = [replace(used(opus_for(40), actor=key), until=DAY + timedelta(days=7)) for key in keys]
    for _ in range(2):
        for key in keys:  # in files of their own
            store(database, used(opus_for(2), actor=key), source="claude_code_analytics_api")
        store(database, *month, source="spend_report_csv")
    by_source = {share.source: total([share.quantity], book).usd for share in shares(database, EVER)}
    assert by_source == {"console_usage_csv": 5}  # the fullest of the day: 5 against 2 + 2
    with database.read() as connection:
        rows = connection.execute(select(usage_daily.c.input).order_by(usage_daily.c.source_id)).scalars().all()
        assert rows == [opus_for(5).input, opus_for(2).input, opus_for(2).input]
        assert connection.execute(select(usage_ranges.c.input)).scalars().all() == [opus_for(40).input] * 2


def test_a_working_day_without_usage_is_a_zero_only_where_an_import_speaks_for_it(
    database: Database, book: PriceBook
) -> None:
    """$100 on each working day but of one week; 6 working days of November follow the 20th."""
    weeks = (range(2, 7), range(16, 21))
    first, last = ([used(opus_for(100), day=date(2026, 11, day)) for day in days] for days in weeks)
    store(database, *first)
    store(database, *last)
    ledger = Ledger(database, book, utc_policy)
    unknown = ledger.digest(date(2026, 11, 20)).month.forecast
    assert unknown is not None
    assert unknown.usd == 1000 + 6 * 100 + 5 * 100
    store(database, *first, *last)  # one export of the whole time
    known = ledger.digest(date(2026, 11, 20)).month.forecast
    assert known is not None
    # 10 of 15 days, so 6 x $66.67
    assert round(known.usd) == 1400
    # What has no price says nothing of a day's dollars, not even that they were $0: 10 of 14 days, so 7 x $71.43.
    store(database, used(opus_for(100), day=date(2026, 11, 9), actor=CI, model="someone-elses-model"))
    unpriced = ledger.digest(date(2026, 11, 20)).month.forecast
    assert unpriced is not None
    assert round(unpriced.usd, 2) == Decimal("1500.00")


def test_rows_of_nothing_are_nobodys_usage(database: Database, book: PriceBook) -> None:
    """The Console lists a key that used nothing; then it did, and then that is taken back."""
    for usage, people, total_usd in ((TokenUsage(), 0, None), (opus_for(3), 1, 3), (TokenUsage(), 0, None)):
        store(database, used(usage, actor=CI), used(TokenUsage(), actor=DANA))
        facts = Ledger(database, book, utc_policy).digest(DAY, NOW)
        assert facts.told_usd == total_usd
        assert (facts.people.active, facts.people.unassigned_actors) == (0, people)
        assert facts.is_idle is (people == 0)
    assert [one.person.label for one in people_on(database, DAY)] == []


def test_a_copy_of_a_persons_request_takes_nothing_from_them(database: Database, book: PriceBook) -> None:
    """The copy, of nobody, is an hour older."""
    early = replace(request("k"), at=milliseconds(datetime(2026, 11, 19, 9, tzinfo=UTC)))
    copy = used(opus_for(4), actor=THIS_MACHINE, request=early)
    theirs = used(opus_for(4), request=request("k"))
    found = [store(database, one, source="transcripts")[:3] for one in (copy, theirs) * 3]
    assert found == [(1, 0, 0), (0, 0, 1), *[(0, 1, 0)] * 4]
    assert [one.person.label for one in people_on(database, DAY)] == [DANA.name]


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1, 0, 1), (0, 1, 0)])
def test_a_persons_request_has_the_fullest_figures_whoever_brings_them(
    database: Database, book: PriceBook, order: tuple[int, ...]
) -> None:
    """A machine's file has the final line of four dollars, and a copy that Dana imports a partial one of three."""
    final = used(opus_for(4), actor=THIS_MACHINE, request=request("k"))
    partial = used(opus_for(3), request=request("k"))
    for place in order:
        store(database, (final, partial)[place], source="transcripts")
    assert [(one.person.label, one.usd) for one in people_on(database, DAY)] == [(DANA.name, Decimal(4))]


@pytest.mark.parametrize("other", [TokenUsage(5, 7, 0, 0, 10), TokenUsage(5, 7, 0, 10, 0, 3), TokenUsage(0, 7, 5, 10)])
def test_of_versions_with_as_many_tokens_the_same_counts_whichever_comes_first(
    database: Database, other: TokenUsage
) -> None:
    versions = [used(usage, request=request("k")) for usage in (TokenUsage(5, 7, 0, 10), other)]
    stored = []
    for key, order in (("k", versions), ("l", versions[::-1])):
        for version in order:
            store(database, replace(version, request=request(key)), source="transcripts")
        with database.read() as connection:
            table = seen_requests.c
            stored.append(
                connection.execute(select(table.cache_write_1h, table.web_searches, table.cache_read)).all()[-1]
            )
    assert stored[0] == stored[1]


def test_a_further_request_of_a_message_is_known_after_the_first_one_was_deleted(
    database: Database, book: PriceBook
) -> None:
    """The first is of the day before, which is kept no longer: the second, of two dollars, is still the same."""
    before, after = (
        used(opus_for(usd), day, request=replace(request("m"), name=f"m\0{name}"))
        for usd, day, name in ((1, DAY - timedelta(days=1), "r1"), (2, DAY, "r2"))
    )
    store(database, before, after, source="transcripts")
    delete_before(database, DAY, NOW)
    assert store(database, after, source="transcripts")[:3] == (0, 1, 0)
    assert Ledger(database, book, utc_policy).digest(DAY, NOW).told_usd == 2


def test_another_request_of_a_message_comes_beside_one_whose_first_was_deleted(
    database: Database, book: PriceBook
) -> None:
    """The first is of days before. Two dollars are known and four are new: all of them count once."""
    first, second, third = (
        used(opus_for(usd), day, request=replace(request("m"), name=f"m\0{name}"))
        for usd, day, name in ((1, DAY - timedelta(days=5), "r1"), (2, DAY, "r2"), (4, DAY, "r3"))
    )
    other = used(opus_for(8), DAY - timedelta(days=4), request=request("x"))
    store(database, first, other, second, source="transcripts")
    delete_before(database, DAY - timedelta(days=4), NOW)
    assert store(database, third, second, source="transcripts")[:3] == (1, 1, 0)
    assert Ledger(database, book, utc_policy).digest(DAY, NOW).told_usd == 6


def test_requests_that_older_versions_stored_are_the_first_that_come_again(database: Database, book: PriceBook) -> None:
    """They did not keep which request of a message it was. Two dollars for the one and three for the other."""
    first, second = (
        used(opus_for(usd), request=replace(request("m"), name=f"m\0{name}")) for usd, name in ((2, "r1"), (3, "r2"))
    )
    counts = [store(database, first, source="transcripts")[:3]]
    with database.write() as connection:
        connection.execute(update(seen_requests).values(request=None))
    counts += (store(database, one, source="transcripts")[:3] for one in (first, second, first, second))
    assert counts == [(1, 0, 0), (0, 1, 0), (1, 0, 0), (0, 1, 0), (0, 1, 0)]
    assert Ledger(database, book, utc_policy).digest(DAY, NOW).told_usd == 5


def test_days_of_different_prices_add_up_whether_they_are_told_apart_or_not(
    database: Database, book: PriceBook
) -> None:
    """A million tokens a day read from the cache of Sonnet 5.5, $0.20 until 6 October 2026 and $0.10 from the 7th.

    And a million of input on "opus", which means Opus 5 at $5 on 21 September and Opus 5.5 at $4 on the 22nd.
    """
    read, typed = TokenUsage(cache_read=10**6), TokenUsage(10**6)
    store(
        database,
        *(used(read, date(2026, 10, day), model="claude-sonnet-5-5") for day in (6, 7, 8)),
        *(used(typed, date(2026, 9, day), model="opus") for day in (21, 22)),
    )
    ledger = Ledger(database, book, utc_policy)
    by_person = ledger.spend(None, None, ("person", "model")).rows
    by_day = ledger.spend(None, None, ("day", "person", "model")).rows
    assert {row.group[1]: row.amount.usd for row in by_person} == {
        "claude-sonnet-5-5": Decimal("0.40"),
        "claude-opus-5": Decimal(5),
        "claude-opus-5-5": Decimal(4),
    }
    assert [row.amount.usd for row in by_day] == [Decimal(usd) for usd in ("5", "4", "0.20", "0.10", "0.10")]


def test_postgresql_knows_how_large_a_table_is_that_was_just_filled(database: Database) -> None:
    """Else it may plan for a few rows, and take minutes for a question."""
    people = [Actor("email", f"p{number}@example.com") for number in range(400)]
    store(database, *(used(opus_for(1), actor=who) for who in people))
    if database.is_sqlite:
        return
    with database.read() as connection:
        known = connection.built.exec_driver_sql("SELECT reltuples FROM pg_class WHERE oid = 'usage_daily'::regclass")
        assert known.scalar() == 400
