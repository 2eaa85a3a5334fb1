"""CPU seconds of each test, its fixtures and processes: `pytest -p tests.cpu_seconds --cpu-seconds DIR`.

Each process that runs tests writes `DIR/<worker>.json`: one row a test with what was spent in its set-up, call and
tear-down, by this process and by those that it started and waited for. What is shared (a fixture of a module or a
session, an import) counts to the test that asked first. `python -m tests.cpu_seconds DIR [DIR…]` adds the rows up by
folder and by file; with `--of IDS`, the output of `pytest --collect-only -q` in another checkout, those of the tests that
exist there, by their names, since files move. CPU seconds rather than seconds, so that a busy machine can be compared with an idle one.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

BEFORE_TESTS = "(start and collection)"


def spent_s() -> float:
    """CPU seconds of this process and of the children that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


class Meter:
    """Keeps what each test spent, and writes it when the tests have ended."""

    def __init__(self, folder: Path, worker: str) -> None:
        self.path, self.rows = folder / f"{worker}.json", {BEFORE_TESTS: 0.0}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Measure one test with its fixtures."""
        start = spent_s()
        if len(self.rows) == 1:
            self.rows[BEFORE_TESTS] = start
        result = yield
        self.rows[item.nodeid] = self.rows.get(item.nodeid, 0.0) + spent_s() - start
        return result

    def pytest_sessionfinish(self) -> None:
        """Write the rows."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.rows, indent=0))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--cpu-seconds DIR` is where the rows are written."""
    parser.addoption("--cpu-seconds", type=Path, metavar="DIR")


def pytest_configure(config: pytest.Config) -> None:
    """Measure where a folder is given; a process that only hands tests out has none to measure."""
    folder = config.getoption("--cpu-seconds")
    if folder and not config.getoption("numprocesses", None):
        config.pluginmanager.register(Meter(folder, os.environ.get("PYTEST_XDIST_WORKER", "main")))


def rows_of(folder: Path) -> Counter[str]:
    """What was written into a folder, added up over its workers."""
    rows: Counter[str] = Counter()
    for path in sorted(folder.glob("*.json")):
        rows.update(json.loads(path.read_text()))
    return rows


def summed(rows: Counter[str], parts: int) -> Counter[str]:
    """The rows by the first parts of their path."""
    total: Counter[str] = Counter()
    for name, seconds in rows.items():
        total["/".join(name.partition("::")[0].split("/")[:parts])] += seconds
    return total


def name_of(node: str) -> str:
    """The test without its file, and without the line of a source file that is its parameter."""
    return re.sub(r"\.py:\d+\]$", ".py]", node.partition("::")[2])


def of_another(rows: Counter[str], listed: Path) -> Counter[str]:
    """The rows of tests that another checkout lists, and what was spent before the tests."""
    there = {name_of(line) for line in listed.read_text().splitlines() if "::" in line}
    kept = {n: s for n, s in rows.items() if n == BEFORE_TESTS or name_of(n) in there}
    return Counter(kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--of", type=Path, metavar="IDS", help="count these tests alone")
    options = parser.parse_args()
    rows: Counter[str] = Counter()
    for folder in options.folders:
        rows.update(rows_of(folder))
    if options.of:
        rows = of_another(rows, options.of)
    for parts in (3, 4):
        for path, seconds in summed(rows, parts).most_common():
            print(f"{seconds:8.1f}  {path}")  # noqa: T201
        print(f"{sum(rows.values()):8.1f}  in all\n")  # noqa: T201


if __name__ == "__main__":
    main()
