"""DA-CLIP's image encoder and controller (arXiv:2310.01018), ViT-B/32, in plain PyTorch: one picture to both embeddings.

The reference of daclip. usage: daclip.py THREADS OUTPUT.f32
"""

import math
import sys

import numpy as np
import torch
import torch.nn.functional as F
from measure import median_seconds, report
from torch import nn

WIDTH, LAYERS, HEADS, PATCH, SIDE, FEATURES = 768, 12, 12, 32, 224, 512


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1 = nn.LayerNorm(WIDTH)
        self.attn = nn.MultiheadAttention(WIDTH, HEADS)
        self.ln_2 = nn.LayerNorm(WIDTH)
        self.mlp = nn.Module()
        self.mlp.c_fc = nn.Linear(WIDTH, 4 * WIDTH)
        self.mlp.c_proj = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        u = self.ln_1(x)
        x = x + self.attn(u, u, u, need_weights=False)[0]
        return x + self.mlp.c_proj(F.gelu(self.mlp.c_fc(self.ln_2(x))))


def blocks():
    return nn.ModuleList(Block() for _ in range(LAYERS))


class Tower(nn.Module):
    def __init__(self, is_controller):
        super().__init__()
        self.class_embedding = nn.Parameter(torch.zeros(WIDTH))
        self.positional_embedding = nn.Parameter(torch.zeros(1 + (SIDE // PATCH) ** 2, WIDTH))
        self.proj = nn.Parameter(torch.zeros(WIDTH, FEATURES))
        self.conv1 = nn.Conv2d(3, WIDTH, PATCH, PATCH, bias=False)
        self.ln_pre = nn.LayerNorm(WIDTH)
        self.blocks = blocks()
        if is_controller:
            self.dense = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(LAYERS))
        self.ln_post = nn.LayerNorm(WIDTH)

    def forward(self, image, added=None):
        x = self.conv1(image).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(x.shape[0], 1, -1)
        x = self.ln_pre(torch.cat([first, x], dim=1) + self.positional_embedding)
        x = x.transpose(0, 1)
        hidden = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if added is not None:
                x = x + added.pop()
            else:
                hidden.append(self.dense[i](x))
        return self.ln_post(x[0]) @ self.proj, hidden


class DaClip(nn.Module):
    def __init__(self):
        super().__init__()
        self.visual = Tower(False)
        self.visual_control = Tower(True)

    def forward(self, image):
        degradation, hidden = self.visual_control(image)
        content, _ = self.visual(image, hidden)
        return content, degradation


def fill(model):
    """Tensor k of the state dict, element i: s = sin(0.7·(i mod 1024) + 1.3·k), scaled by its kind."""
    with torch.no_grad():
        for k, (key, tensor) in enumerate(model.state_dict().items()):
            i = np.arange(tensor.numel()) % 1024
            s = torch.from_numpy(np.sin(0.7 * i + 1.3 * k)).float().view_as(tensor)
            if '.ln_' in key and key.endswith('weight'):
                tensor.copy_(1 + 0.1 * s)
            elif tensor.dim() > 1:
                tensor.copy_(s / math.sqrt(tensor[0].numel()))
            else:
                tensor.copy_(0.1 * s)


def wave(*shape):
    i = np.arange(math.prod(shape))
    values = 0.5 + 0.5 * np.sin(0.37 * i + 0.011 * (i % 97))
    return torch.from_numpy(values).float().reshape(shape)


def main():
    _, threads, output = sys.argv
    torch.set_num_threads(int(threads))
    model = DaClip().eval()
    fill(model)
    image = wave(1, 3, SIDE, SIDE)
    with torch.no_grad():
        report(median_seconds(lambda: model(image), warmups=3, runs=15))
        torch.cat(model(image)).numpy().tofile(output)


if __name__ == '__main__':
    main()
