"""DA-CLIP's universal U-Net (arXiv:2310.01018, arXiv:2301.11699) in plain PyTorch, on an image of 256x256.

Reference of irsde-unet; train.py trains the same network. usage: irsde_unet.py THREADS OUTPUT.f32
"""

import math
import sys

import torch
import torch.nn.functional as F
from formula import fan_in_scale, fill, image
from measure import median_seconds, report
from torch import nn

WIDTH, WIDTHS, CONTEXT, SIDE = 64, (64, 64, 128, 256, 512), 512, 256
TIME = 4 * WIDTH


class Gain(nn.Module):
    """LayerNorm over channels with a gain and no bias."""

    def __init__(self, channels):
        super().__init__()
        self.g = nn.Parameter(torch.ones(1, channels, 1, 1))

    def forward(self, x):
        mean = x.mean(1, keepdim=True)
        variance = x.var(1, keepdim=True, unbiased=False)
        return (x - mean) * (variance + 1e-5).rsqrt() * self.g


class PreNorm(nn.Module):
    def __init__(self, channels, fn):
        super().__init__()
        self.fn = fn
        self.norm = Gain(channels)

    def forward(self, x, context):
        return self.fn(self.norm(x), context)


class Residual(nn.Module):
    def __init__(self, channels, fn):
        super().__init__()
        self.fn = PreNorm(channels, fn)

    def forward(self, x, context):
        return self.fn(x, context) + x


class Convolution(nn.Module):
    def __init__(self, channels_in, channels_out):
        super().__init__()
        self.proj = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)

    def forward(self, x, modulation=None):
        x = self.proj(x)
        if modulation is not None:
            scale, shift = modulation
            x = x * (scale + 1) + shift
        return F.silu(x)


class ResBlock(nn.Module):
    def __init__(self, channels_in, channels_out):
        super().__init__()
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(TIME, 2 * channels_out))
        self.block1 = Convolution(channels_in, channels_out)
        self.block2 = Convolution(channels_out, channels_out)
        if channels_in != channels_out:
            self.res_conv = nn.Conv2d(channels_in, channels_out, 1, bias=False)

    def forward(self, x, time):
        modulation = self.mlp(time)[:, :, None, None].chunk(2, dim=1)
        h = self.block2(self.block1(x, modulation))
        return h + (self.res_conv(x) if hasattr(self, 'res_conv') else x)


class LinearAttention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.to_qkv = nn.Conv2d(channels, 3 * 128, 1, bias=False)
        self.to_out = nn.Sequential(nn.Conv2d(128, channels, 1), Gain(channels))

    def forward(self, x, _):
        b, _, h, w = x.shape
        q, k, v = (t.reshape(b, 4, 32, h * w) for t in self.to_qkv(x).chunk(3, dim=1))
        q = q.softmax(dim=-2) * 32**-0.5
        k = k.softmax(dim=-1)
        context = torch.einsum('bhdn,bhen->bhde', k, v / (h * w))
        out = torch.einsum('bhde,bhdn->bhen', context, q)
        return self.to_out(out.reshape(b, 128, h, w))


class Attention(nn.Module):
    def __init__(self, channels, context):
        super().__init__()
        self.heads = channels // 32
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(context, channels, bias=False)
        self.to_v = nn.Linear(context, channels, bias=False)
        self.to_out = nn.Sequential(nn.Linear(channels, channels))

    def forward(self, x, context):
        q, k, v = (
            t.unflatten(2, (self.heads, 32)).transpose(1, 2)
            for t in (self.to_q(x), self.to_k(context), self.to_v(context))
        )
        out = (q @ k.transpose(-2, -1) * 32**-0.5).softmax(dim=-1) @ v
        return self.to_out(out.transpose(1, 2).flatten(2))


