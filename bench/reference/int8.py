"""Time and loss of static int8 in ONNX Runtime: convolutions quantized per channel, calibrated on photos with noise.

usage: int8.py MODEL.onnx PHOTOS TEST all|inner|deep, with a model that `limpid export --size 320x480` wrote. PHOTOS calibrate;
pictures of TEST, at least 320 × 480 or turned, get noise of sigma 25. `inner` leaves out the first and the last convolution,
`deep` all with fewer than 96 channels too. Needs onnx, onnxruntime, sympy and pillow.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from PIL import Image

H, W, SIGMA = 320, 480, 25 / 255
CALIBRATING = 16


def crops(folder, seed):
    """Yield clean and noisy crops [1 3 H W] of a folder's pictures that are large enough."""
    rng = np.random.default_rng(seed)
    for path in sorted(p for p in Path(folder).iterdir() if p.suffix in ('.png', '.jpg', '.webp')):
        picture = np.asarray(Image.open(path).convert('RGB'), np.float32) / 255
        if picture.shape[0] > picture.shape[1]:
            picture = picture.transpose(1, 0, 2)
        if picture.shape[0] < H or picture.shape[1] < W:
            continue
        clean = picture[:H, :W].transpose(2, 0, 1)[None]
        yield clean, (clean + rng.normal(0, SIGMA, clean.shape)).astype(np.float32)


class Photos(CalibrationDataReader):
    def __init__(self, folder):
        self.noisy = (noisy for _, (__, noisy) in zip(range(CALIBRATING), crops(folder, seed=0)))

    def get_next(self):
        x = next(self.noisy, None)
        return None if x is None else {'x': x}


def name_convolutions(path, which):
    """Name all nodes of a file and return the convolutions to quantize."""
    model = onnx.load(path)
    for i, node in enumerate(model.graph.node):
        node.name = f'{node.op_type}_{i}'
    onnx.save(model, path)
    channels = {weight.name: max(weight.dims[:2], default=0) for weight in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == 'Conv']
    inner = convolutions if which == 'all' else convolutions[1:-1]
    return [node.name for node in inner if which != 'deep' or channels[node.input[1]] >= 96]


def open_session(path, optimized=None):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry('session.set_denormal_as_zero', '1')
    if optimized is not None:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = optimized
    return ort.InferenceSession(path, options, providers=['CPUExecutionProvider'])


def psnr(a, b):
    return -10 * np.log10(np.mean((a.astype(np.float64) - b) ** 2))


def measure(session, pairs):
    """Return median processor seconds and mean PSNR of 8-bit results."""
    seconds, values = [], []
    for clean, noisy in pairs:
        start = time.process_time()
        (y,) = session.run(None, {'x': noisy})
        seconds.append(time.process_time() - start)
        values.append(psnr(np.round(np.clip(y, 0, 1) * 255) / 255, clean))
    return statistics.median(seconds), statistics.mean(values)


def main():
    _, model, photos, test, which = sys.argv
    with tempfile.TemporaryDirectory() as folder:
        folded, quantized = f'{folder}/folded.onnx', f'{folder}/int8.onnx'
        open_session(model, folded)
        chosen = name_convolutions(folded, which)
        quantize_static(
            folded,
            quantized,
            Photos(photos),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            nodes_to_quantize=chosen,
        )
        pairs = list(crops(test, seed=1))
        full, reduced = (measure(open_session(path), pairs) for path in (model, quantized))
    print(
        f'{len(chosen)} convolutions: float32 {full[0]:.3f} s, {full[1]:.3f} dB; int8 {reduced[0]:.3f} s, {reduced[1]:.3f} dB; '
        f'{full[0] / reduced[0]:.2f} times as fast, loss {full[1] - reduced[1]:.3f} dB'
    )


if __name__ == '__main__':
    main()
