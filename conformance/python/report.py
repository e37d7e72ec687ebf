"""What every Python suite shares: naming, running and reporting cases, and the records they send.

A suite registers functions with `@case` and calls `main()`. Each case prints exactly one line: `ok NAME`,
`FAIL NAME: reason` or `skip NAME: reason`; the exit code is 1 when a case failed. Cases run side by side, since most
of their time is spent waiting for a broker's timers; each one uses topics and groups of its own.
"""

import argparse
import concurrent.futures
import os
import random
import sys
import threading
import time
import traceback
import uuid

CASES = []
BOOTSTRAP = os.environ.get("BOOTSTRAP", "127.0.0.1:9092")
_print_lock = threading.Lock()


class Skip(Exception):
    """Raised by a case that cannot run here; its text is the reason."""


def case(function):
    """Registers a case under its function's name."""
    CASES.append((function.__name__, function))
    return function


def cases_for(name, values):
    """Registers one case per value: `name_value`."""

    def register(function):
        for label, value in values:
            CASES.append((f"{name}_{label}", lambda value=value: function(value)))
        return function

    return register


def unique(prefix):
    """A topic or group name nobody else uses."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def payload(size, seed=7):
    """`size` bytes that no codec can shrink."""
    return random.Random(seed).randbytes(size)


def until(check, seconds=30, what="the condition"):
    """Polls `check` until it returns something true; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = check()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come true within {seconds} s")


def equal(actual, expected, what):
    """Fails with both values, shortened."""
    if actual != expected:
        raise AssertionError(f"{what}: got {actual!r:.300}, expected {expected!r:.300}")


def _run_one(name, function, verbose):
    started = time.monotonic()
    try:
        function()
        line, bad = f"ok {name}", False
    except Skip as reason:
        line, bad = f"skip {name}: {reason}", False
    except BaseException as error:  # a case may fail in any way; the suite goes on
        text = " ".join(f"{type(error).__name__}: {error}".split())
        line, bad = f"FAIL {name}: {text[:600]}", True
        with _print_lock:
            traceback.print_exc(file=sys.stderr)
    with _print_lock:
        print(line, flush=True)
        if verbose:
            print(f"  {name} took {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)
    return bad


def main():
    """Runs the registered cases (or those named on the command line) and ends the process."""
    global BOOTSTRAP
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", default=BOOTSTRAP)
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    BOOTSTRAP = options.bootstrap
    chosen = [(n, f) for n, f in CASES if not options.names or n in options.names]
    if options.list:
        print("\n".join(n for n, _ in chosen))
        return
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        outcomes = list(pool.map(lambda c: _run_one(c[0], c[1], options.verbose), chosen))
    sys.stdout.flush()
    sys.stderr.flush()
    # A client library may keep threads that never end; the verdict is already printed.
    os._exit(1 if any(outcomes) else 0)
