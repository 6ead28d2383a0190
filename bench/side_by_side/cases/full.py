"""A database that holds very many checks."""

from contenders import Fleet, Stored

from .outcome import in_turn


def full(place, sites, options):
    """20,000 links in a database that holds 5,000,000 checks of them, and in one that holds none."""
    urls = sites.fast(2000, 10)[: options.links]
    held = f"{options.checks:,} checks"
    contenders = [
        _holding(Fleet(place), 0, "PostgreSQL, empty"),
        _holding(Fleet(place), options.checks, f"PostgreSQL, {held}"),
        _holding(Stored(place), 0, "SQLite, empty"),
        _holding(Stored(place), options.checks, f"SQLite, {held}"),
    ]
    outcome = in_turn(f"{len(urls):,} links in a database that holds {held}", urls, contenders, options.rounds, sites)
    for empty, filled in zip(outcome.rows[::2], outcome.rows[1::2], strict=True):
        ratios = sorted(b.wall / a.wall for a, b in zip(empty.rounds, filled.rounds, strict=True))
        shown = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        outcome.remarks.append(f"{filled.name}: {shown} × as long as empty (a round each)")
    return outcome


def _holding(who, checks, name):
    who.name, who.checks = name, checks
    return who
