"""Numbers in words, as every voice says them alike."""

from __future__ import annotations

# fmt: off
_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)
# fmt: on
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_LARGE = ((1_000_000, "million"), (1_000, "thousand"), (100, "hundred"))
MOST = 999_999_999


def whole_number(digits: str) -> str:
    """Write a whole number in words.

    Leading zeros, and more than nine digits, are said digit by digit.
    """
    if (len(digits) > 1 and digits.startswith("0")) or int(digits) > MOST:
        return each_digit(digits)
    return _whole(int(digits))


def decimal_number(digits: str) -> str:
    """Write a number with or without a decimal point in words; no decimal is lost."""
    whole, point, decimals = digits.partition(".")
    words = whole_number(whole)
    return f"{words} point {each_digit(decimals)}" if point else words


def each_digit(digits: str) -> str:
    """Write digits one by one."""
    return " ".join(_ONES[int(digit)] for digit in digits)


def _whole(number: int) -> str:
    if number < len(_ONES):
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens - 2] + (f" {_ONES[ones]}" if ones else "")
    size, name = next(one for one in _LARGE if number >= one[0])
    count, rest = divmod(number, size)
    return f"{_whole(count)} {name}" + (f" {_whole(rest)}" if rest else "")
