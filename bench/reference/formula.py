"""Weights and images from formulas; mirrors ../sides/formula.ts and ../measure.ts."""

import math

import numpy as np
import torch


def fan_in_scale(tensor, gain=1):
    """Scale by fan-in, times a gain; 0.1 for biases and other vectors."""
    return (gain / math.sqrt(tensor[0].numel()), 0) if tensor.dim() > 1 else (0.1, 0)


SMOOTH = 1024, lambda i: 0.7 * i
# For training: gives independent matrix rows. SMOOTH would map all images to nearly the same features.
ROUGH = 1021, lambda i: 0.7 * i**2


def fill(model, scale_of, sine=SMOOTH):
    """Set element i of tensor k to offset + scale · sin(phase(i mod period) + 1.3·k); skip counters."""
    period, phase = sine
    with torch.no_grad():
        for k, (key, tensor) in enumerate(model.state_dict().items()):
            if key.endswith('num_batches_tracked'):
                continue
            scale, offset = scale_of(key, tensor)
            s = np.sin(phase(np.arange(tensor.numel()) % period) + 1.3 * k)
            tensor.copy_(torch.from_numpy(offset + scale * s).view_as(tensor))


def image(*shape):
    """Image whose element i is 0.5 + 0.5·sin(0.37·i + 0.011·(i mod 97))."""
    i = np.arange(math.prod(shape))
    values = 0.5 + 0.5 * np.sin(0.37 * i + 0.011 * (i % 97))
    return torch.from_numpy(values).float().reshape(shape)


def wave(shape, step):
    """Tensor whose element i is 0.5 + 0.5·sin(step·i)."""
    index = torch.arange(math.prod(shape), dtype=torch.float64)
    return (0.5 + 0.5 * torch.sin(step * index)).float().reshape(shape)
