"""Makes clip.json: what Pillow and PyTorch give for pictures and position embeddings by formula.

usage: python clip.py > clip.json   (Pillow, numpy, torch)
"""

import hashlib
import json

import numpy as np
from PIL import Image


def picture(h, w):
    i = np.arange(h * w * 3)
    return (((i * 2654435761) >> 7) % 251).astype(np.uint8).reshape(h, w, 3)


def prepared(h, w, side):
    image = Image.fromarray(picture(h, w))
    longer = int(side * max(h, w) / min(h, w))
    size = (side, longer) if w <= h else (longer, side)
    resized = np.asarray(image.resize(size, Image.BICUBIC)) if image.size != size else np.asarray(image)
    top, left = round((resized.shape[0] - side) / 2), round((resized.shape[1] - side) / 2)
    square = np.ascontiguousarray(resized[top : top + side, left : left + side])
    return {'size': [h, w], 'side': side, 'first': square[0, :4].tolist(), 'sha256': hashlib.sha256(square.tobytes()).hexdigest()}


def positions(grid_from, grid_to):
    import torch
    import torch.nn.functional as F

    i = torch.arange((1 + grid_from**2) * 2, dtype=torch.float64)
    table = torch.sin(0.7 * i).float().reshape(-1, 2)
    grid = table[1:].reshape(1, grid_from, grid_from, 2).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, grid_to, mode='bicubic', antialias=True, align_corners=False)
    resized = torch.cat([table[:1], grid.permute(0, 2, 3, 1).reshape(-1, 2)])
    return {'from': grid_from, 'to': grid_to, 'values': [round(v, 7) for v in resized.flatten().tolist()]}


sizes = [(37, 23, 16), (20, 51, 16), (12, 9, 32), (200, 133, 24), (31, 31, 31), (25, 40, 25)]
print(
    json.dumps(
        {
            'pictures': [prepared(*size) for size in sizes],
            'positions': [positions(4, (7, 7)), positions(5, (3, 3)), positions(4, (3, 5))],
        }
    )
)
