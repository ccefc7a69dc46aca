"""Writes the checkpoints beside it with PyTorch 2.13; run it where torch, numpy and safetensors are installed.

Every `same-*` file must load to weights.safetensors; what the others hold is said where they are written.
"""

import argparse, base64, collections, datetime, json, math, os, pathlib, pickle, struct
import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

os.chdir(os.path.dirname(os.path.abspath(__file__)))
torch.manual_seed(7)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.temperature = nn.Parameter(torch.rand(2, 1, 1))
        self.conv = nn.Conv2d(2, 3, 1)
        self.steps = 3
        self.names = ['a', 'b']

    def forward(self, x):
        return self.conv(x) * self.temperature.sum() * self.steps


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(Block(), nn.ReLU(), nn.Conv2d(3, 2, 1, bias=False))
        self.list = nn.ModuleList([nn.Linear(2, 2), nn.BatchNorm2d(2)])
        self.register_buffer('scale', torch.rand(2, 1, 1))

    def forward(self, x):
        x = self.body(x) * self.scale
        for layer in self.list:
            x = layer(x)
        return x


net = Net().eval()
optimizer = torch.optim.AdamW(net.parameters())
net(torch.rand(1, 2, 2, 2)).sum().backward()
optimizer.step()
weights = collections.OrderedDict((k, v.detach().clone()) for k, v in net.state_dict().items())
zeros = collections.OrderedDict((k, torch.zeros_like(v)) for k, v in weights.items())
save_file(dict(weights), 'weights.safetensors', metadata={'format': 'pt'})

training = {
    'epoch': 3,
    'optimizer': optimizer.state_dict(),
    'args': argparse.Namespace(out=pathlib.PurePosixPath('runs/a'), lr=1e-3, started=datetime.datetime(2024, 1, 2)),
    'counts': collections.defaultdict(int, a=1),
    'counter': collections.Counter('aab'),
    'size': torch.Size([1, 2]),
    'device': torch.device('cpu'),
    'dtype': torch.bfloat16,
    'scalar': np.float64(0.5),
    'array': np.arange(3),
    'misc': [{1, 2}, frozenset('a'), (1, None), b'bytes', bytearray(b'x'), 2**80, -(2**40), 1j, slice(1, 2)],
    'best': torch.tensor(0.25),
    'state_dict': collections.OrderedDict((f'module.{k}', v) for k, v in weights.items()),
}
torch.save(training, 'same-training.ckpt')
torch.save(training, 'same-training-legacy.ckpt', _use_new_zipfile_serialization=False, pickle_protocol=4)
torch.save({'params': zeros, 'params_ema': weights}, 'same-ema.pth', pickle_protocol=5)
torch.save({'iteration': 5, 'generator': weights}, 'same-only-key.pth')
torch.save({'model': {f'_orig_mod.module.{k}': v for k, v in weights.items()}}, 'same-compiled.pt')
with_attribute = {k: nn.Parameter(v) if v.is_floating_point() else v for k, v in weights.items()}
with_attribute['scale'] = weights['scale'].clone()
with_attribute['scale'].note = 'an attribute: saved by _rebuild_from_type_v2'
torch.save(with_attribute, 'same-parameters.pth')
torch.jit.script(net).save('same-script.pt')
torch.jit.trace(net, torch.rand(1, 2, 2, 2)).save('same-trace.pt')

# Refused: several sets of weights (netD is zero; `path` chooses), a frozen module, a whole module, complex numbers.
torch.save({'netG': weights, 'netD': zeros}, 'two-networks.pth')
torch.jit.freeze(torch.jit.script(net)).save('frozen.pt')
torch.save(net, 'whole-module.pth')
torch.save({'w': torch.zeros(2, dtype=torch.complex64)}, 'complex.pth')

