"""Layer-wise relevance propagation of any target (Bach et al. 2015; Montavon et al. 2019).

Relevance starts as the logit and is handed back from layer to layer in proportion to what each input
contributes. Layers are the affine blocks of :mod:`jaxpath.attributions.tape`: BatchNorm is part of its
convolution, and a residual sum shares out by the size of its branches. Activations pass relevance on, maxima
give it to the winner, the factors of a product get half each, and what biases contribute is kept by them.
What stops relevance otherwise is said.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxpath.attributions.scores import Reduce, as_pixels, total
from jaxpath.attributions.tape import Block, Fixed, Node, Tape
from jaxpath.targets.activation_detection import ACTIVATIONS
from jaxpath.targets.linen import normalize
from jaxpath.types import Attribution, InputError, Params, Target

_EPSILON = 1e-6

_LITTLE = 0.01
"""Share of the logit that may be lost unsaid."""

Rule = Callable[[Block, Array], list[Array]]
"""``(block, relevance of its result) -> relevance of each of its leaves``."""


def epsilon_rule(block: Block, relevance: Array, *, epsilon: float = _EPSILON) -> list[Array]:
    """R_i = a_i sum_j w_ij R_j / (z_j + epsilon sign z_j) (Bach et al. 2015, equation 58)."""
    values = block.values()
    result, pull = jax.vjp(block.plain, values)
    (shares,) = pull((relevance / stabilised(result, epsilon)).astype(result.dtype))
    return [a * share for a, share in zip(values, shares, strict=True)]


def gamma_rule(block: Block, relevance: Array, *, gamma: float = 0.25) -> list[Array]:
    """The epsilon rule with what speaks for a result counted 1 + gamma times (Montavon et al. 2019).

    For a result z_j > 0 these are the products w_ij a_i above 0, for one below 0 those below 0, so that
    inputs and results of either sign are served. Gamma 0 is the epsilon rule.
    """
    values = block.values()
    (up, down), pull = jax.vjp(block.signed, values)
    result = block.node.value
    bias = result - up - down
    for_it = jnp.where(result > 0, up + jnp.maximum(bias, 0), down + jnp.minimum(bias, 0))
    share = relevance / stabilised(result + gamma * for_it, _EPSILON)
    weighed = (share * (1 + gamma * (result > 0)), share * (1 + gamma * (result < 0)))
    (shares,) = pull(tuple(part.astype(result.dtype) for part in weighed))
    return [a * share for a, share in zip(values, shares, strict=True)]


def box_rule(low: Array, high: Array) -> Rule:
    """The rule for pixels between ``low`` and ``high`` [C] (z^B, Montavon et al. 2017, arXiv 1512.02479).

    R_i = sum_j (x_i w_ij - l_i w_ij^+ - h_i w_ij^-) R_j / sum_i (the same).

    Other values that the same block reads, as the residual sums of a transformer do, have no bounds: for them
    l and h are 0, which is the epsilon rule.
    """

    def rule(block: Block, relevance: Array) -> list[Array]:
        values = block.values()
        lows, highs = (
            [
                jnp.broadcast_to(bound, leaf.value.shape)
                if leaf.kind == "input"
                else jnp.zeros_like(leaf.value)
                for leaf in block.leaves
            ]
            for bound in (low, high)
        )

        def linear(leaves: list[Array]) -> Array:
            return sum(block.signed(leaves))  # type: ignore[return-value]

        def below(leaves: list[Array]) -> Array:
            return block.signed(leaves)[1]

        # A bound below 0 makes products below 0 with positive weights, one above 0 with negative ones.
        parts = [(linear, values, 1), (below, lows, -1), (below, highs, -1)]
        results, pulls, signs = zip(*((*jax.vjp(f, at), sign) for f, at, sign in parts), strict=True)
        denominator = sum(sign * result for sign, result in zip(signs, results, strict=True))
        share = (relevance / stabilised(denominator, _EPSILON)).astype(block.node.value.dtype)
        relevances = [jnp.zeros_like(a) for a in values]
        for (_, at, sign), pull in zip(parts, pulls, strict=True):
            (back,) = pull(share)
            relevances = [r + sign * a * b for r, a, b in zip(relevances, at, back, strict=True)]
        return relevances

    return rule


class Rules(NamedTuple):
    """Which rule serves which block.

    Attributes:
        pixels: Blocks that read the image.
        maps: Other blocks whose result is a map [B, H, W, C].
        dense: All others.
    """

    pixels: Rule
    maps: Rule
    dense: Rule


EPSILON = Rules(epsilon_rule, epsilon_rule, epsilon_rule)
GAMMA = Rules(gamma_rule, gamma_rule, gamma_rule)


def composite_rules(target: Target) -> Rules:
    """Box at the pixels, gamma 0.25 at maps, epsilon at dense layers (Montavon et al. 2019, section 10.3)."""
    channels = len(target.preprocessing.mean)
    bounds = (jnp.full((1, 1, 1, channels), value, jnp.uint8) for value in (0, 255))
    low, high = (normalize(bound, target.preprocessing) for bound in bounds)
    return Rules(box_rule(low, high), gamma_rule, epsilon_rule)


def make_lrp(target: Target, *, rules: Rules | None = None, reduce: Reduce = total) -> Attribution:
    """Relevance of the pixels for y_c; without biases it sums up to y_c over the image.

    Args:
        target: The classifier, of any kind; see :mod:`jaxpath.attributions.tape`.
        rules: By default :func:`composite_rules`; :data:`EPSILON` and :data:`GAMMA` are one rule throughout.
        reduce: By default the sum over colours.
    """
    by_block = composite_rules(target) if rules is None else rules

    def attribute(params: Params, images: Array, labels: Array, *, key: Array) -> Array:
        del key
        relevances = _explain(target, params, images, labels, by_block)
        _warn_of_stops(target, relevances)
        return reduce(relevances.pixels)

    return attribute


class _Relevances(NamedTuple):
    """Of the pixels [B, H, W, C], of the logits [B], and by each operation that stopped it [B]."""

    pixels: Array
    logits: Array
    stopped: dict[str, Array]


def stopped_relevance(
    target: Target, params: Params, images: Array, labels: Array, *, rules: Rules | None = None
) -> dict[str, Array]:
    """How much relevance does not reach the pixels, because an operation is no layer and no activation.

    Args:
        target: The classifier.
        params: Its parameters.
        images: [B, H, W, C].
        labels: [B].
        rules: See :func:`make_lrp`.

    Returns:
        Operation and where it is -> relevance that ends there, [B]; empty if all goes back to the pixels or
        to biases.
    """
    by_block = composite_rules(target) if rules is None else rules
    return _explain(target, params, images, labels, by_block).stopped


def _explain(target: Target, params: Params, images: Array, labels: Array, rules: Rules) -> _Relevances:
    pixels = as_pixels(target, images)
    tape = Tape(ACTIVATIONS if target.activations is None else target.activations)
    image, logits = tape.trace(lambda x: target.apply(params, x).logits, pixels)
    if not isinstance(logits, Node):
        stop = f": it ends at {logits.operation}" if isinstance(logits, Fixed) else ""
        raise InputError(
            f"the logits of {target.name} do not follow from its images by layers and activations, and "
            f"relevance cannot be handed back{stop}; take an attribution by gradients"
        )
    start = jax.nn.one_hot(labels, logits.value.shape[-1]) * logits.value
    relevances = propagate(tape.nodes, {id(logits): start}, rules)
    stopped: dict[str, Array] = {}
    for node in tape.nodes:
        if node.kind == "stop" and id(node) in relevances:
            relevance = relevances[id(node)]
            # A part that is the same for all images has no axis of its own for them.
            of_images = jnp.broadcast_to(relevance, (len(pixels), *relevance.shape[1:])).reshape(
                len(pixels), -1
            )
            stopped[node.primitive] = stopped.get(node.primitive, 0) + of_images.sum(axis=1)
    found = relevances.get(id(image), jnp.zeros_like(pixels))
    return _Relevances(found, start.sum(axis=-1), stopped)


def _warn_of_stops(target: Target, relevances: _Relevances) -> None:
    """Says where relevance is lost and, where the values are known, how much."""
    stopped = relevances.stopped
    if isinstance(relevances.logits, jax.core.Tracer):
        shares = dict.fromkeys(stopped, "")
    else:
        whole = jnp.abs(relevances.logits).mean()
        lost = {name: float(jnp.abs(value).mean() / whole) for name, value in stopped.items()}
        shares = {name: f" ({share:.0%} of the logit)" for name, share in lost.items() if share >= _LITTLE}
    if shares:
        named = ", ".join(f"{name}{share}" for name, share in shares.items())
        warnings.warn(
            f"relevance of {target.name} is lost at {named}: no rule leads through it; "
            "attributions.stopped_relevance says how much for each image, and gradients need no rules",
            stacklevel=3,
        )


def propagate(order: list[Node], start: Mapping[int, Array], rules: Rules) -> dict[int, Array]:
    """Hands relevance back through a tape.

    Args:
        order: The nodes of a tape, in its order.
        start: id of a node -> its relevance.
        rules: Of the blocks.

    Returns:
        id of each node that was reached -> its relevance.
    """
    relevances: dict[int, Any] = dict(start)
    for node in reversed(order):
        if id(node) not in relevances or node.kind in ("input", "stop"):
            continue
        for parent, share in _share_out(node, relevances[id(node)], order, rules):
            known = relevances.get(id(parent))
            relevances[id(parent)] = share if known is None else known + share
    return relevances


def stabilised(value: Array, epsilon: float) -> Array:
    """A denominator that is kept away from 0, on its own side."""
    return value + jnp.where(value >= 0, epsilon, -epsilon)


def _share_out(node: Node, relevance: Array, order: list[Node], rules: Rules) -> list[tuple[Node, Array]]:
    if node.kind == "affine":
        block = Block(node, order)
        rule = rules.maps if node.value.ndim > 2 else rules.dense
        if any(leaf.kind == "input" for leaf in block.leaves):
            rule = rules.pixels
        shares = list(zip(block.leaves, rule(block, relevance), strict=True))
        return shares + list(zip(block.stops, _to_stops(block, relevance), strict=True))
    if node.kind == "activation":
        parents = [p for p in node.parents if isinstance(p, Node)]
        return [(parents[0], relevance)]
    values = [p.value if isinstance(p, Node) else jnp.asarray(p) for p in node.parents]
    if node.kind == "product":
        return _halve(node, values, relevance)
    _, pull = jax.vjp(node.run, *values)
    backs = pull(relevance.astype(node.value.dtype))
    return [(p, b) for p, b in zip(node.parents, backs, strict=True) if isinstance(p, Node)]


def _to_stops(block: Block, relevance: Array) -> list[Array]:
    """What the values that are held fixed take of a block's relevance, by the epsilon rule."""
    if not block.stops:
        return []
    values = [stop.value for stop in block.stops]
    result, pull = jax.vjp(lambda stops: block.with_stops(block.values(), stops), values)
    (shares,) = pull((relevance / stabilised(result, _EPSILON)).astype(result.dtype))
    return [value * share for value, share in zip(values, shares, strict=True)]


def _halve(node: Node, values: list[Array], relevance: Array) -> list[tuple[Node, Array]]:
    """Half of a product's relevance for each factor, by the epsilon rule (Achtibat et al. 2024, AttnLRP)."""
    result, pull = jax.vjp(node.run, *values)
    backs = pull((relevance / stabilised(result, _EPSILON) / 2).astype(result.dtype))
    return [(p, v * b) for p, v, b in zip(node.parents, values, backs, strict=True)]
