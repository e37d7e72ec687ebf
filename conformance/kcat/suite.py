"""kcat 1.7.1 as Debian ships it (librdkafka 2.0.2, the older protocol versions), driven as a person would.

Needs only Python's standard library and `kcat` on the path.
"""

import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))

import report
from report import case, cases_for, equal, payload, unique, until


class Failed(AssertionError):
    """kcat ended with another exit code than 0."""


def kcat(*arguments, stdin=b"", seconds=40):
    """Runs kcat to its end; answers its standard output as bytes."""
    command = ["kcat", "-b", report.BOOTSTRAP, *arguments]
    ended = subprocess.run(command, input=stdin, capture_output=True, timeout=seconds, check=False)
    if ended.returncode != 0:
        raise Failed(f"exit {ended.returncode}: {ended.stderr.decode(errors='replace')}")
    return ended.stdout


def refused(*arguments, stdin=b""):
    """kcat must fail; answers what it said."""
    try:
        kcat(*arguments, stdin=stdin)
    except Failed as error:
        return str(error)
    raise AssertionError(f"kcat {' '.join(arguments)} succeeded")


def produce(topic, lines, *arguments):
    kcat("-P", "-t", topic, *arguments, stdin="".join(f"{line}\n" for line in lines).encode())


def read_json(topic, *arguments):
    out = kcat("-C", "-t", topic, "-J", "-e", "-q", "-o", "beginning", *arguments)
    return [json.loads(line) for line in out.splitlines()]


def read_lines(topic, *arguments):
    return kcat("-C", "-t", topic, "-e", "-q", *arguments).decode().splitlines()


class Member:
    """A running `kcat -G`, its lines and its notices collected as they come."""

    def __init__(self, group, topic, *arguments):
        command = ["kcat", "-b", report.BOOTSTRAP, "-u", "-G", group, "-f", "%p:%o\n"]
        command += ["-X", "auto.offset.reset=earliest", *arguments, topic]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines, self.notices = [], []
        for stream, into in ((self.process.stdout, self.lines), (self.process.stderr, self.notices)):
            threading.Thread(target=self._collect, args=(stream, into), daemon=True).start()

    @staticmethod
    def _collect(stream, into):
        for line in stream:
            into.append(line.strip())

    def assigned(self):
        """How many partitions the latest assignment has."""
        latest = [n for n in list(self.notices) if " rebalanced" in n]
        return len(re.findall(r"\[\d+\]", latest[-1])) if latest and "assign" in latest[-1] else 0

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("kcat did not leave its group within 20 s") from None


@case
def metadata_lists_the_broker():
    found = json.loads(kcat("-L", "-J"))
    if not found["brokers"]:
        raise AssertionError("no brokers")
    if found["controllerid"] not in [b["id"] for b in found["brokers"]]:
        raise AssertionError("the controller is not among the brokers")


@cases_for("codec", [(c, c) for c in ("none", "gzip", "snappy", "lz4", "zstd")])
def codec(name):
    topic = unique(f"kc-{name}")
    produce(topic, ["k1:v1", "k2:", ":v3", "k4:" + "long " * 2000], "-K:", "-Z", "-z", name, "-H", "a=1", "-H", "b=x")
    got = [(r["key"], r["payload"]) for r in read_json(topic)]
    equal(got, [("k1", "v1"), ("k2", None), (None, "v3"), ("k4", "long " * 2000)], "records")
    equal({tuple(r["headers"]) for r in read_json(topic)}, {("a", "1", "b", "x")}, "headers")
    equal([r["offset"] for r in read_json(topic)], [0, 1, 2, 3], "offsets")


@cases_for("big_value", [(c, c) for c in ("none", "gzip", "snappy", "lz4", "zstd")])
def big_value(name):
    topic, data = unique(f"kc-big-{name}"), payload(900 * 1024)
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        kcat("-P", "-t", topic, "-z", name, file.name)
    if kcat("-C", "-t", topic, "-q", "-o", "0", "-c", "1", "-D", "", "-f", "%s") != data:
        raise AssertionError("900 KiB came back different")


@case
def empty_values_are_not_null():
    topic = unique("kc-empty")
    produce(topic, ["k1:", "k2:v"], "-K:")
    equal([r["payload"] for r in read_json(topic)], ["", "v"], "values")


@cases_for("acks", [("0", "0"), ("1", "1"), ("all", "all")])
def acks(value):
    topic = unique("kc-acks")
    lines = [str(i) for i in range(2000)]
    produce(topic, lines, "-X", f"acks={value}")
    until(lambda: len(read_lines(topic, "-o", "beginning")) == 2000, 15, "2000 records")
    equal(read_lines(topic, "-o", "beginning"), lines, "values")


