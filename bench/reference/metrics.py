"""Reference of metrics: seconds for PSNR (RGB) and SSIM (MATLAB's Y) of every pair with scikit-image.

usage: metrics.py THREADS FOLDER RESULT.f32
"""

import json
import pathlib
import sys

import numpy as np
from measure import median_seconds, report
from skimage.metrics import peak_signal_noise_ratio, structural_similarity


def luma(image):
    """Y of MATLAB's rgb2ycbcr, rounded to 8 bits."""
    return np.round(image @ (np.array([65.481, 128.553, 24.966]) / 255) + 16)


def figures(reference, output):
    options = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)
    psnr = peak_signal_noise_ratio(reference, output, data_range=255)
    return psnr, structural_similarity(luma(reference), luma(output), **options)


def main():
    _, _, folder, result = sys.argv
    folder = pathlib.Path(folder)
    values, at, pairs = np.fromfile(folder / 'pairs.u8', np.uint8), 0, []
    for size in json.loads((folder / 'pairs.json').read_text()):
        shape = (2, size['height'], size['width'], 3)
        pairs.append(values[at:at + np.prod(shape)].reshape(shape))
        at += np.prod(shape)
    found = []

    def run():
        found[:] = [figures(reference, output) for reference, output in pairs]

    seconds = median_seconds(run, warmups=1, runs=3)
    np.array(found, np.float32).tofile(result)
    report(seconds)


if __name__ == '__main__':
    main()
