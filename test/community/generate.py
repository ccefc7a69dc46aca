"""Writes FAMILY.json: random configurations of a network of spandrel, the keys and shapes of its files, and what it computes.

pip install torch spandrel spandrel_extra_arches; python test/community/generate.py [FAMILY...]
Weights and inputs are formulas (see `fill`), which the tests compute too, so that the files stay small.
"""

import base64
import json
import math
import pathlib
import sys

import torch
import torch.nn.functional as F
from spandrel.architectures import (
    ATD,
    DAT,
    DRCT,
    ESRGAN,
    FBCNN,
    HAT,
    PLKSR,
    RGT,
    SAFMN,
    SPAN,
    Compact,
    DnCNN,
    DRUNet,
    MixDehazeNet,
    MoSR,
    NAFNet,
    OmniSR,
    RetinexFormer,
    SCUNet,
    SwinIR,
)
from spandrel_extra_arches.architectures import SRFormer


def fill(state, gain=1.0):
    """Tensor k, element i: gain * sqrt(3 / fan in) * sin(0.7 i + 1.3 k + 0.001 i * k), in float64; biases and other vectors a tenth of it.

    The wave repeats after 2^16 elements. Variances are 1 plus it.
    """
    filled = {}
    for k, (key, tensor) in enumerate(state.items()):
        if not tensor.is_floating_point():
            filled[key] = tensor
            continue
        i = (torch.arange(tensor.numel()) % 2**16).to(torch.float64)
        wave = torch.sin(0.7 * i + 1.3 * k + 0.001 * i * k)
        fan = tensor[0].numel() if tensor.dim() > 1 else 0
        scale = gain * math.sqrt(3 / fan) if fan else 0.1
        shift = 1 if key.endswith("running_var") else 0
        filled[key] = (shift + scale * wave).reshape(tensor.shape).to(torch.float32)
    return filled


def picture(channels, height, width):
    i = torch.arange(channels * height * width, dtype=torch.float64)
    return (0.5 + 0.5 * torch.sin(0.37 * i + 0.0003 * i * i)).reshape(1, channels, height, width).to(torch.float32)


def padded(call, multiple, mode="reflect"):
    """Pads below and to the right, as spandrel does before it calls a network that needs multiples."""

    def padding(network, x):
        h, w = x.shape[2:]
        return call(network, F.pad(x, (0, -w % multiple, 0, -h % multiple), mode))[:, :, :h, :w]

    return padding


def enlarged(multiple, scale):
    """Like `padded`, for networks that enlarge."""

    def padding(network, x):
        h, w = x.shape[2:]
        return network(F.pad(x, (0, -w % multiple, 0, -h % multiple), "reflect"))[:, :, : h * scale, : w * scale]

    return padding


def with_noise_map(network, x):
    return network(torch.cat([x, torch.full_like(x[:, :1], 15 / 255)], 1))


def case(network, options, size, rename=lambda key: key, gain=1.0, call=lambda network, x: network(x)):
    """`options` are those that are to be found; `rename` makes the keys of another layout of files."""
    network.eval()
    state = fill(network.state_dict(), gain)
    network.load_state_dict(state)
    x = picture(options.get("inChannels", options.get("channels", 3)), *size)
    with torch.no_grad():
        y = call(network, x)
    return {
        "options": options,
        "gain": gain,
        "keys": [[rename(key), list(tensor.shape)] for key, tensor in state.items()],
        "size": list(size),
        "shape": list(y.shape),
        "y": base64.b64encode(y.to(torch.float32).numpy().tobytes()).decode(),
    }


