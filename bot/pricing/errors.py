"""Why something has no price; each error is one sentence that a person can act on."""

from datetime import date


class PricingError(Exception):
    """Something cannot be priced. ``str(error)`` is one full sentence."""


class PriceBookError(PricingError):
    """The price book itself is wrong: which row, which field, and what is allowed."""


class UnknownModel(PricingError):
    """No model of that name is in the price book."""

    def __init__(self, name: str, known: list[str]) -> None:
        self.name = name
        self.known = known
        super().__init__(f"No price for the model “{name}”. Known models: {'; '.join(known)}.")


class NoPriceOnDate(PricingError):
    """The model is known, but the day lies before its first price."""

    def __init__(self, model: str, day: date, first: date | None) -> None:
        self.model = model
        self.day = day
        self.first = first
        since = f"its first price is of {first}" if first else "all of its prices have been revoked"
        super().__init__(f"{model} has no price on {day}: {since}.")


class NoPriceForCondition(PricingError):
    """The model has a price on that day, but none under that condition."""

    def __init__(self, model: str, day: date, condition: str, hint: str = "") -> None:
        self.model = model
        self.day = day
        self.condition = condition
        super().__init__(f"{model} has no {condition} price on {day}{': ' + hint if hint else ''}.")
