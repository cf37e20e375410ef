"""The dated price book: which model a name means on a day, and what its tokens cost then."""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NoReturn, TypeVar

import msgspec
import tomli
from msgspec import Meta, Struct, field

from bot.pricing.errors import NoPriceForCondition, NoPriceOnDate, PriceBookError, UnknownModel
from bot.pricing.usage import STANDARD, TOKEN_KINDS, UNSPLIT, PriceConditions

DEFAULT_FAMILY = "sonnet"
STALE_AFTER_DAYS = 60


class TokenPrices(NamedTuple):
    """US dollars per million tokens, kind by kind, and US dollars per web search."""

    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    web_search: Decimal = Decimal(0)


class _Row(Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file. Decimals are written as text, or read as they stand there, so that they are exact."""


class KindPrices(_Row, frozen=True, kw_only=True):
    """The five token prices of one row, in dollars per million tokens."""

    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal

    def __post_init__(self) -> None:
        for kind in TOKEN_KINDS:
            _check_dollars(kind, getattr(self, kind))

    def prices(self) -> TokenPrices:
        return TokenPrices(self.input, self.output, self.cache_read, self.cache_write_5m, self.cache_write_1h)


class LongPrompt(_Row, frozen=True, kw_only=True):
    """Prices of a request whose prompt is strictly over ``over_tokens``; they hold for every token of the request."""

    over_tokens: Annotated[int, Meta(gt=0)]
    prices: KindPrices


class PriceRow(KindPrices, frozen=True, kw_only=True):
    """The prices of one model from a day (inclusive) to the model's next row (exclusive)."""

    start: date = field(name="from")
    source: str
    fast: KindPrices | None = None
    long_prompt: LongPrompt | None = None
    note: str | None = None
    revoked: str | None = None


class Model(_Row, frozen=True, kw_only=True):
    """One model, its family ("opus"), and its price rows, oldest first."""

    id: str
    name: str
    family: str
    released: date
    us_routing: bool = False
    context_window: Literal[200_000, 1_000_000] = 1_000_000
    retired: date | None = None
    note: str | None = None
    prices: Annotated[list[PriceRow], Meta(min_length=1)]

    @property
    def rows(self) -> list[PriceRow]:
        """The rows in force, without the revoked ones, oldest first."""
        return sorted((row for row in self.prices if row.revoked is None), key=lambda row: row.start)


class _Extra(_Row, frozen=True, kw_only=True):
    name: Literal["web_search", "batch", "us"]
    start: date = field(name="from")
    source: str
    usd: Decimal = Decimal(0)
    factor: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        _check_dollars("usd", self.usd)
        _check_dollars("factor", self.factor)


class _File(_Row, frozen=True, kw_only=True):
    as_of: date
    sources: dict[str, str]
    extras: list[_Extra]
    models: list[Model]


class Discount(_Row, frozen=True, kw_only=True):
    """A contract's discount on token prices: ``percent`` off for a model id, a family, or "*" for every model."""

    model: str
    percent: Decimal
    start: date = field(name="from", default=date.min)
    note: str | None = None

    def __post_init__(self) -> None:
        _check("percent", self.percent, Decimal(0), Decimal(100), 4)


class _Name(_Row, frozen=True, kw_only=True):
    name: str
    model: str


class _Prefix(_Row, frozen=True, kw_only=True):
    prefix: str
    factor: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        _check("factor", self.factor, Decimal("0.0001"), Decimal(10_000), 4)


class OwnPrices(_Row, frozen=True, kw_only=True):
    """A team's own file: discounts, further models, further names, and the prefixes of other platforms.

    A model with an id that the price book has replaces it. A name that starts with a prefix means the model that the
    rest names, at ``factor`` times its token prices.
    """

    sources: dict[str, str] = {}
    models: list[Model] = []
    discounts: list[Discount] = []
    names: list[_Name] = []
    prefixes: list[_Prefix] = []


_MOST = Decimal("999999.999999")


def _check_dollars(name: str, value: Decimal) -> None:
    _check(name, value, Decimal(0), _MOST, 6)


def _check(name: str, value: Decimal, least: Decimal, most: Decimal, places: int) -> None:
    """Refuse a number that is out of bounds (both inclusive), or has more decimals than are kept."""
    if not (value.is_finite() and least <= value <= most and value == round(value, places)):
        takes = f"a number from {least} to {most} with at most {places} decimals"
        raise ValueError(f".{name} is wrong: it is {str(value)!r}; it takes {takes}")


# claude-opus-4-6, opus 4.6, Opus-4-6, claude-3-5-haiku-20241022, anthropic/claude-opus-4.6, claude-opus-5-5[1m]
_SPELLING = re.compile(
    r"(?:anthropic[/.])?(?:claude[- ])?"
    r"(?:(?P<family>[a-z]+)(?:[- ]?(?P<version>\d(?:[-. ]\d)?))?"
    r"|(?P<old_version>\d(?:[-. ]\d)?)[- ](?P<old_family>[a-z]+))"
    r"(?:[-@]\d{8}|-latest)?(?:-v\d(?::\d)?)?(?:\[1m\])?"
)


class PriceBook:
    """Answers what a name means and what a token costs on a day. Built once, then read-only.

    A name is a full id (``claude-opus-4-6``, with or without a dated snapshot such as ``-20251001``), a family with a
    version in a common spelling (``opus 4.6``, ``Sonnet-4-5``), or a family alone (``opus``), which means the newest
    model of that family released by the day asked about.
    """

    def __init__(self, content: _File, fingerprint: str, own: OwnPrices | None = None) -> None:
        own = own or OwnPrices()
        replaced = {model.id for model in own.models}
        models = [*(model for model in content.models if model.id not in replaced), *own.models]
        self.as_of = content.as_of
        self.fingerprint = fingerprint
        self.sources = {**content.sources, **own.sources}
        self.models = tuple(sorted(models, key=lambda model: (model.family, model.released)))
        self.discounts = sorted(own.discounts, key=lambda discount: discount.start)
        self._names = {entry.name.lower(): entry.model for entry in own.names}
        self.own_names = sorted(
            {*self._names, *replaced, *(model.family for model in own.models)}
            - {model.family for model in content.models},
            key=len,
            reverse=True,
        )
        """Names that only the team's own file knows, longest first."""
        self.own_prefixes = [entry.prefix.lower() for entry in own.prefixes]
        """What the team's own file says may stand before a model's id."""
        self._prefixes = {entry.prefix.lower(): entry.factor for entry in own.prefixes}
        self._extras = sorted(content.extras, key=lambda extra: extra.start)
        self._by_id = {model.id: model for model in self.models}
        self._by_version = {_version_key(model.id): model for model in self.models}
        self._rows = {model.id: model.rows for model in self.models}
        self._starts = {model.id: [row.start for row in self._rows[model.id]] for model in self.models}
        self._current: dict[tuple[str, date], Model] = {}
        self._found: dict[tuple[str, date], Model] = {}
        self._rates: dict[tuple[str, date, PriceConditions], TokenPrices] = {}

    @property
    def first_day(self) -> date:
        """The first day on which any model has a price."""
        return min(starts[0] for starts in self._starts.values() if starts)

    def changes(self, start: date, end: date) -> list[date]:
        """The days after ``start`` and before ``end``, in order, on which a price or what a name means may change."""
        days = {model.released for model in self.models}.union(*self._starts.values())
        days |= {discount.start for discount in self.discounts} | {extra.start for extra in self._extras}
        return sorted(day for day in days if start < day < end)

    @property
    def families(self) -> list[str]:
        """The family names that work as aliases, in alphabetical order."""
        return sorted({model.family for model in self.models})

    def model(self, name: str, day: date) -> Model:
        """The model that ``name`` means on ``day``. Raises UnknownModel or, for a family alone, NoPriceOnDate."""
        found = self._found.get((name, day))
        if found is None:
            found = self._found[name, day] = self._find(name, day)
        return found

    def spelled_out(self, name: str) -> str:
        """The id of the model that a name means on every day, however it is spelled.

        The name itself where that depends on the day, has prices of another platform, or is not known.
        """
        if self._without_prefix(name)[1] != 1:
            return name
        try:
            return self.model(name, date.min).id
        except (UnknownModel, NoPriceOnDate):
            return name

    def current(self, family: str, day: date) -> Model:
        """The newest model of a family released by ``day`` (inclusive). Raises NoPriceOnDate before the first."""
        found = self._current.get((family, day))
        if found is None:
            found = self._current[family, day] = self._newest(family, day)
        return found

    def _newest(self, family: str, day: date) -> Model:
        members = [model for model in self.models if model.family == family and self._rows[model.id]]
        released = [model for model in members if model.released <= day]
        if not released:
            raise NoPriceOnDate(family, day, members[0].released if members else None)
        return released[-1]

    def has_family(self, family: str, day: date) -> bool:
        """Whether a model of that family was released by ``day`` (inclusive)."""
        return any(model.family == family and model.released <= day and self._rows[model.id] for model in self.models)

    def price_at(self, model_id: str, day: date) -> PriceRow:
        """The row in force on ``day``. Raises UnknownModel, or NoPriceOnDate before the first row."""
        if model_id not in self._by_id:
            raise UnknownModel(model_id, self.known_names())
        starts = self._starts[model_id]
        position = bisect_right(starts, day)
        if position == 0:
            raise NoPriceOnDate(self._by_id[model_id].name, day, starts[0] if starts else None)
        return self._rows[model_id][position - 1]

    def rates(self, name: str, day: date, conditions: PriceConditions = STANDARD) -> TokenPrices:
        """Dollars per million tokens for this name, day and conditions.

        Raises UnknownModel, NoPriceOnDate, or NoPriceForCondition where the model has no price under a condition.
        """
        key = (name, day, conditions)
        rates = self._rates.get(key)
        if rates is None:
            rates = self._rates[key] = self._rates_for(name, day, conditions)
        return rates

    def first_priced(self, name: str, start: date, end: date) -> date:
        """The first day from ``start`` to before ``end`` on which the model has a price; ``start`` where there is none.

        For usage of several days together, in which a model may have come out.
        """
        try:
            self.price_at(self.model(name, start).id, start)
        except NoPriceOnDate as error:
            if error.first is not None and start < error.first < end:
                return error.first
        except UnknownModel:
            pass
        return start

    def prompt_tier(self, name: str, day: date, prompt_tokens: int) -> str:
        """ "long" if one request with that prompt is strictly over the model's limit on that day, else "base"."""
        limit = self.prompt_limit(name, day)
        return "long" if limit is not None and prompt_tokens > limit else "base"

    def prompt_limit(self, name: str, day: date) -> int | None:
        """The prompt tokens of one request up to which (inclusive) the base price holds; None without a limit."""
        try:
            long_prompt = self.price_at(self.model(name, day).id, day).long_prompt
        except (UnknownModel, NoPriceOnDate):
            return None
        return None if long_prompt is None else long_prompt.over_tokens

    def known_names(self) -> list[str]:
        """What a refusal lists: one entry a family with its versions, newest first ("opus 5.5, 5, 4.8")."""
        names = []
        for family in self.families:
            versions = [model.name.split()[-1] for model in self.models if model.family == family]
            names.append(f"{family} {', '.join(reversed(versions))}")
        return names

    def discount_at(self, model: Model, day: date) -> Discount | None:
        """The newest discount in force for a model on a day: its own before its family's before everybody's."""
        for target in (model.id, model.family, "*"):
            found = [discount for discount in self.discounts if discount.model == target and discount.start <= day]
            if found:
                return found[-1]
        return None

    @property
    def label(self) -> str:
        """What a dollar of this price book is, with its date."""
        return f"{'contract' if self.discounts else 'list'} price estimate, price book of {self.as_of}"

    def label_of(self, model: Model, day: date) -> str:
        """The same for one model and day: a contract's price only where a discount is in force for it."""
        kind = "contract" if self.discount_at(model, day) else "list"
        return f"{kind} price estimate, price book of {self.as_of}"

    def age_warning(self, today: date) -> str | None:
        """A sentence if no price is newer than STALE_AFTER_DAYS, as new models come more often than that."""
        newest = max(row.start for rows in self._rows.values() for row in rows if row.start <= self.as_of)
        age = (today - newest).days
        if age <= STALE_AFTER_DAYS:
            return None
        return f"The newest price is of {newest}, {age} days ago: look for a newer version of claudecost."

    def _find(self, name: str, day: date) -> Model:
        rest, _ = self._without_prefix(name)
        spelled = self._names.get(rest, rest).replace("_", "-")
        if spelled in self._by_id:
            return self._by_id[spelled]
        if spelled in self.families:
            return self.current(spelled, day)
        match = _SPELLING.fullmatch(spelled)
        if match:
            family = match["family"] or match["old_family"]
            version = match["version"] or match["old_version"]
            if version is None and family in self.families:
                return self.current(family, day)
            found = self._by_version.get((family, _digits(version or "")))
            if found is not None:
                return found
        raise UnknownModel(name, self.known_names())

    def _without_prefix(self, name: str) -> tuple[str, Decimal]:
        """A name in lower case without the prefix of another platform, and that prefix's factor."""
        spelled = name.strip().lower()
        for prefix, factor in self._prefixes.items():
            if spelled.startswith(prefix):
                return spelled.removeprefix(prefix), factor
        return spelled, Decimal(1)

    def _rates_for(self, name: str, day: date, conditions: PriceConditions) -> TokenPrices:
        model = self.model(name, day)
        prices = self._speed_prices(model, self.price_at(model.id, day), day, conditions)
        factor = self._tier_factor(model, day, conditions) * self._geo_factor(model, day, conditions)
        discount = self.discount_at(model, day)
        factor *= self._without_prefix(name)[1] * (1 - (discount.percent / 100 if discount else 0))
        return TokenPrices(
            prices.input * factor,
            prices.output * factor,
            prices.cache_read * factor,
            prices.cache_write_5m * factor,
            prices.cache_write_1h * factor,
            self._extra("web_search", day).usd,
        )

    def _speed_prices(self, model: Model, row: PriceRow, day: date, conditions: PriceConditions) -> TokenPrices:
        if conditions.prompt_tier == UNSPLIT:
            _refuse(model, day, "unsplit-prompt", "nothing says how much of it came from a cache, which costs less")
        is_long = conditions.prompt_tier == "long" and row.long_prompt is not None
        if conditions.speed == "standard":
            return row.long_prompt.prices.prices() if is_long and row.long_prompt else row.prices()
        if conditions.speed != "fast" or row.fast is None or is_long or conditions.service_tier != "standard":
            _refuse(model, day, _named_speed(conditions, is_long and row.fast is not None), self._fast_hint(model))
        return row.fast.prices()

    def _fast_hint(self, model: Model) -> str:
        rows = self._rows[model.id]
        fast = [row for row in rows if row.fast is not None]
        if not fast:
            return "it has no fast mode with a published price"
        ends = [row.start for row in rows if row.start > fast[-1].start]
        until = f" until {ends[0]} (that day excluded)" if ends else ""
        return f"fast mode is priced alone, at standard service, from {fast[0].start}{until}"

    def _tier_factor(self, model: Model, day: date, conditions: PriceConditions) -> Decimal:
        if conditions.service_tier == "standard":
            return Decimal(1)
        if conditions.service_tier != "batch":
            _refuse(model, day, f"“{conditions.service_tier}” service tier", "priced are standard and batch")
        return self._extra("batch", day).factor

    def _geo_factor(self, model: Model, day: date, conditions: PriceConditions) -> Decimal:
        if conditions.inference_geo == "global":
            return Decimal(1)
        if conditions.inference_geo != "us":
            _refuse(model, day, f"“{conditions.inference_geo}” geography", "priced are global and us")
        if not model.us_routing:
            _refuse(model, day, "US-only geography", "it is offered from the 4.6 models on")
        return self._extra("us", day).factor

    def _extra(self, name: str, day: date) -> _Extra:
        """The newest row by that day; the first one for days before it, as nothing else was ever charged."""
        rows = [extra for extra in self._extras if extra.name == name]
        return next((row for row in reversed(rows) if row.start <= day), rows[0])


def _refuse(model: Model, day: date, condition: str, hint: str) -> NoReturn:
    raise NoPriceForCondition(model.name, day, condition, hint)


def _named_speed(conditions: PriceConditions, is_long: bool) -> str:
    if conditions.speed != "fast":
        return f"“{conditions.speed}” speed"
    if conditions.service_tier != "standard":
        return f"fast {conditions.service_tier}"
    return "fast long-prompt" if is_long else "fast"


def _digits(version: str) -> tuple[int, ...]:
    """(4, 6) for "4.6"; a missing or zero minor version is left out, so that 4, 4.0 and 4-0 are one."""
    digits = tuple(int(part) for part in re.findall(r"\d", version))
    return digits[:1] if digits[1:] == (0,) else digits


def _version_key(model_id: str) -> tuple[str, tuple[int, ...]]:
    parts = model_id.split("-")[1:]
    family = next((part for part in parts if part.isalpha()), model_id)
    return family, _digits(" ".join(part for part in parts if part.isdigit()))


def read_price_book(text: str, where: str, own_text: str = "", own_where: str = "") -> PriceBook:
    """The price book in a TOML text, changed by a team's own. Raises PriceBookError naming the wrong row and field."""
    content = _validated(_File, text, where)
    named = [
        *((extra.name, extra.source) for extra in content.extras),
        *((model.id, row.source) for model in content.models for row in model.prices),
    ]
    _check_sources(named, content.sources, where)
    own = _validated(OwnPrices, own_text, own_where)
    own_named = [
        (f"models.{place}.prices.{number}.source", row.source)
        for place, model in enumerate(own.models)
        for number, row in enumerate(model.prices)
    ]
    _check_sources(own_named, {**content.sources, **own.sources}, own_where)
    _check_names(content, own, own_where)
    return PriceBook(content, hashlib.sha256(f"{text}\0{own_text}".encode()).hexdigest()[:16], own)


_Content = TypeVar("_Content", bound=_Row)


def _validated(kind: type[_Content], text: str, where: str) -> _Content:
    try:
        said = tomli.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        why = str(error) if isinstance(error, tomli.TOMLDecodeError) else "a number or a table in it is beyond all size"
        raise PriceBookError(f"{where} is not valid TOML: {why}.") from error
    try:
        return msgspec.convert(said, kind, strict=False)  # numbers in quotes are numbers
    except msgspec.ValidationError as error:
        raise PriceBookError(f"{where}: {_in_words(str(error), said)}.") from error
    except RecursionError as error:
        raise PriceBookError(
            f"{where} has tables in tables in tables; README.md, “Your own prices”, shows what it takes."
        ) from error


_WRONG = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MAX_QUOTED = 80


def _in_words(error: str, said: dict[str, Any]) -> str:
    """What msgspec says of a file, with the place as ``models.0.prices.1.input`` and what stands there."""
    what, path = _WRONG.fullmatch(error).group("what", "path")  # type: ignore[union-attr]  # every text matches
    found: Any = said
    steps: list[str] = []
    for step in re.findall(r"\w+|\.{3}", path or ""):
        if step == "...":  # of a table of texts, one that is none
            step = next(name for name, value in found.items() if not isinstance(value, str))
        found = found[int(step)] if isinstance(found, list) else found[step]
        steps.append(step)
    for pattern, words in ((_MISSING, "is missing"), (_UNKNOWN, "is no field that is known here")):
        if match := pattern.fullmatch(what):
            return f"{'.'.join([*steps, match[1]])} {words}"
    place = ".".join(steps)
    if what.startswith("."):
        return place + what
    quoted = repr(found if isinstance(found, str) else str(found))[:_MAX_QUOTED]
    return f"{place} is wrong: {what[0].lower()}{what[1:]}; it is {quoted}"


def _check_sources(named: Iterable[tuple[str, str]], sources: dict[str, str], where: str) -> None:
    for row, source in named:
        if source not in sources:
            raise PriceBookError(f"{where}: {row} names the source {source!r}, which [sources] does not list.")


def _check_names(content: _File, own: OwnPrices, where: str) -> None:
    """Refuse what would never be found, would stand twice, or would take the place of a question's own words."""
    for place, wrong in _wrong_names(content, own):
        raise PriceBookError(f"{where}: {place} is wrong: {wrong}.")


def _wrong_names(content: _File, own: OwnPrices) -> Iterator[tuple[str, str]]:
    models = [*content.models, *own.models]
    known = {model.id for model in models} | {model.family for model in models} | {"*"}
    for number, model in enumerate(own.models):
        yield from _wrong_model(f"models.{number}", model)
    yield from _doubled("models", "id", [model.id for model in own.models])
    for number, discount in enumerate(own.discounts):
        if discount.model not in known:
            yield f"discounts.{number}.model", f'it is {discount.model!r}; it takes a model id, a family or "*"'
    yield from _doubled("discounts", "from", [f"{d.model} from {d.start}" for d in own.discounts])
    for number, entry in enumerate(own.names):
        if entry.model not in known - {"*"}:
            yield f"names.{number}.model", f"it is {entry.model!r}; it takes a model id or a family"
        if not _OWN_NAME.fullmatch(entry.name.lower()):
            yield f"names.{number}.name", f"it is {entry.name!r}; {_OWN_NAME_RULE}"
    yield from _doubled("names", "name", [entry.name.lower() for entry in own.names])
    for number, prefix in enumerate(own.prefixes):
        if not re.fullmatch(r"[a-z0-9][\w.:@-]*[./:]", prefix.prefix.lower(), re.ASCII):
            yield f"prefixes.{number}.prefix", f'it is {prefix.prefix!r}; it takes such as "eu.anthropic."'


_OWN_NAME = re.compile(r"(?=.*[-.:/@\d])[a-z][\w.:@/-]{2,}|(?!(?:in|out|day|fast|batch|us|x)$)[a-z]{5,}", re.ASCII)
_OWN_NAME_RULE = (
    "it takes letters, digits and - . : / @, at least three of them, and no word of questions, such as house-model"
)


def _wrong_model(place: str, model: Model) -> Iterator[tuple[str, str]]:
    if not _OWN_NAME.fullmatch(model.id):
        yield f"{place}.id", f"it is {model.id!r}; {_OWN_NAME_RULE}, in lower case"
    if not model.name.strip():
        yield f"{place}.name", "it is blank; it takes what people call the model, such as House 1"
    if not re.fullmatch(r"[a-z]{3,}", model.family):
        yield f"{place}.family", f"it is {model.family!r}; it takes lower-case letters, at least three"
    starts = [row.start for row in model.rows]
    yield from _doubled(f"{place}.prices", "from", [str(start) for start in starts])
    if starts and model.released < starts[0]:
        yield f"{place}.released", f"it is {model.released}, before the first price of {starts[0]}"


def _doubled(place: str, field: str, values: list[str]) -> Iterator[tuple[str, str]]:
    for number, value in enumerate(values):
        if value in values[:number]:
            yield f"{place}.{number}.{field}", f"{value!r} stands there a second time"


@cache
def default_price_book() -> PriceBook:
    """The price book that ships with claudecost (``bot/pricing/prices.toml``)."""
    return read_price_book(_shipped(), "prices.toml")


def price_book_with(path: Path) -> PriceBook:
    """The price book changed by a team's own file. Raises PriceBookError, also for a file that cannot be read."""
    try:
        own = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PriceBookError(f"CLAUDECOST_PRICES names {path}, which cannot be read: {error}.") from error
    return read_price_book(_shipped(), "prices.toml", own, str(path))


def _shipped() -> str:
    return Path(__file__).with_name("prices.toml").read_text(encoding="utf-8")
