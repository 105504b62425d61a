#!/usr/bin/env python3
"""Measures the daemon over a fleet that is in sync: daemon.py BINARY [--clusters N] [--idle SECONDS] [--drifts N] [--commits N]

A fresh etcd and kube-apiserver with upstream's CRDs and ours, the fleet of peers/gen.py (6 objects a cluster) in a Git
repository that the daemon follows by its path. Several runs of the daemon, one after the other:

  start      from its start to /readyz, with an empty cache (the repository is fetched, schemas are read) and with a full one
  idle       memory, and CPU time as a part of one core, while nothing happens; and what the regular looks at all clusters cost
  commit     a commit to one cluster: from the end of its fetch to its plan, by the daemon's own metric; and from the commit to
             the live object without a webhook
  webhook    from a webhook that tells of a commit to the live object
  drift      from the answer to somebody's change of a live object to the event that shows it mended

Runs in folders of its own, which are removed at the end. Needs Git, the programs of tests/apiserver (--assets) and upstream's
CRDs (--upstream).
"""

import hashlib
import hmac
import http.client
import json
import os
import random
import re
import shutil
import ssl
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benches/peers"))

from bench import Fleet, main  # noqa: E402
from server import TOKEN, Server  # noqa: E402

SECRET = "only-for-benches"
POOLS = "/apis/hypershift.openshift.io/v1beta1"
RESYNC = 600
# What does not come by then is missed.
PATIENCE = 600


class Daemon:
    """A context manager: a daemon, ended with SIGTERM."""

    def __init__(self, bench, name, *args):
        self.bench, self.name, self.args = bench, name, args

    def __enter__(self):
        self.log = self.bench.folder / f"{self.name}.log"
        url = f"file://{self.bench.fleet.path}"
        command = [self.bench.o.binary, "daemon", "--listen", "127.0.0.1:0", "--verbose", "--git", url, *self.args]
        self.began = time.perf_counter()
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.bench.environment,
            )
        self.address = self.tells("listening: ")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def tells(self, what):
        line = self.process.stdout.readline().decode().strip()
        if not line.startswith(what):
            sys.exit(f"{line}\n{self.log.read_text()[-4000:]}")
        return line.removeprefix(what)

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=60) as answer:
            return answer.read().decode()

    def ready(self):
        """Seconds from its start to ready."""
        while True:
            try:
                self.get("/readyz")
                return time.perf_counter() - self.began
            except (urllib.error.URLError, OSError):
                self._lives()
                time.sleep(0.01)

    def settled(self):
        """Waits until all is in sync and told, and the daemon does nothing any more."""
        while True:
            units = json.loads(self.get("/status"))["units"]
            is_in_sync = len(units) >= self.bench.o.clusters and all(one.get("state") == "inSync" for one in units.values())
            before = self.cpu()
            time.sleep(2)
            if is_in_sync and self.metric("fleetwright_queue_length") == 0 and self.cpu() - before < 0.05:
                return
            self._lives()

    def _lives(self):
        if self.process.poll() is not None or time.perf_counter() - self.began > PATIENCE:
            sys.exit(f"the daemon ended, or took too long:\n{self.log.read_text()[-4000:]}")

    def metric(self, name):
        """The sum of a metric's series."""
        values = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", self.get("/metrics"), re.MULTILINE)
        return sum(map(float, values))

    def cpu(self):
        """CPU seconds so far; asking it for metrics would be work of its own."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self):
        """Resident MiB: now, and the most so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return [int(re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)[1]) / 1024 for name in ("VmRSS", "VmHWM")]


class Live:
    """NodePools as a watch tells of them."""

    def __init__(self, server):
        self.server, self.seen, self.news = server, {}, threading.Condition()
        self.context = ssl.create_default_context(cafile=server.folder / "certs/apiserver.crt")
        listed = json.loads(server.get(f"{POOLS}/nodepools"))
        self.version = listed["metadata"]["resourceVersion"]
        threading.Thread(target=self._watch, daemon=True).start()

    def _connect(self):
        return http.client.HTTPSConnection(self.server.url.removeprefix("https://"), context=self.context)

    def _watch(self):
        try:
            while True:
                connection = self._connect()
                path = f"{POOLS}/nodepools?watch=1&resourceVersion={self.version}"
                connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
                for line in connection.getresponse():
                    pool = json.loads(line)["object"]
                    self.version = pool["metadata"]["resourceVersion"]
                    with self.news:
                        entry = (int(self.version), pool["spec"]["replicas"], time.perf_counter())
                        self.seen.setdefault(pool["metadata"]["name"], []).append(entry)
                        self.news.notify_all()
        except (OSError, http.client.HTTPException):
            # The server ends with the bench.
            return

    def change(self, pool, replicas):
        """Somebody's change; the version that it made."""
        connection = self._connect()
        cluster = pool.rpartition("-")[0]
        path = f"{POOLS}/namespaces/clusters-{cluster}/nodepools/{pool}?fieldManager=somebody"
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/merge-patch+json"}
        connection.request("PATCH", path, json.dumps({"spec": {"replicas": replicas}}), headers)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        connection.close()
        if answer.status != 200:
            sys.exit(f"{path}: {body}")
        return int(body["metadata"]["resourceVersion"])

    def has(self, pool, replicas, after=0):
        """When a pool had so many nodes, after a version; waits for it."""
        deadline = time.perf_counter() + PATIENCE
        with self.news:
            while True:
                for version, seen, at in self.seen.get(pool, []):
                    if version > after and seen == replicas:
                        return at
                if not self.news.wait(deadline - time.perf_counter()):
                    sys.exit(f"{pool} never has {replicas} nodes")