class Gated(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.proj = nn.Linear(channels, 8 * channels)

    def forward(self, x):
        x, gate = self.proj(x).chunk(2, dim=-1)
        return x * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.net = nn.Sequential(Gated(channels), nn.Identity(), nn.Linear(4 * channels, channels))

    def forward(self, x):
        return self.net(x)


class TransformerBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.attn1 = Attention(channels, channels)
        self.ff = FeedForward(channels)
        self.attn2 = Attention(channels, CONTEXT)
        self.norm1 = nn.LayerNorm(channels)
        self.norm2 = nn.LayerNorm(channels)
        self.norm3 = nn.LayerNorm(channels)

    def forward(self, x, context):
        u = self.norm1(x)
        x = x + self.attn1(u, u)
        x = x + self.attn2(self.norm2(x), context)
        return x + self.ff(self.norm3(x))


class SpatialTransformer(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.GroupNorm(32, channels, eps=1e-6)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(channels)])
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x, context):
        h, w = x.shape[2:]
        tokens = self.proj_in(self.norm(x)).flatten(2).transpose(1, 2)
        tokens = self.transformer_blocks[0](tokens, context)
        return self.proj_out(tokens.transpose(1, 2).unflatten(2, (h, w))) + x


class Unet(nn.Module):
    def __init__(self):
        super().__init__()
        last = len(WIDTHS) - 2
        self.prompt = nn.Parameter(torch.rand(1, TIME))
        self.text_mlp = nn.Sequential(nn.Linear(CONTEXT, TIME), nn.SiLU(), nn.Linear(TIME, TIME))
        self.prompt_mlp = nn.Linear(TIME, TIME)
        self.init_conv = nn.Conv2d(6, WIDTH, 7, padding=3, bias=False)
        self.time_mlp = nn.Sequential(
            nn.Identity(), nn.Linear(WIDTH, TIME), nn.GELU(), nn.Linear(TIME, TIME)
        )
        attention = [
            lambda c: Residual(c, LinearAttention(c)),
            lambda c: Residual(c, SpatialTransformer(c)),
        ]
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        for i in range(last + 1):
            a, b = WIDTHS[i : i + 2]
            down = nn.Conv2d(a, b, 4, 2, 1) if i < last else nn.Conv2d(a, b, 3, padding=1, bias=False)
            self.downs.append(nn.ModuleList([ResBlock(a, a), ResBlock(a, a), attention[i == last](a), down]))
            up = (
                nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(b, a, 3, padding=1))
                if i > 0
                else nn.Conv2d(b, a, 3, padding=1, bias=False)
            )
            level = [ResBlock(a + b, b), ResBlock(a + b, b), attention[i == last](b), up]
            self.ups.insert(0, nn.ModuleList(level))
        middle = WIDTHS[-1]
        self.mid_block1 = ResBlock(middle, middle)
        self.mid_attn = attention[1](middle)
        self.mid_block2 = ResBlock(middle, middle)
        self.final_res_block = ResBlock(2 * WIDTH, WIDTH)
        self.final_conv = nn.Conv2d(WIDTH, 3, 3, padding=1)

    def forward(self, state, degraded, time, degradation, content):
        x = self.init_conv(torch.cat([state - degraded, degraded], dim=1))
        first = x
        half = WIDTH // 2
        angles = time[:, None] * torch.exp(torch.arange(half) * (-math.log(10000) / (half - 1)))
        t = self.time_mlp(torch.cat([angles.sin(), angles.cos()], dim=1))
        t = t + self.prompt_mlp(self.text_mlp(degradation).softmax(dim=1) * self.prompt)
        context = content[:, None]
        skips = []
        for block1, block2, attention, down in self.downs:
            x = block1(x, t)
            skips.append(x)
            x = attention(block2(x, t), context)
            skips.append(x)
            x = down(x)
        x = self.mid_block2(self.mid_attn(self.mid_block1(x, t), context), t)
        for block1, block2, attention, up in self.ups:
            x = block1(torch.cat([x, skips.pop()], dim=1), t)
            x = block2(torch.cat([x, skips.pop()], dim=1), t)
            x = up(attention(x, context))
        return self.final_conv(self.final_res_block(torch.cat([x, first], dim=1), t))


def scale_of(key, tensor):
    if key.endswith('.g') or (tensor.dim() == 1 and 'norm' in key and key.endswith('weight')):
        return 0.1, 1
    return fan_in_scale(tensor, 0.5)


def main():
    _, threads, output = sys.argv
    torch.set_num_threads(int(threads))
    model = Unet().eval()
    fill(model, scale_of)
    degraded = image(1, 3, SIDE, SIDE)
    inputs = (degraded.flip(3), degraded, torch.tensor([50.0]), image(1, CONTEXT), image(1, CONTEXT))
    with torch.no_grad():
        report(median_seconds(lambda: model(*inputs), warmups=1, runs=3))
        model(*inputs).numpy().tofile(output)


if __name__ == '__main__':
    main()
