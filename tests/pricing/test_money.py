"""How dollars are written."""

from decimal import Decimal

import pytest

from bot.pricing.money import rounded_parts


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        # 3 x 0.3366… is 1.01; 0.34 three times would be 1.02
        (["0.3366", "0.3367", "0.3367"], ["$0.33", "$0.34", "$0.34"]),
        (["1000.40", "0.40", "0.30"], ["$1,001", "<$1", "<$1"]),
        (["5", "0"], ["$5.00", "$0.00"]),
        ([], []),
    ],
)
def test_parts_that_are_shown_add_up(parts: list[str], shown: list[str]) -> None:
    assert rounded_parts([Decimal(part) for part in parts]) == shown