def esrgan():
    def net(scale=4, unshuffle=1, c=8, blocks=1, **more):
        return ESRGAN.ESRGAN(num_filters=c, num_blocks=blocks, scale=scale, shuffle_factor=None if unshuffle == 1 else unshuffle, **more)

    def basicsr(key, blocks=1, stages=2):
        parts = key.split(".")
        if parts[1] == "0":
            return f"conv_first.{parts[2]}"
        if parts[1] == "1":
            if len(parts) == 5:
                return f"conv_body.{parts[4]}"
            return ".".join(["body", parts[3], parts[4].lower(), parts[5], parts[-1]])
        layer = int(parts[1])
        name = {3 * stages + 2: "conv_hr", 3 * stages + 4: "conv_last"}.get(layer, f"conv_up{layer // 3}")
        return f"{name}.{parts[2]}"

    def bsrgan(key):
        name = basicsr(key)
        return (
            name.replace("body.0.rdb", "RRDB_trunk.0.RDB")
            .replace("conv_body", "trunk_conv")
            .replace("conv_hr", "HRconv")
            .replace("conv_up", "upconv")
        )

    found = {"inChannels": 3, "outChannels": 3, "channels": 8, "growth": 32, "blocks": 1, "upscale": 4, "unshuffle": 1, "plus": False}
    return [
        case(net(), found, (9, 7)),
        case(net(blocks=2, scale=1, c=12), {**found, "blocks": 2, "upscale": 1, "channels": 12}, (8, 11)),
        case(net(scale=8, in_nc=1, out_nc=1, plus=True), {**found, "inChannels": 1, "outChannels": 1, "upscale": 8, "plus": True}, (5, 6)),
        case(net(), found, (6, 9), basicsr),
        case(net(), found, (6, 5), bsrgan),
        case(net(unshuffle=2, in_nc=12), {**found, "unshuffle": 2}, (9, 11), basicsr),
        case(net(unshuffle=4, in_nc=48), {**found, "unshuffle": 4}, (13, 10), basicsr),
    ]


def compact():
    def net(c, n, scale, channels=3, act="prelu"):
        network = Compact.Compact(num_in_ch=channels, num_out_ch=channels, num_feat=c, num_conv=n, upscale=scale, act_type=act)
        options = {"scale": scale, "inChannels": channels, "outChannels": channels, "channels": c, "convolutions": n, "activation": act}
        return network, options

    return [
        case(*net(12, 3, 2), (9, 7)),
        case(*net(16, 5, 1), (11, 8)),
        case(*net(8, 2, 4, 1), (6, 9)),
        case(*net(8, 2, 3, 3, "relu"), (7, 5)),
    ]


def span():
    def net(c, scale, norm, channels=3):
        network = SPAN.SPAN(num_in_ch=channels, num_out_ch=channels, feature_channels=c, upscale=scale, norm=norm)
        return network, {"scale": scale, "inChannels": channels, "outChannels": channels, "channels": c, "norm": norm}

    return [
        case(*net(8, 4, True), (8, 9), gain=0.2),
        case(*net(12, 2, False), (7, 10)),
        case(*net(8, 1, False, 1), (10, 6)),
    ]


def swinir():
    def net(size, window=8, c=12, depths=(2,), heads=(2,), hidden=24, channels=3, scale=1, kind="", conv="1conv", unshuffle=1, rename=lambda key: key):
        network = SwinIR.SwinIR(
            img_size=4 * window,
            in_chans=channels,
            embed_dim=c,
            depths=list(depths),
            num_heads=list(heads),
            window_size=window,
            mlp_ratio=hidden / c,
            upscale=scale,
            img_range=255.0 if window == 7 else 1.0,
            upsampler=kind,
            resi_connection=conv,
            start_unshuffle=unshuffle,
        )
        options = {
            "inChannels": channels,
            "channels": c,
            "upscale": scale,
            "unshuffle": unshuffle,
            "upsampler": kind or "none",
            "features": 64,
            "residual": conv,
            "range": 255 if window == 7 else 1,
            "depths": list(depths),
            "heads": list(heads),
            "window": window,
            "hidden": hidden,
        }
        return case(network, options, size, rename)

    return [
        net((19, 21), scale=2, kind="pixelshuffle", depths=(2, 3), heads=(2, 3)),
        net((16, 8), scale=3, kind="pixelshuffledirect", window=4, c=10, hidden=20),
        net((9, 17), scale=4, kind="nearest+conv", conv="3conv", c=16, heads=(4,), hidden=32),
        net((15, 24), window=7, channels=1),
        net((17, 30), hidden=30, depths=(3, 1), heads=(1, 2)),
        net((16, 32), scale=2, unshuffle=2, kind="pixelshuffle", rename=lambda key: key.replace("conv_first.", "conv_first.1.")),
    ]


