"""What a dollar figure is: reported, list price, or covered by a seat. Every message with money ends in this.

A ``price_label`` is PriceBook.label.
"""

from bot.pricing.money import rounded
from bot.spend.amounts import ZERO, Amount


def spent(amount: Amount) -> str:
    """The dollars of an amount as people read them; “no price” where $0 would be wrong."""
    return "no price" if amount.told_usd is None else rounded(amount.told_usd)


def own_fact(amount: Amount, when: str) -> str:
    """What somebody spent: “when” is “today” or “in November”."""
    return f"What you used {when} has no price" if amount.told_usd is None else f"You spent {spent(amount)} {when}"


def counted_unpriced(amount: Amount) -> str:
    """What is in no dollar figure, as in “300 tokens and 2 web searches”; empty where all is."""
    what = [f"{amount.unpriced_tokens:,} tokens"] * bool(amount.unpriced_tokens)
    what += [f"{amount.unpriced_searches:,} web searches"] * bool(amount.unpriced_searches)
    return " and ".join(what)


def unpriced(amount: Amount) -> list[str]:
    """A line on what is in no dollar figure, where there is any."""
    return [f"{counted_unpriced(amount)} had no price and are in no figure here"] * amount.has_unpriced


def list_label(price_label: str) -> str:
    """The label at the start of a sentence."""
    return price_label[0].upper() + price_label[1:]


def money_label(amount: Amount, price_label: str) -> str:
    """One sentence on where the dollars of ``amount`` come from."""
    label = list_label(price_label)
    if amount.reported_usd != ZERO:
        label = f"Cost as the usage source states it, else {price_label}"
    if amount.size_unknown_usd != ZERO:
        label += (
            f"; {rounded(amount.size_unknown_usd)} of it takes all prompts for short ones, which the source leaves open"
        )
    if amount.covered_usd == ZERO:
        return f"{label}; not an invoice"
    if amount.covered_usd == amount.usd:
        return f"{label}; API-equivalent: a subscription may already cover it"
    return f"{label}; {rounded(amount.covered_usd)} of it is API-equivalent, used under a subscription"
