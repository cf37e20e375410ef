"""Sources that restate whole rows: a row takes the place of the one that was stored."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from bot.spend.records import NO_KEY, Actor, Member, is_claude_code_key
from bot.store.bulk import Row, insert_rows, replace_rows, run_sql, select_in
from bot.store.columns import USAGE_DAILY
from bot.store.connection import Connection
from bot.store.hidden_names import KEY_USER, erased_names
from bot.store.identity import BY_EXPORT, stored_actors
from bot.store.people import ERASED
from bot.store.recording.source import DELETE_DAILY, Counted, Part, Source, summed
from bot.store.tally import NOT_STATED

_BLOCKS, _COPILOT, _LITELLM = "ccusage_block", "copilot_csv", "litellm_activity"
_RETOLD = {
    _COPILOT: ("billing",),
    _LITELLM: ("vendor",),
    _BLOCKS: ("model", "speed"),
}
"""Sources of which a row may come again with another word for what it is: by the columns of its line that change."""

_NAME_ACCOUNTS = (_LITELLM, "enterprise_", "analytics_")
"""How the names of sources begin whose rows are of an account, and of its address while it has one."""

_ORGANIZATION_ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$|\borg[-_]\S+$", re.IGNORECASE)
"""At the end of a part, of sources that are asked for one organization's day as a whole."""


