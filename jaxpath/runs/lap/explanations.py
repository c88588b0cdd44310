"""Every way to explain a plain net and its LAP net, all of one signature."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxpath import attributions, lap
from jaxpath.runs.lap.options import ScoreOptions
from jaxpath.runs.study import Net
from jaxpath.types import Attribution, Params, Target


class Explained(NamedTuple):
    """A net and one way to explain it."""

    net: Net
    attribute: Attribution


def explanations(plain: Net, trained: Net, options: ScoreOptions) -> dict[str, Explained]:
    """Attention, all sites together and one by one, and every white-box explainer on one net or both.

    Args:
        plain: The net with ordinary pooling.
        trained: The LAP net.
        options: Names the explainers, and says whether they explain both nets.

    Returns:
        By name, such as ``"lap"``, ``"lap/lap0_layer2"`` and ``"plain/gradcam"``.
    """
    rows = {
        "lap": Explained(trained, lap.make_attention(trained.target)),
        "lap/product": Explained(trained, lap.make_attention(trained.target, combine="product")),
    }
    for site in attending_sites(trained.target):
        rows[f"lap/{site}"] = Explained(trained, site_attention(trained.target, site))
    for name in options.explainers or attributions.names():
        for title, net in (("plain", plain), ("on_lap", trained))[: 1 + options.on_lap]:
            rows[f"{title}/{name}"] = Explained(net, attributions.make_attribution(name, net.target))
    return rows


def attending_sites(target: Target) -> list[str]:
    """Names of a LAP target's modules that attend, in forward order."""
    params = jax.eval_shape(target.init, jax.random.key(0))
    images = jax.ShapeDtypeStruct((1, *target.preprocessing.shape), jnp.uint8)
    return sorted(lap.read(jax.eval_shape(target.apply, params, images)).scores)


def site_attention(target: Target, site: str) -> Attribution:
    """The attention of one site, at the size of the image."""

    def attribute(params: Params, images: Array, labels: Array, *, key: Array) -> Array:
        del key
        output = lap.read(target.apply(params, images))
        _, maps = lap.explain(output, labels, size=(images.shape[1], images.shape[2]))
        return maps[site]

    return attribute
