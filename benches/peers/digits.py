"""The example `kan_digits` and the PyTorch packages of kan_train.py, in turn."""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
EXAMPLE = ["--release", "--example", "kan_digits"]
NAME = "kan_digits"


def run_json(command, environment):
    """What a command writes to the file that its --json names."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.json"
        command = [str(word) for word in command]
        command[command.index("JSON")] = str(path)
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0 or not path.exists():
            sys.exit(f"`{' '.join(command)}` failed ({done.returncode}):\n{done.stdout}")
        return json.loads(path.read_text())


def compare(ours, peers):
    """The cases, out of our reports and the peers' reports, one of each a round."""

    def peer_medians(milliseconds):
        """The median over the rounds for each peer, without those that any round skipped."""
        names = [name for name in peers[0]["peers"] if all("skipped" not in r["peers"][name] for r in peers)]
        return {name: statistics.median(milliseconds(r["peers"][name]) for r in peers) for name in names}

    def case(our_ms, peer_ms):
        if not peer_ms:
            sys.exit("no peer ran: see the reasons in the output of kan_train.py")
        fastest = min(peer_ms, key=peer_ms.get)
        return {
            "ours_ms": our_ms,
            "peer": fastest,
            "peer_ms": peer_ms[fastest],
            "ratio": peer_ms[fastest] / our_ms,
            "all_peers_ms": peer_ms,
        }

    epochs, grid = ours[0]["epochs"], peers[0]["grid"]
    our_train = statistics.median(r["seconds"] * 1e3 for r in ours)
    our_step = statistics.median(r["seconds"] * 1e3 / r["steps"] for r in ours)
    return {
        f"kan digits, grid {grid}, step": case(our_step, peer_medians(lambda r: r["step_ms"])),
        f"kan digits, grid {grid}, {epochs} epochs": case(our_train, peer_medians(lambda r: r["train_seconds"] * 1e3)),
    }


def run(args, environment):
    """The digits' cases, and every report of every round."""
    subprocess.run(["cargo", "build", *EXAMPLE], cwd=ROOT, env=environment, check=True)
    cargo = ["cargo", "run", "--quiet", *EXAMPLE, "--"]
    ours, peers = [], []
    for index in range(args.rounds):
        print(f"{NAME}, round {index + 1} of {args.rounds}: ours", flush=True)
        ours.append(run_json([*cargo, "--device", args.device, "--json", "JSON", "--epochs", args.epochs], environment))
        # the example says which grid it trains where it has a choice; its own default is 3
        script = [sys.executable, HERE / "kan_train.py", "--json", "JSON", "--epochs", args.epochs]
        script += ["--threads", args.threads, "--grid", ours[0].get("grid", 3)]
        print(f"{NAME}, round {index + 1} of {args.rounds}: peers", flush=True)
        peers.append(run_json(script, environment))
    return compare(ours, peers), {"rounds": args.rounds, "threads": args.threads, "ours": ours, "peers": peers}
