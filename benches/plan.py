#!/usr/bin/env python3
"""Measures plans of a fleet that is in sync, and of one in which many objects changed: plan.py BINARY [--clusters N] [--changed N]

A fresh etcd and kube-apiserver with upstream's CRDs and the fleet of peers/gen.py (6 objects a cluster) in a Git repository:

  no change   against the live state
  changed     against the live state, after a commit that changes one NodePool of so many clusters
  one file    `--against git:REV`, for a commit that changes one file: no server is asked

Each three times; wall time, CPU time and the most memory of the whole process. Needs Git, the programs of tests/apiserver
(--assets) and upstream's CRDs (--upstream).
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benches/peers"))

from bench import Fleet, main, measured  # noqa: E402
from server import Server  # noqa: E402

REPETITIONS = 3


class Bench:
    def __init__(self, options, folder):
        self.o, self.folder = options, folder
        self.fleet = Fleet(options.binary, folder, options.clusters)
        self.environment = dict(os.environ)

    def run(self):
        self.fleet.locked()
        crds = sorted((self.o.upstream / "hypershift/crds").glob("*Default.crd.yaml"))
        with Server(self.o.assets, crds) as server:
            self.environment = {**server.environment, "XDG_CACHE_HOME": str(self.folder / "cache")}
            server.kubectl("create", "-f", self.fleet.data / "sources")
            self.fleet.run("apply", "--yes", "--concurrency", "16", env=self.environment)
            self._plan("no change")
            self.fleet.change(range(self.o.changed), 9, "a change")
            self._plan(f"{self.o.changed} changed")
        self.fleet.change([7], 17, "a change")
        self._plan("one file, --against git:HEAD~1", "--against", "git:HEAD~1")

    def _plan(self, name, *args):
        for _ in range(REPETITIONS):
            command = [self.o.binary, "plan", "--quiet", "--fleet", self.fleet.path, *args]
            took = measured(command, env=self.environment, stderr=subprocess.DEVNULL)
            last = took.output.strip().splitlines()[-1]
            print(f"{name:32} {took.seconds:.2f} s, CPU {took.cpu:.2f} s, {took.mebibytes:.0f} MiB: {last}", flush=True)


if __name__ == "__main__":
    main(__doc__, {"changed": 300}, Bench)
