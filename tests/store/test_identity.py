"""Who is who: names that find their person, history that moves along, and people who are forgotten."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any
from unicodedata import normalize
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, event, select

from bot.imports import Importer
from bot.ledger import Ledger
from bot.pricing import PriceBook
from bot.spend.amounts import total
from bot.spend.days import Period
from bot.spend.digest import MONTHLY
from bot.spend.records import GATEWAY, ORGANIZATION, THIS_MACHINE, Actor, Member, Problem
from bot.store.answers import Answered, Answers
from bot.store.audit import looks_at, note_change, note_look
from bot.store.database import Database, open_database
from bot.store.deliveries import (
    Told,
    all_deliveries,
    claim,
    correctable,
    mark_sent,
    owe_digest,
    owe_notice,
    start_sending,
)
from bot.store.erasure import erase_person
from bot.store.feeds import feed_failed
from bot.store.identity import (
    BY_ADMIN,
    UnknownIdentity,
    is_unassigned,
    possible_addresses,
    unassigned,
)
from bot.store.linking import link_actor
from bot.store.people import (
    all_people,
    normalised_email,
    people_of_team,
    person_by_email,
    person_by_id,
    remember_slack_user,
    set_wishes,
    similar_address,
    wishes_of,
)
from bot.store.quantities import people_on, quantities
from bot.store.read_files import FileState, ReadFile, remember_read_files
from bot.store.recording import FileTally, record
from bot.store.settings import write_setting
from bot.store.tables import audit, metadata, people
from bot.store.tally import Tally
from bot.store.teams import all_teams, is_too_small, set_team
from tests.usage import DANA, DAY, NOW, POLICY, opus_for, request, store, used, utc_policy

EVER = Period(date(2020, 1, 1), date(2030, 1, 1))
KEY = Actor("api_key", "claude_code_key_dana_ab12")


def spenders(database: Database) -> dict[str, Decimal]:
    return {entry.person.label: entry.usd for entry in people_on(database, DAY)}


def dollars(database: Database, book: PriceBook) -> Decimal:
    return total(quantities(database, EVER), book).usd


@pytest.mark.parametrize("is_key_first", [True, False])
def test_claude_codes_key_finds_the_one_person_of_its_name(
    database: Database, book: PriceBook, is_key_first: bool
) -> None:
    imports = [
        (used(opus_for(5), actor=KEY), "console_usage_csv"),
        (used(opus_for(7)), "claude_code_analytics_api"),
    ]
    for row, source in imports if is_key_first else reversed(imports):
        store(database, row, source=source)
    # One person, whose day two sources know: the fuller one counts.
    assert spenders(database) == {"dana@example.com": Decimal(7)}
    assert dollars(database, book) == 7


@pytest.mark.parametrize("order", list(permutations(("key", "members", "mail"))))
def test_a_key_finds_its_person_in_whatever_order_they_come(
    database: Database, book: PriceBook, order: tuple[str, ...]
) -> None:
    """Of the key's $5 and the $7 of the address, two sources of one person's day, the fuller one counts."""
    for what in order:
        if what == "members":
            files = [FileTally("members.csv", Tally([Member(1, "dana@example.com", "Dana")]), [])]
            record(database, "members_csv", files, NOW, POLICY, book)
        else:
            actor, usd, source = (KEY, 5, "console_usage_csv") if what == "key" else (DANA, 7, "transcripts")
            store(database, used(opus_for(usd), actor=actor), source=source)
    assert spenders(database) == {"dana@example.com": Decimal(7)}


A, B = Actor("email", "ann@x.example"), Actor("email", "bo@x.example")
ANN_KEY, ANN_ACCOUNT = Actor("api_key", "claude_code_key_ann_ab12"), Actor("account", "user_ann")


def link(database: Database, book: PriceBook, name: str, email: str) -> None:
    link_actor(database, name, email, BY_ADMIN, book, POLICY, NOW)


@pytest.mark.parametrize("order", list(permutations(("key", "account", "link"))))
def test_who_has_two_addresses_is_one_person(database: Database, book: PriceBook, order: tuple[str, ...]) -> None:
    """Ann's $20, her key's $1 and her account's $3 are Bo's beside his $30 once her address is his."""
    store(database, used(opus_for(20), actor=A), used(opus_for(30), actor=B))
    for what in order:
        if what == "key":
            store(database, used(opus_for(1), actor=ANN_KEY))
        elif what == "account":
            files = [FileTally("members.csv", Tally([Member(1, A.name, "Ann", ANN_ACCOUNT.name)]), [])]
            record(database, "members_csv", files, NOW, POLICY, book)
            store(database, used(opus_for(3), actor=ANN_ACCOUNT))
        else:
            link(database, book, A.name, B.name)
    assert spenders(database) == {B.name: Decimal(54)}
    assert [person.email for person, *_ in all_people(database)] == [B.name]
    ann = person_by_email(database, "Ann@x.example")
    assert ann is not None
    assert ann.email == B.name


def test_what_an_admin_gave_an_address_goes_with_it(database: Database, book: PriceBook) -> None:
    """Ann's $20 and the $4 of a key that is said to be hers; Bo's $30. Her address is linked to his by mistake."""
    ci = Actor("api_key", "ci nightly")
    store(database, used(opus_for(20), actor=A), used(opus_for(30), actor=B), used(opus_for(4), actor=ci))
    link(database, book, ci.name, A.name)
    for _ in range(2):
        link(database, book, A.name, B.name)
        assert spenders(database) == {B.name: Decimal(54)}
        link(database, book, A.name, A.name)
        assert spenders(database) == {A.name: Decimal(24), B.name: Decimal(30)}


@pytest.mark.parametrize("is_erased_first", [False, True])
def test_a_key_of_an_erased_persons_name_is_no_namesakes(
    database: Database, book: PriceBook, is_erased_first: bool
) -> None:
    """Two people are called sam at two domains, of whom one was erased: whose the key is, nobody knows."""
    one, other = Actor("email", "sam@acme.test"), Actor("email", "sam@other.test")
    key = used(opus_for(30), actor=Actor("api_key", "claude_code_key_sam_ab12"))
    store(database, used(opus_for(1), actor=one), used(opus_for(2), actor=other))
    if not is_erased_first:
        store(database, key)
    erase_person(database, one.name, "admin", NOW)
    store(database, key)
    assert spenders(database)[other.name] == 2
    assert spenders(database)["unassigned (claude_code_key_sam_ab12)"] == 30


def test_a_link_is_undone_and_turned_round(database: Database, book: PriceBook) -> None:
    store(database, used(opus_for(20), actor=A), used(opus_for(30), actor=B), used(opus_for(1), actor=ANN_KEY))
    apart = {A.name: Decimal(21), B.name: Decimal(30)}
    assert spenders(database) == apart
    link(database, book, A.name, B.name)
    assert spenders(database) == {B.name: Decimal(51)}
    link(database, book, A.name, A.name)
    assert spenders(database) == apart
    link(database, book, A.name, B.name)
    link(database, book, B.name, A.name)
    assert spenders(database) == {A.name: Decimal(51)}


DEVICE, ACCOUNT = Actor("account", "dev-ann"), Actor("account", "user_ANN")


@pytest.mark.parametrize("is_told_again", [False, True])
def test_a_link_that_is_undone_gives_back_what_exports_name_beside_the_address(
    database: Database, book: PriceBook, is_told_again: bool
) -> None:
    """Ann's account spent $2, her device $4 and she herself $20; Bo $30, and an account of his $8."""
    theirs = Actor("account", "user_BO")
    told = [
        Member(1, A.name, account=ACCOUNT.name),
        Member(2, A.name, account=DEVICE.name, is_device=True),
        Member(3, B.name, account=theirs.name),
        Member(4, B.name, account=ACCOUNT.name),  # the first who has one is its owner
    ]

    def tell() -> None:
        record(database, "admin_users", [FileTally("users.json", Tally(told), [])], NOW, POLICY, book)

    used_by = ((20, A), (30, B), (2, ACCOUNT), (4, DEVICE), (8, theirs))
    store(database, *(used(opus_for(usd), actor=actor) for usd, actor in used_by))
    tell()
    apart = {A.name: Decimal(26), B.name: Decimal(38)}
    assert spenders(database) == apart
    for _ in range(2):
        link(database, book, A.name, B.name)
        assert spenders(database) == {B.name: Decimal(64)}
        if is_told_again:
            tell()
        link(database, book, A.name, A.name)
        assert spenders(database) == apart
    # What an admin says of one of them holds, wherever the address goes.
    link(database, book, A.name, B.name)
    link(database, book, ACCOUNT.name, B.name)
    tell()
    link(database, book, A.name, A.name)
    assert spenders(database) == {A.name: Decimal(24), B.name: Decimal(40)}


