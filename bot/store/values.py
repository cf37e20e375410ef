"""Values as both databases hold them: days YYYYMMDD integers, money nanodollars, instants UTC epoch seconds."""

from datetime import UTC, date, datetime
from decimal import ROUND_FLOOR, Decimal

_NANO = Decimal("0.000000001")


def to_nano(usd: Decimal) -> int:
    """Dollars as nanodollars, fractions of one cut off."""
    return int(usd.scaleb(9).to_integral_value(ROUND_FLOOR))


def from_nano(nano: int) -> Decimal:
    """Nanodollars as dollars, exactly. PostgreSQL hands sums over as Decimal, SQLite as int; both are whole."""
    return Decimal(int(nano)) * _NANO


def day_number(day: date) -> int:
    return day.year * 10000 + day.month * 100 + day.day


def number_day(number: int) -> date:
    return date(number // 10000, number // 100 % 100, number % 100)


def instant(seconds: int) -> datetime:
    """Epoch seconds as a moment in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
