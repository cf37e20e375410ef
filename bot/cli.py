"""The command line. Each command imports what it needs when it runs, so that the others start fast."""

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from bot.app import Installation
    from bot.imports import FileReport
    from bot.pricing import PriceBook
    from bot.settings import Settings
    from bot.workspaces import Workspaces

DONE, WITH_PROBLEMS, REFUSED = 0, 1, 2

KNOWN_PROBLEMS = (
    "SettingsProblem",
    "DatabaseProblem",
    "PriceBookError",
    "UnknownIdentity",
    "UnknownMember",
    "AmbiguousName",
)
"""Errors whose text is a sentence for people. They are named, as importing their modules would slow every start."""

_OF_DATABASES = frozenset({"OperationalError", "ProgrammingError", "InternalError"})
"""What all drivers call errors that a database's owner can do something about; some have kinds of them."""


def _usage_day(text: str) -> date:
    """A day that usage can be of; others have months and weeks around them that lie outside the calendar."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"“{text}” is no day; expected one such as 2026-11-19") from None
    if not 2000 <= day.year <= 2100:
        raise click.BadParameter(f"{day} is no day of usage; expected one between 2000 and 2100")
    return day


def _dollars(text: str) -> Decimal:
    """Dollars above zero, such as 12 or $12.50."""
    plain = text.strip().removeprefix("$")
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", plain, re.ASCII) or not Decimal(plain):
        raise click.BadParameter(f"“{text}” is no amount of dollars; expected one such as 12 or 12.50")
    return Decimal(plain)


_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
_A_DAY = "A day such as 2026-11-19."
_day_option = click.option("--day", type=_usage_day, metavar="D", help=_A_DAY)
_on_option = click.option("--on", type=_usage_day, metavar="D", help=_A_DAY)


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of this module, the ones for everybody first."""
        return list(self.commands)


@click.group(cls=_Commands, no_args_is_help=True)
def app() -> None:
    """What Claude Code costs: questions answered, exports imported, digests posted, people warned."""