def test_who_has_two_addresses_is_one_member_of_a_team(database: Database, book: PriceBook) -> None:
    """Ann, Dana and Bo's two addresses: a team of three, and with Dana's linked to Ann's of two."""
    store(database, *(used(opus_for(1), actor=who) for who in (A, B, Actor("email", "bo@old.example"), DANA)))
    team = set_team(database, "core", [A.name, B.name, "bo@old.example", DANA.name])
    link(database, book, "bo@old.example", B.name)
    assert not is_too_small(database, team)
    assert [names for _, names in all_teams(database)] == [[A.name, B.name, DANA.name]]
    link(database, book, DANA.name, A.name)
    assert is_too_small(database, team)
    assert [names for _, names in all_teams(database)] == [[A.name, B.name]]
    assert list(people_of_team(database, team.id).values()) == [A.name, B.name]
    link(database, book, DANA.name, DANA.name)
    assert not is_too_small(database, team)


class TestWhatIsKept:
    """What was kept of an address is the person's that it is linked to, where they have none of their own."""

    @staticmethod
    def kept(database: Database, email: str) -> tuple[str | None, Decimal | None, str | None, str | None, str]:
        """Team, own limit, quiet hours and Slack user of the person who is known by an address, and their name."""
        with database.read() as connection:
            row = connection.execute(select(people).where(people.c.email == email)).mappings().one()
        team = {team.id: team.name for team, _ in all_teams(database)}.get(row["team_id"])
        return team, row["limit_usd"], row["quiet_hours"], row["slack_user_id"], row["name"]

    @staticmethod
    def ann(database: Database, book: PriceBook) -> None:
        """Ann is in a team, allows herself $30, sleeps from 22 to 6, and is known in Slack; Bo says nothing."""
        store(database, used(opus_for(20), actor=A), used(opus_for(3), actor=B))
        members = [FileTally("members.csv", Tally([Member(1, A.name, "Ann", seat="Premium")]), [])]
        record(database, "members_csv", members, NOW, POLICY, book)
        set_team(database, "core", [A.name])
        ann = person_by_email(database, A.name)
        assert ann is not None
        set_wishes(database, ann.id, limit_usd=Decimal(30), quiet_hours="22:00-06:00", muted_until=DAY)
        remember_slack_user(database, ann.id, "U0ANN")

    anns = ("core", Decimal(30), "22:00-06:00", "U0ANN", "Ann")

    def test_it_goes_along(self, database: Database, book: PriceBook) -> None:
        """$23 are below her $30 and not below twice $12."""
        self.ann(database, book)
        link(database, book, A.name, B.name)
        assert self.kept(database, B.name) == self.anns
        bo = person_by_email(database, A.name)
        assert bo is not None
        assert wishes_of(database, bo.id).muted_until == DAY
        assert [(person.email, seat) for person, seat, _ in all_people(database)] == [(B.name, "Premium")]
        assert [one.step for one in all_deliveries(database)] == [1]  # Ann's $20, before she chose her limit

    def test_what_the_person_has_stays(self, database: Database, book: PriceBook) -> None:
        self.ann(database, book)
        set_team(database, "other", [B.name])
        bo = person_by_email(database, B.name)
        assert bo is not None
        set_wishes(database, bo.id, limit_usd=Decimal(5))
        link(database, book, A.name, B.name)
        assert self.kept(database, B.name) == ("other", Decimal(5), "22:00-06:00", "U0ANN", "Ann")

    def test_who_joins_by_a_linked_address_is_the_person(self, database: Database, book: PriceBook) -> None:
        self.ann(database, book)
        link(database, book, A.name, B.name)
        set_team(database, "other", ["Ann@x.example"])
        assert [(team.name, names) for team, names in all_teams(database)] == [("core", []), ("other", [B.name])]
        assert self.kept(database, B.name) == ("other", *self.anns[1:])

    def test_an_address_that_goes_its_own_way_has_it_as_before(self, database: Database, book: PriceBook) -> None:
        """Both stay in the team and keep the limit; whose messages go to whom in Slack is asked for anew."""
        self.ann(database, book)
        link(database, book, A.name, B.name)
        link(database, book, A.name, A.name)
        assert self.kept(database, A.name) == self.anns
        assert self.kept(database, B.name) == (*self.anns[:3], None, "Ann")
        # To whom else it is linked then, it comes along as well.
        link(database, book, A.name, B.name)
        link(database, book, A.name, DANA.name)
        assert self.kept(database, DANA.name) == self.anns
        assert self.kept(database, B.name) == (*self.anns[:3], None, "Ann")

    @pytest.mark.parametrize(
        "links", [((A, B), (B, A), (B, B)), ((A, B), (B, DANA), (A, A), (B, B)), ((A, B), (B, A), (A, B), (A, A))]
    )
    def test_nobody_keeps_the_slack_user_of_another_address(
        self, database: Database, book: PriceBook, links: tuple[tuple[Actor, Actor], ...]
    ) -> None:
        self.ann(database, book)
        store(database, used(opus_for(1)))
        for name, person in links:
            link(database, book, name.name, person.name)
        assert self.kept(database, A.name)[3] in ("U0ANN", None)  # None is asked for anew
        assert [self.kept(database, who.name)[3] for who in (B, DANA)] == [None, None]

    def test_a_slack_user_found_meanwhile_is_asked_for_anew(self, database: Database, book: PriceBook) -> None:
        """Ann looks at the figures while her address is Bo's: once it is hers again, his alerts are not for her."""
        store(database, used(opus_for(20), actor=A), used(opus_for(3), actor=B))
        link(database, book, A.name, B.name)
        bo = person_by_email(database, A.name)
        assert bo is not None
        remember_slack_user(database, bo.id, "U0ANN")
        link(database, book, A.name, A.name)
        assert [self.kept(database, who.name)[3] for who in (A, B)] == [None, None]


