"""The cases of cases.json: ours (the example `peer_case`) and the peers, in turn."""

import json
import statistics
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
EXAMPLE = ["--release", "--example", "peer_case"]
CASES = json.loads((HERE / "cases.json").read_text())


def names(device):
    """The cases for a device, in the file's order."""
    return [name for name, case in CASES.items() if case.get("only", device) == device]


def build(environment):
    subprocess.run(["cargo", "build", *EXAMPLE], cwd=ROOT, env=environment, check=True)


def ours(name, device, seconds, per, environment):
    """Our figures of one round, or the reason why there are none."""
    command = ["cargo", "run", "--quiet", *EXAMPLE, "--", name, "--device", device]
    command += ["--seconds", str(seconds), "--per", str(per)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        return {"skipped": (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]}
    return json.loads(done.stdout)


class Peers:
    """The steps of a case's peers, compiled once and timed in every round."""

    def __init__(self, name, torch_device):
        import torch

        import kan_peers
        import tensor_peers

        case, self.device, self.steps, self.skipped = CASES[name], torch_device, {}, {}
        torch._dynamo.reset()
        kinds = {
            "kan": kan_peers.peers,
            "matmul": tensor_peers.matmul,
            "attention": tensor_peers.attention,
            "sort": tensor_peers.sort,
        }
        for peer, make in kinds[case["kind"]](case, torch_device).items():
            try:
                step = make()
                for _ in range(3):
                    step()
                self.steps[peer] = step
            except Exception as error:  # no compiler, a package that this PyTorch does not suit: the others still count
                self.skipped[peer] = f"{type(error).__name__}: {error}".strip().splitlines()[0]

    def round(self, seconds, per):
        """{peer: samples of the step in milliseconds}"""
        import timing

        return {peer: timing.samples(step, self.device, seconds, per) for peer, step in self.steps.items()}


def spread(values):
    """The quartiles of medians or samples; the value itself where there is one."""
    return statistics.quantiles(values, n=4)[::2] if len(values) > 1 else [values[0], values[0]]


def compare(name, args, environment):
    """One case over all rounds: ours first, then every peer, round after round."""
    gpu = args.device == "gpu"
    per = 10 if gpu else 1
    peers = Peers(name, "cuda" if gpu else "cpu")
    our_rounds, peer_rounds = [], {peer: [] for peer in peers.steps}
    for _ in range(args.rounds):
        report = ours(name, args.device, args.seconds, per, environment)
        if "skipped" in report:
            return {"skipped": f"ours: {report['skipped']}"}
        our_rounds.append(report)
        for peer, values in peers.round(args.seconds, per).items():
            peer_rounds[peer].append(statistics.median(values))
    if not peer_rounds:
        return {"skipped": f"no peer ran: {peers.skipped}"}
    our_medians = [report["median_ms"] for report in our_rounds]
    peer_ms = {peer: statistics.median(medians) for peer, medians in peer_rounds.items()}
    fastest = min(peer_ms, key=peer_ms.get)
    our_ms = statistics.median(our_medians)
    return {
        "ours_ms": our_ms,
        "ours_spread_ms": spread(our_medians),
        "peer": fastest,
        "peer_ms": peer_ms[fastest],
        "peer_spread_ms": spread(peer_rounds[fastest]),
        "ratio": peer_ms[fastest] / our_ms,
        "device": our_rounds[0]["device"],
        "all_peers_ms": peer_ms,
        "skipped_peers": peers.skipped,
    }
