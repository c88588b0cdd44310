"""Every pathway is put to the test on other pictures than its own, in one pass over a data set."""

import functools
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh

from jaxpath.blanks import as_floats, blank_pictures
from jaxpath.devices import collect, make_eval_step, replicate
from jaxpath.finite import flags
from jaxpath.metrics.faithfulness import probability
from jaxpath.metrics.leakage import foreign_partners, kin_partners
from jaxpath.metrics.passes import name_of
from jaxpath.metrics.records import Records
from jaxpath.metrics.session import Passes, Session
from jaxpath.metrics.under_masks import gates_of
from jaxpath.types import Batch, EvalStep, HostBatch, Target

REGION = "region"
"""Entry of a batch that says where the object is, 0/1 [b, H, W]."""


class Trials(NamedTuple):
    """What became of each image's pathway; [N_images] unless stated otherwise.

    Attributes:
        own_predicted: int, the class of each image under its own pathway.
        own_confidence: The probability of its class then.
        foreign_partners: int, the row whose pathway each image gets: one of another class, its own if there
            is none.
        foreign_predicted: int, the class that is predicted then.
        kin_partners: int, the row of another image of the class; an image's own if there is none.
        kin_predicted: int, the class that each image is predicted as under that one's pathway.
        blank_predicted: int [N_images, 4], under its pathway the class of each kind of blank picture, see
            :func:`jaxpath.blanks.blank_pictures`.
        connected: bool, whether any pixel of the image moves the logit of its class under its pathway, by
            the gradient.
        object_share: How much more the object moves the logit of the class than the background does: |change|
            by painting the object in the mean colour, divided by the sum of that and of |change| by painting
            all else; NaN where no object is marked, or everything, or neither changes it. None if the data
            set marks no objects.
    """

    own_predicted: np.ndarray
    own_confidence: np.ndarray
    foreign_partners: np.ndarray
    foreign_predicted: np.ndarray
    kin_partners: np.ndarray
    kin_predicted: np.ndarray
    blank_predicted: np.ndarray
    connected: np.ndarray
    object_share: np.ndarray | None


def put_to_trial(session: Session, records: Records, passes: Passes, *, seed: int = 0) -> Trials:
    """Runs a data set once more, each image under three pathways, and each pathway on blank pictures.

    What closed neurons hold is the session's fill, whatever ``records`` were made with.

    Args:
        session: The classifier.
        records: The explained images.
        passes: Their data set; its batches may say where the object is, ``region`` [b, H, W].
        seed: Of the choice of images and of the blank pictures.
    """
    predicted = records.predicted
    kin = kin_partners(predicted, seed=seed)
    several = len(np.unique(predicted)) > 1
    foreign = foreign_partners(predicted, seed=seed) if several else np.arange(len(predicted))
    # One more row for padding and for what could not be read: nobody looks at it.
    place = np.zeros(records.indices.max() + 2, np.int64)
    place[records.indices] = np.arange(len(predicted))

    def with_masks() -> Iterable[HostBatch]:
        for batch in passes():
            rows = place[batch["index"]]
            yield {
                **batch,
                "mask": records.table[rows],
                "foreign_mask": records.table[foreign[rows]],
                "kin_mask": records.table[kin[rows]],
                "class": predicted[rows],
                "foreign_class": predicted[foreign[rows]],
            }

    step = _trial_step(session.target, session.mesh, seed)
    frozen = replicate((session.params, session.fill), session.mesh)
    results = collect(
        step,
        with_masks(),
        {},
        frozen,
        mesh=session.mesh,
        undefined=("object_share",),
        name=name_of(passes),
    )
    foreign_predicted, kin_predicted, *blank = results["predicted"].T
    return Trials(
        own_predicted=results["own_predicted"],
        own_confidence=results["own_confidence"],
        foreign_partners=foreign,
        foreign_predicted=foreign_predicted,
        kin_partners=kin,
        kin_predicted=kin_predicted,
        blank_predicted=np.stack(blank, axis=1),
        connected=results["connected"],
        object_share=results.get("object_share"),
    )


@functools.lru_cache(maxsize=4)
def _trial_step(target: Target, mesh: Mesh, seed: int) -> EvalStep:
    """The compiled step of :func:`put_to_trial`: one forward pass after another, so that memory holds one."""

    def evaluate(_: Any, frozen: Any, batch: Batch) -> dict[str, Array]:
        params, fill = frozen
        pixels, classes = as_floats(batch["image"], target.preprocessing), batch["class"]
        own = batch["mask"]
        blanks = blank_pictures(pixels, batch["index"], target.preprocessing, seed=seed)

        def logits_of(pictures: Array, masks: Array, owners: Array) -> Array:
            gates = fill.close(gates_of(masks, target), owners, batch["index"])
            return target.apply(params, pictures, gates).logits

        def run(case: tuple[Array, Array, Array]) -> tuple[Array, dict[str, Array]]:
            logits = logits_of(*case)
            return logits.argmax(axis=-1), flags(logits_under_the_mask=logits)

        pictures = jnp.concatenate([pixels[None], pixels[None], blanks])
        masks = jnp.stack([batch["foreign_mask"], batch["kin_mask"], *[own] * len(blanks)])
        owners = jnp.stack([batch["foreign_class"], classes, *[classes] * len(blanks)])
        predicted, finite = lax.map(run, (pictures, masks, owners))

        def of_class(logits: Array) -> Array:
            return jnp.take_along_axis(logits, classes[:, None], axis=1)[:, 0]

        def score(pictures: Array) -> tuple[Array, Array]:
            logits = logits_of(pictures, own, classes)
            return of_class(logits).sum(), logits

        gradient, logits = jax.grad(score, has_aux=True)(pixels)
        results = {
            "own_predicted": logits.argmax(axis=-1),
            "own_confidence": probability(logits, classes),
            "predicted": predicted.T,
            "connected": jnp.abs(gradient).max(axis=(1, 2, 3)) > 0,
            **{name: flag.all(axis=0) for name, flag in finite.items()},
            **flags(gradients=gradient),
        }
        if REGION in batch:
            region = (batch[REGION] > 0)[..., None]

            def change(shown: Array) -> Array:
                changed = logits_of(jnp.where(shown, pixels, 0), own, classes)
                return jnp.abs(of_class(changed) - of_class(logits))

            hidden, rest = lax.map(change, jnp.stack([~region, region]))
            marked = region.any(axis=(1, 2, 3)) & ~region.all(axis=(1, 2, 3))
            known = marked & (hidden + rest > 0)
            share = hidden / jnp.where(known, hidden + rest, 1)
            results["object_share"] = jnp.where(known, share, jnp.nan)
        return results

    return make_eval_step(evaluate, mesh)
