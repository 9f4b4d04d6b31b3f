"""What answers cost. Amounts are integers in millionths, so that sums are exact."""

from __future__ import annotations

from decimal import Decimal

MICRO = 1_000_000

PRICE_PER_RESPONSE = Decimal("0.01")
START_BALANCE = Decimal("1000.00")


def micro(amount: Decimal) -> int:
    """An amount as the integer that is stored.

    Raises:
        ValueError: The amount has more than six decimals.
    """
    scaled = amount * MICRO
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount} is finer than a millionth")
    return int(scaled)


def decimal(amount: int) -> Decimal:
    """A stored amount."""
    return Decimal(amount) / MICRO


def number(amount: int) -> float:
    """A stored amount as a JSON number.

    The shortest decimal text of the nearest double is the exact amount as long as it has at most
    15 significant digits, that is up to 999,999,999.999999.
    """
    return float(decimal(amount))


def price(responses: int) -> int:
    """What a number of responses costs, in millionths."""
    return micro(PRICE_PER_RESPONSE) * responses
