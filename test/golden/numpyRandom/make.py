"""Writes numpyRandom.json: numbers of NumPy's RandomState (NumPy 2.4, glibc's logarithm), bit for bit.

usage: python make.py
"""

import json
from pathlib import Path

import numpy as np


def hexadecimal(values):
    return np.asarray(values, '>f8').tobytes().hex()


def main():
    of = lambda seed: np.random.RandomState(seed)
    golden = {
        'normal': {str(seed): hexadecimal(of(seed).normal(0, 1, count)) for seed, count in ((0, 2001), (20260101, 1001))},
        'uniform': {'7': hexadecimal(of(7).random_sample(700))},
        'forked': hexadecimal(of([7, 3]).random_sample(50)),
        'forkedTwice': hexadecimal(of([7, 3, 4294967295]).random_sample(5)),
        'integers': {str(below): of(5).randint(0, below, 50).tolist() for below in (1, 10, 1000, 2**32)},
    }
    Path(__file__).with_name('numpyRandom.json').write_text(json.dumps(golden))


if __name__ == '__main__':
    main()
