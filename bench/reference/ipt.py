"""IPT (arXiv:2012.00364) in plain PyTorch, run as in its release: in windows at a stride of a quarter window.

Reference of ipt; train.py trains the same network. usage: ipt.py THREADS OUTPUT.f32 SIDE
"""

import sys
import time

import torch
import torch.nn.functional as F
from formula import fan_in_scale, fill, image
from measure import report
from torch import nn

FEATURES, PATCH, TOKEN, LAYERS, HEADS, SCALE, BATCH = 64, 48, 3, 12, 12, 2, 64
DIM, TOKENS = FEATURES * TOKEN**2, (PATCH // TOKEN) ** 2
MEAN = 255 * torch.tensor([0.4488, 0.4371, 0.404]).view(1, 3, 1, 1)


def conv(channels_in, channels_out, kernel=3):
    return nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2)


class ResBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(conv(FEATURES, FEATURES, 5), nn.ReLU(), conv(FEATURES, FEATURES, 5))

    def forward(self, x):
        return x + self.body(x)


def attention():
    return nn.MultiheadAttention(DIM, HEADS, bias=False)


class EncoderLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.self_attn = attention()
        self.linear1 = nn.Linear(DIM, 4 * DIM)
        self.linear2 = nn.Linear(4 * DIM, DIM)
        self.norm1 = nn.LayerNorm(DIM)
        self.norm2 = nn.LayerNorm(DIM)

    def forward(self, z):
        u = self.norm1(z)
        z = z + self.self_attn(u, u, u)[0]
        return z + self.linear2(F.relu(self.linear1(self.norm2(z))))


class DecoderLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.self_attn = attention()
        self.multihead_attn = attention()
        self.linear1 = nn.Linear(DIM, 4 * DIM)
        self.linear2 = nn.Linear(4 * DIM, DIM)
        self.norm1 = nn.LayerNorm(DIM)
        self.norm2 = nn.LayerNorm(DIM)
        self.norm3 = nn.LayerNorm(DIM)

    def forward(self, z, memory, task):
        u = self.norm1(z)
        z = z + self.self_attn(u + task, u + task, u)[0]
        z = z + self.multihead_attn(self.norm2(z) + task, memory, memory)[0]
        return z + self.linear2(F.relu(self.linear1(self.norm3(z))))