class DailyRows:
    """Writes rows of days. Of ``whole_days``, as numbers, the rows that a file lacks are removed."""

    def __init__(
        self, source: Source, actors: Mapping[Actor, int], members: Sequence[Member], whole_days: Iterable[int]
    ) -> None:
        """``actors`` are all that the files name, and ``members`` whose they say that the keys are."""
        self.source = source
        self.connection = source.connection
        self.whole_days = set(whole_days)
        self.holders = _holders(source.connection, actors)
        """For keys of a file the erased owner under whom its rows may be stored already."""

        self.erased = erased_names(source.connection, source.workspace_id, actors)
        """For machines, gateways and organizations of a file those of that name that erased people had."""

        is_by_account = source.name.startswith(_NAME_ACCOUNTS)
        self.same_as = _same_accounts(source, actors, members) if is_by_account else {}
        """For actors of a file others under which another export may tell the same usage: an account has an address,
        or none any more, or another one."""

        named = {Actor("api_key", NO_KEY)} if source.name == _LITELLM else set()
        self.no_key = set(stored_actors(source.connection, source.workspace_id, named).values())
        """Of nobody's key, whose rows are what a file did not list by key."""

    def store(self, part: Part) -> Counted:
        """Write what a file says of days."""
        tally, actor_of, line_of = part
        counted = Counted()
        empty = set(self.whole_days)
        for day, (actors, lines, values, records) in tally.dailies():
            empty.discard(day)
            *counts, reported = values
            actor_ids, line_ids = map(actor_of.__getitem__, actors), map(line_of.__getitem__, lines)
            stated = [None if usd == NOT_STATED else usd for usd in reported]
            rows: list[Row] = list(zip(actor_ids, line_ids, *counts, stated, strict=True))
            rows = self._with_erased(day, rows) if self.erased else rows
            more = {}
            if max(records, default=1) > 1:
                more = {row[:2]: count for row, count in zip(rows, records, strict=True) if count > 1}
            rows.sort()
            counted = counted.plus(self._store_day(day, rows, more))
        for day in sorted(empty):
            counted = counted.plus(self._store_day(day, [], {}))
        return counted

    def _store_day(self, day: int, rows: list[Row], more: Mapping[Row, int]) -> Counted:
        """Store the rows that a file has of a day, in the order of their actors and lines.

        Rows whose actor and line are in ``more`` are the sum of so many records, all others of one.
        """
        is_whole, source_day = day in self.whole_days, self.source.day_key(day)
        records = len(rows) + sum(more.values()) - len(more)
        stored = self.source.dailies(day, None if is_whole else {row[0] for row in rows})
        told, elsewhere = self._told_under_another(day, rows)
        if stored == rows and not elsewhere and not self.no_key:
            return Counted(same=records)
        existing = {row[:2]: row for row in stored}
        known = self._told_by_newer(day, rows, stored, told)
        is_new = not stored and not known
        new, changed = rows if is_new else [], []
        same = restated = 0
        for row in () if is_new else rows:
            key = row[:2]
            before = existing.pop(key, None)
            if before == row:
                same += more.get(key, 1)
            elif key in known or (before is not None and self.source.is_older(day)):
                same += more.get(key, 1)
                self.source.outdated += 1
            elif before is None:
                new.append(row)
            else:
                restated += more.get(key, 1)
                changed.append(row)
        gone = self._gone(existing, rows) if is_whole else []
        removed = len(gone)
        gone += self._told_before(day, rows, new, existing, elsewhere)
        if new or changed or gone:
            rollup = self.source.rollup(day, [*(row[0] for row in (*new, *changed)), *(actor for actor, _ in gone)])
            for key in gone:
                run_sql(self.connection, DELETE_DAILY, (*source_day, *key))
            insert_rows(self.connection, USAGE_DAILY, new, source_day)
            replace_rows(self.connection, USAGE_DAILY, changed, source_day)
            rollup.refresh([(self.source.id, *row) for row in new] if rollup.was_empty else None)
        return Counted(records - same - restated, same, restated + removed)

    def _with_erased(self, day: int, rows: list[Row]) -> list[Row]:
        """The same rows, those of them that were an erased person's as theirs: their totals stay, and count once."""
        had = {name: actor_id for actor_id, names in self.erased.items() for name in names}
        stored = self.source.dailies(day, set(had))
        theirs = {(had[row[0]], row[1]): row[0] for row in stored if row[0] in had}
        return [(theirs.get(row[:2], row[0]), *row[1:]) for row in rows]

    def _told_by_newer(self, day: int, rows: list[Row], stored: list[Row], elsewhere: set[Row]) -> set[Row]:
        """The actors and lines of an older export that a newer one told in another way, or ``elsewhere``."""
        if not self.source.is_older(day):
            return set()
        with_cost = self._told_with_cost(rows, stored) if stored else set()
        by_key = self._told_by_key_or_not(rows, self.source.dailies(day, None)) if self.no_key else set()
        retold = self._told_as_another(rows, stored) if self.source.name == _COPILOT else set()
        return with_cost | by_key | retold | elsewhere

    def _told_with_cost(self, rows: list[Row], stored: list[Row]) -> set[Row]:
        """Those of rows with and without a stated cost of which the other one is stored, and not they."""
        line_ids = {row[1] for row in (*rows, *stored)}
        kinds, spelled = self.source.kinds(line_ids), self.source.kinds_however_spelled(line_ids)
        said, mine = {row[:2] for row in stored}, {row[:2] for row in rows}
        told = {(row[0], kinds[row[1]]) for row in stored}
        # What the older one has as well it tells apart from its other spellings of the same model.
        otherwise = {(actor, spelled[line]) for actor, line in said - mine}
        found = {row[:2] for row in rows if (row[0], kinds[row[1]]) in told or (row[0], spelled[row[1]]) in otherwise}
        return found - said

    def _told_as_another(self, rows: list[Row], stored: list[Row]) -> set[Row]:
        """Those that are stored under another word for what they are."""
        kinds = self.source.kinds({row[1] for row in (*rows, *stored)}, *_RETOLD[self.source.name])
        told = {(row[0], kinds[row[1]]) for row in stored}
        return {row[:2] for row in rows if (row[0], kinds[row[1]]) in told}

    def _told_under_another(self, day: int, rows: list[Row]) -> tuple[set[Row], set[Row]]:
        """Of a file's rows, and of the stored ones of the same accounts under another name, the same usage."""
        others: set[int] = set().union(*(self.same_as.get(row[0], ()) for row in rows)) if self.same_as else set()
        elsewhere = [row for row in self.source.dailies(day, others) if row[0] in others] if others else []
        if not elsewhere:
            return set(), set()
        kinds = self.source.kinds({row[1] for row in (*rows, *elsewhere)}, *_RETOLD.get(self.source.name, ()))
        # What a newer file says under both names it tells apart.
        own = set() if self.source.is_older(day) else {(row[0], kinds[row[1]]) for row in rows}
        stored = {(row[0], kinds[row[1]]) for row in elsewhere} - own
        both = {
            (row[:2], (other, kinds[row[1]]))
            for row in rows
            for other in self.same_as.get(row[0], ())
            if (other, kinds[row[1]]) in stored
        }
        said = {other for _, other in both}
        return {mine for mine, _ in both}, {row[:2] for row in elsewhere if (row[0], kinds[row[1]]) in said}

    def _told_by_key_or_not(self, rows: list[Row], others: list[Row]) -> set[Row]:
        """Of nobody's key what others tell by key, and of keys what others tell as nobody's, who has the rest."""
        kinds = self.source.kinds({row[1] for row in (*rows, *others)}, *_RETOLD[_LITELLM])
        listed = {kinds[row[1]] for row in others}
        rest = {kinds[row[1]] for row in others if row[0] in self.no_key}
        return {row[:2] for row in rows if kinds[row[1]] in (listed if row[0] in self.no_key else rest)}

    def _told_before(
        self, day: int, rows: list[Row], new: list[Row], existing: Mapping[Row, Row], elsewhere: set[Row]
    ) -> list[Row]:
        """The actors and lines of stored rows that a file says in another way, now with a cost, or under another name.

        ``existing`` are those of the file's actors that it does not have.
        """
        found: set[Row] = set()
        changing = _RETOLD.get(self.source.name, ())
        if existing and not self.source.is_older(day):
            line_ids = {key[1] for key in existing} | {row[1] for row in rows}
            kinds = self.source.kinds(line_ids, *changing)
            told = {(row[0], kinds[row[1]]) for row in rows}
            found |= {key for key in existing if (key[0], kinds[key[1]]) in told}
            if new:  # under its spelling of a model
                kinds = self.source.kinds_however_spelled(line_ids, *changing)
                told = {(row[0], kinds[row[1]]) for row in new}
                found |= {key for key in existing if (key[0], kinds[key[1]]) in told}
        if not self.source.is_older(day):
            found |= elsewhere
        if self.no_key and not self.source.is_older(day):
            found |= self._told_by_key_or_not(self.source.dailies(day, None), rows) - {row[:2] for row in rows}
        holders = {self.holders[row[0]] for row in rows if row[0] in self.holders}
        held = self.source.dailies(day, holders) if holders and new else []
        same = {(self.holders[row[0]], *row[1:]) for row in new if row[0] in self.holders}
        found |= {row[:2] for row in held if row in same}
        if self.source.name == _BLOCKS:
            found |= self._old_blocks(rows, [*existing.values(), *held])
        return sorted(found)

    def _old_blocks(self, rows: list[Row], stored: list[Row]) -> set[Row]:
        """Stored rows of older versions, which added up the blocks of a day, that these blocks come to as well."""
        sql = "SELECT id FROM usage_lines WHERE part = 'blocks' AND id IN"
        old = {line_id for (line_id,) in select_in(self.connection, sql, (), sorted({row[1] for row in stored}))}
        kinds = self.source.kinds(old | {row[1] for row in rows}, "part")
        whole: dict[tuple[int, int], list[Row]] = defaultdict(list)
        for row in rows:
            whole[row[0], kinds[row[1]]].append(row[2:])
        sums = {(kind, *summed(some)) for (_, kind), some in whole.items()}
        return {row[:2] for row in stored if row[1] in old and (kinds[row[1]], *row[2:]) in sums}

    def _gone(self, missing: Iterable[Row], rows: list[Row]) -> list[Row]:
        """Which of the actors and lines that an answer about a whole day lacks are gone: those of its organization."""
        keys = list(missing)
        if not keys:
            return []
        sql = "SELECT id, part FROM usage_lines WHERE id IN"
        parts = select_in(self.connection, sql, (), sorted({key[1] for key in keys} | {row[1] for row in rows}))
        organization = {line_id: match[0] for line_id, part in parts if (match := _ORGANIZATION_ID.search(part))}
        if len(set(organization.values())) < 2:
            return keys
        said = {organization.get(row[1]) for row in rows}
        return [key for key in keys if organization.get(key[1]) in said]


