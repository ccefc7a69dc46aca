"""Makes frechet.json: Fréchet distances by NumPy's covariance and SciPy's matrix square root, as pytorch-fid computes them.

Made with NumPy 2.4.6 and SciPy 1.17.1:  python test/golden/metrics/frechet.py
Features are numbers from a hash, as in networks.py, so that none has to be kept.
"""

import json
import pathlib
import zlib

import numpy as np
from scipy import linalg


def hashed(key, shape):
    count = int(np.prod(shape))
    x = (np.arange(count, dtype=np.uint64) + zlib.crc32(key.encode())).astype(np.uint32)
    x *= np.uint32(0x9E3779B1)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x85EBCA77)
    x ^= x >> np.uint32(13)
    return (x.astype(np.float64) / 2**32).astype(np.float32).astype(np.float64).reshape(shape)


def distance(a, b):
    (mean_a, mean_b), (cov_a, cov_b) = (a.mean(0), b.mean(0)), (np.cov(a, rowvar=False), np.cov(b, rowvar=False))
    root = linalg.sqrtm(cov_a @ cov_b)
    return float(((mean_a - mean_b) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * np.trace(root.real))


cases = []
for n, m, d in ((40, 60, 16), (60, 40, 16), (9, 30, 16), (30, 9, 16), (12, 12, 12)):
    a, b = hashed(f'a{n}', (n, d)), 2 * hashed(f'b{m}', (m, d)) ** 2
    cases.append({'n': n, 'm': m, 'd': d, 'distance': distance(a, b)})
(pathlib.Path(__file__).parent / 'frechet.json').write_text(json.dumps(cases, indent=1) + '\n')
print(cases)