def upsampler(scale):
    """EDSR's upsampler: a convolution and a pixel shuffle for each factor of 2, or for a factor of 3."""
    factors = [3] if scale == 3 else [2] * (scale // 2)
    return [
        layer for f in factors for layer in (conv(FEATURES, f**2 * FEATURES), nn.PixelShuffle(f))
    ]


class Ipt(nn.Module):
    """IPT with a head, a tail and a query for each task; `scales` lists the tasks' scales."""

    def __init__(self, scales=(SCALE,)):
        super().__init__()
        self.head = nn.ModuleList(nn.Sequential(conv(3, FEATURES), ResBlock(), ResBlock()) for _ in scales)
        self.linear_encoding = nn.Linear(DIM, DIM)
        self.mlp_head = nn.Sequential(nn.Linear(DIM, 4 * DIM), nn.ReLU(), nn.Linear(4 * DIM, DIM))
        self.query_embed = nn.Embedding(len(scales), TOKENS * DIM)
        self.encoder = nn.ModuleList(EncoderLayer() for _ in range(LAYERS))
        self.decoder = nn.ModuleList(DecoderLayer() for _ in range(LAYERS))
        self.position = nn.Embedding(TOKENS, DIM)
        self.tail = nn.ModuleList(nn.Sequential(*upsampler(scale), conv(FEATURES, 3)) for scale in scales)

    def forward(self, x, task=0):
        return self.with_tokens(x, task)[0]

    def with_tokens(self, x, task):
        """Return the output image and the transformer's output tokens [n b d]."""
        features = self.head[task](x - MEAN)
        z = F.unfold(features, TOKEN, stride=TOKEN).permute(2, 0, 1).contiguous()
        z = z + self.linear_encoding(z)
        z = z + self.position.weight.unsqueeze(1)
        for layer in self.encoder:
            z = layer(z)
        memory, query = z, self.query_embed.weight[task].view(TOKENS, 1, DIM)
        for layer in self.decoder:
            z = layer(z, memory, query)
        z = z + self.mlp_head(z)
        body = F.fold(z.permute(1, 2, 0).contiguous(), (PATCH, PATCH), TOKEN, stride=TOKEN)
        return self.tail[task](body + features) + MEAN, z


def scale_of(key, tensor):
    if 'query' in key or 'position' in key:
        return 0.5, 0
    return (0.1, 1) if 'norm' in key and 'weight' in key else fan_in_scale(tensor)


def starts(length):
    return range(0, length - PATCH + 1, PATCH // 4)


def run(model, x, places):
    """Run the network on windows at (top, left), in batches."""
    windows = [x[:, :, top : top + PATCH, left : left + PATCH] for top, left in places]
    batches = [torch.cat(windows[i : i + BATCH]) for i in range(0, len(windows), BATCH)]
    return torch.cat([model(batch) for batch in batches])


def strip(model, x, vertical):
    """Restore a strip one window wide from the averaged centers of its windows, and their outer ends."""
    x = x if vertical else x.transpose(2, 3)
    places = [(top, 0) for top in starts(x.shape[2])]
    transposed = [(0, top) for top, _ in places]
    outputs = run(model, x, places) if vertical else run(model, x.transpose(2, 3), transposed).transpose(2, 3)
    side, edge = PATCH * SCALE, PATCH // 4 * SCALE
    result = torch.zeros(1, 3, (places[-1][0] + PATCH) * SCALE, side)
    count = torch.zeros(1, 1, result.shape[2], 1)
    for i, (top, _) in enumerate(places):
        first = 0 if i == 0 else edge
        last = side if i == len(places) - 1 else side - edge
        result[:, :, top * SCALE + first : top * SCALE + last] += outputs[i, :, first:last]
        count[:, :, top * SCALE + first : top * SCALE + last] += 1
    result = result / count
    return result if vertical else result.transpose(2, 3)


def chop(model, x):
    h, w = x.shape[2:]
    edge, side = PATCH // 4 * SCALE, PATCH * SCALE
    h_cut, w_cut = (h - PATCH) % (PATCH // 4), (w - PATCH) % (PATCH // 4)
    main = torch.zeros(1, 3, (h - h_cut) * SCALE, (w - w_cut) * SCALE)
    count = torch.zeros(1, 1, *main.shape[2:])
    places = [(top, left) for top in starts(h) for left in starts(w)]
    for (top, left), output in zip(places, run(model, x, places)):
        area = (..., slice(top * SCALE + edge, top * SCALE + side - edge), slice(left * SCALE + edge, left * SCALE + side - edge))
        main[area] += output[:, edge : side - edge, edge : side - edge]
        count[area] += 1
    inner = (main / count)[:, :, edge:-edge, edge:-edge]
    main[:, :, :side] = strip(model, x[:, :, :PATCH, : w - w_cut], vertical=False)
    main[:, :, :, :side] = strip(model, x[:, :, : h - h_cut, :PATCH], vertical=True)
    main[:, :, edge:-edge, edge:-edge] = inner
    bottom = strip(model, x[:, :, h - PATCH :, : w - w_cut], vertical=False)
    right = strip(model, x[:, :, : h - h_cut, w - PATCH :], vertical=True)
    corner = model(x[:, :, h - PATCH :, w - PATCH :])
    down, across = int((PATCH - h_cut) / 2 * SCALE), int((PATCH - w_cut) / 2 * SCALE)
    down_up, across_up = int((PATCH - h_cut) / 2 * SCALE + 0.5), int((PATCH - w_cut) / 2 * SCALE + 0.5)
    left = torch.cat([main[:, :, : main.shape[2] - down], bottom[:, :, down_up:]], 2)
    right = torch.cat([right[:, :, : right.shape[2] - down], corner[:, :, down_up:]], 2)
    return torch.cat([left[:, :, :, : left.shape[3] - across], right[:, :, :, across_up:]], 3)


def main():
    _, threads, output, side = sys.argv
    torch.set_num_threads(int(threads))
    model = Ipt().eval()
    fill(model, scale_of)
    x = 255 * image(1, 3, int(side), int(side))
    with torch.no_grad():
        run(model, x, [(0, 0)])
        start = time.perf_counter()
        y = chop(model, x)
        seconds = time.perf_counter() - start
    report(seconds)
    (y / 255).numpy().tofile(output)


if __name__ == '__main__':
    main()
