"""DASR (arXiv:2104.00416), ×4, in plain PyTorch: encoder and generator on an image of 120 × 120.

Reference of dasr; train.py trains the same network. usage: dasr.py THREADS OUTPUT.f32
"""

import sys

import torch
import torch.nn.functional as F
from formula import fan_in_scale, fill, image
from measure import median_seconds, report
from torch import nn

WIDTH, GROUPS, BLOCKS, REDUCTION = 64, 5, 5, 8
SHAPE = (1, 3, 120, 120)
MEAN = 255 * torch.tensor([0.4488, 0.4371, 0.404]).view(1, 3, 1, 1)


def conv(channels_in, channels_out, kernel=3, stride=1, bias=True):
    return nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2, bias=bias)


def leaky():
    return nn.LeakyReLU(0.1, True)


class DaConv(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernel = nn.Sequential(
            nn.Linear(WIDTH, WIDTH, bias=False), leaky(), nn.Linear(WIDTH, 9 * WIDTH, bias=False)
        )
        self.conv = conv(WIDTH, WIDTH, 1)
        middle = WIDTH // REDUCTION
        self.gate = nn.Sequential(
            conv(WIDTH, middle, 1, bias=False), leaky(), conv(middle, WIDTH, 1, bias=False), nn.Sigmoid()
        )

    def forward(self, x, code):
        b, c, h, w = x.shape
        kernel = self.kernel(code).view(-1, 1, 3, 3)
        filtered = F.leaky_relu(F.conv2d(x.view(1, -1, h, w), kernel, groups=b * c, padding=1), 0.1)
        return self.conv(filtered.view(b, -1, h, w)) + x * self.gate(code[:, :, None, None])


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.da_conv1 = DaConv()
        self.da_conv2 = DaConv()
        self.conv1 = conv(WIDTH, WIDTH)
        self.conv2 = conv(WIDTH, WIDTH)

    def forward(self, x, code):
        y = F.leaky_relu(self.da_conv1(x, code), 0.1)
        y = F.leaky_relu(self.conv1(y), 0.1)
        y = F.leaky_relu(self.da_conv2(y, code), 0.1)
        return self.conv2(y) + x


class Group(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.ModuleList([*(Block() for _ in range(BLOCKS)), conv(WIDTH, WIDTH)])

    def forward(self, x, code):
        y = x
        for block in self.body[:-1]:
            y = block(y, code)
        return self.body[-1](y) + x


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = conv(3, WIDTH)
        self.compress = nn.Sequential(nn.Linear(4 * WIDTH, WIDTH, bias=False), leaky())
        self.body = nn.ModuleList([*(Group() for _ in range(GROUPS)), conv(WIDTH, WIDTH)])
        self.tail = nn.Sequential(
            conv(WIDTH, 4 * WIDTH),
            nn.PixelShuffle(2),
            conv(WIDTH, 4 * WIDTH),
            nn.PixelShuffle(2),
            conv(WIDTH, 3),
        )

    def forward(self, x, fea):
        code = self.compress(fea)
        shallow = self.head(x - MEAN)
        y = shallow
        for group in self.body[:-1]:
            y = group(y, code)
        return self.tail(self.body[-1](y) + shallow) + MEAN


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        widths = [(3, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1)]
        self.E = nn.Sequential(
            *(
                layer
                for i, o, stride in widths
                for layer in (conv(i, o, stride=stride), nn.BatchNorm2d(o), leaky())
            ),
        )
        self.mlp = nn.Sequential(nn.Linear(256, 256), leaky(), nn.Linear(256, 256))

    def forward(self, x):
        fea = self.E(x).mean((2, 3))
        return fea, self.mlp(fea)


class Dasr(nn.Module):
    def __init__(self):
        super().__init__()
        self.G = Generator()
        self.E = Encoder()

    def forward(self, x):
        fea, _ = self.E(x)
        return self.G(x, fea)


def scale_of(key, tensor):
    return (0.1, 1) if key.endswith('running_var') else fan_in_scale(tensor)


def main():
    _, threads, output = sys.argv
    torch.set_num_threads(int(threads))
    model = Dasr().eval()
    fill(model, scale_of)
    x = 255 * image(*SHAPE)
    with torch.no_grad():
        report(median_seconds(lambda: model(x), warmups=2, runs=5))
        (model(x) / 255).numpy().tofile(output)


if __name__ == '__main__':
    main()
