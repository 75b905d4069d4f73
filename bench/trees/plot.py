"""The table's multiples of the limit as a picture, in SVG."""

import math
from collections.abc import Mapping
from html import escape

COLOURS = ("#1a7f37", "#57606a", "#8250df", "#bf3989", "#0969da")
LEFT, RIGHT, TOP, ROW, WIDTH = 330, 30, 64, 34, 980
TICKS = (0.5, 1, 2, 4, 8, 16, 32)

Ratios = Mapping[str, Mapping[str, tuple[float, float, float]]]


def plot(ratios: Ratios, titles: Mapping[str, str]) -> str:
    """Return a row for each shape, with a dot for each target and a line over its spread."""
    shown = [value for shapes in ratios.values() for three in shapes.values() for value in three]
    least, most = min([0.5, *shown]), max([2, *shown])
    height = TOP + ROW * len(titles) + 24

    def x(value: float) -> float:
        part = math.log(value / least) / math.log(most / least)
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="13">',
        "<title>CPU for one request, as a multiple of one hand-written statement</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for tick in TICKS:
        if least <= tick <= most:
            at, weight = x(tick), 2 if tick == 1 else 1
            lines += [
                f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 8}" y2="{height - 22}" '
                f'stroke="#d0d7de" stroke-width="{weight}"/>',
                f'<text x="{at:.1f}" y="{height - 6}" fill="#57606a" text-anchor="middle">{tick:g}</text>',
            ]
    for place, label in enumerate(ratios):
        at = 20 + place * (WIDTH - 40) / len(ratios)
        lines += [
            f'<circle cx="{at:.1f}" cy="22" r="5" fill="{COLOURS[place % len(COLOURS)]}"/>',
            f'<text x="{at + 10:.1f}" y="27" fill="#1f2328">{escape(label)}</text>',
        ]
    for row, (key, title) in enumerate(titles.items()):
        middle = TOP + ROW * row + ROW / 2
        lines.append(
            f'<text x="12" y="{middle + 4:.1f}" fill="#1f2328">{escape(title.replace("`", ""))}</text>'
        )
        for place, shapes in enumerate(ratios.values()):
            if key in shapes:
                colour, y = COLOURS[place % len(COLOURS)], middle + (place - (len(ratios) - 1) / 2) * 5
                median, low, high = shapes[key]
                lines += [
                    f'<line x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{y:.1f}" y2="{y:.1f}" '
                    f'stroke="{colour}" stroke-width="2"/>',
                    f'<circle cx="{x(median):.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>',
                ]
    return "\n".join([*lines, "</svg>", ""])