def main() -> None:
    """Run the command line; what goes wrong in a known way becomes one sentence on stderr and exit code 2."""
    for stream in filter(None, (sys.stdout, sys.stderr)):  # a closed one is None
        # A terminal that cannot show a character shows another one in its place.
        stream.reconfigure(errors="replace")  # a TextIOWrapper in every real process
    try:
        code = app(standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        sys.exit(REFUSED)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "claudecost"
        said = error.format_message().rstrip(".")
        _refuse(f"{said}{'' if said.endswith('?') else '.'} {command} --help says what it takes.")
    except (click.Abort, KeyboardInterrupt):
        _refuse(_INTERRUPTED)
    except BrokenPipeError:
        _drop_output()
        sys.exit(DONE)
    except Exception as error:
        if type(error).__name__ in KNOWN_PROBLEMS:
            _refuse(str(error))
        if sys.flags.dev_mode:
            raise
        if _is_of_interrupt(error):
            _refuse(_INTERRUPTED)
        if isinstance(error, OSError) and error.strerror:
            if error.filename is None:
                _drop_output()
            where = error.filename or "The output"
            _refuse(f"{where} cannot be read or written: {error.strerror}. Name another place, or mend that one.")
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if kinds & _OF_DATABASES or type(error).__name__ == "DatabaseError":
            _refuse(_database_said(str(getattr(error, "orig", error))))
        if isinstance(error, UnicodeEncodeError) and any(0xDC80 <= ord(each) <= 0xDCFF for each in error.object):
            said = os.fsencode(error.object).decode("utf-8", "backslashreplace")
            _refuse(f"“{said}” is not UTF-8 text, as names here are; write it in UTF-8.")
        what = f"{type(error).__name__}: {error}"
        _refuse(f"This should not happen: {what}. Please report it; python -X dev -m bot … shows where.")
    sys.exit(code)


_INTERRUPTED = "Interrupted. What was finished before is kept."


def _is_of_interrupt(error: BaseException | None) -> bool:
    """Whether an error came of a Ctrl-C, such as one of a module that is there in part only."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _drop_output() -> None:
    """Let what is still to be printed go nowhere, as nobody reads it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _database_said(words: str) -> str:
    said = words.strip().splitlines()[0].rstrip(".")
    if "locked" in said:
        return f"Another process is writing to the database ({said}). Nothing was changed; try again in a minute."
    if "is full" in said or "No space left" in said:
        return f"The disk of the database is full ({said}). Nothing was changed; make room there and try again."
    return f"The database refused: {said}. Look if DATABASE_URL names one of claudecost's; claudecost doctor says more."


@app.command()
@click.argument("words", nargs=-1, required=True, help="Such as: 500k in 80k out opus")
@click.option("--on", metavar="D", help="Prices of that day, such as 2026-11-19.")
@_json_option
def ask(words: tuple[str, ...], on: str | None, as_json: bool) -> None:
    """Price a question. claudecost ask help lists everything that can be said."""
    from bot.ask import Refusal
    from bot.ask import ask as answered

    if words == ("help",) and not as_json:
        from bot.slack.blocks.help import help_message
        from bot.slack.blocks.plain import as_text

        print(as_text(help_message(is_terminal=True)).replace("/claudecost", "claudecost ask"))
        return
    try:
        day = _price_day(on)
        found = answered(" ".join(words), day, _price_book())
        if on is not None and found.question.day != day:
            raise Refusal(f"--on says {on} and the question says {found.question.day}; say one of the two.")
    except Refusal as refusal:
        if as_json:
            from bot.reports import refusal_json

            _print_json(refusal_json(refusal))
            print(refusal.sentence, file=sys.stderr)
            raise click.exceptions.Exit(REFUSED) from None
        _refuse(f"{refusal.sentence} Try: claudecost ask {refusal.suggestion}")
    if as_json:
        from bot.reports import answer_json

        _print_json(answer_json(found))
        return
    from bot.slack.blocks.answer import answer_message
    from bot.slack.blocks.plain import as_text

    print(as_text(answer_message(found)))


def _price_day(text: str | None) -> date:
    from bot.ask import Refusal

    try:
        return _today() if text is None else date.fromisoformat(text)
    except ValueError:
        raise Refusal(f"--on is “{text}”; expected a day such as 2026-11-19.") from None


@app.command("import")
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    metavar="PATH...",
    type=click.Path(readable=False, path_type=Path),
    help="Export files, folders of them, or - for standard input.",
)
@click.option("--format", "format_name", metavar="F", help="Instead of telling it from the content.")
@click.option("--person", metavar="E", help="Whose usage it is, where the export does not say.")
@click.option("--dry-run", is_flag=True, help="Say what each file by itself would do, and store nothing.")
@_json_option
def import_exports(
    paths: tuple[Path, ...], format_name: str | None, person: str | None, dry_run: bool, as_json: bool
) -> None:
    """Import usage exports."""
    from bot.ahead import read_ahead
    from bot.exports.containers import STDIN, SUFFIXES, files_below
    from bot.progress import import_bar
    from bot.store.bulk import uncollected
    from bot.store.database import is_still_to_be_made, passing_database

    if person is not None and not re.fullmatch(r"[^@\s]+@[^@\s]+", person):
        _refuse(f"--person is “{person}”; expected an e-mail address such as dana@example.com.")
    if any(not str(path).strip(".") and path == Path() for path in paths) and "" in sys.argv:
        _refuse("A path is empty; name a file or a folder.")
    installation = _installation()
    if dry_run and is_still_to_be_made(installation.settings.database):
        installation.rows = click.get_current_context().with_resource(passing_database())
    importer = installation.importer()
    files = [file for path in paths for file in files_below(path)]
    with import_bar(files) as wrap, uncollected():
        reports = list(
            importer.import_files(
                files, installation.clock(), format_name, person, keep=not dry_run, wrap=wrap, read_all=read_ahead
            )
        )
    if not files:
        _refuse(f"No export files in {', '.join(str(path) for path in paths)}: looked for {', '.join(SUFFIXES)}.")
    if as_json:
        from bot.reports import import_json

        _print_json(import_json(reports))
    else:
        _print_reports(reports, dry_run)
        if person is None:
            _say_whose(installation, reports)
    named = {"standard input" if path == STDIN else str(path) for path in paths}
    for report in reports:
        if report.refused:
            _print_error(report.refused)
    is_nothing_read = all(report.refused for report in reports)
    if is_nothing_read or any(report.refused and report.path in named for report in reports):
        raise click.exceptions.Exit(REFUSED)
    raise click.exceptions.Exit(WITH_PROBLEMS if any(report.problems or report.refused for report in reports) else DONE)


