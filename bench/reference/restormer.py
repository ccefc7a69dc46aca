"""One training step of Restormer (arXiv:2111.09881) in plain PyTorch, following the paper's description.

Reference of train-restormer.

usage: restormer.py THREADS float32|bfloat16
"""

import sys

import torch
import torch.nn.functional as F
from formula import wave
from measure import median_seconds, report
from torch import nn

DIM, BLOCKS, REFINEMENT, HEADS = 24, (2, 3, 3, 4), 2, (1, 2, 4, 8)
SHAPE = (4, 3, 64, 64)


class LayerNorm(nn.Module):
    """LayerNorm over the channels of every pixel."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        h, w = x.shape[-2:]
        rows = x.flatten(2).transpose(1, 2)  # b (h w) c
        mean = rows.mean(-1, keepdim=True)
        variance = rows.var(-1, keepdim=True, unbiased=False)
        rows = (rows - mean) / torch.sqrt(variance + 1e-5) * self.weight + self.bias
        return rows.transpose(1, 2).reshape(*x.shape[:2], h, w)


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(dim, dim * 3, 1, bias=False)
        self.qkv_dwconv = nn.Conv2d(dim * 3, dim * 3, 3, padding=1, groups=dim * 3, bias=False)
        self.project_out = nn.Conv2d(dim, dim, 1, bias=False)

    def forward(self, x):
        b, c, h, w = x.shape
        parts = self.qkv_dwconv(self.qkv(x)).chunk(3, dim=1)
        q, k, v = (part.reshape(b, self.heads, c // self.heads, h * w) for part in parts)
        q = F.normalize(q, dim=-1)
        k = F.normalize(k, dim=-1)
        attention = (q @ k.transpose(-2, -1) * self.temperature).softmax(dim=-1)
        return self.project_out((attention @ v).reshape(b, c, h, w))


class FeedForward(nn.Module):
    def __init__(self, dim, expansion=2.66):
        super().__init__()
        hidden = int(dim * expansion)
        self.project_in = nn.Conv2d(dim, hidden * 2, 1, bias=False)
        self.dwconv = nn.Conv2d(hidden * 2, hidden * 2, 3, padding=1, groups=hidden * 2, bias=False)
        self.project_out = nn.Conv2d(hidden, dim, 1, bias=False)

    def forward(self, x):
        gate, value = self.dwconv(self.project_in(x)).chunk(2, dim=1)
        return self.project_out(F.gelu(gate) * value)


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1 = LayerNorm(dim)
        self.attn = Attention(dim, heads)
        self.norm2 = LayerNorm(dim)
        self.ffn = FeedForward(dim)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.ffn(self.norm2(x))


def conv3(channels_in, channels_out):
    return nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)


def stage(count, dim, heads):
    return nn.Sequential(*(Block(dim, heads) for _ in range(count)))


def down(dim):
    return nn.Sequential(conv3(dim, dim // 2), nn.PixelUnshuffle(2))


def up(dim):
    return nn.Sequential(conv3(dim, dim * 2), nn.PixelShuffle(2))


class Restormer(nn.Module):
    def __init__(self, dim=DIM, blocks=BLOCKS, refinement=REFINEMENT, heads=HEADS):
        super().__init__()
        self.patch_embed = conv3(3, dim)
        self.encoder_level1 = stage(blocks[0], dim, heads[0])
        self.down1_2 = down(dim)
        self.encoder_level2 = stage(blocks[1], dim * 2, heads[1])
        self.down2_3 = down(dim * 2)
        self.encoder_level3 = stage(blocks[2], dim * 4, heads[2])
        self.down3_4 = down(dim * 4)
        self.latent = stage(blocks[3], dim * 8, heads[3])
        self.up4_3 = up(dim * 8)
        self.reduce_chan_level3 = nn.Conv2d(dim * 8, dim * 4, 1, bias=False)
        self.decoder_level3 = stage(blocks[2], dim * 4, heads[2])
        self.up3_2 = up(dim * 4)
        self.reduce_chan_level2 = nn.Conv2d(dim * 4, dim * 2, 1, bias=False)
        self.decoder_level2 = stage(blocks[1], dim * 2, heads[1])
        self.up2_1 = up(dim * 2)
        self.decoder_level1 = stage(blocks[0], dim * 2, heads[0])
        self.refinement = stage(refinement, dim * 2, heads[0])
        self.output = conv3(dim * 2, 3)

    def forward(self, image):
        level1 = self.encoder_level1(self.patch_embed(image))
        level2 = self.encoder_level2(self.down1_2(level1))
        level3 = self.encoder_level3(self.down2_3(level2))
        latent = self.latent(self.down3_4(level3))
        x = self.reduce_chan_level3(torch.cat([self.up4_3(latent), level3], 1))
        x = self.decoder_level3(x)
        x = self.reduce_chan_level2(torch.cat([self.up3_2(x), level2], 1))
        x = self.decoder_level2(x)
        x = self.decoder_level1(torch.cat([self.up2_1(x), level1], 1))
        return self.output(self.refinement(x)) + image


def trainer(dtype):
    """Return a function that runs one training step: forward, L1, backward, clipping, AdamW."""
    torch.manual_seed(0)
    model = Restormer()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=1e-4)
    noisy, clean = wave(SHAPE, 0.37), wave(SHAPE, 0.011)

    def step():
        with torch.autocast('cpu', dtype=torch.bfloat16, enabled=dtype == 'bfloat16'):
            loss = F.l1_loss(model(noisy), clean)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.01)
        optimizer.step()
        return loss.detach()

    return step


def main():
    _, threads, dtype = sys.argv
    torch.set_num_threads(int(threads))
    report(median_seconds(trainer(dtype), warmups=2, runs=5))


if __name__ == '__main__':
    main()
