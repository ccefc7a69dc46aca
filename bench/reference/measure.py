"""Timing and reporting for the references; mirrors ../measure.ts."""

import json
import resource
import statistics
import sys
import time


def median_seconds(step, warmups, runs):
    for _ in range(warmups):
        step()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def peak_bytes():
    try:
        with open('/proc/self/status') as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith('VmHWM'))
    except OSError:
        scale = 1 if sys.platform == 'darwin' else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def report(value):
    print(json.dumps({'value': value, 'peakBytes': peak_bytes()}))
