"""docs/interop.md: what the last whole run against each server gave, side by side."""

import datetime
import json
import os

import explanations
from smack import VERSION, Outcome

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RESULTS = os.path.join(ROOT, "build", "interop")
PAGE = os.path.join(ROOT, "docs", "interop.md")
BEGIN, END = "<!-- smack: begin -->\n", "<!-- smack: end -->\n"
TITLES = {"xylem": "Xylem", "prosody": "Prosody", "ejabberd": "ejabberd"}
KINDS = ("passed", "failed", "impossible")


def keep(server, outcomes):
    """A whole run's outcomes, for the page."""
    os.makedirs(RESULTS, exist_ok=True)
    with open(os.path.join(RESULTS, f"{server.name}.json"), "w", encoding="utf-8") as out:
        json.dump({"version": server.version, "date": datetime.date.today().isoformat(), "outcomes": outcomes}, out,
                  indent=1)


def kept(name):
    try:
        with open(os.path.join(RESULTS, f"{name}.json"), encoding="utf-8") as text:
            values = json.load(text)
    except FileNotFoundError:
        return None
    values["outcomes"] = [Outcome(*fields) for fields in values["outcomes"]]
    return values


def count(outcomes, kind):
    return sum(o.outcome == kind for o in outcomes)


def figures(outcomes):
    """One line a class for the terminal."""
    lines = []
    for name in sorted({o.type for o in outcomes}):
        of_class = [o for o in outcomes if o.type == name]
        lines.append(f"    {name:<64} " + "  ".join(f"{kind} {count(of_class, kind)}" for kind in KINDS))
    for o in outcomes:
        if o.outcome != "passed":
            lines.append(f"    {o.outcome:<10} {test_name(o)}: {o.reason[:160]}")
    lines.append("    Smack: " + ", ".join(f"{count(outcomes, kind)} {kind}" for kind in KINDS))
    return "\n".join(lines)


def test_name(outcome):
    return f"{outcome.type}.{outcome.method}" if outcome.method else outcome.type


def unexplained(outcomes):
    """Sentences about what has no explanation, and about explanations that nothing needs any more."""
    missing = sorted({test_name(o) for o in outcomes if o.outcome != "passed" and not explanations.of(o)})
    needed = {explanations.key(o) for o in outcomes if o.outcome != "passed"}
    return ([f"{name} did not pass, and explanations.py does not say why" for name in missing] +
            [f"explanations.py explains {name}, which passed" for name in explanations.WHY if name not in needed])


def cell(outcomes):
    parts = [f"{count(outcomes, kind)} {kind}" for kind in KINDS if count(outcomes, kind)]
    if parts == ["1 impossible"] and not outcomes[0].method:
        return "impossible"
    return ", ".join(parts) or "–"


def table(runs):
    lines = ["| class | " + " | ".join(f"{TITLES[name]} {run['version']}" for name, run in runs.items()) + " |",
             "|---|" + "---|" * len(runs)]
    for name in sorted({o.type for run in runs.values() for o in run["outcomes"]}):
        cells = [cell([o for o in run["outcomes"] if o.type == name]) for run in runs.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    totals = [", ".join(f"{count(run['outcomes'], kind)} {kind}" for kind in KINDS) for run in runs.values()]
    return "\n".join([*lines, "| **all** | " + " | ".join(f"**{total}**" for total in totals) + " |"])


def reasons(runs):
    parts = []
    for name, run in runs.items():
        parts.append(f"### What did not pass with {TITLES[name]}\n")
        rows = [o for o in run["outcomes"] if o.outcome != "passed"]
        for o in rows:
            why = explanations.of(o) if name == "xylem" else explanations.everywhere(o)
            parts.append(f"* {test_name(o)}, {o.outcome}: " + (why or f"`{o.reason[:200].replace('`', '')}`"))
        parts.append("" if rows else "Nothing.\n")
    return "\n".join(parts)


def write():
    """Puts the figures of all three servers between the page's marks; False where a run is missing."""
    runs = {name: kept(name) for name in TITLES}
    if not all(runs.values()):
        return False
    dates = ", ".join(f"{TITLES[name]} {run['date']}" for name, run in runs.items())
    text = (f"Smack {VERSION}; runs of {dates}. *Impossible*: Smack found the service missing, and ran nothing.\n\n"
            f"{table(runs)}\n\n{reasons(runs)}")
    with open(PAGE, encoding="utf-8") as page:
        head, _, rest = page.read().partition(BEGIN)
    _, _, tail = rest.partition(END)
    with open(PAGE, "w", encoding="utf-8") as page:
        page.write(head + BEGIN + text.rstrip() + "\n" + END + tail)
    return True
