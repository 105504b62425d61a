"""What the benches share: a made-up fleet in a repository, a process that is measured, the options that all take."""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Measured(NamedTuple):
    seconds: float
    mebibytes: float
    cpu: float
    output: str


def measured(command, expect=(0,), env=None, stderr=subprocess.STDOUT):
    """Runs a command to its end: wall clock, peak memory, CPU time, and what it said."""
    began = time.perf_counter()
    command = [str(part) for part in command]
    process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr)
    output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in expect:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{output[-4000:]}")
    return Measured(seconds, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime, output)


class Fleet:
    """A fleet that gen.py made up, in a repository of its own."""

    def __init__(self, binary, folder, clusters):
        self.binary, self.data = binary, folder / "data"
        self.path = self.data / "fleet"
        gen = [ROOT / "benches/peers/gen.py", self.data, str(clusters), "fleet"]
        subprocess.run(gen, check=True, stderr=subprocess.DEVNULL)

    def locked(self, **environment):
        """Locks it, and commits all there is."""
        self.run("lock", env={**os.environ, **environment})
        self.git("init", "-q", "-b", "main")
        self.commit("all of them")

    def run(self, *args, env=None):
        """Runs the program on it."""
        command = [self.binary, *args, "--quiet", "--fleet", self.path]
        subprocess.run(command, check=True, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def change(self, numbers, replicas, message):
        """Commits to so many nodes for these clusters."""
        pools = f"pools: {{workers: {{profile: workers, replicas: {replicas}}}, infra: {{profile: infra}}}}"
        for number in numbers:
            file = self.path / f"clusters/c{number:05d}.yaml"
            file.write_text(re.sub(r"pools: .*", pools, file.read_text()))
        self.commit(message)

    def commit(self, message):
        self.git("add", ".")
        identity = ["-c", "user.name=bench", "-c", "user.email=bench@bench.invalid", "-c", "gc.auto=0"]
        self.git(*identity, "commit", "-q", "-m", message)

    def git(self, *args):
        subprocess.run(["git", "-C", self.path, *args], check=True)


def main(description, more, bench):
    """Reads the options, `more` among them by name and default, and runs the bench in a folder of its own."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    path = lambda text: Path(text).resolve()
    parser.add_argument("binary", type=path)
    parser.add_argument("--clusters", type=int, default=1000)
    for name, default in more.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--assets", type=path, default=path(os.environ.get("KUBEBUILDER_ASSETS", ROOT / "target/testenv")))
    upstream = os.environ.get("FLEETWRIGHT_UPSTREAM", ROOT.parent / "shared/upstream")
    parser.add_argument("--upstream", type=path, default=path(upstream))
    options = parser.parse_args()
    loads = " ".join(f"{value:.2f}" for value in os.getloadavg())
    print(f"{options.clusters} clusters, {6 * options.clusters} objects; {os.cpu_count()} CPUs; load average before: {loads}")
    with tempfile.TemporaryDirectory(prefix="fleetwright-bench-") as folder:
        bench(options, Path(folder)).run()
