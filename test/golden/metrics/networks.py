"""Makes networks.safetensors: what plain PyTorch gives for LPIPS and for Inception's features, with weights from a formula.

Made with PyTorch 2.13.0 (CPU), safetensors 0.8:  python test/golden/metrics/networks.py
Weights and images are numbers from a hash of their key and place, so that none has to be kept: see `hashed` here and in
src/registry/metricNetworks.test.ts. No published weights were used.
"""

import pathlib
import zlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file


def hashed(key, shape):
    """Numbers in [0, 1) that a key and places determine."""
    count = int(np.prod(shape))
    x = (np.arange(count, dtype=np.uint64) + zlib.crc32(key.encode())).astype(np.uint32)
    x *= np.uint32(0x9E3779B1)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x85EBCA77)
    x ^= x >> np.uint32(13)
    return torch.from_numpy((x.astype(np.float64) / 2**32).astype(np.float32).reshape(shape))


def weight(key, *shape):
    """Keeps the variance through a convolution and its ReLU."""
    fan_in = np.prod(shape[1:])
    return (2 * hashed(key, shape) - 1) * np.float32(np.sqrt(6 / fan_in))


def image(key, *shape):
    return 2 * hashed(key, shape) - 1


def lpips(backbone, x, y):
    mean = torch.tensor([-0.03, -0.088, -0.188]).reshape(1, 3, 1, 1)
    deviation = torch.tensor([0.458, 0.448, 0.45]).reshape(1, 3, 1, 1)

    def conv(x, index, channels, kernel, **options):
        w = weight(f'features.{index}.weight', channels, x.shape[1], kernel, kernel)
        b = (2 * hashed(f'features.{index}.bias', (channels,)) - 1) * 0.1
        return F.relu(F.conv2d(x, w, b, **options))

    def alexnet(x):
        f1 = conv(x, 0, 64, 11, stride=4, padding=2)
        f2 = conv(F.max_pool2d(f1, 3, 2), 3, 192, 5, padding=2)
        f3 = conv(F.max_pool2d(f2, 3, 2), 6, 384, 3, padding=1)
        f4 = conv(f3, 8, 256, 3, padding=1)
        return [f1, f2, f3, f4, conv(f4, 10, 256, 3, padding=1)]

    def vgg16(x):
        found, index = [], 0
        for stage, (channels, count) in enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]):
            if stage > 0:
                x, index = F.max_pool2d(x, 2, 2), index + 1
            for _ in range(count):
                x, index = conv(x, index, channels, 3, padding=1), index + 2
            found.append(x)
        return found

    features = {'alexnet': alexnet, 'vgg16': vgg16}[backbone]
    total = 0
    for i, (a, b) in enumerate(zip(features((x - mean) / deviation), features((y - mean) / deviation))):
        a = a / (a.pow(2).sum(1, keepdim=True).sqrt() + 1e-10)
        b = b / (b.pow(2).sum(1, keepdim=True).sqrt() + 1e-10)
        head = hashed(f'lin{i}.model.1.weight', (1, a.shape[1], 1, 1))
        total = total + F.conv2d((a - b) ** 2, head).mean([2, 3], keepdim=True)
    return total


