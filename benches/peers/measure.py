#!/usr/bin/env python3
"""Measures fleetwright beside its peers and prints one table; run.sh builds what this needs and calls it.

  measure.py --out DIR --fleetwright BIN --helm BIN --flux BIN --assets DIR --upstream DIR [--clusters N]
             [--repetitions N] [--only render|live|scale|growth]

Every figure is the wall time of a whole process, from start to end, and the most memory that it had (its resident set, as
the kernel counted it for that child); of several repetitions, the median of each. Contenders take turns, so that a slow
minute of the machine meets all of them.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from server import Server

HERE = Path(__file__).parent


class Series:
    """What the repetitions of one contender's task took."""

    def __init__(self):
        self.seconds, self.mebibytes, self.cpu, self.server, self.inner = [], [], [], [], []

    def add(self, run):
        self.seconds.append(run.seconds)
        self.mebibytes.append(run.mebibytes)
        self.cpu.append(run.cpu)
        if (inner := re.search(r"engine alone: (?:(\d+)m)?([\d.]+)(ms|s)", run.output)) is not None:
            minutes, amount, unit = inner.groups()
            self.inner.append(60 * int(minutes or 0) + float(amount) / (1000 if unit == "ms" else 1))

    time = property(lambda self: statistics.median(self.seconds))
    memory = property(lambda self: statistics.median(self.mebibytes))

    def __str__(self):
        spread = f"{min(self.seconds):.2f}–{max(self.seconds):.2f}"
        inner = f"; engine alone {statistics.median(self.inner):.2f} s" if self.inner else ""
        cpu = f"{statistics.median(self.cpu):6.2f}" if self.cpu else f"{'':6}"
        server = f"{statistics.median(self.server):6.2f}" if self.server else f"{'':6}"
        return f"{self.time:7.2f} s {self.memory:5.0f} MiB {cpu} {server}   {spread}, n={len(self.seconds)}{inner}"


class Run:
    """One process from start to end."""

    def __init__(self, command, expect=(0,), keep_output=False, **options):
        sink = subprocess.PIPE if keep_output else subprocess.DEVNULL
        # Not subprocess.run: only wait4 tells what this child alone took.
        began = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.PIPE, **options)
        self.output = process.stdout.read().decode() if keep_output else ""
        errors = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        self.seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        self.mebibytes = usage.ru_maxrss / 1024
        self.cpu = usage.ru_utime + usage.ru_stime
        if process.returncode not in expect:
            sys.exit(f"{command} ended with {process.returncode}:\n{errors[-4000:]}{self.output[-4000:]}")


