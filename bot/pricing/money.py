"""How dollars are written: exactly where a program reads them, rounded only where a person does."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

_CENT = Decimal("0.01")
_FINE = Decimal("0.0001")


def exact(usd: Decimal) -> str:
    """All digits and at least two decimals: "3.60", "0.099", "0.3122064". Never an exponent."""
    text = f"{usd:f}"
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def shown(usd: Decimal) -> str:
    """For people: cents, or four decimals for amounts that cents would blur ("$3.60", "$0.099", "$1,234.50").

    An amount above zero that even four decimals would round to nothing is written "<$0.0001".
    """
    if usd < 0:
        return f"-{shown(-usd)}"
    if 0 < usd < _FINE / 2:
        return "<$0.0001"
    if usd >= 1:
        return f"${usd.quantize(_CENT, ROUND_HALF_UP):,}"
    return f"${exact(usd.quantize(_FINE, ROUND_HALF_UP))}"


def rounded_parts(parts: Sequence[Decimal]) -> list[str]:
    """Parts of a whole, rounded as it is and so that what is shown adds up to what is shown of it.

    Those that lose the most by rounding down get what is left over. All are 0 or more.
    """
    whole = sum(parts, Decimal(0))
    unit = Decimal(1) if whole >= 1000 else _CENT
    units = [part // unit for part in parts]
    missing = int((whole / unit).quantize(Decimal(1), ROUND_HALF_UP) - sum(units, Decimal(0)))
    most_lost = sorted(range(len(parts)), key=lambda place: (units[place] - parts[place] / unit, place))
    for place in most_lost[:missing]:
        units[place] += 1
    return [
        f"<${unit}" if part and not count else f"${count * unit:,}" for part, count in zip(parts, units, strict=True)
    ]


def rounded(usd: Decimal) -> str:
    """For people who compare large amounts: whole dollars from $1,000 on, else cents ("$2,426", "$184.20").

    An amount above zero that cents would round to nothing is written "<$0.01".
    """
    if 0 < usd < _CENT / 2:
        return "<$0.01"
    if abs(usd) >= 1000:
        return f"{'-' if usd < 0 else ''}${abs(usd).quantize(Decimal(1), ROUND_HALF_UP):,}"
    return f"{'-' if usd < 0 else ''}${abs(usd).quantize(_CENT, ROUND_HALF_UP):,}"
