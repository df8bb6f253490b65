"""How the report's figures look, and how they get into the page."""

from __future__ import annotations

import contextlib
import io
import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# Recordings are grey and black, models blue, everywhere; these stay apart in all common forms of colour blindness.
RECORDING = "#1c1c1c"
RECORDINGS = "#a3a3a3"
TARGET = "#e4e4e2"
BEST = "#0a5a9c"
MEMBERS = "#8dbbe0"
STIMULUS = "#d9a441"
WARNING = "#c4481a"
TEXT = "#333333"
QUIET = "#767676"

PAGE_WIDTH_IN = 8.6

_FONTS = ("Helvetica Neue", "Helvetica", "Arial", "Liberation Sans", "DejaVu Sans")

_STYLE: dict[Any, Any] = {
    "font.size": 8.0,
    "text.color": TEXT,
    "text.parse_math": False,  # names of cells and parameters may hold a dollar sign
    "axes.edgecolor": QUIET,
    "axes.labelcolor": TEXT,
    "axes.labelsize": 8.0,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": TEXT,
    "ytick.labelcolor": TEXT,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Matplotlib's settings as the report wants them, put back afterwards."""
    import matplotlib
    from matplotlib.font_manager import fontManager

    known = {entry.name for entry in fontManager.ttflist}
    # By name, not "sans-serif": a figure keeps its letters when it is saved outside of this context.
    fonts = [name for name in _FONTS if name in known]
    with matplotlib.rc_context({**_STYLE, "font.family": fonts or ["sans-serif"]}):
        yield


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure that keeps its labels apart, without pyplot and without a display."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), dpi=200, layout="constrained", facecolor="white")


def as_svg(figure: Figure, prefix: str, label: str) -> Markup:
    """A figure as SVG to stand inside a page.

    Args:
        figure: What to draw.
        prefix: Begins the ids inside; differs between the figures of one page.
        label: What the figure shows, for those who do not see it.
    """
    from markupsafe import Markup, escape

    stream = io.StringIO()
    with style():
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(stream, format="svg", metadata=nothing)
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<style[^>]*>.*?</style>", "", text, flags=re.DOTALL)
    # Groups carry ids that repeat from figure to figure and that nothing refers to.
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    for place, name in enumerate(dict.fromkeys(re.findall(r' id="([^"]*)"', text))):
        text = text.replace(f'id="{name}"', f'id="{prefix}-{place}"')
        text = text.replace(f'#{name}"', f'#{prefix}-{place}"').replace(f"#{name})", f"#{prefix}-{place})")
    text = re.sub(r' (?:d|x|y|width|height|transform)="[^"]*"', lambda found: _rounded(found.group()), text)
    text = re.sub(r'<svg([^>]*?) width="[^"]*"', r"<svg\1", text, count=1)
    text = re.sub(r'<svg([^>]*?) height="[^"]*"', r"<svg\1", text, count=1)
    text = text.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)
    return Markup(text)


def _rounded(attribute: str) -> str:
    """Coordinates to a hundredth of a point: half the size, the same picture."""
    shorter = re.sub(r"-?\d+\.\d{3,}", lambda found: f"{float(found.group()):.2f}", attribute)
    return shorter.replace("\n", "")


def plain_ticks(axis: Axis) -> None:
    """Tick labels as plain numbers: 0.1, 1, 10, 10 000."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axis.set_minor_formatter(NullFormatter())


def score_axis(axes: Axes, which: str, largest: float, limit: float) -> None:
    """An axis of scores from zero: even up to the limit, in decades beyond it when they are needed.

    Args:
        axes: Where.
        which: "x" or "y".
        largest: Largest score to be seen (standard deviations).
        limit: Largest score of an accepted model (standard deviations).
    """
    limit = limit if math.isfinite(limit) and limit > 0 else 1.0
    axis = axes.xaxis if which == "x" else axes.yaxis
    (low, high) = (0.0, max(largest, limit) * 1.12)
    if high > 4 * limit:
        set_scale = axes.set_xscale if which == "x" else axes.set_yscale
        set_scale("symlog", linthresh=limit, linscale=1.2)
        tens = [10.0**power for power in range(-2, 7)]
        axis.set_ticks([0.0, limit, *(ten for ten in tens if 1.5 * limit < ten < high)])
        axis.set_ticks([], minor=True)
        high *= 1.1
    plain_ticks(axis)
    (axes.set_xlim if which == "x" else axes.set_ylim)(low - 0.03 * min(limit, high), high)


def number(value: float | None, digits: int = 3) -> str:
    """A number to read: three significant digits, a true minus, "–" where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
        text = f"{value:.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{value:.{digits - 1}e}"
        mantissa, _, exponent = text.partition("e")
        text = f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(exponent)}"
    return text.replace("-", "−")


def spread(values: list[float], digits: int = 3) -> str:
    """Smallest to largest in words: "12", "12 to 18", "–" for none."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return "–"
    low, high = number(min(finite), digits), number(max(finite), digits)
    return low if low == high else f"{low} to {high}"


def duration(seconds: float) -> str:
    """A time to read: "42 s", "12 min", "3.4 h", "2.1 days"."""
    if not math.isfinite(seconds) or seconds < 0:
        return "an unknown time"
    for size, unit in ((86400.0 * 2, "days"), (5400.0, "h"), (90.0, "min")):
        if seconds >= size:
            return f"{number(seconds / {'days': 86400.0, 'h': 3600.0, 'min': 60.0}[unit], 2)} {unit}"
    return f"{number(seconds, 2)} s"
