"""One training step of IPT, DASR, IR-SDE's universal U-Net or DA-CLIP's controller in plain PyTorch.

Reference of train-ipt, train-dasr, train-irsde and train-daclip; writes the losses of the first three steps. Weights and
batches are the same as in ../sides/training/trainings.ts.

usage: train.py THREADS OUTPUT.f32 NAME
"""

import copy
import math
import re
import sys

import daclip
import dasr
import ipt
import irsde_unet
import numpy as np
import torch
import torch.nn.functional as F
from formula import ROUGH, fan_in_scale, fill, wave
from measure import median_seconds, report
from torch import nn


def images(shape, frequency):
    """Batch of waves; image n has n + 1 times the frequency."""
    return torch.stack([wave(shape[1:], frequency * (n + 1)) for n in range(shape[0])])


def token_contrast(tokens):
    """Equation 5 of IPT (arXiv:2012.00364) for tokens [b n d]."""
    b, n, _ = tokens.shape
    unit = F.normalize(tokens, dim=-1)
    distance = torch.einsum('jad,kcd->jkac', unit, unit)
    own = torch.eye(b, dtype=torch.bool)
    others = distance.exp().masked_fill(own[:, :, None, None], 0).sum(1)
    return (others.log() - distance[own]).mean()


def ipt_scale_of(key, tensor):
    """Scale with a smaller head, so that features of inputs in 0..255 do not saturate the attention."""
    return fan_in_scale(tensor, 0.03) if re.match(r'head\.\d\.0\.', key) else ipt.scale_of(key, tensor)


def train_ipt():
    scales = (2, 3, 4, 1, 1, 1)
    model = ipt.Ipt(scales)
    fill(model, ipt_scale_of, ROUGH)
    x = 255 * images((2, 3, ipt.PATCH, ipt.PATCH), 0.37)
    targets = [255 * images((2, 3, ipt.PATCH * s, ipt.PATCH * s), 0.011) for s in scales]
    chosen = torch.arange(16)

    def losses(step):
        task = step % len(scales)
        y, tokens = model.with_tokens(x, task)
        contrast = token_contrast(tokens[chosen].transpose(0, 1))
        return F.l1_loss(y, targets[task]), 0.1 * contrast

    return losses, torch.optim.Adam(model.parameters(), lr=5e-5, fused=True)


def train_dasr():
    """DASR with momentum contrast (MoCo, arXiv:1911.05722)."""
    batch, side, large = 4, 48, 192
    model = dasr.Dasr()
    fill(model, dasr.scale_of, ROUGH)
    key_encoder = copy.deepcopy(model.E).requires_grad_(False)
    queue = F.normalize(torch.randn(256, 8192, generator=torch.Generator().manual_seed(0)), dim=0)
    x, second = (255 * images((batch, 3, side, side), f) for f in (0.37, 0.23))
    target = 255 * images((batch, 3, large, large), 0.011)
    right = torch.zeros(batch, dtype=torch.long)

    def losses(step):
        representation, query = model.E(x)
        query = F.normalize(query, dim=1)
        with torch.no_grad():
            for kept, new in zip(key_encoder.parameters(), model.E.parameters()):
                kept.mul_(0.999).add_(new, alpha=0.001)
            key = F.normalize(key_encoder(second)[1], dim=1)
        logits = torch.cat([(query * key).sum(1, keepdim=True), query @ queue.clone()], 1) / 0.07
        at = step * batch % queue.shape[1]
        queue[:, at : at + batch] = key.T
        return F.cross_entropy(logits, right), F.l1_loss(model.G(x, representation), target)

    return losses, torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)