def scunet():
    def net(size, blocks, channels=3):
        network = SCUNet.SCUNet(in_nc=channels, dim=64, config=list(blocks))
        return case(network, {"inChannels": channels, "channels": 64, "blocks": list(blocks)}, size)

    return [
        net((64, 64), (2, 0, 1, 2, 0, 1, 0)),
        net((37, 70), (1, 2, 0, 1, 0, 0, 2), 1),
        net((50, 41), (0, 1, 2, 1, 1, 0, 1)),
    ]


def dat():
    def net(size, split=(4, 8), c=32, depths=(3,), heads=(2,), hidden=64, channels=3, scale=2, kind="pixelshuffle", conv="1conv", bias=True):
        network = DAT.DAT(
            img_size=64,
            in_chans=channels,
            embed_dim=c,
            split_size=list(split),
            depth=list(depths),
            num_heads=list(heads),
            expansion_factor=hidden / c,
            qkv_bias=bias,
            upscale=scale,
            resi_connection=conv,
            upsampler=kind,
        )
        options = {
            "inChannels": channels,
            "channels": c,
            "upscale": scale,
            "unshuffle": 1,
            "upsampler": kind,
            "features": 64,
            "residual": conv,
            "range": 1,
            "depths": list(depths),
            "heads": list(heads),
            "window": list(split),
            "hidden": hidden,
            "qkvBias": bias,
        }
        return case(network, options, size)

    return [
        net((16, 24), heads=(4,), scale=4),
        net((9, 21), depths=(2, 1), heads=(4, 2), kind="pixelshuffledirect", scale=3),
        net((13, 8), split=(8, 8), c=48, hidden=48, channels=1, bias=False, conv="3conv"),
        net((17, 10), split=(2, 4), depths=(3, 5), heads=(2, 4), scale=1, hidden=80),
    ]


def hat():
    def net(size, window=8, c=12, depths=(2,), heads=(2,), hidden=24, channels=3, scale=2, conv="1conv", norm=True, bias=True, overlap=0.5):
        network = HAT.HAT(
            img_size=64,
            in_chans=channels,
            embed_dim=c,
            depths=list(depths),
            num_heads=list(heads),
            window_size=window,
            compress_ratio=3,
            squeeze_factor=6,
            overlap_ratio=overlap,
            mlp_ratio=hidden / c,
            qkv_bias=bias,
            patch_norm=norm,
            upscale=scale,
            resi_connection=conv,
        )
        options = {
            "inChannels": channels,
            "channels": c,
            "upscale": scale,
            "unshuffle": 1,
            "upsampler": "pixelshuffle",
            "features": 64,
            "residual": conv,
            "range": 1,
            "depths": list(depths),
            "heads": list(heads),
            "window": window,
            "overlapWindow": window + int(window * overlap),
            "hidden": hidden,
            "compressed": c // 3,
            "squeezed": c // 6,
            "qkvBias": bias,
            "patchNorm": norm,
        }
        return case(network, options, size)

    return [
        net((17, 30), depths=(2, 1), heads=(2, 3)),
        net((8, 13), window=4, c=18, hidden=27, channels=1, bias=False, scale=4, norm=False),
        net((9, 16), heads=(3,), conv="identity", scale=3, overlap=0.25),
    ]


def drct():
    def net(size, window=16, image=64, c=12, heads=(2,), ratio=2.0, growth=4, channels=3, scale=2, conv="1conv", norm=True, bias=True):
        network = DRCT.DRCT(
            img_size=image,
            in_chans=channels,
            embed_dim=c,
            depths=[6] * len(heads),
            num_heads=list(heads),
            window_size=window,
            mlp_ratio=ratio,
            qkv_bias=bias,
            patch_norm=norm,
            upscale=scale,
            upsampler="pixelshuffle",
            resi_connection=conv,
            gc=growth,
        )
        widths = [c + i * growth for i in range(5)]
        options = {
            "inChannels": channels,
            "channels": c,
            "upscale": scale,
            "unshuffle": 1,
            "upsampler": "pixelshuffle",
            "features": 64,
            "residual": conv,
            "range": 1,
            "heads": list(heads),
            "window": window,
            "shifted": image > window,
            "growth": growth,
            "hidden": [int(width * (ratio if i < 3 else 1)) for i, width in enumerate(widths)],
            "qkvBias": bias,
            "patchNorm": norm,
        }
        return case(network, options, size, call=enlarged(16, scale))

    return [
        net((17, 30), heads=(2, 4)),
        net((9, 16), window=8, c=18, heads=(3,), ratio=1.7, growth=6, channels=1, scale=4, norm=False, bias=False),
        net((16, 13), window=8, image=8, c=16, heads=(4,), growth=5, scale=3, conv="identity"),
        net((33, 12), c=20, heads=(4,), growth=10, scale=1),
    ]


