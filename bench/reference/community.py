"""Networks of the community in spandrel (PyTorch), in their official sizes, on an image of 256 × 256.

usage: community.py THREADS OUTPUT.f32 WEIGHTS.pth FAMILY [write]; `write` writes random weights, which both sides read.
"""

import sys

import torch
from formula import image
from measure import median_seconds, report
from spandrel import ModelLoader
from spandrel.architectures import ESRGAN, SPAN, Compact, NAFNet, SCUNet, SwinIR

NETWORKS = {
    'swinir': lambda: SwinIR.SwinIR(
        embed_dim=180,
        depths=[6] * 6,
        num_heads=[6] * 6,
        window_size=8,
        mlp_ratio=2,
        upscale=4,
        upsampler='pixelshuffle',
    ),
    'nafnet': lambda: NAFNet.NAFNet(
        width=32, enc_blk_nums=[1, 1, 1, 28], middle_blk_num=1, dec_blk_nums=[1, 1, 1, 1]
    ),
    'scunet': SCUNet.SCUNet,
    'span': lambda: SPAN.SPAN(num_in_ch=3, num_out_ch=3, feature_channels=48, upscale=4),
    'esrgan': lambda: ESRGAN.ESRGAN(num_filters=64, num_blocks=23, scale=4),
    'compact': lambda: Compact.Compact(num_feat=64, num_conv=16, upscale=4),
}


def write(family, weights):
    torch.manual_seed(0)
    state = NETWORKS[family]().state_dict()
    # NAFNet starts as the identity: its scales are 0.
    torch.save({key: tensor + 0.1 if key.endswith(('beta', 'gamma')) else tensor for key, tensor in state.items()}, weights)


def main():
    _, threads, output, weights, family, *mode = sys.argv
    if mode == ['write']:
        return write(family, weights)
    torch.set_num_threads(int(threads))
    model = ModelLoader().load_from_file(weights).eval()
    x = image(1, 3, 256, 256)
    with torch.no_grad():
        # Not clamped, as ours is not.
        report(median_seconds(lambda: model.model(x), warmups=1, runs=3))
        model.model(x).numpy().tofile(output)


if __name__ == '__main__':
    main()