@case
def idempotent_producer_keeps_order():
    topic = unique("kc-idem")
    lines = [str(i) for i in range(10_000)]
    produce(topic, lines, "-X", "enable.idempotence=true")
    equal(read_lines(topic, "-o", "beginning"), lines, "values")


@case
def offsets_from_the_end_and_in_the_middle():
    topic = unique("kc-offsets")
    produce(topic, range(100))
    equal(read_lines(topic, "-o", "-10"), [str(i) for i in range(90, 100)], "the last ten")
    equal(read_lines(topic, "-o", "42", "-c", "3"), ["42", "43", "44"], "three in the middle")
    equal(read_lines(topic, "-o", "end"), [], "after the end")


@case
def small_fetches_read_everything():
    topic = unique("kc-small")
    produce(topic, [f"{i} " + "x" * 500 for i in range(2000)])
    limits = ["-X", "fetch.message.max.bytes=1000", "-X", "fetch.max.bytes=1000", "-X", "message.max.bytes=1000"]
    equal(len(read_lines(topic, "-o", "beginning", *limits)), 2000, "records")


@case
def query_by_time():
    topic = unique("kc-time")
    produce(topic, ["first"])
    time.sleep(0.05)
    between = int(time.time() * 1000)
    time.sleep(0.05)
    produce(topic, ["second"])
    ask = lambda at: int(kcat("-Q", "-t", f"{topic}:0:{at}").decode().split()[-1])
    equal(ask(0), 0, "offset at time 0")
    equal(ask(between), 1, "offset at a time between two records")
    equal(ask(99_999_999_999_999), -1, "offset after the last record")
    equal((ask(-1), ask(-2)), (2, 0), "end and beginning")
    equal(read_lines(topic, "-o", f"s@{between}"), ["second"], "records from a time on")
    equal(read_lines(topic, "-o", "s@0", "-o", f"e@{between}"), ["first"], "records up to a time")


@case
def commit_and_resume():
    topic, group = unique("kc-resume"), unique("kc-resume-group")
    produce(topic, range(100))
    read = lambda n: kcat("-G", group, "-q", "-c", str(n), "-X", "auto.offset.reset=earliest", topic).decode().split()
    equal(read(40), [str(i) for i in range(40)], "before")
    equal(read(60), [str(i) for i in range(40, 100)], "after")


@cases_for("group_of_two", [("eager", "roundrobin"), ("cooperative", "cooperative-sticky")])
def group_of_two(strategy):
    topic, group = unique("kc-two"), unique("kc-two-group")
    # One partition exists after auto-creation, and kcat cannot add any: members share three topics instead.
    topics = [f"{topic}-{i}" for i in range(3)]

    def send():
        for name in topics:
            produce(name, range(200))

    send()
    pattern = f"^{topic}-.*"
    arguments = ("-X", f"partition.assignment.strategy={strategy}", "-f", "%t:%p:%o\n")
    members = [Member(group, pattern, *arguments)]
    try:
        lines = lambda: [line for m in members for line in list(m.lines)]
        until(lambda: len(lines()) >= 600, 45, "the first member reading everything")
        members.append(Member(group, pattern, *arguments))
        until(lambda: members[1].assigned() > 0, 45, "the second member getting work")
        time.sleep(1)
        send()
        until(lambda: len(lines()) >= 1200, 45, "two members reading everything")
        if not members[1].lines:
            raise AssertionError("the second member read nothing")
        members[1].stop()
        send()
        until(lambda: len(lines()) >= 1800, 45, "the member left behind taking over")
        members[0].stop()
        equal((len(lines()), len(set(lines()))), (1800, 1800), "records and distinct records")
    finally:
        for member in members:
            member.process.kill()


@case
def too_large_record_is_refused():
    topic = unique("kc-large")
    with tempfile.NamedTemporaryFile() as file:
        file.write(payload(1_500_000))
        file.flush()
        said = refused("-P", "-t", topic, "-X", "message.max.bytes=4000000", file.name)
    if "Message size too large" not in said:
        raise AssertionError(said)


@case
def unknown_topic_is_an_error_for_a_consumer():
    said = refused("-C", "-t", unique("kc-nosuch"), "-e", "-q")
    if "Unknown topic or partition" not in said:
        raise AssertionError(said)


@case
def produce_versions_below_the_minimum_are_refused():
    topic = unique("kc-old")
    produce(topic, ["kept"])
    old = ["-X", "api.version.request=false", "-X", "broker.version.fallback=0.9.0", "-X", "message.timeout.ms=3000"]
    refused("-P", "-t", topic, *old, stdin=b"lost\n")
    equal(read_lines(topic, "-o", "beginning"), ["kept"], "records")


@case
def check_crcs():
    topic = unique("kc-crc")
    produce(topic, range(1000), "-z", "lz4")
    equal(len(read_lines(topic, "-o", "beginning", "-X", "check.crcs=true")), 1000, "records with good checksums")


if __name__ == "__main__":
    report.main()