def atd():
    # Pixels of one category keep their order: without this it depends on the processor.
    def ordered(network, x):
        sort = torch.sort
        torch.sort = lambda values, dim, stable: sort(values, dim=dim, stable=True)
        try:
            return network(x)
        finally:
            torch.sort = sort

    def net(size, window=8, c=12, depths=(2,), heads=(2,), tokens=16, reduced=4, kernel=5, hidden=24, category=256, channels=3, scale=2, kind="pixelshuffle", conv="1conv", patch_norm=True, bias=True, norm=True):
        network = ATD.ATD(
            in_chans=channels,
            embed_dim=c,
            depths=list(depths),
            num_heads=list(heads),
            window_size=window,
            category_size=category,
            num_tokens=tokens,
            reducted_dim=reduced,
            convffn_kernel_size=kernel,
            mlp_ratio=hidden / c,
            qkv_bias=bias,
            patch_norm=patch_norm,
            upscale=scale,
            upsampler=kind,
            resi_connection=conv,
            norm=norm,
        )
        options = {
            "inChannels": channels,
            "channels": c,
            "upscale": scale,
            "unshuffle": 1,
            "upsampler": kind or "none",
            "features": 64,
            "residual": conv,
            "range": 1,
            "depths": list(depths),
            "heads": list(heads),
            "window": window,
            "categorySize": category,
            "tokens": tokens,
            "reduced": reduced,
            "hidden": hidden,
            "kernel": kernel,
            "qkvBias": bias,
            "patchNorm": patch_norm,
            "centered": norm,
        }
        return case(network, options, size, call=ordered)

    return [
        net((17, 30), depths=(3, 1), heads=(2, 3)),
        net((9, 16), window=16, c=48, heads=(4,), hidden=48, category=128, scale=3, kind="pixelshuffledirect"),
        net((24, 13), window=4, c=16, tokens=40, reduced=10, kernel=7, channels=1, bias=False, patch_norm=False, scale=4, kind="nearest+conv", conv="3conv"),
        net((12, 20), scale=1, kind="", norm=False),
    ]


def rgt():
    def net(size, split=(4, 8), c=32, depths=(3,), heads=(2,), hidden=64, channels=3, scale=2, conv="1conv", bias=True, ratio=0.5):
        network = RGT.RGT(
            in_chans=channels,
            embed_dim=c,
            split_size=list(split),
            depth=list(depths),
            num_heads=list(heads),
            mlp_ratio=hidden / c,
            qkv_bias=bias,
            upscale=scale,
            resi_connection=conv,
            c_ratio=ratio,
        )
        options = {
            "inChannels": channels,
            "channels": c,
            "upscale": scale,
            "unshuffle": 1,
            "upsampler": "pixelshuffle",
            "features": 64,
            "residual": conv,
            "range": 1,
            "depths": list(depths),
            "heads": list(heads),
            "window": list(split),
            "hidden": hidden,
            "reduced": int(c * ratio),
            "qkvBias": bias,
        }
        return case(network, options, size)

    return [
        net((32, 18), heads=(4,)),
        net((19, 22), depths=(4, 2), heads=(2, 4), split=(8, 8), scale=3, conv="3conv"),
        net((16, 29), c=48, hidden=48, heads=(6,), depths=(2,), channels=1, scale=4, bias=False, ratio=0.25),
        net((17, 33), split=(2, 8), depths=(1, 5), heads=(2, 2), scale=1, hidden=80),
    ]


