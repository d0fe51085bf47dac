#!/usr/bin/env python3
"""Loads a running Millrace and a Fastify + BullMQ + Redis + onnxruntime-node platform with the same work, in turns.

    bench.py --millrace http://127.0.0.1:7300 --pids api=123,rabbitmq=124 [--key KEY] [--rounds 3] [--only sync-mlp-c64]
    bench.py --peer-only [--peer-fsync]

The Millrace under test must serve models/ of this folder (mlp: 64 -> 10, microseconds; cnn: 3x64x64 -> 10, about a
millisecond), with no rate limit. --pids are its processes, and those of its broker and its database if it has any: with
them, CPU time per request is told too. --peer-fsync lets Redis write each command to disk before it answers, which is
what Millrace promises for an accepted job.

The peer is installed and started here: redis-server and hey by apt-get, its packages by npm ci. Traffic stays on the
loopback address. A figure is the median of the rounds; look at the ratio, since machines and days differ.
"""

import argparse
import hashlib
import json
import math
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
ARTIFACTS = HERE.parent / "artifacts" / "bench"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "millrace-bench" / "bullmq"
API_PORT, REDIS_PORT = 7301, 7302
START_SECONDS, DRAIN_SECONDS = 15, 300
FIGURES = ("rps", "p50", "p95", "p99", "cpu_us")
LOOPBACK = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy of the environment is not ours


class Scenario(NamedTuple):
    """One kind of load. Async: jobs are submitted, and the clock stops when the last one has finished."""

    name: str
    model: str
    clients: int
    requests: int
    kind: str


SCENARIOS = [
    Scenario("sync-mlp-c1", "mlp", 1, 1_500, "sync"),
    Scenario("sync-mlp-c8", "mlp", 8, 8_000, "sync"),
    Scenario("sync-mlp-c64", "mlp", 64, 16_000, "sync"),
    Scenario("sync-cnn-c16", "cnn", 16, 800, "sync"),
    Scenario("async-mlp-c64", "mlp", 64, 12_000, "async"),
]


def inference(model):
    """An Open Inference Protocol request of one item."""
    shape = {"mlp": [1, 64], "cnn": [1, 3, 64, 64]}[model]
    data = [round((i % 17) / 17, 4) for i in range(math.prod(shape))]
    return {"inputs": [{"name": "x", "shape": shape, "datatype": "FP32", "data": data}]}


def get(url, key=None):
    """The JSON that a GET answers."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with LOOPBACK.open(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return json.load(answer)


# Targets


class Peer:
    """The platform a user would build instead."""

    name = "bullmq"
    key = None

    def __init__(self, pids):
        self.pids = pids
        self.base = f"http://127.0.0.1:{API_PORT}"

    def url(self, model, kind):
        """Where a request of this kind goes."""
        return f"{self.base}/{model}/{'predict' if kind == 'sync' else 'jobs'}"

    def body(self, model, kind):
        """What is posted there."""
        return inference(model)

    def backlog(self, model):
        """Jobs that have not finished."""
        return sum(get(f"{self.base}/counts").values())


class Millrace:
    """The running Millrace whose address was given."""

    name = "millrace"

    def __init__(self, base, roots, key):
        self.base = base.rstrip("/")
        self.roots = roots  # by name
        self.key = key

    @property
    def pids(self):
        """All processes, those that a database made for connections among them."""
        return [pid for root in self.roots.values() for pid in family(root)]

    def url(self, model, kind):
        """Where a request of this kind goes."""
        return f"{self.base}/v2/models/{model}/infer" if kind == "sync" else f"{self.base}/v1/jobs"

    def body(self, model, kind):
        """What is posted there."""
        return inference(model) if kind == "sync" else {"model": model, "inference": inference(model)}

    def backlog(self, model):
        """Jobs that have not finished."""
        queue = get(f"{self.base}/v1/queues/{model}", self.key)
        return queue["queued"] + queue["running"]


# CPU time


def cpu_seconds(pids):
    """User and system time that the processes have used so far."""
    ticks = 0
    for pid in pids:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        fields = stat.rsplit(")", 1)[1].split()  # the command's name may hold spaces
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def family(pid):
    """The process and all that descend from it."""
    pids = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            pids += [each for child in children.read_text().split() for each in family(int(child))]
        except OSError:
            continue
    return pids


# A round


def hey(target, scenario, requests, body_file):
    """Runs the load generator once: rate, percentiles in milliseconds, and the count of each status."""
    body_file.write_text(json.dumps(target.body(scenario.model, scenario.kind)))
    command = ["hey", "-n", str(requests), "-c", str(scenario.clients), "-t", "60", "-m", "POST"]
    command += ["-T", "application/json", "-D", str(body_file)]
    command += ["-H", f"Authorization: Bearer {target.key}"] if target.key else []
    command += [target.url(scenario.model, scenario.kind)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if not rate:
        raise SystemExit(f"{target.name}: no figures from hey\n{output}")
    percentiles = {int(p): float(seconds) * 1e3 for p, seconds in re.findall(r"(\d+)% in ([\d.]+) secs", output)}
    result = {f"p{p}": percentiles.get(p, math.nan) for p in (50, 95, 99)}
    result["rps"] = float(rate[1])
    result["codes"] = {int(code): int(count) for code, count in re.findall(r"\[(\d+)\]\s+(\d+) responses", output)}
    return result


def drain(target, model):
    """Waits until no job is left."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while target.backlog(model):
        if time.monotonic() > deadline:
            raise SystemExit(f"{target.name}: the backlog did not drain in {DRAIN_SECONDS} s")
        time.sleep(0.02)