def _say_whose(installation: "Installation", reports: "Sequence[FileReport]") -> None:
    """That somebody's usage is nobody's yet, while it is, where a file names nobody."""
    from bot.exports.formats import reader_named
    from bot.spend.records import THIS_MACHINE
    from bot.store.identity import is_unassigned

    if not any(one.rows and not reader_named(one.format or "").names_people for one in reports):
        return
    if is_unassigned(installation.database, THIS_MACHINE):
        print(
            f"What names nobody is counted for “{THIS_MACHINE.name}”, as one person's. Say whose it is: import each "
            f"person's files with --person, or claudecost link \"{THIS_MACHINE.name}\" E-MAIL if all are one's."
        )


@app.command()
@click.option("--from", "start", type=_usage_day, metavar="D", help="First day.")
@click.option("--to", "end", type=_usage_day, metavar="D", help="Day after the last.")
@click.option("--by", default="", metavar="GROUPS", help="Any of person,day,model,source.")
@_json_option
def spend(start: date | None, end: date | None, by: str, as_json: bool) -> None:
    """What was spent, of all that is stored or of a period (--to is exclusive)."""
    from bot.ledger import GROUPS

    groups = list(dict.fromkeys(name.strip() for name in by.split(",") if name.strip()))
    unknown = [name for name in groups if name not in GROUPS]
    if unknown:
        _refuse(f"--by names “{unknown[0]}”; it takes any of {', '.join(GROUPS)}, with commas between.")
    if start and end and start >= end:
        _refuse(f"The period from {start} to {end} is empty: --to is the day after the last one.")
    installation = _installation()
    report = installation.ledger.spend(start, end, groups)
    if as_json:
        from bot.reports import spend_json

        _print_json(spend_json(report, groups))
        return
    from bot.terminal import print_spend

    print_spend(report, groups, f"{installation.policy().timezone.key} days, {installation.book.label}")


@app.command()
@_day_option
@click.option("--team", metavar="T", help="One team instead of everybody.")
@click.option("--post", metavar="CHANNEL", help="Post it to this channel id, once.")
@_json_option
def digest(day: date | None, team: str | None, post: str | None, as_json: bool) -> None:
    """The digest of a day (yesterday unless said otherwise)."""
    from bot.settings import CHANNEL_ID
    from bot.slack.blocks.digest import digest_message
    from bot.spend.days import ONE_DAY
    from bot.store.teams import find_team

    if post is not None and not re.fullmatch(CHANNEL_ID, post):
        _refuse(
            f"--post is “{post}”; expected a channel id such as C0123456789 (at the bottom of its details in Slack)."
        )
    installation = _installation()
    which = day or installation.today() - ONE_DAY
    of_team = find_team(installation.database, team) if team is not None else None
    if team is not None and of_team is None:
        _refuse(f"No team is called “{team}”; claudecost team makes one. Leave --team out for everybody.")
    facts = installation.ledger.digest(which, installation.clock(), team=of_team)
    message = digest_message(facts)
    if post is not None:
        _post_digest(installation, post, which, of_team.name if of_team else "")
    if as_json:
        from bot.reports import digest_json

        _print_json(digest_json(facts, message))
    else:
        from bot.slack.blocks.plain import as_text

        print(as_text(message))


@app.command()
@_day_option
@_json_option
def alerts(day: date | None, as_json: bool) -> None:
    """Who reached which step of their limit on a day (today unless said otherwise); sends nothing."""
    installation = _installation()
    which = day or installation.today()
    found = installation.ledger.alerts(which)
    if as_json:
        from bot.reports import alerts_json

        _print_json(alerts_json(which, found))
        return
    from bot.pricing.money import rounded, shown
    from bot.store.quantities import stored_period

    for alert in found:
        print(f"{alert.person}: {rounded(alert.usd)}, {alert.step}x the limit of {shown(alert.limit_usd)}")
    if found:
        zone = installation.ledger.zone_of(which)
        print(f"On {which} ({zone} day); {installation.book.label}, or as the source states it.")
    else:
        stored = stored_period(installation.database)
        newest = (
            f"the newest day stored is {stored.end.fromordinal(stored.end.toordinal() - 1)}"
            if stored
            else "no usage of single days is stored"
        )
        print(f"Nobody reached their limit on {which} ({newest}).")


