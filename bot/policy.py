"""The policy in force: what the environment says, and what admins chose in Slack instead."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from bot.settings import FIELDS, PICTURES, Settings
from bot.spend.alerts import QuietHours
from bot.spend.days import ONE_DAY, spend_day
from bot.spend.workdays import WorkCalendar
from bot.store.alerting import AlertPolicy, look_again
from bot.store.audit import write_audit
from bot.store.database import Database, DatabaseProblem, database_errors
from bot.store.settings import read_setting, read_setting_in, write_setting_in

FOLLOWED_SECONDS = 1.0
"""Every process follows a change so soon after it was made."""

MIN_GROUP = 5
"""Names are said only of groups of at least so many active people: fewer, and a total tells what each one spent."""

CHOSEN = "policy"
"""The name under which the database keeps what was chosen."""


class Policy(Struct, frozen=True, kw_only=True, dict=True):
    """What holds for one workspace.

    ``names`` lets digests name who passed the limit; ``retention_days`` of None keeps everything.
    """

    timezone: ZoneInfo
    limit_usd: Decimal
    budget_usd: Decimal | None = None
    holidays: str = ""
    quiet_hours: QuietHours | None = None
    picture: str = PICTURES[0]
    names: bool = False
    retention_days: int | None = None

    @cached_property
    def calendar(self) -> WorkCalendar:
        """The working days."""
        return WorkCalendar(self.holidays)

    def first_kept(self, today: date) -> date | None:
        """The first day whose usage is kept; None where all is."""
        return None if self.retention_days is None else today - self.retention_days * ONE_DAY

    def said(self, name: str) -> str:
        """One of its values as people write it; empty for none."""
        value = getattr(self, name)
        if name == "quiet_hours":
            return "off" if value is None else str(value)
        if name == "timezone":
            return str(value.key)
        if isinstance(value, bool):
            return "on" if value else "off"
        return "" if value is None else f"{value.normalize():f}" if name.endswith("_usd") else str(value)


class PolicyProblem(Exception):
    """What is wrong with what was chosen: a sentence for each name."""

    def __init__(self, sentences: dict[str, str]) -> None:
        super().__init__(" ".join(sentences.values()))
        self.sentences = sentences


class Policies:
    """The policy of one workspace, at any time: called, it says what holds now."""

    def __init__(self, settings: Settings, database: Callable[[], Database]) -> None:
        self.settings = settings
        self.database = database
        self._chosen: str | None = None
        self._policy = self._with({})
        self._read_at = float("-inf")

    def __call__(self) -> Policy:
        if time.monotonic() - self._read_at >= FOLLOWED_SECONDS:
            self._follow()
        return self._policy

    def read(self) -> Policy:
        """What holds now. Raises PolicyProblem, or what the database does, where it cannot be read."""
        return self._with(_choices(read_setting(self.database(), CHOSEN)))

    @property
    def last(self) -> Policy:
        """What held when it was last asked, without asking: answers to questions take no database."""
        return self._policy

    def choose(self, values: Mapping[str, str], who: str, now: datetime) -> list[str]:
        """Let each value hold from now on, as ``Policy.said`` writes it; returns what changed, in words.

        Who changed what is kept. Raises PolicyProblem, and then nothing changed.
        """
        database = self.database()
        with database.write_usage() as connection:
            # Read where it is written: another process may have changed something else a moment ago.
            kept, before = self._kept(read_setting_in(connection, database.workspace_id, CHOSEN))
            usual, chosen = self._with({}), kept | dict(values)
            after = self._with(chosen)
            differs = {name: value for name, value in chosen.items() if after.said(name) != usual.said(name)}
            changed = [
                f"{TITLES[name]}: {before.said(name) or 'none'} → {after.said(name) or 'none'}"
                for name in TITLES
                if before.said(name) != after.said(name)
            ]
            alerting = AlertPolicy(after.limit_usd, spend_day(now, after.timezone))
            write_setting_in(connection, database.workspace_id, CHOSEN, json.dumps(differs))
            for one in changed:
                write_audit(connection, database.workspace_id, now, who, f"changed the {one}")
            # Who is over the new limit, and whose alert waited for the old quiet hours, is told now.
            look_again(connection, database.workspace_id, alerting, now)
        self._follow()
        return changed

    @property
    def chosen(self) -> list[str]:
        """What admins chose in place of the environment's settings, in words."""
        policy = self()
        return [f"{TITLES[name]} {policy.said(name) or 'none'}" for name in _choices(self._chosen)]

    def check(self, values: Mapping[str, str]) -> None:
        """See whether values could be chosen, without asking the database. Raises PolicyProblem."""
        self._with(self._kept(self._chosen)[0] | dict(values))

    def _kept(self, chosen: str | None) -> tuple[dict[str, str], Policy]:
        """What was chosen and can still be read, and what holds by that."""
        kept = _choices(chosen)
        try:
            return kept, self._with(kept)
        except PolicyProblem as problem:
            _warn("of what admins chose in Slack this cannot be read any more, choose it again: %s", problem)
            kept = {name: said for name, said in kept.items() if name not in problem.sentences}
            return kept, self._with(kept)

    def _follow(self) -> None:
        try:
            chosen = read_setting(self.database(), CHOSEN)
            if chosen != self._chosen:
                self._policy = self._kept(chosen)[1]
                self._chosen = chosen
        except database_errors(DatabaseProblem) as error:
            # Questions are answered without a database, too: what held before holds on.
            _warn("what admins chose could not be read: %s", str(error).partition("\n")[0])
        self._read_at = time.monotonic()

    def _with(self, chosen: Mapping[str, str]) -> Policy:
        values = {name: getattr(self.settings, name) for name in TITLES}
        wrong: dict[str, str] = {}
        for name, said in chosen.items():
            try:
                values[name] = _read(name, said)
            except ValueError as error:
                wrong[name] = f"“{said[:60]}” is no {TITLES[name]}: {error}."
        if wrong:
            raise PolicyProblem(wrong)
        return Policy(**values)


TITLES = {
    "timezone": "time zone",
    "limit_usd": "daily limit",
    "budget_usd": "monthly budget",
    "names": "naming of people",
    "quiet_hours": "quiet hours",
    "holidays": "holiday calendar",
    "retention_days": "retention",
    "picture": "picture",
}
"""What admins choose, and what people call it."""


def _choices(text: str | None) -> dict[str, str]:
    """What is kept of what admins chose, without what only another version knows."""
    return {name: said for name, said in json.loads(text or "{}").items() if name in TITLES}


def _warn(message: str, problem: object) -> None:
    from logging import getLogger  # most commands have nothing to warn of

    getLogger(__name__).warning(message, problem)


_READERS = dict(FIELDS.values())


def _read(name: str, value: str) -> Any:
    """What somebody chose. Raises ValueError that says why it is wrong."""
    if not value and name in ("budget_usd", "retention_days"):
        return None
    return _READERS[name](value.replace("$", "").strip())


def delete_old(database: Database, policy: Policy, now: datetime) -> int:
    """Delete a workspace's usage that is older than its policy keeps; returns how many rows."""
    from bot.store.retention import delete_before  # once a day

    first = policy.first_kept(spend_day(now, policy.timezone))
    return 0 if first is None else delete_before(database, first, now)
