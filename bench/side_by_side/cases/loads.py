"""Lists of links, and those who check them."""

from contenders import Embedded, Fleet, Loop, Lychee, Original

from .outcome import Outcome, best, in_turn


def blog(place, sites, options):
    """24 links of a blog and one that never answers."""
    urls = sites.blog()
    contenders = [Loop(place, 64), Lychee(place, 64), Embedded(place), Fleet(place), Original(place, 25)]
    return in_turn("24 links and one that never answers (timeout 5 s)", urls, contenders, options.rounds, sites)


def fast(place, sites, options):
    """20,000 links of 2,000 hosts that answer at once with 10 KB."""
    urls = sites.fast(2000, 10)
    contenders = [
        best(lambda n: Loop(place, n), (64, 128, 256, 512), urls),
        best(lambda n: Lychee(place, n), (64, 128, 512), urls),
        Embedded(place),
        Fleet(place),
        best(lambda n: Original(place, n), (50, 200, 1000), urls),
    ]
    return in_turn("20,000 links of 2,000 hosts, 10 KB each, the backlink at the end", urls, contenders, options.rounds, sites)


def hanging(place, sites, options):
    """The same, and one link in ten never answers."""
    urls = sites.one_in_ten_hanging(2000, 10)
    contenders = [Loop(place, 4096), Lychee(place, 4096), Embedded(place), Fleet(place)]
    return in_turn("20,000 links, one in ten never answers (timeout 5 s)", urls, contenders, min(options.rounds, 3), sites)


def scale(place, sites, options):
    """1 and 4 workers of one fleet; each link answers after 500 ms, 64 at once in each worker."""
    # So many that the run's beginning and end, some 0.4 s, are not what is measured.
    urls = sites.after(500, 4096)
    concurrency = ["--concurrency", "64"]
    contenders = [Fleet(place, 1, concurrency), Fleet(place, 4, concurrency)]
    return in_turn("4,096 links that answer after 500 ms, 64 at once in each worker", urls, contenders, min(options.rounds, 3), sites)


def growth(place, sites, options):
    """100,000 links, 1,000,000, and 100,000 again, as the machine may be slower after some minutes: time for each link, and
    memory."""
    outcome = Outcome("growth: 100,000 and 1,000,000 links, embedded", 1)
    for hosts in (10_000, 100_000, 10_000):
        urls = sites.fast(hosts, 10)
        who = Embedded(place)
        who.name = f"{len(urls):,} links"
        part = in_turn(who.name, urls, [who], 1, sites)
        taken = part.rows[0].rounds[0]
        outcome.notes.append(
            f"{who.name}: {taken.wall / len(urls) * 1e6:.1f} µs a link, of CPU {taken.cpu / len(urls) * 1e6:.1f}, {taken.memory:.0f} MiB"
        )
    return outcome
