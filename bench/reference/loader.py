"""Reference of loader: the same samples from PyTorch's DataLoader with one worker, cut from decoded arrays.

usage: loader.py THREADS FOLDER CROP BATCH alone|step OUT
"""

import pathlib
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset

from measure import report
from restormer import Restormer


class Crops(Dataset):
    def __init__(self, folder, crop):
        self.images = [np.load(path) for path in sorted(pathlib.Path(folder).glob('*.npy'))]
        self.crop = crop

    def __len__(self):
        return len(self.images) * 1_000_000

    def __getitem__(self, index):
        image, crop = self.images[index % len(self.images)], self.crop
        top = np.random.randint(image.shape[0] - crop + 1)
        left = np.random.randint(image.shape[1] - crop + 1)
        patch = image[top:top + crop, left:left + crop].astype(np.float32) / 255
        mode = np.random.randint(8)
        patch = np.rot90(patch, mode // 2)
        if mode % 2:
            patch = np.flipud(patch)
        target = torch.from_numpy(np.ascontiguousarray(patch.transpose(2, 0, 1)))
        return target + torch.randn_like(target) * (np.random.uniform(0, 50) / 255), target


def main():
    _, threads, folder, crop, batch, mode, out = sys.argv
    torch.set_num_threads(int(threads))
    loader = iter(DataLoader(Crops(folder, int(crop)), int(batch), num_workers=1, prefetch_factor=3))
    model = Restormer() if mode == 'step' else None
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=1e-4) if model else None
    waited = 0.0

    def iterate():
        nonlocal waited
        start = time.perf_counter()
        noisy, clean = next(loader)
        waited += time.perf_counter() - start
        if model is None:
            return
        optimizer.zero_grad()
        F.l1_loss(model(noisy), clean).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.01)
        optimizer.step()

    warmups, runs = (3, 10) if model else (100, 200)
    for _ in range(warmups):
        iterate()
    waited = 0.0
    start = time.perf_counter()
    for _ in range(runs):
        iterate()
    seconds = time.perf_counter() - start
    pathlib.Path(out).write_text(str(waited / seconds))
    report(seconds / runs)


if __name__ == '__main__':
    main()
