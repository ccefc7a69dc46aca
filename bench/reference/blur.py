"""Reference of blur: SciPy's correlation, direct or by FFT, of 3 x 512 x 512 values with 21 x 21 taps.

usage: blur.py THREADS aniso|iso direct|fft OUTPUT
"""

import sys

import numpy as np
from measure import median_seconds, report
from scipy import ndimage, signal


def kernel(shape):
    first, second = (2.6, 2.6) if shape == 'iso' else (1.2, 3.1)
    cos = sin = np.sqrt(0.5)
    rotation = np.array([[cos, -sin], [sin, cos]])
    inverse = np.linalg.inv(rotation @ np.diag([first**2, second**2]) @ rotation.T)
    axis = np.arange(21) - 10
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    weights = np.exp(-0.5 * np.einsum('yxi,ij,yxj->yx', grid, inverse, grid))
    return (weights / weights.sum()).astype(np.float32)


def main():
    _, _, shape, method, output = sys.argv
    weights = kernel(shape)
    image = (0.5 + 0.5 * np.sin(0.37 * np.arange(3 * 512 * 512))).astype(np.float32).reshape(3, 512, 512)

    def correlate(plane):
        if method == 'direct':
            return ndimage.correlate(plane, weights, mode='mirror')
        return signal.fftconvolve(np.pad(plane, 10, mode='reflect'), weights[::-1, ::-1], mode='valid')

    def step():
        return np.stack([correlate(plane) for plane in image])

    seconds = median_seconds(step, warmups=1, runs=5)
    step().astype(np.float32).tofile(output)
    report(seconds)


if __name__ == '__main__':
    main()
