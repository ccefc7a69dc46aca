"""Reference of op-overhead: microseconds per op on a tiny tensor in PyTorch.

usage: op_overhead.py THREADS gradient|plain
"""

import sys

import torch
from measure import median_seconds, report

OPS_PER_RUN = 1000


def main():
    _, threads, mode = sys.argv
    torch.set_num_threads(int(threads))
    x = torch.full((4,), 0.5, requires_grad=mode == 'gradient')
    factor, offset = torch.full((4,), 0.999), torch.full((4,), 0.001)

    def chain():
        y = x
        for _ in range(OPS_PER_RUN // 2):
            y = y.mul(factor).add(offset)

    with torch.set_grad_enabled(mode == 'gradient'):
        report(median_seconds(chain, warmups=50, runs=200) / OPS_PER_RUN * 1e6)


if __name__ == '__main__':
    main()