def test_what_a_directory_says_of_a_second_address_is_not_said_of_the_person(
    database: Database, book: PriceBook
) -> None:
    store(database, used(opus_for(20), actor=A), used(opus_for(30), actor=B))
    link(database, book, A.name, B.name)
    members = [Member(1, A.name, "Ann", seat="Premium"), Member(2, B.name, "Bo", seat="Standard")]
    files = [FileTally("members.csv", Tally(members), [])]
    for accepted in (1, 0):
        (told,) = record(database, "members_csv", files, NOW, POLICY, book)
        assert told.accepted == accepted
    assert [(person.name, seat) for person, seat, _ in all_people(database)] == [("Bo", "Standard")]


def test_who_had_two_addresses_is_erased_as_one(database: Database, book: PriceBook) -> None:
    """Nothing of them is left in any table, and the same export again counts nothing again."""
    rows = (used(opus_for(20), actor=A), used(opus_for(30), actor=B), used(opus_for(1), actor=ANN_KEY))
    store(database, *rows)
    link(database, book, A.name, B.name)
    state = FileState("/exports/a.jsonl", 1, 1, "UTC Bo@x.example ")
    remember_read_files(database, [(state, ReadFile("transcripts", 1, [DAY]))])
    with pytest.raises(UnknownIdentity, match="was linked to bo@x.example, and both are one person here"):
        erase_person(database, A.name, "admin", NOW)
    erase_person(database, B.name, "admin", NOW)
    with database.read() as connection:
        left = [str(row) for table in metadata.sorted_tables for row in connection.execute(select(table))]
    assert [row for row in left if "@x.example" in row.lower() or "ann_" in row] == []
    store(database, *rows)
    assert list(spenders(database).values()) == [Decimal(51)]


def test_both_addresses_wishes_answers_and_alerts_are_erased(database: Database, book: PriceBook) -> None:
    """What Ann wished, asked and was told stands beside the address that was linked to Bo's."""
    store(database, used(opus_for(20), actor=A), used(opus_for(30), actor=B))
    for name, user in ((A.name, "U0ANN"), (B.name, "U0BO")):
        person = person_by_email(database, name)
        assert person is not None
        remember_slack_user(database, person.id, user)
        set_wishes(database, person.id, limit_usd=Decimal("17.5"), quiet_hours="20:00-07:00", hides_name=True)
        answers = Answers(lambda: database, lambda write: write())
        answers.keep(user, Answered("500k in opus", "$2.00"))
        alert = claim(database, "worker", NOW)
        assert alert is not None
        assert start_sending(database, alert, "D0ANN", {"text": "You passed $12.00"}, NOW, Told())
        assert mark_sent(database, alert, "D0ANN", "1.2")
    link(database, book, A.name, B.name)
    erase_person(database, B.name, "admin", NOW)
    left = " ".join(everything(database))
    for said in ("U0", "17500000000", "20:00-07:00", "500k", "D0ANN", "You passed"):
        assert said not in left
    with database.read() as connection:
        assert connection.execute(select(people.c.hides_name)).scalars().all() == [None, None]


def test_an_account_with_another_address_than_before_is_told(database: Database, book: PriceBook) -> None:
    """Once it is said that both are one person's, it is not told again."""

    def moved(*members: Member) -> list[tuple[str, str]]:
        (recorded,) = record(database, "admin_users", [FileTally("m", Tally(members), [])], NOW, POLICY, book)
        return [(str(member.account), before) for member, before in recorded.readdressed]

    ann, new = Member(1, A.name, account="user_1"), Member(1, "ann.new@example.com", account="user_1")
    device = Member(2, A.name, account="phone", is_device=True)
    assert moved(ann, device, Member(3, B.name)) == []
    assert moved(ann._replace(row=4)) == []
    assert moved(new, device._replace(email=B.name)) == [("user_1", A.name)]
    link(database, book, A.name, new.email)
    assert moved(new) == moved(ann) == []


def test_a_key_that_could_be_two_peoples_is_nobodys(database: Database) -> None:
    store(database, used(opus_for(1)), used(opus_for(1), actor=Actor("email", "dana@other.com")))
    store(database, used(opus_for(5), actor=KEY))
    assert spenders(database)["unassigned (claude_code_key_dana_ab12)"] == 5