def measure(target, scenario, body_file):
    """One round against one target."""
    requests = scenario.requests // scenario.clients * scenario.clients
    roots = getattr(target, "roots", {})
    parts = {name: cpu_seconds(family(root)) for name, root in roots.items()}
    cpu, started = cpu_seconds(target.pids), time.monotonic()
    result = hey(target, scenario, requests, body_file)
    done = sum(count for code, count in result["codes"].items() if code in (200, 202))
    if scenario.kind == "async":
        drain(target, scenario.model)
        result["rps"] = done / (time.monotonic() - started)
    spent = cpu_seconds(target.pids) - cpu
    result["cpu_us"] = spent / max(done, 1) * 1e6 if target.pids else math.nan
    result["parts"] = {name: (cpu_seconds(family(root)) - parts[name]) / max(done, 1) * 1e6 for name, root in roots.items()}
    result["failed"] = requests - done
    if result["failed"]:
        print(f"  ! {target.name}: {done} of {requests} succeeded: {result['codes']}", file=sys.stderr)
    return result


def run(targets, scenario, rounds, body_file):
    """All rounds of a scenario, target by target in turns; for each target its figures' medians, and every round."""
    for target in targets:
        measure(target, scenario, body_file)  # warm-up: as long as a round, since both sides compile as they run
    results = {target.name: [] for target in targets}
    for _ in range(rounds):
        for target in targets:
            results[target.name].append(measure(target, scenario, body_file))
    return {
        name: {**{figure: statistics.median(r[figure] for r in each) for figure in FIGURES}, "rounds": each}
        for name, each in results.items()
    }


# The peer's processes


def install_peer():
    """Gets what the peer needs, once per lock file."""
    missing = [tool for tool in ("redis-server", "hey") if not shutil.which(tool)]  # Debian's packages bear these names
    if missing:
        quiet = dict(env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, stdout=subprocess.DEVNULL, check=True)
        subprocess.run(["apt-get", "update", "-qq"], **quiet)
        subprocess.run(["apt-get", "install", "-y", "-qq", *missing], **quiet)

    CACHE.mkdir(parents=True, exist_ok=True)
    for name in ("api.js", "worker.js", "package.json", "package-lock.json"):
        shutil.copy(HERE / "peers" / "bullmq" / name, CACHE)
    installed = CACHE / "installed"
    lock = hashlib.sha256((CACHE / "package-lock.json").read_bytes()).hexdigest()
    if not installed.exists() or installed.read_text() != lock:
        # onnxruntime-node's install script only fetches CUDA; the CPU library is in the package.
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=CACHE, stdout=subprocess.DEVNULL, check=True)
        installed.write_text(lock)


def start_peer(folder, fsync):
    """Starts Redis, the API and the worker, and yields them as they start; the caller ends them."""
    redis = ["redis-server", "--port", str(REDIS_PORT), "--bind", "127.0.0.1", "--save", ""]
    redis += ["--appendonly", "yes", "--appendfsync", "always"] if fsync else ["--appendonly", "no"]
    yield subprocess.Popen(redis, cwd=folder, stdout=subprocess.DEVNULL)
    wait_for(lambda: socket.create_connection(("127.0.0.1", REDIS_PORT), timeout=1).close(), "Redis")

    env = dict(os.environ, REDIS_PORT=str(REDIS_PORT), PORT=str(API_PORT), MODELS=str(HERE / "models"))
    env["NODE_ENV"] = "production"
    for script in ("api.js", "worker.js"):
        yield subprocess.Popen(["node", script], cwd=CACHE, env=env, stdout=subprocess.DEVNULL)
    wait_for(lambda: get(f"http://127.0.0.1:{API_PORT}/counts"), "the peer's API")


def wait_for(probe, what):
    """Returns when the probe no longer fails."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return probe()
        except OSError:
            if time.monotonic() > deadline:
                raise SystemExit(f"{what} did not start in {START_SECONDS} s")
            time.sleep(0.1)


def stop(process):
    """Ends a process of ours, by its id."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


# Reports


def ratios(medians):
    """Millrace over the peer, figure by figure."""
    ours, theirs = medians["millrace"], medians["bullmq"]
    return {figure: ours[figure] / theirs[figure] if theirs[figure] else math.nan for figure in FIGURES}