def _holders(connection: Connection, actors: Mapping[Actor, int]) -> dict[int, int]:
    """Who may hold the rows of some actors so far: see ``DailyRows.holders``."""
    keys = [actor_id for actor, actor_id in actors.items() if is_claude_code_key(actor)]
    return dict(select_in(connection, _KEY_OWNERS, (KEY_USER, f"{ERASED}%"), keys))


def _same_accounts(source: Source, actors: Mapping[Actor, int], members: Sequence[Member]) -> dict[int, set[int]]:
    """See ``DailyRows.same_as``: by the addresses that exports named beside accounts, these files or earlier ones."""
    found: dict[int, set[int]] = defaultdict(set)
    named = sorted(actor_id for actor, actor_id in actors.items() if actor.kind in _ACCOUNTS)
    for account_id, address_id in select_in(source.connection, _OWNERS_BY_EXPORT, (BY_EXPORT,), named):
        found[account_id].add(address_id)  # who has two addresses may be told under either
    told = [member for member in members if member.account is not None and not member.is_device]
    address_of = {Actor(member.kind, str(member.account)): Actor("email", member.email) for member in told}
    accounts = stored_actors(source.connection, source.workspace_id, set(address_of))
    beside: dict[int, int] = dict(select_in(source.connection, _BESIDE, (BY_EXPORT,), sorted(accounts.values())))
    owners: dict[int, set[int]] = defaultdict(set)
    for account_id, owner in select_in(source.connection, _OWNERS_BY_EXPORT, (BY_EXPORT,), sorted(accounts.values())):
        owners[account_id].add(owner)
    for account, account_id in accounts.items():
        address_id = actors.get(address_of[account])
        if address_id is not None:
            found[address_id] |= {account_id, beside.get(account_id, account_id), *owners[account_id]}
    return found


_ACCOUNTS = ("api_key", "account")
_BESIDE = "SELECT id, beside FROM actors WHERE beside IS NOT NULL AND linked_by = ? AND id IN"
_OWNERS_BY_EXPORT = (
    "SELECT actors.id, owner.id FROM actors JOIN actors AS owner ON owner.person_id = actors.person_id "
    "AND owner.kind = 'email' WHERE actors.linked_by = ? AND actors.id IN"
)
_KEY_OWNERS = (
    "SELECT actors.id, owner.id FROM actors JOIN actors AS owner ON owner.person_id = actors.person_id "
    "AND owner.kind = ? WHERE actors.name LIKE ? AND actors.id IN"
)
