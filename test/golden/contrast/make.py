"""Contrastive losses of IPT on small features, written term by term in PyTorch (float64): values for src/train/networks/contrastiveLosses.test.ts."""

import torch

b, n, d = 3, 4, 5
features = torch.sin(0.7 * torch.arange(b * n * d, dtype=torch.float64)).reshape(b, n, d).requires_grad_()
unit = torch.nn.functional.normalize(features, dim=-1)

# Equation 5 of arXiv:2012.00364.
terms = []
for j in range(b):
    for i1 in range(n):
        for i2 in range(n):
            same = torch.exp(unit[j, i1] @ unit[j, i2])
            others = sum(torch.exp(unit[j, i1] @ unit[k, i2]) for k in range(b) if k != j)
            terms.append(-torch.log(same / others))
paper = torch.stack(terms).mean()

# Equation 2 of arXiv:2004.11362, temperature 0.07.
flat = unit.reshape(b * n, d)
anchors = []
for i in range(b * n):
    logits = flat[i] @ flat.T / 0.07
    logits = logits - logits.max().detach()
    denominator = torch.log(sum(torch.exp(logits[a]) for a in range(b * n) if a != i) + 1e-8)
    positives = [logits[p] - denominator for p in range(b * n) if p != i and p // n == i // n]
    anchors.append(-torch.stack(positives).mean())
released = torch.stack(anchors).mean()

for name, loss in (("paper", paper), ("released", released)):
    (gradient,) = torch.autograd.grad(loss, features, retain_graph=True)
    print(name, loss.item(), gradient.flatten()[:4].tolist())