@app.command()
@click.argument("person", help="An e-mail address, or another name of theirs that exports use.")
@click.argument("day", type=_usage_day, help=_A_DAY)
def explain(person: str, day: date) -> None:
    """Where a person's figure of a day comes from: every source that knows the day, and which one speaks."""
    from bot.terminal import print_explanation

    installation = _installation()
    explanation = installation.ledger.explain(person, day)
    if explanation is None:
        _refuse(f"Nobody is called “{person}” here; claudecost people lists everybody.")
    print_explanation(explanation, installation.book.label)


@app.command()
@_json_option
def people(as_json: bool) -> None:
    """Who is who: everybody that exports name, and the names that nobody is known to be behind."""
    from bot.store.identity import unassigned
    from bot.store.people import all_people

    installation = _installation()
    known = all_people(installation.database)
    nobody = unassigned(installation.database, date.min)
    if as_json:
        from bot.reports import people_json

        _print_json(people_json(known, nobody))
        return
    from bot.terminal import print_people

    print_people(known, nobody)


@app.command()
@click.argument("name", help="A key, account id or address, as an export names it.")
@click.argument("person", help="The e-mail address of the person it is.")
def link(name: str, person: str) -> None:
    """Say whose a key, an account or another address is; its whole history moves along.

    An address that is linked to itself goes its own way again.
    """
    from bot.store.identity import BY_ADMIN
    from bot.store.linking import link_actor
    from bot.store.people import similar_address

    if not re.fullmatch(r"[^@\s]+@[^@\s]+", person):
        _refuse(f"PERSON is “{person}”; expected an e-mail address such as dana@example.com.")
    installation = _installation()
    policy = installation.alert_policy()
    similar = similar_address(installation.database, person)
    link_actor(installation.database, name, person, BY_ADMIN, installation.book, policy, installation.clock())
    print(f"{name} is {person} from now on, with all its history.")
    if similar is not None:
        print(f"Nobody had that address before. If you meant {similar}, link it to that.")


@app.command()
@click.argument("person", help="The e-mail address of the person.")
@click.option("--yes", "is_sure", is_flag=True, help="Without asking.")
def erase(person: str, is_sure: bool) -> None:
    """Forget who a person is; team totals stay, under a name that says nothing. It cannot be undone."""
    from bot.store.erasure import erase_person

    installation = _installation()
    try:
        is_sure = is_sure or click.confirm(f"Forget who {person} is, for good?")
    except click.Abort:
        _refuse("Nothing was erased; say --yes where nobody can be asked.")
    if not is_sure:
        _refuse("Nothing was erased.")
    number = erase_person(installation.database, person, "command line", installation.clock())
    print(f"{person} is erased person {number} from now on; later exports of the same usage are counted there.")


@app.command()
def collect() -> None:
    """Run every live feed now, whether it is due or not; the first time this fetches 90 days."""
    from bot.feeds import Brought
    from bot.logs import configure_logging
    from bot.progress import track
    from bot.store.feeds import feed_states

    configure_logging()
    installation = _installation()
    if not installation.feeds.feeds:
        _refuse("No feed is set up: set ANTHROPIC_ADMIN_KEY or CLAUDECOST_WATCH_FOLDER (docs/sources.md).")
    problems: list[str] = []

    def tell(name: str, brought: Brought) -> None:
        newest = f", the newest of {brought.newest_day}" if brought.newest_day else ""
        print(f"{name}: {brought.rows:,} rows are new or changed{newest}")
        problems.extend(f"{name}: {problem}" for problem in brought.problems)

    installation.feeds.collect(installation.clock(), track("Fetching"), is_forced=True, tell=tell)
    mine = {feed.name for feed in installation.feeds.feeds}
    known = [state for state in feed_states(installation.database) if state.name in mine and state.problem]
    problems += [f"{state.name}: {state.problem}" for state in known]
    for problem in dict.fromkeys(problems):
        print(problem, file=sys.stderr)
    raise click.exceptions.Exit(WITH_PROBLEMS if problems else DONE)