def omnisr():
    def net(size, c=16, groups=1, blocks=1, window=8, channels=3, out=None, scale=2, pe=True, bias=True):
        network = OmniSR.OmniSR(
            num_in_ch=channels, num_out_ch=out or channels, num_feat=c, res_num=groups, block_num=blocks, window_size=window, up_scale=scale, pe=pe, bias=bias
        )
        options = {
            "scale": scale,
            "inChannels": channels,
            "outChannels": out or channels,
            "width": c,
            "groups": groups,
            "blocks": blocks,
            "window": window,
            "positions": pe,
            "bias": bias,
        }
        return case(network, options, size)

    return [
        net((24, 17), groups=2),
        net((16, 29), c=24, blocks=2, channels=1, scale=4, bias=False),
        net((22, 35), c=72, window=4, scale=1),
        net((19, 33), c=20, pe=False, scale=3),
    ]


def srformer():
    def net(size, window=8, image=64, c=12, depths=(2,), heads=(2,), hidden=24, channels=3, scale=2, kind="pixelshuffle", conv="1conv", norm=True, bias=True):
        network = SRFormer.SRFormer(
            img_size=image,
            in_chans=channels,
            embed_dim=c,
            depths=list(depths),
            num_heads=list(heads),
            window_size=window,
            mlp_ratio=hidden / c,
            qkv_bias=bias,
            patch_norm=norm,
            upscale=scale,
            upsampler=kind,
            resi_connection=conv,
        )
        options = {
            "inChannels": channels,
            "channels": c,
            "upscale": scale,
            "unshuffle": 1,
            "upsampler": kind or "none",
            "features": 64,
            "residual": conv,
            "range": 1,
            "depths": list(depths),
            "heads": list(heads),
            "window": window,
            "shifted": image > window,
            "hidden": hidden,
            "qkvBias": bias,
            "patchNorm": norm,
        }
        return case(network, options, size)

    return [
        net((17, 30), depths=(3, 1), heads=(2, 3)),
        net((9, 16), window=6, c=16, heads=(4,), channels=1, scale=4, kind="nearest+conv", conv="3conv", norm=False, bias=False),
        net((20, 13), window=12, image=12, c=20, heads=(5,), hidden=30, scale=3, kind="pixelshuffledirect"),
        net((12, 25), scale=1, kind=""),
    ]


def nafnet():
    def net(width, encoder, middle, decoder, channels=3):
        network = NAFNet.NAFNet(
            img_channel=channels, width=width, enc_blk_nums=encoder, middle_blk_num=middle, dec_blk_nums=decoder
        )
        options = {"channels": channels, "width": width, "encoderBlocks": encoder, "middleBlocks": middle, "decoderBlocks": decoder, "tlc": False}
        return network, options

    return [
        case(*net(8, [1, 1, 1, 2], 1, [1, 1, 1, 1]), (13, 18)),
        case(*net(4, [1, 2], 2, [2, 1], 1), (9, 6)),
        case(*net(6, [1, 1, 1], 1, [1, 1, 2]), (16, 8)),
        case(*net(4, [2, 2, 1, 1], 3, [1, 2, 2, 1]), (17, 7)),
        case(*net(8, [1], 1, [1]), (5, 5)),
    ]


def dncnn():
    def net(width, layers, act, channels=3, noise_map=False):
        network = DnCNN.DnCNN(
            in_nc=channels + noise_map, out_nc=channels, nc=width, nb=layers, act_mode=act, mode="FDnCNN" if noise_map else "DnCNN"
        )
        return network, {"channels": channels, "width": width, "layers": layers, "noiseMap": noise_map, "sigma": "auto"}

    return [
        case(*net(16, 8, "R"), (9, 7)),
        case(*net(8, 9, "R", 1), (6, 11)),
        case(*net(12, 6, "BR"), (8, 5)),
        case(*net(12, 7, "BR", 1), (7, 7)),
        case(*net(8, 10, "R", 3, True), (7, 10), call=with_noise_map),
        case(*net(16, 8, "R", 1, True), (5, 6), call=with_noise_map),
    ]


