"""Numbers as people read them: signs, intervals, p-values. What is undefined is a dash, never a zero."""

import math
from collections.abc import Sequence

MISSING = "–"
MINUS = "\N{MINUS SIGN}"


def number(value: float | None, decimals: int = 2) -> str:
    """Fixed point with a real minus, none before a zero; large counts with thousands apart; a dash for None."""
    if value is None or not math.isfinite(value):
        return MISSING
    if abs(value) >= 1e4:
        decimals = 0
    text = f"{value:,.{decimals}f}" if abs(value) >= 1e4 else f"{value:z.{decimals}f}"
    return text.replace("-", MINUS)


def difference(value: float | None, decimals: int = 2) -> str:
    """A number as `number` has it with its sign, which what rounds to zero has none of."""
    text = number(value, decimals)
    has_sign = text[0] in (MINUS, MISSING) or not text.strip("0.")
    return text if has_sign else f"+{text}"


def interval(bounds: Sequence[float] | None, decimals: int = 2, signed: bool = False) -> str:
    """'[78.10, 79.02]', or a dash for None."""
    if bounds is None or any(bound is None for bound in bounds):
        return MISSING
    form = difference if signed else number
    return f"[{', '.join(form(bound, decimals) for bound in bounds)}]"


def p_value(p: float | None) -> str:
    """Three decimals, or '< 0.001'; a dash for None."""
    if p is None or not math.isfinite(p):
        return MISSING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