def print_figures(name, medians):
    """The lines of one scenario."""
    for target, m in medians.items():
        line = (
            f"{name:15} {target:9} {m['rps']:9.0f} {m['p50']:8.2f} {m['p95']:8.2f} {m['p99']:8.2f} {m['cpu_us']:11.0f}"
        )
        print(line, flush=True)
    if "millrace" in medians:
        parts = [each["parts"] for each in medians["millrace"]["rounds"]]
        if len(parts[0]) > 1:
            each = (f"{part} {statistics.median(p[part] for p in parts):.0f}" for part in parts[0])
            print(f"{name:15} CPU us of  {', '.join(each)}", flush=True)
        r = ratios(medians)
        line = f"{r['rps']:8.2f}x {r['p50']:7.2f}x {r['p95']:7.2f}x {r['p99']:7.2f}x {r['cpu_us']:10.2f}x"
        print(f"{name:15} {'ratio':9} {line}", flush=True)


def table(report):
    """The report as a Markdown table; the range is that of the rounds' own ratios."""
    if not any("millrace" in medians for medians in report.values()):
        lines = ["| scenario | peer req/s | p50 ms | p99 ms | CPU us |", "|---|--:|--:|--:|--:|"]
        for name, medians in report.items():
            m = medians["bullmq"]
            lines.append(f"| {name} | {m['rps']:,.0f} | {m['p50']:.2f} | {m['p99']:.2f} | {m['cpu_us']:.0f} |")
        return "\n".join(lines) + "\n"

    lines = [
        "| scenario | Millrace req/s | peer req/s | ratio | p50 ms | p99 ms | CPU us a request | CPU ratio |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, medians in report.items():
        ours, theirs, r = medians["millrace"], medians["bullmq"], ratios(medians)
        pairs = [a["rps"] / b["rps"] for a, b in zip(ours["rounds"], theirs["rounds"])]
        lines.append(
            f"| {name} | {ours['rps']:,.0f} | {theirs['rps']:,.0f}"
            f" | **{r['rps']:.2f}x** [{min(pairs):.2f}-{max(pairs):.2f}]"
            f" | {ours['p50']:.2f} : {theirs['p50']:.2f} | {ours['p99']:.2f} : {theirs['p99']:.2f}"
            f" | {ours['cpu_us']:.0f} : {theirs['cpu_us']:.0f} | {r['cpu_us']:.2f}x |"
        )
    return "\n".join(lines) + "\n"


def options():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millrace", metavar="URL", help="the running Millrace, on a loopback address")
    parser.add_argument("--pids", default="", help="its processes, comma separated, as 123 or name=123; their children count too")
    parser.add_argument("--key", help="an API key, where it asks for one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", metavar="NAME", help="only scenarios whose name begins so")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    parser.add_argument("--table", metavar="FILE", help="write the medians and ratios there as a Markdown table")
    parser.add_argument("--peer-only", action="store_true", help="measure the peer alone")
    parser.add_argument("--peer-fsync", action="store_true", help="Redis writes to disk before it answers")
    chosen = parser.parse_args()
    if not chosen.millrace and not chosen.peer_only:
        parser.error("give --millrace URL or --peer-only")
    if chosen.millrace and urllib.parse.urlsplit(chosen.millrace).hostname not in ("127.0.0.1", "localhost", "::1"):
        parser.error("--millrace: only a loopback address is loaded")
    if chosen.only and not any(scenario.name.startswith(chosen.only) for scenario in SCENARIOS):
        parser.error(f"--only: no scenario's name begins with {chosen.only}")
    return chosen


def main():
    """Installs, starts, measures, tells, and stops what it started."""
    chosen = options()
    install_peer()
    ARTIFACTS.mkdir(
        parents=True, exist_ok=True
    )  # a real disk, which a temporary folder may not be: --peer-fsync writes
    folder = Path(tempfile.mkdtemp(prefix="peer.", dir=ARTIFACTS))
    peers, report = [], {}
    try:
        for process in start_peer(folder, chosen.peer_fsync):
            peers.append(process)
        if any(process.poll() is not None for process in peers):
            raise SystemExit(f"the peer ended at its start: are ports {API_PORT} and {REDIS_PORT} free?")
        targets = [Peer([process.pid for process in peers])]
        if chosen.millrace and not chosen.peer_only:
            named = (pid.rpartition("=") for pid in chosen.pids.split(",") if pid)
            targets.append(Millrace(chosen.millrace, {name or "millrace": int(pid) for name, _, pid in named}, chosen.key))

        print(f"{'scenario':15} {'target':9} {'req/s':>9} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8} {'CPU us/req':>11}")
        for scenario in SCENARIOS:
            if scenario.name.startswith(chosen.only or ""):
                report[scenario.name] = run(targets, scenario, chosen.rounds, folder / "body.json")
                print_figures(scenario.name, report[scenario.name])
    finally:
        for process in reversed(peers):
            stop(process)
        shutil.rmtree(folder, ignore_errors=True)

    if chosen.json:
        Path(chosen.json).write_text(json.dumps(report, indent=1) + "\n")
    if chosen.table:
        Path(chosen.table).write_text(table(report))
    rounds = [r for medians in report.values() for each in medians.values() for r in each["rounds"]]
    if any(r["failed"] for r in rounds):
        sys.exit("Some requests failed: these figures do not count.")


if __name__ == "__main__":
    main()
