#!/usr/bin/env python3
"""Measures `fleetwright admit` on HostedClusters beside kubeconform, in one run, each on one core.

  admit.py --fleetwright BIN --kubeconform BIN --upstream DIR --out DIR [--objects N] [--repetitions N]

Both judge the same files by upstream's HostedCluster definition. kubeconform knows JSON Schemas alone: types, enumerations,
patterns, unknown fields; no defaults, no keyed lists, no rules (CEL), of which the definition has hundreds. What is told is the
objects a second of CPU: a run over N objects less a run over one, so that the start of a process and the compiling of the
definition count for neither; and both whole.

Needs Python's yaml module, to make a JSON Schema of the definition once.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import gen
import yaml

CRD = "hypershift/crds/hostedclusters-Hypershift-Default.crd.yaml"
FILES = 50


def closed(schema):
    """A structural schema as JSON Schema: what is not declared is an error, as strict validation has it."""
    if not isinstance(schema, dict):
        return schema
    out = {}
    for key, value in schema.items():
        if key == "properties":
            out[key] = {name: closed(field) for name, field in value.items()}
        elif key in ("items", "not", "additionalProperties"):
            out[key] = closed(value)
        elif key in ("allOf", "anyOf", "oneOf"):
            out[key] = [closed(one) for one in value]
        elif key in ("type", "enum", "pattern", "format", "required", "minimum", "maximum", "minLength", "maxLength",
                     "minItems", "maxItems", "minProperties", "maxProperties"):
            out[key] = value
    if schema.get("x-kubernetes-int-or-string"):
        out.pop("anyOf", None)
        out["type"] = ["integer", "string"]
    if "properties" in out and "additionalProperties" not in out and not schema.get("x-kubernetes-preserve-unknown-fields"):
        out["additionalProperties"] = False
    return out


def prepare(out, upstream, objects):
    """The objects in files, one of them alone, and the JSON Schema."""
    shutil.rmtree(out, ignore_errors=True)
    texts = [gen.fill(gen.HOSTED_CLUSTER, gen.cluster(number)) for number in range(objects)]
    for folder, some in ((out / "all", texts), (out / "one", texts[:1])):
        folder.mkdir(parents=True)
        step = max(1, len(some) // FILES)
        for at in range(0, len(some), step):
            (folder / f"{at:06}.yaml").write_text(gen.stream(some[at:at + step]))
    crd = yaml.load((upstream / CRD).read_text(), Loader=yaml.CSafeLoader)
    schema = closed(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    schema["properties"]["apiVersion"] = schema["properties"]["kind"] = {"type": "string"}
    (out / "hostedcluster.json").write_text(json.dumps(schema))


def run(command):
    """CPU seconds of a whole process that has to end well."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env={**os.environ, "GOMAXPROCS": "1", "RAYON_NUM_THREADS": "1"})
    output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command} ended with {process.returncode}:\n{output[-4000:]}")
    return usage.ru_utime + usage.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("fleetwright", "kubeconform", "upstream", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--objects", type=int, default=5000)
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    out = options.out / "admit"
    prepare(out, options.upstream, options.objects)
    contenders = {
        "fleetwright admit": lambda folder: [options.fleetwright, "admit", "--quiet", "--crd", options.upstream / CRD, folder],
        "kubeconform -strict": lambda folder: [options.kubeconform, "-strict", "-n", "1", "-schema-location",
                                               f"{out}/hostedcluster.json", folder],
    }
    print(f"{options.objects} HostedClusters, medians of {options.repetitions}; objects a second of CPU, one core")
    taken = {name: {"all": [], "one": []} for name in contenders}
    # In turns, so that a slow minute of the machine meets all of them.
    for _ in range(options.repetitions):
        for name, command in contenders.items():
            for folder in ("all", "one"):
                taken[name][folder].append(run([str(part) for part in command(out / folder)]))
    for name, series in taken.items():
        whole, start = statistics.median(series["all"]), statistics.median(series["one"])
        rate = (options.objects - 1) / max(whole - start, 1e-6)
        print(f"  {name:22} {rate:8.0f}/s, {options.objects / whole:8.0f}/s with its start of {start:.2f} s")


if __name__ == "__main__":
    main()
