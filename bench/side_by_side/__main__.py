"""Measures all contenders side by side; started by bench/run, which makes what this needs."""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import results  # noqa: E402
from cases import CASES, LONG  # noqa: E402
from contenders import Place  # noqa: E402
from sites import Sites  # noqa: E402


def main():
    options = arguments()
    place = Place()
    sites = Sites(place.folder, place.programs)
    outcomes = []
    try:
        for name in options.cases:
            print(f"== {name}", file=sys.stderr)
            outcomes.append({**CASES, **LONG}[name](place, sites, options))
            # After each case, so that a later one that fails costs nothing.
            results.write(options.output, outcomes, place, options.rounds)
    finally:
        sites.close()
    print(options.output.read_text())


def arguments():
    names = "\n".join(f"  {name:10} {case.__doc__}" for name, case in {**CASES, **LONG}.items())
    parser = argparse.ArgumentParser(
        prog="bench/run",
        description="Measures linkbeat beside a bare loop, lychee and the original's design.",
        epilog=f"cases:\n{names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: 5)")
    parser.add_argument("--cases", type=lambda text: text.split(","), help="only these, separated by commas")
    parser.add_argument("--long", action="store_true", help="also the cases of 1,000,000 links and 5,000,000 checks")
    parser.add_argument("--build", action="store_true", help="binary: also build it from scratch, for minutes")
    sizes = parser.add_argument_group("sizes, to try a case out")
    sizes.add_argument("--hanging", type=int, default=10_000, help="hanging10k: links (default: %(default)s)")
    sizes.add_argument("--links", type=int, default=20_000, help="full: links (default: %(default)s)")
    sizes.add_argument("--stored", type=int, default=1_000_000, help="dashboard: links (default: %(default)s)")
    sizes.add_argument("--checks", type=int, default=5_000_000, help="full, dashboard: checks (default: %(default)s)")
    sizes.add_argument("--views", type=int, default=500, help="dashboard: open pages (default: %(default)s)")
    sizes.add_argument("--database", help="dashboard: a database that an earlier run has filled")
    parser.add_argument("--other", type=Path, help="engine: a linkbeat-bench of another build, measured in turn")
    parser.add_argument("--output", type=Path, default=Path("bench/RESULTS.md"), help="where the table goes")
    options = parser.parse_args()
    options.cases = options.cases or [*CASES, *(LONG if options.long else [])]
    for name in options.cases:
        if name not in {**CASES, **LONG}:
            parser.error(f"no case is called {name}; see --help")
    return options


if __name__ == "__main__":
    main()