# Dtypes without a storage class of their own: _rebuild_tensor_v3.
bits = torch.arange(256, dtype=torch.uint8)
new_dtypes = {
    'uint16': torch.tensor([0, 1, 65535], dtype=torch.uint16),
    'uint32': torch.tensor([0, 2**32 - 1], dtype=torch.uint32),
    'uint64': torch.tensor([2**64 - 1, 5], dtype=torch.uint64),
    'e4m3': bits.view(torch.float8_e4m3fn),
    'e5m2': bits.view(torch.float8_e5m2),
    'transposed': bits[:6].view(torch.float8_e5m2).view(2, 3).t(),
}
torch.save(new_dtypes, 'new-dtypes.pth')
save_file({k: v.contiguous().clone() for k, v in new_dtypes.items()}, 'new-dtypes.safetensors')


# The legacy format's storage views, which PyTorch before 0.4 wrote: w = [[2, 3], [4, 5]] out of 0..7.
class Storage:
    pass


class Tensor:
    def __reduce__(self):
        return torch._utils._rebuild_tensor, (Storage(), 0, (2, 2), (2, 1))


class LegacyPickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Storage):
            return ('storage', torch.FloatStorage, '7', 'cpu', 8, ('8', 2, 4))


with open('legacy-view.pth', 'wb') as file:
    pickle.dump(0x1950A86A20F9469CFC6C, file, protocol=2)
    pickle.dump(1001, file, protocol=2)
    pickle.dump({'protocol_version': 1001, 'little_endian': True, 'type_sizes': {}}, file, protocol=2)
    LegacyPickler(file, protocol=2).dump({'w': Tensor()})
    pickle.dump(['7'], file, protocol=2)
    file.write(struct.pack('<q8f', 8, *range(8)))

# Plain values in every protocol.
plain = {
    'none': None, 'true': True, 'false': False, 'zero': 0, 'byte': 255, 'short': 65535, 'negative': -1, 'int': 2**31 - 1,
    'safe': 2**53 - 1, 'long': 3**200, 'negative long': -(2**63), 'float': 0.1, 'tiny': 5e-324, 'inf': math.inf,
    'text': 'na\xefve \\ "quoted" \u732b \n', 'empty': '', 'wide': 'x' * 300, 'astral': '\U0001f408', 'list': [1, [2, []]],
    'tuples': [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)], 'dict': {'a': {}, 'b': {'c': 1}},
}
shared = ['shared']
plain['shared'] = [shared, shared]


def as_json(value):
    if isinstance(value, dict):
        return {k: as_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(v) for v in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53 - 1 or value == math.inf:
        return f'number {value}'
    return value


pickles = [base64.b64encode(pickle.dumps(plain, protocol=p)).decode() for p in range(6)]
json.dump({'expected': as_json(plain), 'byProtocol': pickles}, open('pickles.json', 'w'), indent=1)

# What float32 becomes in narrow formats, by PyTorch; and what narrow formats are in float32.
edge = torch.tensor([0, -0.0, 1, -1, 65504, 65519.996, 65520, 1e30, -1e30, math.inf, -math.inf, 2**-14, 2**-24, 2**-25,
                     2**-25 * 1.0001, 3 * 2**-25, 6e-8, 6.097e-5, 6.1e-5, 1e-40, 1 + 2**-11, 1 + 3 * 2**-11, 1 + 2**-8,
                     1 + 3 * 2**-8, 3.3895e38, 3.4e38, 0.1, 1 / 3])
values = torch.cat([edge, torch.randn(500) * 10.0 ** torch.randint(-9, 6, (500,))])
save_file({
    'float32': values, 'float16': values.half(), 'bfloat16': values.bfloat16(), 'float64': values.double(),
    'every_float16': torch.arange(65536, dtype=torch.int32).to(torch.uint16).view(torch.float16).float()[::7].clone(),
    'every_e4m3': new_dtypes['e4m3'].float(), 'every_e5m2': new_dtypes['e5m2'].float(),
}, 'conversions.safetensors')
