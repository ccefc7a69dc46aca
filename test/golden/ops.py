"""Makes ops.safetensors and ops.json: what PyTorch gives for every op of src/core/ops.ts.

Made with PyTorch 2.13.0 (CPU), safetensors 0.8:  python test/golden/ops.py
The tensors of case N are N.in.0, N.in.1, …, N.out and, where the result is differentiable, N.cot (a fixed cotangent) and
N.grad.i = d sum(out · cot) / d in.i for every float input i.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

INF = math.inf
dtypes = {str(d).removeprefix('torch.'): d for d in (
    torch.float64, torch.float32, torch.float16, torch.bfloat16,
    torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)}

apply = {
    'add': lambda x, y: x + y,
    'sub': lambda x, y: x - y,
    'mul': lambda x, y: x * y,
    'div': lambda x, y: x / y,
    'maximum': torch.maximum,
    'minimum': torch.minimum,
    'addScalar': lambda x, value: x + value,
    'mulScalar': lambda x, value: x * value,
    'powScalar': lambda x, exponent: x ** exponent,
    'clamp': lambda x, min, max: x.clamp(None if min == -INF else min, None if max == INF else max),
    'neg': torch.neg,
    'abs': torch.abs,
    'exp': torch.exp,
    'log': torch.log,
    'sqrt': torch.sqrt,
    'rsqrt': torch.rsqrt,
    'sin': torch.sin,
    'cos': torch.cos,
    'tanh': torch.tanh,
    'sigmoid': torch.sigmoid,
    'relu': torch.relu,
    'leakyRelu': lambda x, negativeSlope: F.leaky_relu(x, negativeSlope),
    'prelu': F.prelu,
    'silu': F.silu,
    'gelu': F.gelu,
    'mish': F.mish,
    'cast': lambda x, dtype: x.to(dtypes[dtype]),
    'matmul': torch.matmul,
    'linear': F.linear,
    'conv2d': lambda x, w, b=None, *, stride, padding, groups, dilation=1: F.conv2d(x, w, b, stride, padding, dilation, groups),
    'layerNorm': lambda x, w=None, b=None, *, eps: F.layer_norm(x, x.shape[-1:], w, b, eps),
    'softmax': lambda x, dim: x.softmax(dim),
    'logSoftmax': lambda x, dim: x.log_softmax(dim),
    'sum': lambda x, dims, keepDim: x.sum(dims, keepDim),
    'mean': lambda x, dims, keepDim: x.mean(dims, keepDim),
    'amax': lambda x, dims, keepDim: x.amax(dims, keepDim),
    'argmax': lambda x, dim, keepDim: x.argmax(dim, keepDim),
    'argsort': lambda x, dim: x.argsort(dim=dim, stable=True),
    'maxPool2d': lambda x, kernel, stride, padding: F.max_pool2d(x, kernel, stride, padding),
    'avgPool2d': lambda x, kernel, stride, padding: F.avg_pool2d(x, kernel, stride, padding),
    'pixelShuffle': lambda x, factor: F.pixel_shuffle(x, factor),
    'upsampleNearest': lambda x, factor: F.interpolate(x, scale_factor=factor, mode='nearest'),
    'upsampleBilinear': lambda x, factor: F.interpolate(x, scale_factor=factor, mode='bilinear', align_corners=False),
    'gridSample': lambda x, grid: F.grid_sample(x, grid, 'bilinear', 'border', align_corners=False),
    'reshape': lambda x, shape: x.reshape(shape),
    'permute': lambda x, dims: x.permute(dims),
    'expand': lambda x, shape: x.expand(shape),
    'slice': lambda x, dim, start, end, step: x[(slice(None),) * dim + (slice(start, end, step),)],
    'cat': lambda *xs, dim: torch.cat(xs, dim),
    'pad': lambda x, padding, mode, value: F.pad(x, padding, mode, value if mode == 'constant' else None),
    'embedding': lambda w, ids: F.embedding(ids, w),
    'gather': lambda x, index, dim: x.gather(dim, index),
}

generator = torch.Generator().manual_seed(2111)
cases, tensors = [], {}


def normal(*shape, scale=1.0, shift=0.0, dtype=torch.float32):
    return (torch.randn(shape, generator=generator) * scale + shift).to(dtype)


def positive(*shape):
    return torch.rand(shape, generator=generator) * 3 + 0.1


def integers(*shape, low=-9, high=10, dtype=torch.int64):
    return torch.randint(low, high, shape, generator=generator).to(dtype)


def case(op, title, *inputs, named=None, named_attrs=None, weights=(), grad=True, **attrs):
    """`named`: shapes of the inputs with run-time dimensions; `weights`: inputs that a network holds as constants."""
    number = str(len(cases))
    leaves = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    out = apply[op](*leaves, **attrs)
    for i, x in enumerate(inputs):
        tensors[f'{number}.in.{i}'] = x.contiguous().clone()
    tensors[f'{number}.out'] = out.detach().contiguous().clone()
    differentiable = grad and out.requires_grad and out.numel() > 0
    if differentiable:
        cotangent = torch.randn(out.shape, generator=generator).to(out.dtype)
        tensors[f'{number}.cot'] = cotangent
        (out * cotangent).sum().backward()
        for i, leaf in enumerate(leaves):
            if leaf.requires_grad:
                tensors[f'{number}.grad.{i}'] = leaf.grad.contiguous().clone()
    entry = {'name': f'{op}: {title}', 'op': op, 'attrs': attrs, 'inputs': len(inputs),
             'requiresGrad': [leaf.requires_grad and differentiable for leaf in leaves], 'weights': list(weights)}
    if named:
        entry['named'] = {'shapes': named, 'attrs': named_attrs or attrs}
    cases.append(entry)


# element by element, two inputs
for op in ('add', 'sub', 'mul', 'div', 'maximum', 'minimum'):
    divisor = positive if op == 'div' else normal
    case(op, 'equal shapes', normal(2, 3, 4), divisor(2, 3, 4), named=[['b', 3, 'n'], ['b', 3, 'n']])
    case(op, 'two scalars', normal(), divisor())
    case(op, 'a weight for each channel', normal(2, 3, 4, 5), divisor(1, 3, 1, 1), weights=[1],
         named=[['b', 3, 'h', 'w'], [1, 3, 1, 1]])
    case(op, 'a map for each image', normal(2, 3, 4, 5), divisor(2, 1, 4, 5),
         named=[['b', 3, 'h', 'w'], ['b', 1, 'h', 'w']])
    case(op, 'both sides grow', normal(3, 1, 4), divisor(5, 1))
    case(op, 'ranks 5 and 0', normal(2, 1, 2, 3, 2), divisor(), weights=[1])
    case(op, 'ranks 1 and 5', normal(3), divisor(2, 1, 2, 2, 3))
    case(op, 'a trailing size of one', normal(2, 3, 1), divisor(3, 1))
for op in ('add', 'sub', 'mul', 'maximum', 'minimum'):
    case(op, 'int64', integers(2, 3), integers(3))
for op in ('add', 'mul'):
    case(op, 'float16', normal(2, 3, dtype=torch.float16), normal(2, 3, dtype=torch.float16), grad=False)
    case(op, 'float64', normal(2, 3, dtype=torch.float64), normal(3, dtype=torch.float64))
ties = torch.tensor([[1.0, 2.0, -3.0], [0.0, 5.0, 5.0]])
case('maximum', 'ties', ties, torch.tensor([[1.0, 1.0, -3.0], [0.0, 6.0, 5.0]]))
case('minimum', 'ties', ties, torch.tensor([[1.0, 1.0, -3.0], [0.0, 6.0, 5.0]]))
case('div', 'by zero gives infinities and NaN', torch.tensor([1.0, -1.0, 0.0]), torch.tensor([0.0, 0.0, 0.0]), grad=False)
case('maximum', 'NaN wins', torch.tensor([math.nan, 1.0]), torch.tensor([1.0, math.nan]), grad=False)

# element by element with a number
for value in (0.5, -3.0):
    case('addScalar', f'{value}', normal(2, 3, 4), value=value, named=[['b', 'h', 'w']])
    case('mulScalar', f'{value}', normal(2, 3, 4), value=value, named=[['b', 'h', 'w']])
case('addScalar', 'rank 0', normal(), value=1e-5)
case('mulScalar', 'rank 0', normal(), value=1e-5)
case('mulScalar', 'rank 5 by zero', normal(1, 2, 1, 2, 3), value=0.0)
case('addScalar', 'int64 and a whole number', integers(2, 3), value=2)
case('mulScalar', 'int64 and a whole number', integers(2, 3), value=-3)
case('addScalar', 'float16 stays float16', normal(2, 3, dtype=torch.float16), value=0.25, grad=False)
case('powScalar', 'square', normal(2, 3, 4), exponent=2, named=[['b', 'h', 'w']])
case('powScalar', 'cube', normal(2, 3), exponent=3)
case('powScalar', 'power 0.5', positive(2, 3), exponent=0.5)
case('powScalar', 'power -1.5', positive(2, 3), exponent=-1.5)
case('powScalar', 'power 2.2 of rank 0', positive(), exponent=2.2)
case('powScalar', 'power 0', normal(2, 3), exponent=0)
case('clamp', 'both bounds', normal(3, 4, scale=2), min=-0.5, max=1.0, named=[['b', 'n']])
case('clamp', 'lower bound alone', normal(3, 4), min=0.0, max=INF, named=[['b', 'n']])
case('clamp', 'upper bound alone', normal(3, 4), min=-INF, max=0.25, named=[['b', 'n']])
case('clamp', 'values on the bounds', torch.tensor([0.0, 1.0, 0.5, -0.0]), min=0.0, max=1.0)
case('clamp', 'infinite values', torch.tensor([INF, -INF, 0.5]), min=0.0, max=1.0)
case('clamp', 'rank 0', normal(), min=0.0, max=INF)
case('clamp', 'a tiny lower bound', torch.tensor([0.0, 1e-30, 1.0]), min=1e-24, max=INF)

# element by element, one input
for op in ('neg', 'abs', 'exp', 'log', 'sqrt', 'rsqrt', 'sin', 'cos', 'tanh', 'sigmoid', 'relu', 'silu', 'gelu'):
    draw = positive if op in ('log', 'sqrt', 'rsqrt') else normal
    case(op, 'rank 4', draw(2, 3, 2, 3), named=[['b', 3, 'h', 'w']])
    case(op, 'rank 0', draw())
    case(op, 'rank 5', draw(1, 2, 1, 3, 2))
    case(op, 'float64', draw(5).double())
for op in ('tanh', 'sigmoid', 'silu', 'gelu', 'exp'):
    case(op, 'large values', torch.tensor([-80.0, -20.0, -6.0, 0.0, 6.0, 20.0, 80.0]))
for op in ('abs', 'relu', 'sqrt'):
    case(op, 'zero', torch.tensor([0.0, 1.0, 4.0]), grad=op != 'sqrt')
case('log', 'of zero and below', torch.tensor([0.0, -1.0, 1.0]), grad=False)
case('neg', 'int64', integers(2, 3))
for slope in (0.1, 0.2, 0.01, 0.0):
    case('leakyRelu', f'slope {slope}', normal(2, 3, 4), negativeSlope=slope, named=[['b', 3, 'n']])
case('leakyRelu', 'at zero', torch.tensor([0.0, -1.0, 1.0]), negativeSlope=0.1)
fractions = torch.tensor([[-2.7, -0.5, 0.0], [0.5, 1.9, 100.2]])
for target in ('float64', 'int64', 'int32', 'bool', 'float16', 'bfloat16'):
    case('cast', f'float32 to {target}', fractions, dtype=target, named=[['b', 'n']])
case('cast', 'float32 to float32', fractions, dtype='float32')
case('cast', 'float32 to uint8', torch.tensor([0.0, 1.9, 254.99]), dtype='uint8')
case('cast', 'float64 to float32', torch.tensor([1 / 3, -1e-50, 1e30], dtype=torch.float64), dtype='float32')
case('cast', 'int64 to float32', integers(2, 3), dtype='float32', named=[['b', 'n']])
case('cast', 'int64 to int32', integers(2, 3), dtype='int32')
case('cast', 'int64 to bool', torch.tensor([0, 1, -5]), dtype='bool')
case('cast', 'int32 to int64', integers(2, 3, dtype=torch.int32), dtype='int64')
case('cast', 'bool to float32', torch.tensor([True, False]), dtype='float32')
case('cast', 'bool to int64', torch.tensor([True, False]), dtype='int64')
case('cast', 'float16 to float32', normal(3, dtype=torch.float16), dtype='float32')
case('cast', 'bfloat16 to float32', normal(3, dtype=torch.bfloat16), dtype='float32')
case('cast', 'uint8 to float32 of rank 0', torch.tensor(200, dtype=torch.uint8), dtype='float32')

# products
case('matmul', 'two matrices', normal(3, 4), normal(4, 5), named=[['n', 4], [4, 5]])
case('matmul', 'batches', normal(2, 3, 4), normal(2, 4, 5), named=[['b', 'n', 4], ['b', 4, 'm']])
case('matmul', 'a batch and a constant matrix', normal(2, 3, 4), normal(4, 5), weights=[1],
     named=[['b', 'n', 4], [4, 5]])
case('matmul', 'a constant matrix and a batch', normal(3, 4), normal(2, 4, 5), weights=[0],
     named=[[3, 4], ['b', 4, 'n']])
case('matmul', 'batches that broadcast', normal(2, 1, 3, 4), normal(3, 4, 2))
case('matmul', 'rank 5', normal(1, 2, 1, 2, 3), normal(2, 1, 2, 3, 2))
case('matmul', 'a sum over pixels', normal(2, 2, 3, 20), normal(2, 2, 20, 3),
     named=[['b', 2, 3, 'n'], ['b', 2, 'n', 3]])
case('matmul', 'a row and a column', normal(1, 4), normal(4, 1))
case('matmul', 'float64', normal(2, 3, dtype=torch.float64), normal(3, 2, dtype=torch.float64))
case('linear', 'no bias', normal(2, 4), normal(3, 4), weights=[1], named=[['b', 4], [3, 4]])
case('linear', 'bias', normal(2, 4), normal(3, 4), normal(3), weights=[1, 2], named=[['b', 4], [3, 4], [3]])
case('linear', 'tokens', normal(2, 5, 4), normal(3, 4), normal(3), weights=[1, 2], named=[['b', 'n', 4], [3, 4], [3]])
case('linear', 'rank 4, no bias', normal(1, 2, 3, 4), normal(6, 4), weights=[1], named=[['b', 'h', 'w', 4], [6, 4]])
case('linear', 'rank 1', normal(4), normal(3, 4), normal(3), weights=[1, 2])
case('linear', 'one feature out', normal(5, 4), normal(1, 4), normal(1), weights=[1, 2])

image = ['b', 4, 'h', 'w']
for title, x, w, bias, attrs, named in (
    ('1×1', (2, 4, 5, 6), (6, 4, 1, 1), True, (1, 0, 1), True),
    ('1×1 no bias', (2, 4, 5, 6), (6, 4, 1, 1), False, (1, 0, 1), True),
    ('1×1 stride 2', (1, 4, 6, 8), (3, 4, 1, 1), True, (2, 0, 1), False),
    ('3×3', (2, 4, 5, 6), (3, 4, 3, 3), True, (1, 1, 1), True),
    ('3×3 no bias', (2, 4, 5, 6), (3, 4, 3, 3), False, (1, 1, 1), True),
    ('3×3 no padding', (1, 4, 5, 6), (3, 4, 3, 3), True, (1, 0, 1), False),
    ('3×3 wide padding', (1, 4, 3, 4), (3, 4, 3, 3), False, (1, 2, 1), False),
    ('3×3 stride 2, even size', (1, 4, 6, 8), (3, 4, 3, 3), True, (2, 1, 1), True),
    ('3×3 stride 2, odd size', (1, 4, 7, 5), (3, 4, 3, 3), True, (2, 1, 1), False),
    ('4×4 stride 2', (1, 4, 6, 8), (3, 4, 4, 4), False, (2, 1, 1), True),
    ('4×4 stride 4', (1, 4, 8, 4), (3, 4, 4, 4), True, (4, 0, 1), True),
    ('5×5', (1, 4, 6, 5), (2, 4, 5, 5), True, (1, 2, 1), True),
    ('7×7', (1, 4, 6, 5), (2, 4, 7, 7), False, (1, 3, 1), True),
    ('two groups', (2, 4, 5, 6), (6, 2, 3, 3), True, (1, 1, 2), True),
    ('two groups 1×1 no bias', (2, 4, 3, 4), (2, 2, 1, 1), False, (1, 0, 2), True),
    ('depthwise 3×3', (2, 4, 5, 6), (4, 1, 3, 3), True, (1, 1, 4), True),
    ('depthwise 3×3 no bias', (2, 4, 5, 6), (4, 1, 3, 3), False, (1, 1, 4), True),
    ('depthwise 5×5 stride 2', (1, 4, 8, 8), (4, 1, 5, 5), True, (2, 2, 4), False),
    ('depthwise with two outputs a channel', (1, 4, 5, 4), (8, 1, 3, 3), False, (1, 1, 4), True),
    ('an image as small as the kernel', (1, 4, 3, 3), (2, 4, 3, 3), True, (1, 0, 1), False),
    ('one pixel', (1, 4, 1, 1), (2, 4, 3, 3), True, (1, 1, 1), False),
    ('odd channels', (1, 7, 4, 4), (5, 7, 3, 3), True, (1, 1, 1), False),
):
    stride, padding, groups = attrs
    inputs = [normal(*x), normal(*w)] + ([normal(w[0])] if bias else [])
    case('conv2d', title, *inputs, weights=range(1, len(inputs)), stride=stride, padding=padding, groups=groups,
         named=[image, *[list(t.shape) for t in inputs[1:]]] if named else None)

case('layerNorm', 'affine', normal(2, 3, 8), normal(8), normal(8), weights=[1, 2], eps=1e-5,
     named=[['b', 'n', 8], [8], [8]])
case('layerNorm', 'plain', normal(2, 3, 8), eps=1e-5, named=[['b', 'n', 8]])
case('layerNorm', 'rank 1', normal(6), normal(6), normal(6), weights=[1, 2], eps=1e-6)
case('layerNorm', 'a large mean', normal(2, 16, shift=50), normal(16), normal(16), weights=[1, 2], eps=1e-5)
case('layerNorm', 'a large eps', normal(2, 3, 4, 5), normal(5), normal(5), weights=[1, 2], eps=0.5)
for op in ('softmax', 'logSoftmax'):
    case(op, 'last dimension', normal(2, 3, 5), dim=2, named=[['b', 'h', 'n']])
    case(op, 'first dimension', normal(4, 3), dim=0, named=[['n', 3]])
    case(op, 'middle dimension', normal(2, 4, 3), dim=1, named=[['b', 4, 'n']])
    case(op, 'large values', normal(3, 5, scale=100, shift=1e4), dim=1)
    case(op, 'one element', normal(3, 1), dim=1)
    case(op, 'rank 1', normal(6), dim=0)
    case(op, 'rank 5', normal(1, 2, 2, 3, 2), dim=3)

# reductions
for op in ('sum', 'mean', 'amax'):
    for keep in (False, True):
        kept = ' kept' if keep else ''
        case(op, f'last{kept}', normal(2, 3, 4), dims=[2], keepDim=keep, named=[['b', 3, 'n']])
        case(op, f'channels{kept}', normal(2, 3, 4, 5), dims=[1], keepDim=keep, named=[['b', 3, 'h', 'w']])
        case(op, f'pixels{kept}', normal(2, 3, 4, 5), dims=[2, 3], keepDim=keep, named=[['b', 3, 'h', 'w']])
        case(op, f'all{kept}', normal(2, 3, 4), dims=[0, 1, 2], keepDim=keep, named=[['b', 3, 'n']])
    case(op, 'unordered dimensions of rank 5', normal(2, 1, 3, 2, 2), dims=[4, 0, 2], keepDim=False)
    case(op, 'rank 1', normal(7), dims=[0], keepDim=False)
    case(op, 'a size of one', normal(3, 1, 2), dims=[1], keepDim=False)
    case(op, 'rank 0', normal(), dims=[], keepDim=False)
case('amax', 'ties', torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]), dims=[1], keepDim=False)
case('sum', 'int64', integers(2, 3), dims=[0], keepDim=False)
case('sum', 'of values that cancel', torch.tensor([1e6, 1.0, -1e6, 0.5]), dims=[0], keepDim=False)
for keep in (False, True):
    kept = ' kept' if keep else ''
    case('argmax', f'last{kept}', normal(2, 3, 5), dim=2, keepDim=keep, named=[['b', 'n', 5]])
    case('argmax', f'first{kept}', normal(4, 3), dim=0, keepDim=keep, named=[[4, 'n']])
    case('argmax', f'middle of rank 4{kept}', normal(2, 5, 2, 3), dim=1, keepDim=keep, named=[['b', 5, 'h', 'w']])
case('argmax', 'ties give the first', torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]), dim=1, keepDim=False)
case('argmax', 'rank 1', normal(6), dim=0, keepDim=False)

# windows and resampling
for op in ('maxPool2d', 'avgPool2d'):
    case(op, '2×2', normal(2, 3, 4, 6), kernel=2, stride=2, padding=0, named=[['b', 3, 'h', 'w']])
    case(op, '2×2 of an odd size', normal(1, 2, 5, 7), kernel=2, stride=2, padding=0)
    case(op, '3×3 stride 2 padded', normal(1, 2, 6, 8), kernel=3, stride=2, padding=1, named=[['b', 2, 'h', 'w']])
    case(op, '3×3 stride 2 padded, odd size', normal(1, 2, 7, 5), kernel=3, stride=2, padding=1)
    case(op, '3×3 stride 1 padded', normal(1, 2, 4, 5), kernel=3, stride=1, padding=1, named=[['b', 2, 'h', 'w']])
    case(op, '3×3 stride 1', normal(1, 2, 4, 5), kernel=3, stride=1, padding=0)
    case(op, 'strides that skip pixels', normal(1, 1, 7, 7), kernel=2, stride=3, padding=0)
    case(op, 'the whole image', normal(2, 3, 4, 4), kernel=4, stride=4, padding=0)
case('maxPool2d', 'negative values at a padded border', normal(1, 2, 4, 4, shift=-10), kernel=3, stride=2, padding=1)
case('maxPool2d', 'ties', torch.zeros(1, 1, 4, 4), kernel=2, stride=2, padding=0)
for factor in (1, 2, 3):
    case('pixelShuffle', f'factor {factor}', normal(2, 2 * factor * factor, 3, 4), factor=factor,
         named=[['b', 2 * factor * factor, 'h', 'w']])
case('pixelShuffle', 'one pixel', normal(1, 16, 1, 1), factor=4)
for op in ('upsampleNearest', 'upsampleBilinear'):
    for factor in (2, 3, 4):
        case(op, f'factor {factor}', normal(2, 2, 3, 4), factor=factor, named=[['b', 2, 'h', 'w']])
    case(op, 'one pixel', normal(1, 3, 1, 1), factor=2)
    case(op, 'one row', normal(1, 1, 1, 5), factor=2)
    case(op, 'factor 1', normal(1, 2, 3, 3), factor=1)

# movement
case('reshape', 'heads', normal(2, 6, 4, 5), shape=[2, 2, 3, 20], named=[['b', 6, 'h', 'w']],
     named_attrs={'shape': ['b', 2, 3, 'h*w']})
case('reshape', 'an inferred size', normal(2, 3, 4), shape=[2, -1], named=[['b', 3, 'n']],
     named_attrs={'shape': ['b', -1]})
case('reshape', 'an inferred size of one', normal(2, 3), shape=[2, 3, -1])
case('reshape', 'windows of 2×2', normal(1, 3, 4, 6), shape=[1, 3, 2, 2, 3, 2], named=[['b', 3, 'h', 'w']],
     named_attrs={'shape': ['b', 3, 'h/2', 2, 'w/2', 2]})
case('reshape', 'pixels in a row', normal(2, 3, 2, 5), shape=[2, 3, 10], named=[['b', 3, 'h', 'w']],
     named_attrs={'shape': ['b', 3, 'h*w']})
case('reshape', 'to rank 0', normal(1, 1), shape=[])
case('reshape', 'from rank 0', normal(), shape=[1, 1, 1])
case('reshape', 'the same shape', normal(2, 3), shape=[2, 3])
case('reshape', 'int64', integers(2, 3), shape=[3, 2])
case('permute', 'a transpose', normal(3, 4), dims=[1, 0], named=[['n', 4]])
case('permute', 'channels last', normal(2, 3, 4, 5), dims=[0, 2, 3, 1], named=[['b', 3, 'h', 'w']])
case('permute', 'channels first', normal(2, 4, 5, 3), dims=[0, 3, 1, 2], named=[['b', 'h', 'w', 3]])
case('permute', 'reversed rank 5', normal(1, 2, 3, 2, 2), dims=[4, 3, 2, 1, 0])
case('permute', 'in place', normal(2, 3), dims=[0, 1])
case('permute', 'rank 0', normal(), dims=[])
case('permute', 'six dimensions of a window', normal(1, 2, 2, 2, 3, 2), dims=[0, 1, 3, 5, 2, 4],
     named=[['b', 2, 'h', 2, 'w', 2]])
case('permute', 'int64', integers(2, 3), dims=[1, 0])
case('expand', 'a size of one', normal(2, 1, 4), shape=[2, 3, 4], named=[['b', 1, 4]],
     named_attrs={'shape': ['b', 3, 4]})
case('expand', 'new dimensions', normal(3), shape=[2, 4, 3])
case('expand', 'a new dimension and sizes of one', normal(3, 1), shape=[2, 3, 4])
case('expand', 'rank 0', normal(), shape=[2, 3])
case('expand', 'the same shape', normal(2, 3), shape=[2, 3], named=[['b', 'n']], named_attrs={'shape': ['b', 'n']})
case('expand', 'int64', integers(1, 3), shape=[2, 3])
case('slice', 'first channels', normal(2, 6, 3, 4), dim=1, start=0, end=2, step=1, named=[['b', 6, 'h', 'w']])
case('slice', 'last channels', normal(2, 6, 3, 4), dim=1, start=4, end=6, step=1, named=[['b', 6, 'h', 'w']])
case('slice', 'step 2', normal(2, 7), dim=1, start=0, end=7, step=2, named=[['b', 7]])
case('slice', 'step 3 from 1', normal(2, 8), dim=1, start=1, end=8, step=3)
case('slice', 'a step beyond the end', normal(5), dim=0, start=2, end=4, step=9)
case('slice', 'one element', normal(4, 3), dim=0, start=3, end=4, step=1, named=[[4, 'n']])
case('slice', 'everything', normal(4, 3), dim=0, start=0, end=4, step=1)
case('slice', 'nothing', normal(4, 3), dim=0, start=2, end=2, step=1)
case('slice', 'rank 5', normal(1, 2, 3, 4, 2), dim=3, start=1, end=4, step=2)
case('slice', 'int64', integers(5), dim=0, start=1, end=4, step=1)
case('cat', 'channels', normal(2, 3, 2, 4), normal(2, 2, 2, 4), dim=1,
     named=[['b', 3, 'h', 'w'], ['b', 2, 'h', 'w']])
case('cat', 'three', normal(2, 1), normal(2, 3), normal(2, 2), dim=1, named=[['b', 1], ['b', 3], ['b', 2]])
case('cat', 'one', normal(2, 3), dim=0)
case('cat', 'first dimension', normal(2, 3), normal(1, 3), dim=0, named=[[2, 'n'], [1, 'n']])
case('cat', 'last of rank 5', normal(1, 2, 1, 2, 3), normal(1, 2, 1, 2, 1), dim=4)
case('cat', 'with a weight', normal(2, 3), normal(2, 1), dim=1, weights=[1])
case('cat', 'int64', integers(2), integers(3), dim=0)
case('pad', 'constant', normal(2, 3, 4, 5), padding=[1, 2, 0, 3], mode='constant', value=0)
case('pad', 'a constant value', normal(2, 3), padding=[1, 0], mode='constant', value=-1.5, named=[['b', 3]])
case('pad', 'channels', normal(1, 3, 2, 2), padding=[0, 0, 0, 0, 1, 4], mode='constant', value=0,
     named=[['b', 3, 'h', 'w']])
case('pad', 'cropping', normal(2, 5, 6), padding=[-1, -2, 2, -1], mode='constant', value=0)
case('pad', 'int64', integers(2, 3), padding=[1, 1], mode='constant', value=7)
case('pad', 'nothing', normal(2, 3), padding=[0, 0], mode='constant', value=0, named=[['b', 'n']])
for mode in ('reflect', 'replicate'):
    case('pad', f'{mode} of rank 4', normal(1, 2, 4, 5), padding=[1, 3, 0, 2], mode=mode, value=0)
    case('pad', f'{mode} of one side', normal(1, 2, 3, 3), padding=[0, 2, 0, 0], mode=mode, value=0)
    case('pad', f'{mode} of rank 3', normal(2, 3, 4), padding=[2, 1], mode=mode, value=0, named=[['b', 'n', 4]])
    case('pad', f'{mode} of the largest size', normal(1, 1, 3, 4), padding=[3, 3, 2, 2], mode=mode, value=0)
case('pad', 'replicate beyond the size', normal(1, 1, 2, 2), padding=[3, 4, 5, 0], mode='replicate', value=0)

# look-ups
case('embedding', 'a row of ids', normal(5, 3), torch.tensor([0, 4, 2, 2]), weights=[0], named=[[5, 3], ['n']])
case('embedding', 'ids of rank 2', normal(7, 2), torch.tensor([[6, 0, 1], [3, 3, 3]]), weights=[0],
     named=[[7, 2], ['b', 'n']])
case('embedding', 'one id', normal(4, 3), torch.tensor(2), weights=[0])
x = normal(3, 4, 2)
case('gather', 'first dimension', x, torch.randint(3, (2, 4, 2), generator=generator), dim=0)
case('gather', 'middle dimension', x, torch.randint(4, (3, 6, 2), generator=generator), dim=1)
case('gather', 'last dimension', x, torch.randint(2, (3, 4, 5), generator=generator), dim=2)
case('gather', 'a smaller index', x, torch.randint(4, (2, 3, 1), generator=generator), dim=1)
case('gather', 'rank 1', normal(5), torch.tensor([4, 0, 0]), dim=0)
case('gather', 'with named sizes', normal(2, 6), torch.randint(6, (2, 3), generator=generator), dim=1,
     named=[['b', 6], ['b', 'k']])
case('gather', 'int64', integers(2, 3), torch.randint(3, (2, 2), generator=generator), dim=1)
case('prelu', 'an image', normal(2, 3, 4, 5), normal(3), weights=[1], named=[['b', 3, 'h', 'w'], [3]])
case('prelu', 'rank 2, at zero', torch.tensor([[0.0, -1.0], [1.0, -2.0]]), normal(2), weights=[1])
case('mish', 'an image', normal(2, 3, 4, 5), named=[['b', 3, 'h', 'w']])
case('mish', 'large values', torch.tensor([-80.0, -20.0, -6.0, 0.0, 6.0, 20.0, 80.0]))
case('conv2d', '3×3 with dilation 2', normal(1, 4, 7, 6), normal(3, 4, 3, 3), normal(3), weights=[1, 2], stride=1, padding=2,
     groups=1, dilation=2, named=[image, [3, 4, 3, 3], [3]])
case('conv2d', 'depthwise 3×5 with dilation 3', normal(2, 4, 9, 14), normal(4, 1, 3, 5), normal(4), weights=[1, 2], stride=1, padding=0,
     groups=4, dilation=3)
case('gridSample', 'inside', normal(2, 3, 4, 5), torch.rand(2, 6, 7, 2, generator=generator) * 1.6 - 0.8,
     named=[['b', 3, 'h', 'w'], ['b', 'u', 'v', 2]])
case('gridSample', 'outside repeats the border', normal(1, 2, 3, 4), normal(1, 5, 6, 2, scale=2))
case('gridSample', 'one pixel', normal(1, 2, 1, 1), normal(1, 2, 3, 2))
case('argsort', 'ties keep their order', torch.randint(8, (2, 300), generator=generator), dim=1, named=[['b', 'n']])
case('argsort', 'floats of the first dimension', normal(5, 3), dim=0)

missing = set(apply) - {entry['op'] for entry in cases}
assert not missing, missing
names = [entry['name'] for entry in cases]
assert len(set(names)) == len(names), 'names repeat'
folder = pathlib.Path(__file__).parent
save_file(tensors, folder / 'ops.safetensors')


def plain(value):
    if isinstance(value, float) and math.isinf(value):
        return 'Infinity' if value > 0 else '-Infinity'
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple, range)) else value


document = {'made': f'ops.py, PyTorch {torch.__version__}', 'cases': [plain(entry) for entry in cases]}
lines = ',\n'.join(json.dumps(entry, ensure_ascii=False) for entry in document['cases'])
(folder / 'ops.json').write_text(f'{{"made": "{document["made"]}", "cases": [\n{lines}\n]}}\n')
print(len(cases), 'cases,', sum(p.stat().st_size for p in folder.glob('ops.*')), 'bytes')