class Bench:
    def __init__(self, options, folder):
        self.o, self.folder = options, folder
        self.fleet = Fleet(options.binary, folder, options.clusters)
        self.nodes = {}

    def run(self):
        self.fleet.locked()
        crds = [
            *sorted((self.o.upstream / "hypershift/crds").glob("*Default.crd.yaml")),
            *sorted((ROOT / "deploy/crds").glob("*.yaml")),
        ]
        with Server(self.o.assets, crds) as server:
            self.environment = {**server.environment, "XDG_CACHE_HOME": str(self.folder / "cache")}
            server.kubectl("create", "-f", self.fleet.data / "sources")
            began = time.perf_counter()
            self.fleet.run("apply", "--yes", "--concurrency", "16", env=self.environment)
            print(f"applied in {time.perf_counter() - began:.1f} s", file=sys.stderr)
            self._starts()
            self._idle()
            live = Live(server)
            self._commits(live)
            self._webhooks_and_drift(live)

    def _starts(self):
        # The first one ever tells on every cluster, which is work of another kind.
        with Daemon(self, "first") as daemon:
            print(f"first start ever: ready in {daemon.ready():.2f} s", file=sys.stderr)
            daemon.settled()
        shutil.rmtree(self.folder / "cache")
        for name in ("start, empty cache", "start, full cache"):
            with Daemon(self, name) as daemon:
                tell(name, f"ready in {daemon.ready():.2f} s", "at most 5 s")
                daemon.settled()

    def _idle(self):
        with Daemon(self, "idle") as daemon:
            daemon.ready()
            daemon.settled()
            before = daemon.cpu()
            time.sleep(self.o.idle)
            idle = (daemon.cpu() - before) / self.o.idle
            resident, most = daemon.resident()
        tell("idle, memory", f"{resident:.0f} MiB, {most:.0f} MiB at most since its start", "at most 120 MiB")
        # Sooner than by default, so that every cluster is looked at in this time.
        with Daemon(self, "resync", "--resync", f"{self.o.idle}s") as daemon:
            daemon.ready()
            time.sleep(5)
            looks, before = daemon.metric("fleetwright_reconcile_seconds_count"), daemon.cpu()
            time.sleep(2 * self.o.idle)
            looks, took = daemon.metric("fleetwright_reconcile_seconds_count") - looks, daemon.cpu() - before
        look = (took - 2 * self.o.idle * idle) / max(looks, 1)
        # They come after 80 to 100 % of that time.
        regular = look * self.o.clusters / (0.9 * RESYNC)
        tell("idle, CPU", f"{100 * idle:.2f} % of a core between the regular looks at each cluster", "")
        tell("a regular look", f"{1000 * look:.2f} ms of CPU time a cluster ({looks:.0f} looks)", "")
        tell("idle, CPU, regular looks included", f"{100 * (idle + regular):.2f} % of a core", "at most 2 %")

    def _commits(self, live):
        poll, plans, applied = 2, [], []
        with Daemon(self, "commits", "--poll", f"{poll}s") as daemon:
            daemon.ready()
            daemon.settled()
            name = "fleetwright_revision_plan_seconds"
            for _ in range(self.o.commits):
                before = daemon.metric(f"{name}_sum")
                pool, replicas = self._change()
                began = time.perf_counter()
                applied.append(live.has(pool, replicas) - began)
                plans.append(daemon.metric(f"{name}_sum") - before)
                time.sleep(1 + random.random() * poll)
        tell("one-cluster commit, fetched to planned", spread(plans), "at most 0.2 s")
        tell(f"one-cluster commit to live, polled every {poll} s", spread(applied), "")

    def _webhooks_and_drift(self, live):
        secret = self.folder / "secret"
        secret.write_text(SECRET)
        hooks = ["--poll", "1h", "--webhook-listen", "127.0.0.1:0", "--webhook-secret-file", secret]
        with Daemon(self, "webhooks", *hooks) as daemon:
            address = daemon.tells("webhooks: ")
            daemon.ready()
            daemon.settled()
            applied = []
            for _ in range(self.o.commits):
                pool, replicas = self._change()
                began = time.perf_counter()
                self._tell_of_push(address)
                applied.append(live.has(pool, replicas) - began)
                time.sleep(2)
            tell("webhook to live", spread(applied), "at most 2 s")
            daemon.settled()
            changes = []
            for number in random.sample(range(self.o.clusters), min(self.o.drifts, self.o.clusters)):
                pool = f"c{number:05d}-infra"
                version = live.change(pool, 7)
                changes.append((pool, version, time.perf_counter()))
                time.sleep(0.5)
            took = [live.has(pool, 2, after=version) - at for pool, version, at in changes]
            tell("drift to mended", spread(took), "")

    def _change(self):
        """Commits to more nodes for one cluster; gives its pool, and how many."""
        number = random.randrange(self.o.clusters)
        replicas = self.nodes[number] = self.nodes.get(number, 10) + 1
        self.fleet.change([number], replicas, f"change {number}")
        return f"c{number:05d}-workers", replicas

    def _tell_of_push(self, address):
        body = json.dumps({"ref": "refs/heads/main"}).encode()
        proof = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={proof}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://{address}/webhook", body, headers)
        urllib.request.urlopen(request, timeout=60).read()


def spread(seconds):
    ordered = sorted(seconds)
    at = lambda percent: ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
    return f"median {statistics.median(ordered):.3f} s, p99 {at(99):.3f} s ({ordered[0]:.3f}–{ordered[-1]:.3f}, {len(ordered)})"


def tell(name, value, wanted):
    print(f"{name:52} {value}{f'; {wanted}' if wanted else ''}", flush=True)


if __name__ == "__main__":
    main(__doc__, {"idle": 60, "commits": 20, "drifts": 200}, Bench)
