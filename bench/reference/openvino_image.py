"""Processor seconds per image through an ONNX file in OpenVINO, on one thread; reference of dtype.

usage: openvino_image.py THREADS OUTPUT.f32 MODEL.onnx IMAGE.f32 SIDE float32|bfloat16; THREADS is ignored
"""

import statistics
import sys
import time

import numpy as np
import openvino
from measure import report


def main():
    _, _, output, model, image, side, dtype = sys.argv
    settings = {
        'INFERENCE_PRECISION_HINT': {'float32': 'f32', 'bfloat16': 'bf16'}[dtype],
        'INFERENCE_NUM_THREADS': 1,
        'NUM_STREAMS': 1,
    }
    request = openvino.Core().compile_model(model, 'CPU', settings).create_infer_request()
    x = np.fromfile(image, np.float32).reshape(1, 3, int(side), int(side))
    request.infer([x])
    request.get_output_tensor(0).data.astype(np.float32).tofile(output)
    seconds = []
    for _ in range(5):
        start = time.process_time()
        request.infer([x])
        seconds.append(time.process_time() - start)
    report(statistics.median(seconds))


if __name__ == '__main__':
    main()
