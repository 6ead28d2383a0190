"""The check engine alone, beside a bare loop and beside another build of it."""

from contenders import Engine, Loop

from .outcome import in_turn


def engine(place, sites, options):
    """20,000 fast links, the engine alone; --other names another build of linkbeat-bench to compare with."""
    contenders = [Loop(place, 128), Engine(place, "the engine", place.program("linkbeat-bench"))]
    if options.other:
        contenders.append(Engine(place, "the engine of the other build", options.other.resolve()))
    title = "the engine alone: 20,000 links of 2,000 hosts, 10 KB each, the backlink at the end"
    return in_turn(title, sites.fast(2_000, 10), contenders, options.rounds, sites)
