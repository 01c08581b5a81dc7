"""Timing of one peer's step."""

import time

import torch


def wait(device):
    if device == "cuda":
        torch.cuda.synchronize()


def samples(step, device, seconds, per):
    """Milliseconds of a step: after a third of the time to warm up, samples of `per` steps until the time is over."""

    def sample():
        start = time.perf_counter()
        for _ in range(per):
            step()
        wait(device)
        return (time.perf_counter() - start) * 1e3 / per

    start, warm = time.perf_counter(), 0
    while warm < 3 or time.perf_counter() - start < seconds / 3:
        sample()
        warm += 1
    start, found = time.perf_counter(), []
    while len(found) < 5 or time.perf_counter() - start < seconds:
        found.append(sample())
    return found
