"""What was used, and under which conditions: the two values that a price is looked up for."""

from typing import NamedTuple

TOKEN_KINDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
KINDS = (*TOKEN_KINDS, "web_search")


class TokenUsage(NamedTuple):
    """Tokens and web searches, each a count >= 0. ``input`` is the uncached input only; caches are counted apart."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    web_searches: int = 0

    def plus(self, other: "TokenUsage") -> "TokenUsage":
        """Both usages together, kind by kind."""
        return TokenUsage(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write_5m + other.cache_write_5m,
            self.cache_write_1h + other.cache_write_1h,
            self.web_searches + other.web_searches,
        )

    def times(self, factor: int) -> "TokenUsage":
        """The same usage ``factor`` times over."""
        return TokenUsage(*(count * factor for count in self))

    @property
    def tokens(self) -> int:
        """All tokens of all kinds; web searches are not tokens."""
        return self.input + self.output + self.cache_read + self.cache_write_5m + self.cache_write_1h

    @property
    def prompt_tokens(self) -> int:
        """What prompt-size tiers compare: uncached input, cache reads and cache writes."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h

    def by_kind(self) -> dict[str, int]:
        """The counts under their kind names (``web_search`` for searches), in the order they are shown."""
        return dict(zip(KINDS, self, strict=True))


UNSPLIT = "unsplit"


class PriceConditions(NamedTuple):
    """What, besides the model and the day, decides the price of a token.

    ``speed`` is "standard" or "fast"; ``inference_geo`` is "global" or "us"; ``service_tier`` is "standard" or "batch".
    ``prompt_tier`` is "base", "long" for requests whose prompt was strictly over the model's limit, or "unknown" where
    the size of single requests is not told; unknown is priced as base, and said so. UNSPLIT has no price: ``input`` is
    then the whole prompt, of which nothing says how much was written to a cache or read from one.
    Other values are kept as the export said them and have no price.
    """

    speed: str = "standard"
    inference_geo: str = "global"
    service_tier: str = "standard"
    prompt_tier: str = "base"


STANDARD = PriceConditions()