@app.command()
@_on_option
@click.option("--history", metavar="MODEL", help="Every price that a model ever had.")
@_json_option
def prices(on: date | None, history: str | None, as_json: bool) -> None:
    """The price book of a day (today unless said otherwise)."""
    from bot.pricing import PricingError
    from bot.reports import history_json, prices_json

    book, today = _price_book(), _today()
    day = on or today
    try:
        document = history_json(book, history, day) if history else prices_json(book, day)
    except PricingError as error:
        _refuse(str(error))
    if not document.get("models", True):
        _refuse(f"No price is known for {day}; the first one of any model is from {book.first_day}.")
    warning = book.age_warning(today)
    if warning:
        print(warning, file=sys.stderr)
    if as_json:
        _print_json(document)
        return
    from bot.terminal import print_history, print_prices

    print_history(document) if history else print_prices(document)


@app.command()
@click.argument("words", nargs=-1, help="A spend to compare them for: $6 a day, or a question.")
@_on_option
@_json_option
def plans(words: tuple[str, ...], on: date | None, as_json: bool) -> None:
    """The subscriptions that are known on a day, or what each would cost for a spend."""
    from bot.advice_reports import options_json, plans_json
    from bot.pricing.plans import default_plan_book, plan_book_with
    from bot.slack.blocks.plain import as_text
    from bot.slack.blocks.plans import plan_list_message, what_if_message

    settings = _own_settings()
    day, own = on or _today(), settings.plans if settings else None
    plan_book = plan_book_with(own) if own else default_plan_book()
    known, typical = plan_book.on(day), plan_book.typical(day)
    if not words:
        if as_json:
            _print_json(plans_json(plan_book, day))
        else:
            listed = plan_list_message(known, day, (typical.average, typical.p90) if typical else None)
            print(as_text(listed).replace("/claudecost plans $6 a day", "claudecost plans '$6 a day'"))
        return
    from bot.ask import Refusal, monthly_spend
    from bot.pricing.money import exact
    from bot.pricing.tiers import what_if

    try:
        spent = monthly_spend(" ".join(words), day, _price_book())
    except Refusal as refusal:
        _refuse(f"{refusal.sentence} Try: claudecost plans '$6 a day'")
    if not any(plan.is_api for plan in known):
        _refuse(f"No plan is known on {day}.")
    best, options = what_if(spent.daily_usd, known)
    if as_json:
        _print_json({"usd": exact(spent.usd), "recommended": best.id, "options": options_json(options)})
    else:
        print(as_text(what_if_message(spent, best, options, day)).replace("/claudecost", "claudecost"))


@app.command()
@click.option("--person", metavar="E", help="One person, by e-mail address.")
@click.option("--team", metavar="T", help="One team; else everybody.")
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw --person's months on each plan into this PNG.",
)
@_json_option
def recommend(person: str | None, team: str | None, picture: Path | None, as_json: bool) -> None:
    """Which plan fits a person, or which mix of plans fits a team, from what they really used."""
    from bot.advice_reports import recommendation_json
    from bot.progress import track
    from bot.slack.blocks.plain import as_text
    from bot.slack.blocks.plans import own_recommendation_message, team_recommendation_message

    if person is not None and team is not None:
        _refuse("--person and --team exclude each other; say one of the two.")
    if picture is not None and person is None:
        _refuse("--picture draws the months of one person; say --person as well.")
    installation = _installation()
    advisor, today = installation.advisor, installation.today()
    found = advisor.for_person(person, today) if person else advisor.for_team(today, team, track("Looking at people"))
    if found is None:
        _refuse(
            f"Nobody is called “{person}” here; claudecost people lists everybody."
            if person
            else f"No team is called “{team}”; claudecost team makes one."
        )
    if picture is not None:
        from bot.slack.charts import png, recommendation_spec

        picture.write_bytes(png(recommendation_spec(found.people[0], found.plans)))
    if as_json:
        _print_json(recommendation_json(found))
    else:
        message = (
            own_recommendation_message(found) if person else team_recommendation_message(found, team or "the workspace")
        )
        print(as_text(message))