def test_an_admin_moves_a_name_with_its_history(database: Database, book: PriceBook) -> None:
    ci = Actor("api_key", "ci")
    earlier = DAY - timedelta(days=30)
    store(database, used(opus_for(3), actor=ci), used(opus_for(2), actor=ci, day=earlier), used(opus_for(1)))
    assert [entry.actor.name for entry in unassigned(database, date(2026, 1, 1))] == ["ci"]
    assert unassigned(database, date(2026, 1, 1))[0].usd == 5
    assert [is_unassigned(database, actor) for actor in (ci, DANA, Actor("account", "ci"))] == [True, False, False]
    link_actor(database, "CI", "Dana@Example.com", BY_ADMIN, book, POLICY, NOW)
    assert spenders(database) == {"dana@example.com": Decimal(4)}
    assert [entry.usd for entry in people_on(database, earlier)] == [2]
    assert dollars(database, book) == 6
    assert unassigned(database, date(2026, 1, 1)) == []
    assert not is_unassigned(database, ci)
    assert [names for _, _, names in all_people(database)] == [["ci"]]
    link_actor(database, "ci", "emil@example.com", BY_ADMIN, book, POLICY, NOW)
    assert spenders(database) == {"emil@example.com": Decimal(3), "dana@example.com": Decimal(1)}


def test_a_slip_of_the_pen_in_a_link_can_be_undone(database: Database, book: PriceBook) -> None:
    """Dana's $1, her key's $5 by the rule, and $3 of ci, which is linked to an address that nobody has."""
    ci, wrong = Actor("api_key", "ci"), "dana@exmaple.com"
    store(database, used(opus_for(1)), used(opus_for(5), actor=KEY), used(opus_for(3), actor=ci))
    assert similar_address(database, wrong) == "dana@example.com"
    assert [similar_address(database, name) for name in ("Dana@Example.com", "zoe@elsewhere.org")] == [None, None]
    link(database, book, "ci", wrong)
    assert spenders(database) == {"dana@example.com": 1, wrong: 3, f"unassigned ({KEY.name})": 5}
    ghost, dana = person_by_email(database, wrong), person_by_email(database, "dana@example.com")
    assert ghost is not None
    assert dana is not None
    note_look(database, NOW, "U1", ghost.id, "the usage of ci")
    assert link_actor(database, "ci", "dana@example.com", BY_ADMIN, book, POLICY, NOW) == set()
    assert spenders(database) == {"dana@example.com": 9}
    assert [person.email for person, _, _ in all_people(database)] == ["dana@example.com"]
    assert [look.who for look in looks_at(database, dana.id)] == ["U1"]
    # Whoever has usage of their own, or a wish, is nobody's slip.
    for email, usage in (("bo@example.com", opus_for(2)), ("cy@example.com", None)):
        if usage is not None:
            store(database, used(usage, actor=Actor("email", email)))
        link(database, book, "ci", email)
        person = person_by_email(database, email)
        assert person is not None
        if usage is None:
            set_wishes(database, person.id, limit_usd=Decimal(20))
        assert link_actor(database, "ci", "dana@example.com", BY_ADMIN, book, POLICY, NOW) == {person.id}
        assert person_by_email(database, email) is not None


def test_whom_an_export_named_stays_though_nothing_is_theirs(database: Database, book: PriceBook) -> None:
    """Ann's key may be two Anns' as long as a list of members names both, whichever came first: the list or a link."""
    ann, other = "ann@a.com", "ann@b.com"
    store(database, used(opus_for(1), actor=Actor("email", ann)), used(opus_for(3), actor=Actor("api_key", "ci")))
    link(database, book, "ci", other)
    files = [FileTally("members.csv", Tally([Member(1, other, account="user_1")]), [])]
    record(database, "members_csv", files, NOW, POLICY, book)
    store(database, used(opus_for(50), actor=ANN_KEY))
    link(database, book, "ci", "cy@c.com")
    link(database, book, "user_1", "cy@c.com")
    assert spenders(database) == {ann: 1, "cy@c.com": 3, f"unassigned ({ANN_KEY.name})": 50}
    assert other in [person.email for person, _, _ in all_people(database)]


def test_a_directory_counts_each_thing_that_it_says_once(database: Database, book: PriceBook) -> None:
    member = Member(1, "dana@example.com", "Dana", "user_1", "premium")
    files = [FileTally("members.csv", Tally([member, member._replace(row=2)]), [])]
    (recorded,) = record(database, "members_csv", files, NOW, POLICY, book)
    assert (recorded.accepted, recorded.unchanged) == (1, 1)


@pytest.mark.parametrize("order", [("dana@a.com", "key", "dana@b.com"), ("dana@a.com", "dana@b.com", "key")])
def test_a_key_of_two_possible_owners_is_nobody_s_in_any_order(database: Database, order: tuple[str, ...]) -> None:
    for name in order:
        actor = Actor("api_key", "claude_code_key_dana_ab12") if name == "key" else Actor("email", name)
        store(database, used(opus_for(5), actor=actor))
    assert spenders(database) == {"dana@a.com": 5, "dana@b.com": 5, "unassigned (claude_code_key_dana_ab12)": 5}


def test_a_name_that_no_export_used_is_refused(database: Database, book: PriceBook) -> None:
    with pytest.raises(UnknownIdentity, match="No export has named “nobody”"):
        link_actor(database, "nobody", "dana@example.com", BY_ADMIN, book, POLICY, NOW)


def test_a_directory_teaches_whose_an_account_is(database: Database, book: PriceBook) -> None:
    account = Actor("account", "user_01")
    store(database, used(opus_for(5), actor=account), source="admin_usage_report")
    users = [FileTally("users.json", Tally([Member(1, "dana@example.com", "Dana", "user_01", "Premium")]), [])]
    (found,) = record(database, "admin_users", users, NOW, POLICY, book)
    assert (found.accepted, found.unchanged) == (1, 0)
    assert record(database, "admin_users", users, NOW, POLICY, book)[0][:3] == (0, 1, 0)
    assert spenders(database) == {"dana@example.com": Decimal(5)}
    assert [(person.name, seat) for person, seat, _ in all_people(database)] == [("Dana", "Premium")]


DEVICE = Actor("account", "device-1")