class Sde:
    """IR-SDE (arXiv:2301.11699) of T steps with the cosine schedule; tables over t = 0 … T."""

    def __init__(self, steps=100, max_sigma=50 / 255, eps=0.005):
        share = torch.cos((torch.arange(steps + 2) / (steps + 2) + 0.008) / 1.008 * math.pi * 0.5) ** 2
        self.theta = 1 - share[1:] / share[0]
        self.cumulative = self.theta.cumsum(0) - self.theta[0]
        self.dt = -math.log(eps) / self.cumulative[-1]
        self.sigma = max_sigma * torch.sqrt(2 * self.theta)
        self.sigma_bar = max_sigma * torch.sqrt(1 - torch.exp(-2 * self.cumulative * self.dt))

    def state(self, clean, degraded, noise, t):
        share = torch.exp(-self.cumulative[t] * self.dt)
        return degraded + (clean - degraded) * share + self.sigma_bar[t] * noise

    def expected(self, state, degraded, prediction, t):
        """Mean of the reverse step (eq. 5)."""
        score = -prediction / self.sigma_bar[t]
        drift = self.theta[t] * (degraded - state) - self.sigma[t] ** 2 * score
        return state - drift * self.dt

    def optimum(self, state, clean, degraded, t):
        """Most likely previous state (eq. 13)."""
        a, b, c = (torch.exp(-x * self.dt) for x in (self.theta[t], self.cumulative[t], self.cumulative[t - 1]))
        of_state = a * (1 - c**2) / (1 - b**2)
        of_clean = c * (1 - a**2) / (1 - b**2)
        return of_state * (state - degraded) + of_clean * (clean - degraded) + degraded


def train_irsde():
    side = 128
    model = irsde_unet.Unet()
    fill(model, irsde_unet.scale_of, ROUGH)
    sde = Sde()
    clean, degraded = (images((1, 3, side, side), f) for f in (0.011, 0.37))
    content, degradation = (images((1, irsde_unet.CONTEXT), f) for f in (0.23, 0.71))
    generator = torch.Generator().manual_seed(0)

    def losses(step):
        time = torch.tensor([1 + 37 * (step + 1) % 100])
        t = time[:, None, None, None]
        noise = torch.randn(clean.shape, generator=generator)
        state = sde.state(clean, degraded, noise, t)
        prediction = model(state, degraded, time.float(), degradation, content)
        expected = sde.expected(state, degraded, prediction, t)
        return (F.l1_loss(expected, sde.optimum(state, clean, degraded, t)),)

    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-4, betas=(0.9, 0.99), weight_decay=0, fused=True)
    return losses, optimizer


# CLIP's tokens of motion-blurry, hazy, jpeg-compressed, low-light, noisy, raindrop, rainy, shadowed.
WORDS = [[7860, 268, 21977], [32655], [73, 11207, 268, 42359], [1042, 268, 1395], [33495], [3128, 3387], [10222], [15243, 538]]


def tokens_of(texts):
    rows = [[49406, *text, 49407] for text in texts]
    return torch.tensor([row + [0] * (daclip.CONTEXT - len(row)) for row in rows])


def clip_loss(images, texts, scale):
    logits = scale * images @ texts.T
    right = torch.arange(len(images))
    return (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2


def train_daclip():
    batch = len(WORDS)
    model, text = daclip.DaClip(), daclip.TextTower()
    fill(model, daclip.scale_of, ROUGH)
    fill(text, daclip.scale_of, ROUGH)
    for frozen in (model.visual, text):
        frozen.requires_grad_(False)
    logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
    x = images((batch, 3, daclip.SIDE, daclip.SIDE), 0.37)
    captions = tokens_of([[320 + 7919 * (18 * i + j) % 40_000 for j in range(18)] for i in range(batch)])
    words = tokens_of(WORDS)

    def losses(_):
        with torch.no_grad():
            texts = [F.normalize(text(ids), dim=1) for ids in (captions, words)]
        embeddings = [F.normalize(features, dim=1) for features in model(x)]
        return tuple(clip_loss(a, b, logit_scale.exp()) for a, b in zip(embeddings, texts))

    trained = [logit_scale, *model.visual_control.parameters()]
    groups = [
        {'params': [p for p in trained if p.ndim >= 2], 'weight_decay': 0.05},
        {'params': [p for p in trained if p.ndim < 2], 'weight_decay': 0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=2e-5, betas=(0.9, 0.98), eps=1e-6, fused=True)
    optimizer.register_step_post_hook(lambda *_: logit_scale.data.clamp_(0, math.log(100)))
    return losses, optimizer


def main():
    _, threads, output, name = sys.argv
    torch.set_num_threads(int(threads))
    trainings = {'ipt': train_ipt, 'dasr': train_dasr, 'irsde': train_irsde, 'daclip': train_daclip}
    losses, optimizer = trainings[name]()
    step_losses = []

    def step():
        values = losses(len(step_losses))
        optimizer.zero_grad()
        sum(values).backward()
        optimizer.step()
        step_losses.append([value.item() for value in values])

    report(median_seconds(step, warmups=3, runs=3))
    np.array(step_losses[:3], dtype=np.float32).tofile(output)


if __name__ == '__main__':
    main()
