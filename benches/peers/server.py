"""One etcd and one kube-apiserver on loopback, with upstream's CRDs, as the tests run them."""

import base64
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

TOKEN = "bench-token"
READY_WITHIN = 120

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: bench
clusters:
- name: bench
  cluster: {{server: "{url}", certificate-authority: "{authority}"}}
users:
- name: bench
  user: {{token: {token}}}
contexts:
- name: bench
  context: {{cluster: bench, user: bench}}
"""


class Server:
    """A context manager; on leaving it, the two processes are killed by their ids and their files removed."""

    def __init__(self, assets, crds):
        self.assets, self.crds = Path(assets), crds

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="fleetwright-bench-"))
        self.processes = []
        try:
            self._start()
            self._wait()
            self._install()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self):
        client, peer, port = free_ports()
        client, peer = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
        self.url = f"https://127.0.0.1:{port}"
        key = self.folder / "sa.key"
        key.write_text(signing_key())
        tokens = self.folder / "tokens.csv"
        tokens.write_text(f"{TOKEN},bench,bench,system:masters\n")
        self._spawn(
            "etcd",
            f"--data-dir={self.folder}/etcd",
            "--unsafe-no-fsync",
            "--log-level=error",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        )
        self._spawn(
            "kube-apiserver",
            f"--etcd-servers={client}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={self.folder}/certs",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",
            "--service-account-issuer=https://bench.invalid",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.0.0.0/24",
            # Nobody is to be measured waiting in the server's queue.
            "--max-requests-inflight=0",
            "--max-mutating-requests-inflight=0",
            "--enable-priority-and-fairness=false",
        )

    def _spawn(self, name, *args):
        with open(self.folder / f"{name}.log", "w") as log:
            process = subprocess.Popen(
                [self.assets / name, *args], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.processes.append(process)

    def _wait(self):
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if any(process.poll() is not None for process in self.processes):
                break
            try:
                self.get("/readyz")
                return
            except (OSError, urllib.error.URLError):
                time.sleep(0.1)
        logs = "".join((self.folder / f"{name}.log").read_text()[-2000:] for name in ("etcd", "kube-apiserver"))
        raise RuntimeError(f"the API server does not get ready:\n{logs}")

    def _install(self):
        authority = self.folder / "certs/apiserver.crt"
        self.kubeconfig = self.folder / "kubeconfig"
        self.kubeconfig.write_text(KUBECONFIG.format(url=self.url, authority=authority, token=TOKEN))
        self.kubectl("create", *(f"--filename={file}" for file in self.crds))
        for attempt in reversed(range(30)):
            try:
                return self.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
            except subprocess.CalledProcessError:
                # On a slow machine a CRD has no conditions for a moment, which kubectl takes for an error.
                if attempt == 0:
                    raise
                time.sleep(1)

    @property
    def environment(self):
        """For what talks to it."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": str(self.folder / "kubectl-cache")}

    def kubectl(self, *args):
        subprocess.run(
            [self.assets / "kubectl", *args], env=self.environment, check=True, stdout=subprocess.DEVNULL
        )

    def cpu(self):
        """CPU seconds that the two processes have taken so far."""
        ticks = 0
        for process in self.processes:
            # After the name, which may hold anything: the state, then numbers.
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def get(self, path):
        """The body of one GET, over a connection of its own."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {TOKEN}"})
        context = ssl.create_default_context(cafile=self.folder / "certs/apiserver.crt")
        with urllib.request.urlopen(request, context=context, timeout=60) as answer:
            return answer.read()


def free_ports():
    """Held all at once, so that they differ."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def signing_key():
    """A key for service-account tokens, which the server won't start without: P-256, its public half left out."""
    # Below the group's order, and not zero.
    secret = b"\x01" + os.urandom(31)
    der = bytes([0x30, 49, 2, 1, 1, 4, 32]) + secret + bytes.fromhex("a00a06082a8648ce3d030107")
    return f"-----BEGIN EC PRIVATE KEY-----\n{base64.b64encode(der).decode()}\n-----END EC PRIVATE KEY-----\n"