class Bench:
    def __init__(self, options):
        self.o = options
        self.series = {}

    def take(self, name, command, server=None, **options):
        before = server.cpu() if server else 0
        run = Run([str(part) for part in command], **options)
        series = self.series.setdefault(name, Series())
        series.add(run)
        if server:
            series.server.append(server.cpu() - before)
        line = f"{run.seconds:.2f} s, CPU {run.cpu:.2f} s, {run.mebibytes:.0f} MiB {run.output.strip()[-200:]}"
        print(f"  {name}: {line}", file=sys.stderr)

    def data(self, clusters, *forms):
        """The fleet in all forms, made once; fleetwright's one a Git repository of its own, as its users have it."""
        folder = self.o.out / "data" / "-".join([str(clusters), *forms])
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([HERE / "gen.py", folder, str(clusters), *forms], check=True)
            fleet = folder / "fleet"
            subprocess.run([self.o.fleetwright, "lock", "--quiet", "--fleet", fleet], check=True, stdout=subprocess.DEVNULL)
            for args in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "fleet"]):
                identity = ["-c", "user.name=bench", "-c", "user.email=bench@bench.invalid", "-c", "gc.auto=0"]
                subprocess.run(["git", "-C", fleet, *identity, *args], check=True)
            (folder / "done").touch()
        return folder

    def render(self):
        data = self.data(self.o.clusters)
        for repetition in range(self.o.repetitions):
            self.take("helm template", [self.o.helm, "template", "fleet", data / "chart"])
            self.take("fleetwright render", [self.o.fleetwright, "render", "--quiet", "--fleet", data / "fleet"])
            self.take("fleetwright validate", [self.o.fleetwright, "validate", "--quiet", "--fleet", data / "fleet"])
            if repetition == 0:
                self.take("kubectl kustomize", [self.o.assets / "kubectl", "kustomize", data / "kustomize"])

    def scale(self):
        for clusters in (10, 100, 1000, 10000):
            data = self.data(clusters, "fleet")
            for _ in range(min(self.o.repetitions, 3)):
                fleet = ["--quiet", "--fleet", data / "fleet"]
                self.take(f"fleetwright render, {clusters}", [self.o.fleetwright, "render", *fleet])
                plan = [self.o.fleetwright, "plan", *fleet, "--against", "nothing"]
                self.take(f"fleetwright plan against nothing, {clusters}", plan)

    def growth(self):
        """A plan against a server in which nothing changed, over fleets of very different sizes."""
        for clusters in (10, 100, 1000, 10000):
            data = self.data(clusters, "fleet")
            with self._server() as server:
                server.kubectl("create", "-f", data / "sources")
                environment = {**server.environment, "XDG_CACHE_HOME": str(server.folder / "cache")}
                fleet = ["--quiet", "--fleet", data / "fleet"]
                apply = [self.o.fleetwright, "apply", "--yes", "--concurrency", "8", *fleet]
                self.take(f"fleetwright apply, first, {clusters}", apply, env=environment, server=server)
                for _ in range(min(self.o.repetitions, 3)):
                    plan = [self.o.fleetwright, "plan", "--detailed-exitcode", *fleet]
                    self.take(f"fleetwright plan, no change, {clusters}", plan, env=environment, server=server)

    def live(self):
        data = self.data(self.o.clusters)
        for _ in range(self.o.servers):
            self._fleetwright(data)
            self._flux(data)
        self._kubectl(data)

    def _server(self):
        upstream = self.o.upstream
        crds = [
            *sorted((upstream / "hypershift/crds").glob("*Default.crd.yaml")),
            *sorted((upstream / "cluster-api/crds").glob("*.yaml")),
            *sorted((upstream / "capoci/crds").glob("*.yaml")),
        ]
        if not crds:
            sys.exit(f"no CRDs in {upstream}")
        return Server(self.o.assets, crds)

    def _fleetwright(self, data):
        with self._server() as server:
            server.kubectl("create", "-f", data / "sources")
            # A cache of its own: the first apply finds it empty, as on a new machine.
            environment = {**server.environment, "XDG_CACHE_HOME": str(server.folder / "cache")}
            fleet = ["--quiet", "--fleet", data / "fleet"]
            apply = [self.o.fleetwright, "apply", "--yes", "--concurrency", "8", *fleet]
            self.take("fleetwright apply, first", apply, env=environment, server=server)
            for _ in range(self.o.repetitions):
                # 0: nothing to do, or it is no measurement.
                plan = [self.o.fleetwright, "plan", "--detailed-exitcode", *fleet]
                self.take("fleetwright plan, no change", plan, env=environment, server=server)
            self.take("fleetwright apply, no change", apply, env=environment, server=server)
            self._lists(server)

    def _lists(self, server):
        """The floor of a no-change plan: reading the objects, and nothing else."""
        paths = [
            "/api/v1/namespaces",
            "/api/v1/secrets",
            "/apis/hypershift.openshift.io/v1beta1/hostedclusters",
            "/apis/hypershift.openshift.io/v1beta1/nodepools",
        ]
        for _ in range(self.o.repetitions):
            began = time.perf_counter()
            size = sum(len(server.get(f"{path}?labelSelector=fleetwright.dev%2Ffleet%3Dbench")) for path in paths)
            seconds = time.perf_counter() - began
            series = self.series.setdefault("LIST of the four kinds", Series())
            series.seconds.append(seconds)
            series.mebibytes.append(size / 2**20)

    def _flux(self, data):
        with self._server() as server:
            engine = [self.o.flux, "apply", data / "flat", "8"]
            self.take("flux engine, first", engine, env=server.environment, server=server, keep_output=True)
            for _ in range(self.o.repetitions):
                self.take("flux engine, no change", engine, env=server.environment, server=server, keep_output=True)
            diff = [self.o.flux, "diff", data / "flat"]
            self.take("flux engine, diff", diff, env=server.environment, server=server, keep_output=True)

    def _kubectl(self, data):
        with self._server() as server:
            apply = [self.o.assets / "kubectl", "apply", "--server-side", "-f", data / "flat"]
            self.take("kubectl apply --server-side, first", apply, env=server.environment, server=server)
            self.take("kubectl apply --server-side, no change", apply, env=server.environment, server=server)

    def report(self):
        print(f"{'median of':42}    wall     most   CPU: own, server's    wall from–to, repetitions")
        for name, series in self.series.items():
            print(f"{name:42} {series}")
        print()
        self._ratio("fleetwright render", "helm template", "time at most 0.5", 0.5)
        self._limit("fleetwright render", 100)
        self._ratio("fleetwright plan, no change", "flux engine, no change", "time at most 0.1", 0.1)
        self._limit("fleetwright plan, no change", 150)
        self._ratio("fleetwright apply, first", "flux engine, first", "time below 1", 1.0)

    def _ratio(self, ours, theirs, wanted, limit):
        if not {ours, theirs} <= self.series.keys():
            return
        a, b = self.series[ours], self.series[theirs]
        ratio = a.time / b.time
        alone = f" ({a.time / statistics.median(b.inner):.3f} of the engine alone)" if b.inner else ""
        print(f"{ours} : {theirs} = {ratio:.3f}{alone}; {wanted}: {'met' if ratio <= limit else 'MISSED'}")

    def _limit(self, ours, mebibytes):
        if ours not in self.series:
            return
        memory = self.series[ours].memory
        verdict = "met" if memory <= mebibytes else "MISSED"
        print(f"{ours}: {memory:.0f} MiB; at most {mebibytes}: {verdict}")


def load():
    return "load average " + " ".join(f"{value:.2f}" for value in os.getloadavg())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("out", "fleetwright", "helm", "flux", "assets", "upstream"):
        parser.add_argument(f"--{name}", type=lambda text: Path(text).resolve(), required=True)
    parser.add_argument("--clusters", type=int, default=1000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--servers", type=int, default=3, help="fresh servers for each who creates")
    parser.add_argument("--only", choices=["render", "live", "scale", "growth"], action="append")
    bench = Bench(parser.parse_args())
    print(f"{bench.o.clusters} clusters, {6 * bench.o.clusters} objects; {os.cpu_count()} CPUs; before: {load()}")
    for part in bench.o.only or ["render", "live", "scale", "growth"]:
        getattr(bench, part)()
    print(f"after: {load()}\n")
    bench.report()


main()
