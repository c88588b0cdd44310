r"""The training step of a generator in plain PyTorch, a program of its own.

    python jaxpath/runs/throughput/torch_step.py --arrays arrays.npz --settings '{"dtype": "float32", ...}'

``start_torch`` starts it, hands over the weights, the generator's start and a batch of images, and asks for
one call at a time, so that both take turns on the machine. It needs PyTorch and NumPy only, and imports
nothing of jaxpath. Written as a PyTorch user would for speed: channels-last memory, fused AdamW, frozen
weights without gradients, the clean forward shared by teacher and generator.

Requests are lines on stdin, answers lines on stdout: ``step``, ``floor`` or ``forward`` gives the
milliseconds of one call, ``check`` takes a step and gives its loss and the norm of its gradient.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np

try:
    import torch
    import torch.nn.functional as F
    from torch import Tensor
except ModuleNotFoundError as error:
    sys.exit(f"torch_step.py needs PyTorch ({error}); install it by: pip install torch")

Weights = dict[str, Tensor]
Gates = Sequence[Tensor | None] | None


class Taps:
    """Gates every activation in forward order and keeps it."""

    def __init__(self, gates: Gates) -> None:
        self.gates = gates
        self.features: list[Tensor] = []

    def __call__(self, activation: Tensor) -> Tensor:
        gate = None if self.gates is None else self.gates[len(self.features)]
        if gate is not None:
            gate = gate.to(activation.dtype)
            activation = activation * (gate[:, :, None, None] if activation.ndim == 4 else gate)
        self.features.append(activation)
        return activation


def resnet(weights: Weights, x: Tensor, gates: Gates = None) -> tuple[Tensor, list[Tensor]]:
    """ImageNet and CIFAR ResNets, from a state dict with torchvision's names: logits and activations."""
    taps = Taps(gates)
    head = "fc" if "fc.weight" in weights else "linear"
    stem = weights["conv1.weight"]
    x = F.conv2d(x, stem, stride=2 if stem.shape[-1] == 7 else 1, padding=stem.shape[-1] // 2)
    x = taps(F.relu(_norm(weights, "bn1", x)))
    if stem.shape[-1] == 7:
        x = F.max_pool2d(x, 3, 2, 1)
    stage = 1
    while f"layer{stage}.0.conv1.weight" in weights:
        block = 0
        while f"layer{stage}.{block}.conv1.weight" in weights:
            x = _block(weights, f"layer{stage}.{block}.", x, 2 if stage > 1 and block == 0 else 1, taps)
            block += 1
        stage += 1
    x = x.float().mean(dim=(2, 3))
    return F.linear(x, weights[f"{head}.weight"].float(), weights[f"{head}.bias"].float()), taps.features


def _block(weights: Weights, place: str, x: Tensor, stride: int, taps: Taps) -> Tensor:
    deep = f"{place}conv3.weight" in weights
    strides = (1, stride, 1) if deep else (stride, 1)
    y = x
    for number, step in enumerate(strides, start=1):
        kernel = weights[f"{place}conv{number}.weight"]
        y = _norm(
            weights, f"{place}bn{number}", F.conv2d(y, kernel, stride=step, padding=kernel.shape[-1] // 2)
        )
        if number < len(strides):
            y = taps(F.relu(y))
    if f"{place}downsample.0.weight" in weights:
        x = F.conv2d(x, weights[f"{place}downsample.0.weight"], stride=stride)
        x = _norm(weights, f"{place}downsample.1", x)
    elif x.shape[1] != y.shape[1]:
        missing = y.shape[1] - x.shape[1]
        x = F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, missing // 2, missing - missing // 2))
    return taps(F.relu(y + x))


def _norm(weights: Weights, name: str, x: Tensor) -> Tensor:
    mean, variance, scale, shift = (
        weights[f"{name}.{leaf}"] for leaf in ("running_mean", "running_var", "weight", "bias")
    )
    return F.batch_norm(x, mean, variance, scale, shift)


def vgg(weights: Weights, x: Tensor, gates: Gates = None) -> tuple[Tensor, list[Tensor]]:
    """VGGs with and without BatchNorm, from a state dict with torchvision's names."""
    taps = Taps(gates)
    numbers = sorted({int(name.split(".")[1]) for name in weights if name.startswith("features.")})
    index = 0
    while index <= max(numbers):
        x = F.conv2d(x, weights[f"features.{index}.weight"], weights[f"features.{index}.bias"], padding=1)
        index += 1
        if f"features.{index}.running_mean" in weights:
            x = _norm(weights, f"features.{index}", x)
            index += 1
        x = taps(F.relu(x))
        index += 1
        if f"features.{index}.weight" not in weights:
            x = F.max_pool2d(x, 2)
            index += 1
    side = math.isqrt(weights["classifier.0.weight"].shape[1] // x.shape[1])
    x = F.adaptive_avg_pool2d(x, side).flatten(1)
    for layer in (0, 3):
        dense = F.linear(x, weights[f"classifier.{layer}.weight"], weights[f"classifier.{layer}.bias"])
        x = taps(F.relu(dense))
    last = F.linear(x.float(), weights["classifier.6.weight"].float(), weights["classifier.6.bias"].float())
    return last, taps.features


def generate(
    params: Weights, features: Sequence[Tensor], evidence: Tensor, grid: int
) -> tuple[list[Tensor], Tensor]:
    """The complete generator at channel granularity: score logits of every site, class logits."""
    pooled = [pool(f, grid) for f in features]
    embeddings: list[Tensor] = []
    for i, x in enumerate(pooled):
        x = F.conv2d(x, params[f"embed/{i}/convolution/kernel"], params[f"embed/{i}/convolution/bias"])
        x = _layer_norm(params, f"embed/{i}/norm", x.permute(0, 2, 3, 1))
        x = F.relu(x).mean(dim=(1, 2))
        before = embeddings[-1] if embeddings else torch.zeros_like(x)
        mixed = F.relu(_dense(params, f"embed_recursion/{i}/dense", torch.cat([before, x], dim=1)))
        embeddings.append(_layer_norm(params, f"embed_recursion/{i}/norm", mixed) + before)
    z = F.relu(_dense(params, "distill_hidden", torch.cat(embeddings, dim=1)))
    z = _layer_norm(params, "distill_norm", _dense(params, "distill", z))
    scores = []
    evidence = _relative(evidence)
    state = z + _dense(params, "class_evidence", evidence)
    for i in reversed(range(len(features))):
        mixed = F.relu(
            _dense(params, f"decode_recursion/{i}/dense", torch.cat([state, embeddings[i]], dim=1))
        )
        state = _layer_norm(params, f"decode_recursion/{i}/norm", mixed) + state
        gain = _dense(params, f"score/{i}/gain", state)
        score = _dense(params, f"score/{i}/score", state) + gain * _relative(pooled[i].mean(dim=(2, 3)))
        scores.append(score.float())
    scores[0] = scores[0] + params["evidence_gain"] * evidence
    return scores[::-1], _dense(params, "class_head", z).float()


def pool(feature: Tensor, grid: int) -> Tensor:
    """At most ``grid`` x ``grid`` places."""
    if feature.ndim == 2:
        return feature[:, :, None, None]
    return F.adaptive_avg_pool2d(feature, min(grid, feature.shape[2]))


def by_site(stacked: Weights, features: Sequence[Tensor], grid: int) -> Weights:
    """The generator's weights with a layer for every site, where jaxpath stacks those of sites alike."""
    weights: Weights = {}
    alike: dict[str, int] = {}
    for i, feature in enumerate(features):
        channels, *places = pool(feature, grid).shape[1:] if feature.ndim == 4 else feature.shape[1:]
        group = "x".join(map(str, [*places, channels]))
        k = alike[group] = alike.get(group, -1) + 1
        for name, value in stacked.items():
            layer, _, leaf = name.partition("/")
            if layer in ("embed_recursion", "decode_recursion"):
                weights[f"{layer}/{i}/{leaf}"] = value[i]
            elif layer in (f"embed_{group}", f"score_{group}"):
                value = value[k]
                if leaf == "convolution/kernel":
                    value = value.reshape(*(min(3, place) for place in places or (1, 1)), channels, -1)
                weights[f"{layer.partition('_')[0]}/{i}/{leaf}"] = value
            elif not layer.startswith(("embed_", "score_")):
                weights[name] = value
    return {name: _to_torch(name, value) for name, value in weights.items()}


def _dense(params: Weights, name: str, x: Tensor) -> Tensor:
    return F.linear(x, params[f"{name}/kernel"], params[f"{name}/bias"])


def _relative(values: Tensor) -> Tensor:
    return values / (values.abs().mean(dim=1, keepdim=True) + 1e-6)


def _layer_norm(params: Weights, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], params[f"{name}/scale"], params[f"{name}/bias"], eps=1e-6)


class Daq(torch.autograd.Function):
    """Rounds scores; the gradient is that of distance-aware quantisation, gamma 2, sigma 1."""

    @staticmethod
    def forward(ctx, scores):
        ctx.save_for_backward(scores)
        return (scores > 0.5).to(scores.dtype)

    @staticmethod
    def backward(ctx, gradient):
        (scores,) = ctx.saved_tensors
        nearest = torch.minimum(scores, 1 - scores)
        near, far = torch.exp(-nearest), math.exp(-1) * torch.exp(nearest - 1)
        return gradient * (2 / (2 * math.sinh(2)) * (near + far) / (near - far))


def divergence(teacher: Tensor, student: Tensor) -> Tensor:
    """KL(teacher || student) in nats, per image."""
    p = F.log_softmax(teacher, dim=1)
    return (p.exp() * (p - F.log_softmax(student, dim=1))).sum(dim=1)


class Trainer:
    """The frozen classifier, the generator, its optimizer and a batch of images."""

    def __init__(self, arrays: dict[str, np.ndarray], settings: dict) -> None:
        self.settings = settings
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.dtype = getattr(torch, settings["dtype"])
        frozen = _under(arrays, "target/", self.device)
        # BatchNorm and the classifier stay in float32, as in jaxpath.
        norms = {name.rpartition(".")[0] for name in frozen if name.endswith("running_mean")}
        exact = {*norms, "fc", "linear", "classifier.6"}
        self.weights = {
            name: _channels_last(value if name.rpartition(".")[0] in exact else value.to(self.dtype))
            for name, value in frozen.items()
        }
        self.images = _channels_last(torch.from_numpy(arrays["images"]).to(self.device, self.dtype))
        self.network = vgg if "classifier.6.weight" in self.weights else resnet
        with torch.no_grad():
            _, features = self.network(self.weights, self.images)
        self.open = [torch.ones(f.shape[:2], device=self.device) for f in features]
        generator = by_site(_under(arrays, "generator/", self.device), features, settings["grid"])
        self.params = {name: _channels_last(value).requires_grad_() for name, value in generator.items()}
        self.optimizer = torch.optim.AdamW(
            list(self.params.values()), lr=1e-3, weight_decay=1e-4, eps=1e-8, fused=True
        )
        self.price = torch.tensor(1.0, device=self.device)
        compiled: Callable = torch.compile if settings["compile"] else lambda function: function
        self.losses = compiled(self._losses)
        self.floor = compiled(self._floor)
        self.forward = compiled(self._forward)

    def step(self) -> tuple[Tensor, Tensor]:
        """One step of training; the loss and the norm of its gradient."""
        loss, kl, shown = self.losses()
        self.optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(list(self.params.values()), 1.0)
        self.optimizer.step()
        slack = torch.where(shown > 0, 1 - kl / shown.clamp(min=1) / self.settings["faithfulness"], 0.0)
        self.price = (self.price * torch.exp(0.05 * slack.clamp(-1, 1))).clamp(0.05, 50.0).detach()
        return loss.detach(), norm

    def _losses(self) -> tuple[Tensor, Tensor, Tensor]:
        # Only what lies behind the last activation is recorded for a gradient.
        last = self.open[-1].clone().requires_grad_()
        clean, features = self.network(self.weights, self.images, [*[None] * len(self.open[:-1]), last])
        (evidence,) = torch.autograd.grad(clean.max(dim=1).values.sum(), last)
        clean, features = clean.detach(), [feature.detach() for feature in features]
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            scores, guessed = generate(self.params, features, evidence, self.settings["grid"])
        logits = torch.cat(scores, dim=1)
        count = logits.shape[1]
        share, scale, place = torch.rand(3, len(logits), device=self.device)
        natural = (share >= self.settings["random_density_share"]).float()
        density = torch.where(scale < 0.5, 0.02 + place * 0.98, 0.02 ** (1 - place))
        ordered = logits.sort(dim=1).values
        below = ((1 - density) * count).round().long().clamp(1, count - 1)[:, None]
        between = (ordered.gather(1, below - 1) + ordered.gather(1, below))[:, 0] / 2
        threshold = torch.where(natural > 0, torch.zeros_like(between), between)
        masks = Daq.apply(torch.sigmoid(logits - threshold[:, None]))
        gates = masks.split([score.shape[1] for score in scores], dim=1)
        masked, _ = self.network(self.weights, self.images, gates)
        kl = divergence(clean, masked)
        loss = kl + self.price * natural * masks.mean(dim=1) + divergence(clean, guessed)
        return loss.mean(), (kl.detach() * natural).sum(), natural.sum()

    def _floor(self) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        with torch.no_grad():
            clean, _ = self.network(self.weights, self.images)
        gates = [gate.clone().requires_grad_() for gate in self.open]
        masked, _ = self.network(self.weights, self.images, gates)
        loss = divergence(clean, masked).mean()
        return clean, loss, torch.autograd.grad(loss, gates)

    def _forward(self) -> Tensor:
        with torch.no_grad():
            return self.network(self.weights, self.images)[0]

    def milliseconds(self, what: str) -> float:
        """One call of ``step``, ``floor`` or ``forward``."""
        self._wait()
        start = time.perf_counter()
        getattr(self, what)()
        self._wait()
        return 1000 * (time.perf_counter() - start)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def _under(arrays: dict[str, np.ndarray], prefix: str, device: torch.device) -> Weights:
    return {
        name.removeprefix(prefix): torch.from_numpy(value).to(device)
        for name, value in arrays.items()
        if name.startswith(prefix)
    }


def _to_torch(name: str, value: Tensor) -> Tensor:
    """A Flax kernel in PyTorch's layout: [h, w, I, O] -> [O, I, h, w], [I, O] -> [O, I]."""
    if not name.endswith("/kernel"):
        return value.clone()
    return value.permute(3, 2, 0, 1) if value.ndim == 4 else value.T.contiguous()


def _channels_last(value: Tensor) -> Tensor:
    return value.contiguous(memory_format=torch.channels_last) if value.ndim == 4 else value


def main() -> None:
    """Answers requests until stdin ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--arrays", required=True, help=".npz of target/..., generator/... and images")
    parser.add_argument("--settings", required=True, help="JSON: dtype, grid, compile, random_density_share")
    options = parser.parse_args()
    torch.manual_seed(0)
    with np.load(options.arrays) as file:
        trainer = Trainer(dict(file), json.loads(options.settings))
    for line in sys.stdin:
        request = line.strip()
        answer = [*map(float, trainer.step())] if request == "check" else trainer.milliseconds(request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
