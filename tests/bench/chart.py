"""Draws the ratios of a run as a picture (SVG) for the documentation."""
import html

COLOURS = {"nginx": "#9aa5b1", "nginx+log": "#9aa5b1", "haproxy": "#c9a227", "gw": "#1f6feb", "gw+all": "#1f6feb", "gw+10": "#9aa5b1",
           "gw+10000": "#1f6feb", "null": "#d0d7de"}
LEFT, WIDTH, BAR, GAP = 330, 430, 16, 18


def draw(result):
    """One group of bars per scenario; the first proxy of each is 1."""
    longest = max(p["ratio"] for s in result["scenarios"].values() for p in s["proxies"].values())
    unit = WIDTH / max(longest, 1.0)
    parts, y = [], 48
    for scenario in result["scenarios"].values():
        parts.append('<text x="12" y="%d" class="title">%s</text>' % (y + 12, html.escape(scenario["title"])))
        for name, p in scenario["proxies"].items():
            length, low, high = (unit * p[key] for key in ("ratio", "low", "high"))
            middle = y + BAR / 2
            parts.append('<text x="%d" y="%d" text-anchor="end">%s</text>' % (LEFT - 8, y + 12, html.escape(name)))
            parts.append('<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>' % (LEFT, y, length, BAR - 3, COLOURS[name]))
            parts.append('<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#24292f"/>' % (LEFT + low, LEFT + high, middle - 1.5, middle - 1.5))
            parts.append('<text x="%.1f" y="%d">%.2f</text>' % (LEFT + max(length, high) + 6, y + 12, p["ratio"]))
            y += BAR
        y += GAP
    head = ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">\n'
            '<style>.title { font-weight: bold }</style>\n<rect width="100%%" height="100%%" fill="white"/>\n'
            '<text x="12" y="24" font-size="15">CPU per request, as a ratio to the first of each group (less is better)</text>\n') % (LEFT + WIDTH + 60, y + 8)
    return head + "\n".join(parts) + "\n</svg>\n"
