"""DA-CLIP's image encoder and controller (arXiv:2310.01018), ViT-B/32, in plain PyTorch.

Reference of daclip; train.py trains the same network. usage: daclip.py THREADS OUTPUT.f32
"""

import math
import sys

import torch
import torch.nn.functional as F
from formula import fan_in_scale, fill, image
from measure import median_seconds, report
from torch import nn

WIDTH, LAYERS, HEADS, PATCH, SIDE, FEATURES = 768, 12, 12, 32, 224, 512
TEXT_WIDTH, TEXT_HEADS, CONTEXT, VOCABULARY = 512, 8, 77, 49_408


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.Module()
        self.mlp.c_fc = nn.Linear(width, 4 * width)
        self.mlp.c_proj = nn.Linear(4 * width, width)

    def forward(self, x, mask=None):
        u = self.ln_1(x)
        x = x + self.attn(u, u, u, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp.c_proj(F.gelu(self.mlp.c_fc(self.ln_2(x))))


def blocks(width=WIDTH, heads=HEADS):
    return nn.ModuleList(Block(width, heads) for _ in range(LAYERS))


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


class TextTower(nn.Module):
    """CLIP's text tower: features of the end-of-text token."""

    def __init__(self):
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.zeros(CONTEXT, TEXT_WIDTH))
        self.text_projection = nn.Parameter(torch.zeros(TEXT_WIDTH, FEATURES))
        self.blocks = blocks(TEXT_WIDTH, TEXT_HEADS)
        self.token_embedding = nn.Embedding(VOCABULARY, TEXT_WIDTH)
        self.ln_final = nn.LayerNorm(TEXT_WIDTH)
        self.register_buffer('mask', torch.full((CONTEXT, CONTEXT), -math.inf).triu(1), persistent=False)

    def forward(self, ids):
        x = (self.token_embedding(ids) + self.positional_embedding).transpose(0, 1)
        for block in self.blocks:
            x = block(x, self.mask)
        return self.ln_final(x[ids.argmax(1), torch.arange(len(ids))]) @ self.text_projection


def scale_of(key, tensor):
    return (0.1, 1) if 'ln_' in key and key.endswith('weight') else fan_in_scale(tensor)


def main():
    _, threads, output = sys.argv
    torch.set_num_threads(int(threads))
    model = DaClip().eval()
    fill(model, scale_of)
    x = image(1, 3, SIDE, SIDE)
    with torch.no_grad():
        report(median_seconds(lambda: model(x), warmups=3, runs=15))
        torch.cat(model(x)).numpy().tofile(output)


if __name__ == '__main__':
    main()
