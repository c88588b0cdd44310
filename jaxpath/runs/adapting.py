"""What it costs to adapt a classifier: tracing a ResNet-50, a step of a ResNet-18 beside the native one."""

import dataclasses
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxpath import compiling, targets
from jaxpath.runs.run import say
from jaxpath.start_up import Launch
from jaxpath.types import Target


class ResNet(nn.Module):
    """A ResNet of Flax's layers: 18 layers, or 50 with bottlenecks."""

    blocks: tuple[int, ...]
    bottleneck: bool

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.max_pool(nn.relu(self.layer(x, 64, 7, 2)), (3, 3), (2, 2), "SAME")
        for stage, count in enumerate(self.blocks):
            width, last = 64 * 2**stage, 4 * 64 * 2**stage if self.bottleneck else 64 * 2**stage
            for block in range(count):
                stride = 2 if stage and not block else 1
                if self.bottleneck:
                    y = nn.relu(self.layer(nn.relu(self.layer(x, width, 1)), width, 3, stride))
                else:
                    y = nn.relu(self.layer(x, width, 3, stride))
                y = self.layer(y, last, 1 if self.bottleneck else 3)
                x = nn.relu(y + (x if x.shape == y.shape else self.layer(x, last, 1, stride)))
        return nn.Dense(1000)(x.mean((1, 2)))

    def layer(self, x: jax.Array, channels: int, side: int, stride: int = 1) -> jax.Array:
        """Convolution and BatchNorm."""
        pads = ((side // 2, side // 2),) * 2
        x = nn.Conv(channels, (side, side), stride, padding=pads, use_bias=False)(x)
        return nn.BatchNorm(use_running_average=True)(x)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adapting(Launch):
    """What is timed, in turns; figures are medians.

    Attributes:
        image_size: Side of the images of a step.
        batch_size: Images of a step.
        rounds: Turns of each.
    """

    image_size: int = 64
    batch_size: int = 4
    rounds: int = 5


def measure_adapting(options: Adapting) -> dict[str, float]:
    """Both ratios: ``tracing``, of adapting a ResNet-50 to tracing it, and ``step``, of an adapted ResNet-18.

    A step is a gated forward and its gradient with respect to the gates. On a CPU, seconds are those of the
    process, which others that run beside it change little.
    """
    seconds = _time(_tracings(), options.rounds, time.process_time) | _time(
        _steps(options), options.rounds, time.process_time if compiling.for_cpu() else time.perf_counter
    )
    for name, value in seconds.items():
        say(f"{name}: {value:.3f} s")
    tracing, step = seconds["adapt"] / seconds["trace"], seconds["adapted step"] / seconds["native step"]
    say(f"adapting a ResNet-50 takes {tracing:.2f} times tracing it, an adapted ResNet-18's step {step:.2f}")
    return {"tracing": tracing, "step": step}


def _time(calls: dict[str, Callable[[], Any]], rounds: int, clock: Callable[[], float]) -> dict[str, float]:
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            began = clock()
            jax.block_until_ready(call())
            if turn:  # the first one compiles
                spent[name].append(clock() - began)
    return {name: statistics.median(values) for name, values in spent.items()}


def _tracings() -> dict[str, Callable[[], Any]]:
    module, preprocessing = ResNet((3, 4, 6, 3), bottleneck=True), targets.make_preprocessing()
    images = jax.ShapeDtypeStruct((2, *preprocessing.shape), jnp.float32)

    def trace() -> None:
        jax.clear_caches()
        shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), jnp.zeros(images.shape)))
        jax.make_jaxpr(lambda p, x: module.apply(p, x))(shapes, images)

    def adapt() -> None:
        jax.clear_caches()
        targets.adapt_linen(module, name="resnet50", preprocessing=preprocessing)

    return {"trace": trace, "adapt": adapt}


def _steps(options: Adapting) -> dict[str, Callable[[], Any]]:
    module = ResNet((2, 2, 2, 2), bottleneck=False)
    native = targets.resnet18(image_size=options.image_size)
    adapted = targets.adapt_linen(module, name="resnet18", preprocessing=native.preprocessing)
    return {"native step": _step(native, options), "adapted step": _step(adapted, options)}


def _step(target: Target, options: Adapting) -> Callable[[], Any]:
    params = jax.jit(target.init)(jax.random.key(0))
    shape = (options.batch_size, *target.preprocessing.shape)
    images = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    gates = {site.name: jnp.ones((options.batch_size, site.channels)) for site in target.sites}

    def loss(gates: Any, params: Any, images: Any) -> jax.Array:
        return jax.nn.log_softmax(target.apply(params, images, gates).logits)[:, 0].sum()

    return partial(compiling.jit(jax.grad(loss)), gates, params, images)
