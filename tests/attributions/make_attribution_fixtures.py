"""Writes tests/fixtures/attributions.npz: what other libraries attribute in a small convolutional network.

Run it where PyTorch, captum, zennit and PAIR's saliency are installed; the test that reads the file does not
need them:

    python tests/attributions/make_attribution_fixtures.py

captum 0.9.0, zennit 0.5.1 and saliency 0.2.1 made the file that is there.
"""

from pathlib import Path
from unittest import mock

import jax
import numpy as np
import saliency.core as saliency
import torch
from captum.attr import (
    GuidedBackprop,
    InputXGradient,
    IntegratedGradients,
    LayerAttribution,
    LayerGradCam,
    Saliency,
)
from torch import nn
from zennit.attribution import Gradient
from zennit.composites import EpsilonGammaBox, LayerMapComposite
from zennit.rules import Epsilon, Gamma, Pass

FILE = Path(__file__).resolve().parents[1] / "fixtures" / "attributions.npz"
LABELS = torch.tensor([0, 2])
LOW, HIGH = -1.8, 2.2
SAMPLES = 3


def make_network() -> nn.Sequential:
    """conv3x3 - ReLU - max pool - conv3x3 - ReLU - average pool - dense - ReLU - dense, with biases."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(3),
        nn.Flatten(),
        nn.Linear(6 * 2, 5),
        nn.ReLU(),
        nn.Linear(5, 3),
    )
    for module in network:
        if getattr(module, "bias", None) is not None:
            nn.init.uniform_(module.bias, -0.2, 0.3)
    return network.eval()


def channels_last(values: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(values.detach().movedim(1, -1).numpy())


def relevance(network: nn.Module, images: torch.Tensor, composite) -> torch.Tensor:
    """The relevance of each image for its class, started at the logit."""
    chosen = torch.eye(3)[LABELS]
    with Gradient(model=network, composite=composite) as attributor:
        _, result = attributor(images, lambda output: output.detach() * chosen)
    return result


def one_rule(rule: type) -> LayerMapComposite:
    """The same rule at every layer, average pools among them."""
    layers = (nn.Conv2d, nn.Linear)
    return LayerMapComposite([(nn.ReLU, Pass()), (nn.AvgPool2d, Epsilon()), (layers, rule)])


def smoothed(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """PAIR's SmoothGrad of each image, under the noise that jaxpath draws from key 0."""
    shape = images.movedim(1, -1).shape[1:]
    keys = jax.random.split(jax.random.key(0), SAMPLES)
    noise = [np.asarray(jax.random.normal(key, shape)).transpose(2, 0, 1) for key in keys]

    def call(values, call_model_args, expected_keys):
        values = torch.tensor(values, dtype=torch.float32, requires_grad=True)
        logits = network(values)[:, call_model_args["label"]]
        return {expected_keys[0]: torch.autograd.grad(logits.sum(), values)[0].numpy()}

    result = []
    for image, label in zip(images.numpy(), LABELS.tolist(), strict=True):
        draws = iter(noise)
        with mock.patch(
            "numpy.random.normal", lambda mean, deviation, shape, draws=draws: deviation * next(draws)
        ):
            mask = saliency.GradientSaliency().GetSmoothedMask(
                image, call, {"label": label}, stdev_spread=0.2, nsamples=SAMPLES, magnitude=False
            )
        result.append(torch.from_numpy(mask))
    return torch.stack(result)


def make_fixture() -> dict[str, np.ndarray]:
    network = make_network()
    images = torch.rand(2, 3, 6, 12, generator=torch.Generator().manual_seed(1)) * 3.6 - 1.6
    options = {"target": LABELS}
    cam = LayerGradCam(network, network[4]).attribute(images, relu_attributions=True, **options)
    result = {
        "images": images,
        "gradient": Saliency(network).attribute(images, abs=False, **options),
        "guided_backprop": GuidedBackprop(network).attribute(images, **options),
        "input_x_gradient": InputXGradient(network).attribute(images, **options),
        "integrated_gradients": IntegratedGradients(network).attribute(
            images, method="riemann_middle", n_steps=8, **options
        ),
        "smoothgrad": smoothed(network, images),
        "gradcam": LayerAttribution.interpolate(cam, (6, 12), interpolate_mode="bilinear"),
        "lrp_epsilon": relevance(network, images, one_rule(Epsilon())),
        "lrp_gamma": relevance(network, images, one_rule(Gamma(0.25))),
        "lrp_composite": relevance(
            network,
            images,
            EpsilonGammaBox(torch.full_like(images, LOW), torch.full_like(images, HIGH), gamma=0.25),
        ),
    }
    arrays = {name: channels_last(values) for name, values in result.items()}
    arrays["logits"] = network(images).detach().numpy()
    for name, tensor in network.state_dict().items():
        arrays[f"param.{name}"] = tensor.numpy()
    return arrays


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(FILE, **make_fixture())