@pytest.mark.parametrize("order", list(permutations(("ann", "bo", "device"))))
def test_an_id_of_two_addresses_is_nobody_s_in_any_order(
    database: Database, book: PriceBook, order: tuple[str, ...]
) -> None:
    """What two people sent from one device without their addresses, $40, is neither's; until an admin says so."""
    for what in (*order, "ann", "bo"):
        who = {"ann": A, "bo": B, "device": DEVICE}[what]
        members = [] if who is DEVICE else [Member(1, who.name, account=DEVICE.name, is_device=True)]
        tally = Tally([*members, used(opus_for(40 if who is DEVICE else 1), actor=who, part=what)])
        record(database, "otlp_events", [FileTally("events.json", tally, [])], NOW, POLICY, book)
    assert spenders(database) == {A.name: 1, B.name: 1, "unassigned (device-1)": 40}
    assert [entry.actor for entry in unassigned(database, DAY)] == [DEVICE]
    link(database, book, DEVICE.name, B.name)
    record(database, "members_csv", [FileTally("m.csv", Tally(members), [])], NOW, POLICY, book)
    assert spenders(database) == {A.name: 1, B.name: 41}


@pytest.mark.parametrize("is_linked_first", [True, False])
def test_an_id_of_one_persons_two_addresses_is_theirs(
    database: Database, book: PriceBook, is_linked_first: bool
) -> None:
    store(database, used(opus_for(1), actor=A), used(opus_for(1), actor=B), used(opus_for(40), actor=DEVICE))
    ann, bo = (Member(1, who.name, account=DEVICE.name, is_device=True) for who in (A, B))
    record(database, "members_csv", [FileTally("m.csv", Tally([ann]), [])], NOW, POLICY, book)
    if is_linked_first:
        link(database, book, A.name, B.name)
    record(database, "members_csv", [FileTally("m.csv", Tally([bo]), [])], NOW, POLICY, book)
    expected = {B.name: 42} if is_linked_first else {A.name: 1, B.name: 1, "unassigned (device-1)": 40}
    assert spenders(database) == expected


def test_an_account_is_one_person_s_whose_address_changes(database: Database, book: PriceBook) -> None:
    for address in ("dana@old.example", "dana@new.example"):
        files = [FileTally("m.csv", Tally([Member(1, address, account="user_01")]), [])]
        record(database, "admin_users", files, NOW, POLICY, book)
    store(database, used(opus_for(40), actor=Actor("account", "user_01")))
    assert spenders(database) == {"dana@old.example": 40}


def everything(database: Database) -> list[str]:
    """Every row of every table, as text."""
    with database.read() as connection:
        return [
            str(tuple(row))
            for table in metadata.sorted_tables
            for row in connection.built.exec_driver_sql(f"SELECT * FROM {table.name}")
        ]