def inception(x):
    def conv(x, name, channels, kernel, **options):
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        x = F.conv2d(x, weight(f'{name}.conv.weight', channels, x.shape[1], *kernel), None, **options)
        per_channel = lambda part: hashed(f'{name}.bn.{part}', (channels,))
        mean, bias = 0.2 * (2 * per_channel('running_mean') - 1), 0.2 * (2 * per_channel('bias') - 1)
        scale, variance = 0.5 + per_channel('weight'), 0.5 + per_channel('running_var')
        return F.relu(F.batch_norm(x, mean, variance, scale, bias, eps=0.001))

    def average(x):
        return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)

    def a(x, m, pooled):
        p1 = conv(x, f'{m}.branch1x1', 64, 1)
        p5 = conv(conv(x, f'{m}.branch5x5_1', 48, 1), f'{m}.branch5x5_2', 64, 5, padding=2)
        p3 = conv(conv(x, f'{m}.branch3x3dbl_1', 64, 1), f'{m}.branch3x3dbl_2', 96, 3, padding=1)
        p3 = conv(p3, f'{m}.branch3x3dbl_3', 96, 3, padding=1)
        return torch.cat([p1, p5, p3, conv(average(x), f'{m}.branch_pool', pooled, 1)], 1)

    def b(x, m):
        p3 = conv(x, f'{m}.branch3x3', 384, 3, stride=2)
        pd = conv(conv(x, f'{m}.branch3x3dbl_1', 64, 1), f'{m}.branch3x3dbl_2', 96, 3, padding=1)
        pd = conv(pd, f'{m}.branch3x3dbl_3', 96, 3, stride=2)
        return torch.cat([p3, pd, F.max_pool2d(x, 3, 2)], 1)

    def c(x, m, inner):
        wide, tall = dict(kernel=(1, 7), padding=(0, 3)), dict(kernel=(7, 1), padding=(3, 0))
        p1 = conv(x, f'{m}.branch1x1', 192, 1)
        p7 = conv(x, f'{m}.branch7x7_1', inner, 1)
        p7 = conv(conv(p7, f'{m}.branch7x7_2', inner, **wide), f'{m}.branch7x7_3', 192, **tall)
        pd = conv(x, f'{m}.branch7x7dbl_1', inner, 1)
        pd = conv(conv(pd, f'{m}.branch7x7dbl_2', inner, **tall), f'{m}.branch7x7dbl_3', inner, **wide)
        pd = conv(conv(pd, f'{m}.branch7x7dbl_4', inner, **tall), f'{m}.branch7x7dbl_5', 192, **wide)
        return torch.cat([p1, p7, pd, conv(average(x), f'{m}.branch_pool', 192, 1)], 1)

    def d(x, m):
        p3 = conv(conv(x, f'{m}.branch3x3_1', 192, 1), f'{m}.branch3x3_2', 320, 3, stride=2)
        p7 = conv(x, f'{m}.branch7x7x3_1', 192, 1)
        p7 = conv(p7, f'{m}.branch7x7x3_2', 192, (1, 7), padding=(0, 3))
        p7 = conv(p7, f'{m}.branch7x7x3_3', 192, (7, 1), padding=(3, 0))
        p7 = conv(p7, f'{m}.branch7x7x3_4', 192, 3, stride=2)
        return torch.cat([p3, p7, F.max_pool2d(x, 3, 2)], 1)

    def e(x, m, pool):
        wide, tall = dict(kernel=(1, 3), padding=(0, 1)), dict(kernel=(3, 1), padding=(1, 0))
        p1 = conv(x, f'{m}.branch1x1', 320, 1)
        p3 = conv(x, f'{m}.branch3x3_1', 384, 1)
        pd = conv(conv(x, f'{m}.branch3x3dbl_1', 448, 1), f'{m}.branch3x3dbl_2', 384, 3, padding=1)
        return torch.cat([
            p1, conv(p3, f'{m}.branch3x3_2a', 384, **wide), conv(p3, f'{m}.branch3x3_2b', 384, **tall),
            conv(pd, f'{m}.branch3x3dbl_3a', 384, **wide), conv(pd, f'{m}.branch3x3dbl_3b', 384, **tall),
            conv(pool(x), f'{m}.branch_pool', 192, 1)], 1)

    x = conv(conv(x, 'Conv2d_1a_3x3', 32, 3, stride=2), 'Conv2d_2a_3x3', 32, 3)
    x = F.max_pool2d(conv(x, 'Conv2d_2b_3x3', 64, 3, padding=1), 3, 2)
    x = F.max_pool2d(conv(conv(x, 'Conv2d_3b_1x1', 80, 1), 'Conv2d_4a_3x3', 192, 3), 3, 2)
    x = a(a(a(x, 'Mixed_5b', 32), 'Mixed_5c', 64), 'Mixed_5d', 64)
    x = b(x, 'Mixed_6a')
    for name, inner in (('Mixed_6b', 128), ('Mixed_6c', 160), ('Mixed_6d', 160), ('Mixed_6e', 192)):
        x = c(x, name, inner)
    x = e(d(x, 'Mixed_7a'), 'Mixed_7b', average)
    return e(x, 'Mixed_7c', lambda x: F.max_pool2d(x, 3, 1, 1)).mean([2, 3])


def main():
    torch.manual_seed(0)
    pair = image('reference', 1, 3, 64, 72), image('output', 1, 3, 64, 72)
    small = hashed('small', (1, 3, 40, 500))
    out = {
        'alexnet': lpips('alexnet', *pair),
        'vgg16': lpips('vgg16', *pair),
        'features': inception(image('image', 1, 3, 299, 299)),
        'resized': F.interpolate(small, size=(299, 299), mode='bilinear', align_corners=False)[:, :, ::50, ::50],
    }
    folder = pathlib.Path(__file__).parent
    save_file({key: value.contiguous() for key, value in out.items()}, folder / 'networks.safetensors')
    print({key: (tuple(value.shape), float(value.std()), float(value.mean())) for key, value in out.items()})


main()
