"""The optimizer: Muon for matrices, AdamW for the rest.

Muon (K. Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"): the step of a matrix is its
momentum with all singular values made about equal, by five Newton-Schulz iterations. At this size it needs about half the
steps of AdamW. Processes share the matrices out among themselves."""
import torch
import torch.distributed as dist

MOMENTUM = 0.95
MUON_RATE = 3.0
ADAM_BETAS = (0.9, 0.98)
WEIGHT_DECAY = 0.02


def _is_matrix(name, p):
    """Weights of linear layers and convolutions ([out, rest]); not embeddings, nor what is too thin to matter."""
    return p.ndim >= 2 and name.endswith("weight") and "embed" not in name and "token" not in name and \
        min(p.shape[0], p[0].numel()) >= 16


def _orthogonalised(x):
    """[B, m, n] with m <= n -> about U V^T of each singular value decomposition."""
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        a = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x


class Optimizer:
    """step(rate): AdamW at `rate`, Muon at MUON_RATE times that; a Muon step's elements have a root mean square of 0.2 of its rate,
    as AdamW's do. What has no gradient stays as it is."""

    def __init__(self, net, rank, processes):
        self.rank, self.processes = rank, processes
        named = list(net.named_parameters())
        self.matrices = [p for n, p in named if _is_matrix(n, p)]
        others = [p for n, p in named if not _is_matrix(n, p)]
        self.adam = torch.optim.AdamW(others, lr=0.0, betas=ADAM_BETAS, weight_decay=0.0)
        self.momentum = [torch.zeros_like(p) for p in self.matrices]
        self.groups = {}  # of one shape: a batch for one process
        for i, p in enumerate(self.matrices):
            m = p.flatten(1)
            self.groups.setdefault(tuple(sorted(m.shape)), []).append(i)

    @torch.no_grad()
    def step(self, rate):
        for group in self.adam.param_groups:
            group["lr"] = rate
        self.adam.step()
        steps = [torch.zeros_like(p) for p in self.matrices]
        for (rows, cols), members in self.groups.items():
            members = [i for i in members if self.matrices[i].grad is not None]
            for i in members:
                self.momentum[i].lerp_(self.matrices[i].grad, 1 - MOMENTUM)
            mine = members[self.rank :: self.processes]
            if not mine:
                continue
            inputs = []
            for i in mine:
                m = self.matrices[i].grad.lerp(self.momentum[i], MOMENTUM).flatten(1)
                inputs.append(m if m.shape[0] == rows else m.T)
            for i, y in zip(mine, _orthogonalised(torch.stack(inputs))):
                y = y if steps[i].shape[0] == rows and steps[i][0].numel() == cols else y.T
                steps[i] = (0.2 * cols**0.5 * y).reshape(steps[i].shape)
        if self.processes > 1:
            flat = torch.cat([s.flatten() for s in steps])
            dist.all_reduce(flat)
            steps = [f.view_as(s) for f, s in zip(flat.split([s.numel() for s in steps]), steps)]
        for p, s in zip(self.matrices, steps):
            if p.grad is None:
                continue
            p.mul_(1 - MUON_RATE * rate * WEIGHT_DECAY).sub_(s, alpha=MUON_RATE * rate)

    def state_dict(self):
        return {"adam": self.adam.state_dict(), "momentum": self.momentum}

    def load_state_dict(self, state):
        self.adam.load_state_dict(state["adam"])
        for mine, theirs in zip(self.momentum, state["momentum"]):
            mine.copy_(theirs)