def drunet():
    def net(widths, blocks, channels=3, down="strideconv", up="convtranspose"):
        network = DRUNet.DRUNet(
            in_nc=channels + 1, out_nc=channels, nc=widths, nb=blocks, downsample_mode=down, upsample_mode=up
        )
        options = {"channels": channels, "widths": widths, "blocks": blocks, "downsampling": down, "upsampling": up, "sigma": "auto"}
        return network, options

    call = padded(with_noise_map, 8)
    return [
        case(*net([8, 12, 16, 20], 2), (16, 8), call=call),
        case(*net([8, 8, 12, 16], 2, 1), (13, 22), call=call),
        case(*net([4, 8, 8, 12], 3, 3, "avgpool", "upconv"), (11, 9), call=call),
        case(*net([4, 8, 12, 12], 2, 3, "strideconv", "pixelshuffle"), (7, 12), call=call),
    ]


def fbcnn():
    def net(widths, blocks, channels=3, down="strideconv", up="convtranspose"):
        network = FBCNN.FBCNN(in_nc=channels, out_nc=channels, nc=[*widths, 512], nb=blocks, downsample_mode=down, upsample_mode=up)
        options = {"channels": channels, "widths": [*widths, 512], "blocks": blocks, "downsampling": down, "upsampling": up, "quality": "auto"}
        return network, options

    def call(network, x):
        return network(x)[0]

    return [
        case(*net([8, 12, 16], 2), (13, 22), call=call),
        case(*net([8, 8, 12], 2, 1), (16, 8), call=call),
        case(*net([4, 8, 8], 2, 3, "avgpool", "upconv"), (3, 9), call=call),
        case(*net([4, 8, 8], 2, 3, "strideconv", "pixelshuffle"), (9, 9), call=call),
    ]


def safmn():
    def net(width, blocks, growth, scale):
        network = SAFMN.SAFMN(dim=width, n_blocks=blocks, ffn_scale=growth, upscaling_factor=scale)
        return network, {"scale": scale, "width": width, "blocks": blocks, "hidden": int(width * growth)}

    return [
        case(*net(12, 2, 2, 4), (16, 8), call=enlarged(8, 4)),
        case(*net(16, 3, 1.5, 2), (13, 9), call=enlarged(8, 2)),
        case(*net(8, 1, 2, 1), (24, 15), call=enlarged(8, 1)),
        case(*net(20, 2, 2, 3), (8, 11), call=enlarged(8, 3)),
    ]


def plksr():
    def net(width, blocks, scale, ccm="CCM", lk="PLK", kernel=9, ratio=0.25, attention=True):
        network = PLKSR.PLKSR(
            dim=width, n_blocks=blocks, upscaling_factor=scale, ccm_type=ccm, kernel_size=kernel, split_ratio=ratio, lk_type=lk, use_ea=attention
        )
        options = {
            "scale": scale,
            "width": width,
            "blocks": blocks,
            "mixerKernels": {"CCM": [3, 1], "ICCM": [1, 3], "DCCM": [3, 3]}[ccm],
            "largeKernel": {"PLK": "plain", "SparsePLK": "sparse", "RectSparsePLK": "rectangular"}[lk],
            "kernel": 5 if lk == "SparsePLK" else kernel,
            "mixed": int(width * ratio),
            "attention": attention,
        }
        return network, options

    return [
        case(*net(16, 2, 4), (9, 7)),
        case(*net(12, 3, 2, "DCCM", "PLK", 13, 0.5), (12, 6)),
        case(*net(8, 2, 3, "ICCM", "PLK", 5, 1, False), (5, 8)),
        case(*net(16, 2, 2, "CCM", "SparsePLK"), (10, 11)),
        case(*net(16, 1, 1, "DCCM", "RectSparsePLK", 9), (7, 9)),
    ]


def real_plksr():
    def net(width, blocks, scale, kernel=9, ratio=0.25, attention=True, dysample=False, layer_norm=False):
        network = PLKSR.RealPLKSR(
            dim=width, n_blocks=blocks, upscaling_factor=scale, kernel_size=kernel, split_ratio=ratio, use_ea=attention, dysample=dysample, layer_norm=layer_norm
        )
        options = {
            "scale": scale,
            "width": width,
            "blocks": blocks,
            "kernel": kernel,
            "mixed": int(width * ratio),
            "attention": attention,
            "dysample": dysample,
            "layerNorm": layer_norm,
        }
        return network, options

    return [
        case(*net(16, 2, 4), (9, 7)),
        case(*net(16, 2, 2, 13, 0.5, True, True), (8, 11)),
        case(*net(12, 1, 4, 5, 0.25, False, True, True), (6, 5)),
        case(*net(8, 2, 1, 7, 0.25, True, True), (7, 12)),
        case(*net(16, 2, 3, 9, 0.25, True, True, True), (5, 8)),
        case(*net(8, 3, 1, 17, 0.5, True, False, True), (10, 9)),
    ]