@app.command()
@click.argument("name", required=False, help="The team's name; without it all teams are listed.")
@click.argument("members", nargs=-1, metavar="[EMAIL]...", help="People who join it.")
@click.option("--limit", type=_dollars, metavar="USD", help="A person's daily limit.")
@click.option("--budget", type=_dollars, metavar="USD", help="The team's month.")
@click.option("--lead", metavar="U…", help="The lead's Slack user id.")
def team(
    name: str | None, members: tuple[str, ...], limit: Decimal | None, budget: Decimal | None, lead: str | None
) -> None:
    """Make a team or change it, or list the teams."""
    from bot.pricing.money import shown
    from bot.slack.blocks.message import one_line
    from bot.store.teams import MAX_TEAM_NAME, all_teams, set_team

    installation = _installation()
    database = installation.database
    if name is not None:
        said = {"limit_usd": limit, "budget_usd": budget, "lead": lead}
        if not name.strip() or not name.isprintable():
            _refuse(f"“{one_line(name, 40)}” is no name for a team; give it one of letters and digits, such as core.")
        if lead is not None and not re.fullmatch(r"[UW][A-Z0-9]+", lead):
            _refuse(f"--lead is “{lead}”; expected a Slack user id such as U0123ABCD (in their profile, under ⋮).")
        if len(name.strip()) > MAX_TEAM_NAME:
            _refuse(f"“{name[:40]}…” is too long for a team's name; {MAX_TEAM_NAME} characters fit into a digest.")
        set_team(database, name, members, **{key: value for key, value in said.items() if value is not None})
        installation.look_again()
    for found, people_of in all_teams(database):
        if name is None or found.name.lower() == name.lower():
            own_limit = f", {shown(found.limit_usd)} a day each" if found.limit_usd is not None else ""
            month = f", {shown(found.budget_usd)} a month" if found.budget_usd is not None else ""
            named = one_line(found.name, MAX_TEAM_NAME)
            print(f"{named}{own_limit}{month}: {', '.join(people_of) or 'nobody'}")


@app.command()
def article() -> None:
    """The figures of an article on session costs (28 March 2026) beside ours."""
    from bot.ask.article import article_claims
    from bot.pricing import default_price_book
    from bot.slack.blocks.article import article_message
    from bot.slack.blocks.plain import as_text

    print(as_text(article_message(article_claims(default_price_book()))))


@app.command()
def demo() -> None:
    """The whole story in the terminal, without a Slack account."""
    from bot.playground.demo import run_demo

    run_demo()


@app.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8321, show_default=True, metavar="N", help="0 takes a free one."
)
def playground(port: int) -> None:
    """A workspace in your browser: be anybody of a fictional team, move the clock, let things go wrong."""
    import logging
    import threading

    from bot.playground.page import playground as opened

    logging.disable(logging.WARNING)
    try:
        with opened(port) as url:
            print(f"Open {url} in your browser. Ctrl-C ends it; nothing is kept.", flush=True)
            threading.Event().wait()
    except OSError as error:
        _refuse(
            f"Port {port} cannot be served: {error.strerror or error}. Take another: claudecost playground --port 0"
        )
    except KeyboardInterrupt:
        print("\nEnded.")


@app.command()
def run() -> None:
    """Everything in one process: commands by Socket Mode (or HTTP), digests and alerts."""
    from bot import process
    from bot.workspaces import Workspaces

    service = _service()
    if isinstance(service, Workspaces):
        process.run_shared(service, with_jobs=True)
    else:
        process.run(service)


@app.command()
def web() -> None:
    """Slack's requests over HTTP; run workers beside it."""
    from bot import process
    from bot.workspaces import Workspaces

    service = _service()
    if isinstance(service, Workspaces):
        process.run_shared(service, with_jobs=False)
    else:
        process.web(service)


@app.command()
def worker() -> None:
    """Digests and alerts; any number may run on one PostgreSQL."""
    from bot import process
    from bot.workspaces import Workspaces

    service = _service()
    if isinstance(service, Workspaces):
        process.work_shared(service)
    else:
        process.worker(service)


@app.command()
@click.option("--url", help="Its public https address; without it Socket Mode.")
def manifest(url: str | None) -> None:
    """The Slack app's manifest as JSON, to paste at api.slack.com/apps."""
    from bot.slack.app_manifest import manifest as app_manifest

    if url is not None and not re.fullmatch(r"https://[\w.-]+(:\d{1,5})?(/[\w./-]*)?", url):
        _refuse(f"--url is “{url}”; expected a public address such as https://claudecost.example.com.")
    _print_json(app_manifest(url))