class TestErase:
    def test_totals_stay_and_the_name_goes(self, database: Database, book: PriceBook) -> None:
        store(database, used(opus_for(13)), used(opus_for(2), actor=Actor("email", "emil@example.com")))
        number = erase_person(database, "Dana@example.com", "admin", datetime(2026, 11, 20, tzinfo=UTC))
        assert dollars(database, book) == 15
        assert spenders(database) == {f"erased person {number}": Decimal(13), "emil@example.com": Decimal(2)}
        with database.read() as connection:
            rows = [
                str(tuple(row))
                for table in ("people", "actors", "deliveries", "audit")
                for row in connection.built.exec_driver_sql(f"SELECT * FROM {table}")
            ]
        assert not [row for row in rows if "dana" in row.lower()]
        assert [delivery.state for delivery in all_deliveries(database)] == ["expired"]

    def test_a_team_s_total_stays_and_counts_the_others_alone(self, database: Database, book: PriceBook) -> None:
        """Dana's $20 of a day and $50 of a month are nobody's who is counted; the $2 of a key are unassigned."""
        others = [Actor("email", f"{name}@example.com") for name in ("bo", "cy", "di")]
        october = replace(used(opus_for(50), day=date(2026, 10, 1)), until=date(2026, 11, 1))
        store(database, used(opus_for(20)), used(opus_for(2), actor=Actor("api_key", "ci")), october)
        store(database, *(used(opus_for(4), actor=actor) for actor in others), source="transcripts")
        team = set_team(database, "core", [DANA.name, *(actor.name for actor in others)])
        ledger = Ledger(database, book, utc_policy)
        erase_person(database, DANA.name, "admin", NOW)
        of_team, of_all = ledger.digest(DAY, team=team), ledger.digest(DAY)
        assert of_team.amount is not None
        assert of_all.amount is not None
        assert [of_team.amount.usd, of_all.amount.usd] == [32, 34]
        month = ledger.digest(date(2026, 10, 31), start=date(2026, 10, 1), edition=MONTHLY)
        assert month.amount is not None
        assert month.amount.usd == 50
        counted = [facts.people for facts in (of_team, of_all, month)]
        assert [people.active for people in counted] == [3, 3, 0]
        assert [people.unassigned_usd for people in counted] == [0, 2, 0]
        assert [people.unassigned_actors for people in counted] == [0, 1, 0]
        assert [names for _, names in all_teams(database)] == [[actor.name for actor in others]]
        assert not is_too_small(database, team)
        erase_person(database, others[0].name, "admin", NOW)
        assert is_too_small(database, team)

    def test_nothing_that_was_written_down_says_the_name(self, database: Database, book: PriceBook) -> None:
        store(database, used(opus_for(5)), used(opus_for(2), actor=Actor("api_key", "ci")))
        link_actor(database, "ci", "dana@example.com", BY_ADMIN, book, POLICY, NOW)
        note_change(database, NOW, "U1", "linked ci to dana@example.com, a decision")
        owe_notice(database, "linked:1:ci:dana@example.com", "U2", "that of dana@example.com", DAY, NOW)
        owe_notice(database, "other", "U2", "of emil@example.com", DAY, NOW)
        write_setting(database, "asked_slack:2026-11-20", "dana@example.com emil@example.com")
        problem = Problem(3, "Row 3 was left out: “dana@example.com” is no day.")
        record(database, "members_csv", [FileTally("m.csv", Tally(()), [problem])], NOW, POLICY, book)
        erase_person(database, "dana@example.com", "admin", NOW)
        rows = everything(database)
        assert not [row for row in rows if "dana" in row.lower()]
        assert any("linked ci to erased person" in row and "a decision" in row for row in rows)
        assert any("emil@example.com" in row for row in rows)

    def test_a_digest_that_was_sent_keeps_all_but_the_name(self, database: Database) -> None:
        """A long name is cut where it is shown; the message can still be found, to be edited."""
        long = Actor("email", "dana&maria.von-und-zu-berg@department.example.com")
        store(database, used(opus_for(5), actor=long), used(opus_for(2), actor=Actor("email", "emil@example.com")))
        owe_digest(database, "C1", DAY, NOW)
        digest = claim(database, "worker", NOW)
        assert digest is not None
        shown = f"{long.name[:33]}… and Emil@example.com".replace("&", "&amp;")
        said = {"text": f"$7.00 of {long.name}", "blocks": [{"type": "section", "text": {"text": shown}}]}
        assert start_sending(database, digest, "C1", said, NOW, Told(Decimal(7)))
        assert mark_sent(database, digest, "C1", "1.2")
        number = erase_person(database, long.name, "admin", NOW)
        assert not [row for row in everything(database) if "dana" in row.lower() or "berg" in row]
        (left,) = correctable(database, NOW)
        blocks = [{"type": "section", "text": {"text": f"erased person {number} and Emil@example.com"}}]
        assert left.payload == {"text": f"$7.00 of erased person {number}", "blocks": blocks}
        assert (left.ts, left.usd) == ("1.2", Decimal(7))

    def test_names_of_which_theirs_is_a_part_stay(self, database: Database) -> None:
        """Of Ed alone is forgotten, and not of Fred, Jean-Ed and whoever is at another host."""
        others = ("fred@example.com", "jean-ed@example.com", "ed@example.com.au")
        store(database, *(used(opus_for(1), actor=Actor("email", name)) for name in ("ed@example.com", *others)))
        for name in others:
            note_change(database, NOW, "U1", f"linked ci to {name}")
            owe_notice(database, f"linked:1:ci:{name}", "U2", f"that of {name}.", DAY, NOW)
        note_change(database, NOW, "U1", "linked k to Ed@Example.com.")
        number = erase_person(database, "ed@example.com", "admin", NOW)
        with database.read() as connection:
            said = connection.execute(select(audit.c.what).order_by(audit.c.id)).scalars().all()
        assert said[:4] == [*(f"linked ci to {name}" for name in others), f"linked k to erased person {number}."]
        assert [one.state for one in all_deliveries(database)] == ["due"] * 3

    def test_both_addresses_are_forgotten_where_one_is_a_part_of_the_other(
        self, database: Database, book: PriceBook
    ) -> None:
        names = ("ed@example.com", "jean-ed@example.com")
        store(database, *(used(opus_for(1), actor=Actor("email", name)) for name in names))
        link(database, book, *names)
        note_change(database, NOW, "U1", f"linked {names[0]} to {names[1]}")
        number = erase_person(database, names[1], "admin", NOW)
        assert any(f"linked erased person {number} to erased person {number}'" in row for row in everything(database))

    def test_a_name_in_letters_of_any_alphabet_is_forgotten(self, database: Database) -> None:
        name, spelt = "jürgen.ÖZ@example.com", ("Jürgen.öz@Example.com", "JÜRGEN.ÖZ@EXAMPLE.COM")
        store(database, used(opus_for(1), actor=Actor("email", normalised_email(name))))
        for one in (*spelt, *(normalize("NFD", one) for one in spelt)):
            note_change(database, NOW, "U1", f"linked k to {one}")
            owe_notice(database, f"about:{one}", "U2", "…", DAY, NOW)
            owe_notice(database, f"unreached:{one.encode().hex()}", "U2", f"No alert reaches {one}", DAY, NOW)
            state = FileState(f"/exports/usage-{one}.jsonl", 1, 1, "UTC  ")
            remember_read_files(database, [(state, ReadFile("transcripts", 1, [DAY]))])
        erase_person(database, name, "admin", NOW)
        rows = everything(database)
        assert not [row for row in rows if "rgen." in row.lower()]
        assert {one.state for one in all_deliveries(database)} == {"expired"}

    def test_the_same_export_again_is_counted_there_and_brings_nobody_back(
        self, database: Database, book: PriceBook
    ) -> None:
        store(database, used(opus_for(5)))
        erase_person(database, "dana@example.com", "admin", NOW)
        assert store(database, used(opus_for(5)))[:3] == (0, 1, 0)
        assert store(database, used(opus_for(6)))[:3] == (0, 0, 1)
        assert dollars(database, book) == 6
        assert all_people(database) == []
        members = [FileTally("m.csv", Tally([Member(1, "dana@example.com")]), [])]
        record(database, "members_csv", members, NOW, POLICY, book)
        assert all_people(database) == []

    @pytest.mark.parametrize("order", list(permutations(("account", "members", "erase"))))
    def test_an_account_that_an_export_tells_beside_the_address_is_hidden_as_well(
        self, database: Database, book: PriceBook, order: tuple[str, ...]
    ) -> None:
        """Of the address's $20 and the account's $20, two sources of one person's day, one counts."""
        account = Actor("account", "user_dana")
        store(database, used(opus_for(20)), source="transcripts")
        for what in (*order, "members", "account"):
            if what == "account":
                store(database, used(opus_for(20), actor=account), source="admin_usage_report")
            elif what == "members":
                users = [FileTally("users.json", Tally([Member(1, DANA.name, "Dana", account.name)]), [])]
                record(database, "admin_users", users, NOW, POLICY, book)
            else:
                number = erase_person(database, DANA.name, "admin", NOW)
        assert spenders(database) == {f"erased person {number}": Decimal(20)}
        assert unassigned(database, date(2026, 1, 1)) == []
        assert not [row for row in everything(database) if "dana" in row.lower()]

    def test_a_key_of_a_colleague_whose_address_begins_alike_is_theirs_once_it_is_linked(
        self, database: Database, book: PriceBook
    ) -> None:
        """It may have been the erased person's. One that came before the colleague goes by its name in the export."""
        store(database, used(opus_for(1), actor=Actor("email", "max@old.com")))
        number = erase_person(database, "max@old.com", "admin", NOW)
        first, second = (Actor("api_key", f"claude_code_key_max_{end}") for end in ("ab12", "cd34"))
        store(database, used(opus_for(2), actor=first, part="1"))
        store(database, used(opus_for(4), actor=Actor("email", "max@new.com")))
        store(database, used(opus_for(8), actor=second, part="2"))
        gone = f"erased person {number}"
        nobodys = f"unassigned ({second.name})"
        assert spenders(database) == {gone: Decimal(3), "max@new.com": Decimal(4), nobodys: Decimal(8)}
        for key in (first, second):
            link_actor(database, key.name, "max@new.com", BY_ADMIN, book, POLICY, NOW)
        store(database, used(opus_for(16), actor=first, part="1"))
        assert spenders(database) == {gone: Decimal(1), "max@new.com": Decimal(28)}

    def test_the_name_of_a_file_brings_nobody_back(self, database: Database, book: PriceBook, tmp_path: Path) -> None:
        """The address in an export's path, in problems of a feed and a file, and in what SQLite has not written out."""
        path = tmp_path / "usage-Dana@Example.com_2026.jsonl"
        path.write_text(
            '{"type":"assistant","timestamp":"2026-11-05T10:00:00Z","sessionId":"s","message":{"id":"m","role":'
            '"assistant","model":"claude-opus-5-5","usage":{"input_tokens":1,"output_tokens":0}}}\n',
            encoding="utf-8",
        )
        importer = Importer(database, ZoneInfo("UTC"), book, POLICY)
        list(importer.import_files([path], NOW, person="dana@example.com"))
        watched = tmp_path / "members.csv"
        watched.write_text(
            "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_output_tokens\n"
            "2026-11-05,claude-opus-5,k,1,0\n2026-11-05,claude-opus-5,k,1,Dana@Example.COM\n",
            encoding="utf-8",
        )
        (report,) = importer.import_files([watched], NOW, is_remembered=True)
        assert "Dana@Example.COM" in str(report.first_problem)
        feed_failed(database, "watched folder", NOW, NOW, "Row 1 was left out: “dana@example.com” is no day.")
        erase_person(database, "dana@example.com", "admin", NOW)
        if database.is_sqlite:
            file = Path(str(database.engine.url.database))
            kept = b"".join(each.read_bytes() for each in file.parent.glob(f"{file.name}*"))
            assert b"dana@example" not in kept.lower()
        for person in ("dana@example.com", None):
            list(importer.import_files([path], NOW, person=person))
        rows = everything(database)
        assert not [row for row in rows if "dana" in row.lower()]

    def test_a_key_that_bears_the_name_brings_nobody_back(self, database: Database, book: PriceBook) -> None:
        store(database, used(opus_for(5)))
        number = erase_person(database, "dana@example.com", "admin", NOW)
        for key in ("claude_code_key_dana_ab12", "claude_code_key_dana_cd34"):
            store(database, used(opus_for(3), actor=Actor("api_key", key), part=key))
        # 5, and the two keys' 3 each, of one erased person
        assert spenders(database) == {f"erased person {number}": Decimal(11)}
        assert unassigned(database, date(2026, 1, 1)) == []

    def test_a_key_of_two_namesakes_stays_nobodys_when_one_is_erased(self, database: Database, book: PriceBook) -> None:
        """The key's $50 are no namesake's, nor are they asked for; without either the key bears no name any more."""
        names = ("dana@a.example", "dana@b.example", "bo@b.example")
        zoes = Actor("api_key", "claude_code_key_zoe_ab12")
        rows = [*(used(opus_for(1), actor=Actor("email", name)) for name in names), used(opus_for(50), actor=KEY)]
        store(database, *rows, used(opus_for(5), actor=zoes))
        number = erase_person(database, "dana@b.example", "admin", NOW)
        assert possible_addresses(database, 3) == {zoes.name: ["zoe@b.example", "zoe@a.example"]}
        store(database, used(opus_for(1), actor=Actor("email", "new@b.example")))
        spent = spenders(database)
        assert [spent["dana@a.example"], spent[f"unassigned ({KEY.name})"]] == [1, 50]
        note_change(database, NOW, "U1", f"looked at {KEY.name}")
        other = erase_person(database, "dana@a.example", "admin", NOW)
        assert not [row for row in everything(database) if "dana" in row.lower()]
        store(database, *rows)
        assert not [row for row in everything(database) if "dana" in row.lower()]
        gone = {label: usd for label, usd in spenders(database).items() if label.startswith("erased")}
        assert sorted(gone.values()) == [1, 1, 50]
        assert [gone[f"erased person {one}"] for one in (number, other)] == [1, 1]
        # Its owner may still be said.
        link(database, book, KEY.name, "new@b.example")
        assert spenders(database)["new@b.example"] == 51

    def test_a_hidden_key_is_known_again_after_a_second_erasure(self, database: Database, book: PriceBook) -> None:
        store(database, used(opus_for(1)))
        erase_person(database, DANA.name, "admin", NOW)
        store(database, used(opus_for(5), actor=KEY, part="key"))
        link(database, book, KEY.name, "dana@other.com")
        number = erase_person(database, "dana@other.com", "admin", NOW)
        store(database, used(opus_for(5), actor=KEY, part="key"))
        assert dollars(database, book) == 6
        assert spenders(database)[f"erased person {number}"] == 5

    def test_the_file_of_sqlite_keeps_no_name(self, tmp_path: Path) -> None:
        """Also of a build that does not overwrite what is deleted by itself."""

        def as_usually_built(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA secure_delete=OFF")

        event.listen(Engine, "connect", as_usually_built)
        try:
            database = open_database(f"sqlite:///{tmp_path}/file.db")
            names = [Actor("email", f"person{number}@example.com") for number in range(300)]
            keys = [Actor("api_key", f"claude_code_key_dana_ab{number:02}") for number in range(20)]
            store(database, *(used(opus_for(1), actor=actor) for actor in (*names, DANA, *keys)))
            erase_person(database, DANA.name, "admin", NOW)
            database.close()
        finally:
            event.remove(Engine, "connect", as_usually_built)
        assert b"dana" not in b"".join(path.read_bytes() for path in tmp_path.glob("file.db*")).lower()

    @pytest.mark.parametrize("source", ["transcripts", "ccusage_daily"])
    def test_the_machine_that_was_theirs_is_nobodys_from_then_on(
        self, database: Database, book: PriceBook, source: str
    ) -> None:
        """Dana's $4 stay, and count once; what comes from the machine on the next day is $20 of nobody, then Emil's."""
        is_single = source == "transcripts"
        hers = used(opus_for(4), actor=THIS_MACHINE, request=request("1") if is_single else None)
        store(database, hers, source=source)
        numbers = []
        for days, person in enumerate(("dana@example.com", "emil@example.com"), start=1):
            link(database, book, THIS_MACHINE.name, person)
            numbers.append(erase_person(database, person, "admin", NOW))
            later = DAY + timedelta(days=days)
            next_ = used(opus_for(20), day=later, actor=THIS_MACHINE, request=request(person) if is_single else None)
            for row in (hers, next_, hers, next_):
                store(database, row, source=source)
            assert [one.person.label for one in people_on(database, later)] == ["unassigned (this machine)"]
        assert dollars(database, book) == 44
        assert [entry.usd for entry in unassigned(database, date(2026, 1, 1))] == [20]
        assert spenders(database) == {f"erased person {numbers[0]}": Decimal(4)}

    @pytest.mark.parametrize("kind", [GATEWAY, ORGANIZATION])
    @pytest.mark.parametrize("few_actors", [200, 0])
    def test_a_gateway_that_was_theirs_is_nobodys_from_then_on(
        self, database: Database, book: PriceBook, kind: str, few_actors: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of the day before the erasure the bill of $4 grows to $5, and stays; that of the next day is nobody's $20."""
        monkeypatch.setattr("bot.store.recording.source.FEW_ACTORS", few_actors)
        bill = Actor(kind, "OpenRouter")
        store(database, used(opus_for(4), actor=bill))
        link(database, book, bill.name, DANA.name)
        number = erase_person(database, DANA.name, "admin", NOW)
        later = DAY + timedelta(days=1)
        for _ in range(2):
            store(database, used(opus_for(5), actor=bill), used(opus_for(20), day=later, actor=bill))
        assert spenders(database) == {f"erased person {number}": Decimal(5)}
        label = "unassigned (organization)" if kind == ORGANIZATION else "unassigned (OpenRouter)"
        assert [(one.person.label, one.usd) for one in people_on(database, later)] == [(label, Decimal(20))]
        link(database, book, bill.name, "emil@example.com")
        assert [one.person.label for one in people_on(database, later)] == ["emil@example.com"]

    def test_a_day_of_the_machine_that_was_theirs_grows_and_counts_once(
        self, database: Database, book: PriceBook
    ) -> None:
        """Of the day that is going on the file told $4 before the erasure, and tells $5 afterwards."""
        store(database, used(opus_for(4), actor=THIS_MACHINE), source="ccusage_daily")
        link(database, book, THIS_MACHINE.name, DANA.name)
        number = erase_person(database, DANA.name, "admin", NOW)
        for _ in range(2):
            store(database, used(opus_for(5), actor=THIS_MACHINE), source="ccusage_daily")
        assert spenders(database) == {f"erased person {number}": Decimal(5)}

    def test_nobody_is_erased_by_a_wrong_address(self, database: Database) -> None:
        with pytest.raises(UnknownIdentity, match="Nobody here has the address “ghost@example.com”"):
            erase_person(database, "ghost@example.com", "admin", NOW)


class TestOrganization:
    COMPANY = Actor(ORGANIZATION, "default")

    @pytest.mark.parametrize("is_company_first", [True, False])
    def test_it_speaks_only_for_days_that_nobody_else_knows(
        self, database: Database, book: PriceBook, is_company_first: bool
    ) -> None:
        lonely = DAY - timedelta(days=1)
        company = [used(opus_for(9), actor=self.COMPANY), used(opus_for(4), actor=self.COMPANY, day=lonely)]
        if is_company_first:
            store(database, *company, source="admin_cost_report")
        store(database, used(opus_for(5), actor=DANA), source="claude_code_analytics_api")
        if not is_company_first:
            store(database, *company, source="admin_cost_report")
        assert dollars(database, book) == 9  # 5 of Dana's day, 4 of the day before
        assert spenders(database) == {"dana@example.com": Decimal(5)}

    @pytest.mark.parametrize("is_company_first", [True, False])
    def test_what_a_gateway_bills_comes_on_top(
        self, database: Database, book: PriceBook, is_company_first: bool
    ) -> None:
        said = [
            (used(opus_for(9), actor=self.COMPANY), "admin_cost_report"),
            (used(opus_for(5), actor=Actor(GATEWAY, "OpenRouter")), "openrouter_csv"),
        ]
        for usage, source in said if is_company_first else reversed(said):
            store(database, usage, source=source)
        assert dollars(database, book) == 14
        store(database, used(opus_for(1)), source="claude_code_analytics_api")
        assert dollars(database, book) == 6  # Dana's day is known, so the company's is not used


class TestAlerts:
    """Whoever a name's usage becomes hears of a limit that it reaches, whoever said whose the name is."""

    @staticmethod
    def owed(database: Database) -> list[tuple[str | None, str, int | None]]:
        found = []
        for one in all_deliveries(database):
            person = person_by_id(database, int(one.target))
            found.append((person.email if person else None, one.state, one.step))
        return found

    @pytest.mark.parametrize("by", ["members", "mail", "account", "beside", "link"])
    def test_a_name_that_finds_its_person_takes_them_over_the_limit_once(
        self, database: Database, book: PriceBook, by: str
    ) -> None:
        """$20 reach $12 once, and not twice $12."""
        account = Actor("account", "user_dana")
        store(database, used(opus_for(20), actor=account if by == "account" else KEY))
        assert self.owed(database) == []
        for _ in range(2):
            if by in ("members", "account"):
                members = [Member(1, DANA.name, "Dana", account.name if by == "account" else None)]
                record(database, "members_csv", [FileTally("m.csv", Tally(members), [])], NOW, POLICY, book)
            elif by == "mail":
                store(database, used(opus_for(1), day=DAY - timedelta(days=9)))
            elif by == "beside":
                # The link brings the address, by which the rule gives the key at the same moment.
                store(database, used(opus_for(1), actor=Actor("api_key", "ci"), day=DAY - timedelta(days=9)))
                link(database, book, "ci", DANA.name)
            else:
                link(database, book, KEY.name, DANA.name)
        assert self.owed(database) == [(DANA.name, "due", 1)]

    def test_who_was_told_under_another_address_is_not_told_again(self, database: Database, book: PriceBook) -> None:
        """Ann's $20 reach $12; with Bo's $3 it is $23, and with $5 more of his $28, of which twice $12 is news."""
        store(database, used(opus_for(20), actor=A), used(opus_for(3), actor=B))
        link(database, book, A.name, B.name)
        assert self.owed(database) == [(A.name, "due", 1)]
        store(database, used(opus_for(8), actor=B))
        assert self.owed(database) == [(A.name, "due", 1), (B.name, "due", 2)]
        # Apart again, each has been told their own.
        link(database, book, A.name, A.name)
        assert self.owed(database) == [(A.name, "due", 1), (B.name, "due", 2)]