def mosr():
    def net(width, blocks, scale, upsampler, kernel=7, expansion=1.5, ratio=1.0, channels=3, out=None):
        network = MoSR.MoSR(
            in_ch=channels,
            out_ch=out or channels,
            upscale=scale,
            n_block=blocks,
            dim=width,
            upsampler=upsampler,
            kernel_size=kernel,
            expansion_ratio=expansion,
            conv_ratio=ratio,
        )
        options = {
            "scale": scale,
            "inChannels": channels,
            "outChannels": out or channels,
            "width": width,
            "blocks": blocks,
            "hidden": int(expansion * width),
            "mixed": int(ratio * width),
            "kernel": kernel,
            "upsampler": {"ps": "pixelshuffle", "gps": "averaged", "dys": "dysample"}[upsampler],
        }
        return network, options

    return [
        case(*net(12, 2, 4, "ps"), (9, 7)),
        case(*net(16, 3, 2, "gps", 5, 1, 1), (6, 11)),
        case(*net(16, 2, 2, "dys", 9, 2, 0.5), (8, 9)),
        case(*net(8, 1, 3, "dys", 7, 1.5, 1, 1, 3), (7, 5)),
        case(*net(12, 2, 1, "ps", 3, 2, 0.25, 1), (10, 8)),
    ]


def retinexformer():
    def net(width, stages, blocks):
        network = RetinexFormer.RetinexFormer(n_feat=width, stage=stages, num_blocks=blocks)
        return network, {"channels": 3, "width": width, "stages": stages, "blocks": blocks}

    call = padded(lambda network, x: network(x), 8)
    return [
        case(*net(8, 1, [1, 2, 2]), (16, 8), call=call),
        case(*net(12, 2, [1, 1, 1]), (13, 21), call=call),
        case(*net(16, 3, [2, 1, 1]), (9, 8), call=call),
        case(*net(4, 1, [2, 2, 3]), (11, 14), call=call),
    ]


def mix_dehaze_net():
    def net(widths, blocks):
        first, second, third = widths
        network = MixDehazeNet.MixDehazeNet(embed_dims=[first, second, third, second, first], depths=blocks)
        return network, {"widths": widths, "blocks": blocks, "inputRange": "unit"}

    def call(network, x):
        return network(x) * 0.5 + 0.5

    return [
        case(*net([8, 16, 24], [1, 1, 2, 1, 1]), (40, 44), call=call),
        case(*net([16, 24, 32], [2, 1, 1, 1, 1]), (41, 43), gain=0.7, call=call),
        case(*net([8, 8, 16], [1, 2, 2, 2, 1]), (46, 40), call=call),
    ]


families = {
    "esrgan": esrgan,
    "compact": compact,
    "span": span,
    "swinir": swinir,
    "scunet": scunet,
    "dat": dat,
    "hat": hat,
    "drct": drct,
    "atd": atd,
    "rgt": rgt,
    "omnisr": omnisr,
    "srformer": srformer,
    "nafnet": nafnet,
    "dncnn": dncnn,
    "drunet": drunet,
    "fbcnn": fbcnn,
    "safmn": safmn,
    "plksr": plksr,
    "real-plksr": real_plksr,
    "mosr": mosr,
    "retinexformer": retinexformer,
    "mix-dehaze-net": mix_dehaze_net,
}

if __name__ == "__main__":
    folder = pathlib.Path(__file__).parent
    for name in sys.argv[1:] or families:
        text = json.dumps(families[name](), separators=(",", ":"))
        (folder / f"{name}.json").write_text(text.replace('{"options"', '\n{"options"') + "\n")
        print(name, len(text))