@app.command()
@click.option(
    "--from", "old", metavar="URL", help="Then copy everything from this database, if this one is still empty."
)
def migrate(old: str | None) -> None:
    """Bring the database's schema up to date (every other command does so too)."""
    from bot.progress import track
    from bot.settings import load_settings
    from bot.store.database import migrate as bring_up_to_date
    from bot.store.database import open_database

    database = open_database(load_settings().database)
    if old is not None:
        from bot.store.moving import copy_everything

        copied = copy_everything(old, database, track("Copying"))
        print(f"{copied:,} rows were copied to {database.shown_url}.")
    print(f"The schema is at revision {bring_up_to_date(database)}.")


@app.command()
def doctor() -> None:
    """Look at settings, database and Slack: one line each, and what to do."""
    from bot.doctor import examine

    installation = _installation()
    checks = list(examine(installation, installation.clock()))
    for check in checks:
        todo = f"\n     to do: {check.todo}" if check.todo else ""
        print(f"{'TODO' if check.todo else 'ok':4} {check.name}: {check.said}{todo}")
    raise click.exceptions.Exit(WITH_PROBLEMS if any(check.todo for check in checks) else DONE)


def _own_settings() -> "Settings | None":
    """The settings, where there are any: reading them takes longer than answering a question."""
    if not any(name.startswith("CLAUDECOST_") for name in os.environ) and not Path(".env").exists():
        return None
    from bot.settings import load_settings

    return load_settings()


def _price_book() -> "PriceBook":
    from bot.pricing import default_price_book, price_book_with

    settings = _own_settings()
    return price_book_with(settings.prices) if settings and settings.prices else default_price_book()


def _today() -> date:
    settings = _own_settings()
    return (
        datetime.now(settings.timezone if settings else None).astimezone(settings.timezone if settings else None).date()
    )


def _installation() -> "Installation":
    from bot.app import Installation
    from bot.settings import load_settings

    settings = load_settings()
    if settings.is_shared:
        from bot.workspaces import Workspaces

        return Workspaces(settings).chosen()
    return Installation(settings)


def _service() -> "Installation | Workspaces":
    from bot.app import Installation
    from bot.logs import configure_logging
    from bot.settings import load_settings

    configure_logging()
    settings = load_settings()
    if settings.is_shared:
        from bot.workspaces import Workspaces

        return Workspaces(settings)
    return Installation(settings)


def _post_digest(installation: "Installation", channel: str, day: date, team: str = "") -> None:
    from bot.store import deliveries

    now = installation.clock()
    jobs = installation.jobs
    key = deliveries.digest_key(channel, day, "daily", team)
    deliveries.owe_digest(installation.database, channel, day, now, covered=deliveries.Scope("daily", day, team))
    deliveries.reopen(installation.database, key, now)
    jobs.sender.send_due(now)
    delivery = deliveries.find_delivery(installation.database, key)
    if delivery is None or delivery.state != "sent":
        why = (delivery.problem if delivery else None) or "another process is sending it"
        _refuse(f"The digest of {day} was not posted to {channel}: {why}.")
    print(f"The digest of {day} is in {channel} (message {delivery.ts}).", file=sys.stderr)


def _print_reports(reports: "Iterable[FileReport]", dry_run: bool) -> None:
    from bot.terminal import print_import

    for report in reports:
        if not report.refused:
            print_import(report)
    if dry_run:
        print("Nothing was stored: this was a dry run.")


def _print_json(document: dict[str, Any]) -> None:
    from msgspec.json import format as laid_out

    # Where the output is in another encoding, which lacks letters, JSON's own way of writing them has them all.
    is_utf_8 = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
    # What is no UTF-8 text in an argument is quoted with another character in its place.
    text = json.dumps(document, ensure_ascii=not is_utf_8).encode("utf-8", "replace")
    print(laid_out(text, indent=2).decode(), flush=True)


def _refuse(sentence: str) -> NoReturn:
    if "--json" in sys.argv:
        try:
            _print_json({"refusal": sentence})
        except OSError:
            _drop_output()
    _print_error(sentence)
    sys.exit(REFUSED)


def _print_error(sentence: str) -> None:
    """Say what is wrong, if anybody can hear it: that standard error cannot be written is no other end of a command."""
    if sys.stderr is None:
        return
    try:
        print(sentence, file=sys.stderr, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
