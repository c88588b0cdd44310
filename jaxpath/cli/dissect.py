"""``jaxpath dissect``: what the channels of a classifier stand for, in words."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import numpy as np

from jaxpath import data, discover, report
from jaxpath.cli.commands import Dissect
from jaxpath.cli.opening import (
    fit_pictures,
    names_to_show,
    open_classifier,
    open_pictures,
    read_class_names,
)
from jaxpath.cli.workplace import make_session, warn_of_chance
from jaxpath.files import write_arrays
from jaxpath.metrics import Session, source_passes
from jaxpath.runs import preprocessing_facts, say
from jaxpath.runs.manifest import write_manifest
from jaxpath.types import InputError


def run(options: Dissect) -> None:
    """Set-up, activations, embeddings, names."""
    began = time.perf_counter()
    key = jax.random.key(options.seed)
    similarity = discover.bind(options.similarity, key=key, top_k=options.top_k, a=options.a)
    whole = open_pictures(options.data, options.classifier, split=options.split, data_dir=options.data_dir)
    net = open_classifier(options.classifier)
    target = net.target
    class_names: tuple[str, ...] = ()
    if options.concepts is None and options.embeddings is None:
        class_names = read_class_names(options.classifier.class_names, target.num_classes, net.class_names)
        whole = fit_pictures(whole, target.num_classes, class_names, labels_needed=True)
        class_names = names_to_show(class_names, target.num_classes, whole)
    source = data.draw(whole, len(whole) if options.images is None else options.images, seed=options.seed)
    if options.sampled and target.sample_apply is None:
        raise InputError(f"--sampled was given, but the units of {target.name} do not compete; leave it out")
    embeddings = _load_embeddings(options, len(whole))
    session = make_session(target, net.params, options.batch_size)
    activity = _record(options, session, source)
    if embeddings is None:
        embeddings = _find_embeddings(options, source, activity, class_names)
    else:
        embeddings = embeddings._replace(images=embeddings.images[source.indices])
    names = discover.dissect(
        activity,
        embeddings,
        similarity=similarity,
        winners_only=options.winners_only,
        permutations=options.permutations,
        seed=options.seed,
    )
    predicted = activity.channels[discover.OUTPUTS].argmax(axis=1)
    warnings = warn_of_chance(target, source, predicted, activity.labels)
    discover.save_words(names, options.out / "words.json", left_out=embeddings.left_out)
    _save(names, embeddings.concepts, options.out / "dissection.npz")
    classifier = options.classifier
    write_manifest(
        options.out,
        weights={
            "path": classifier.weights or f"--target {classifier.loading.target}",
            "sha256": net.identity,
        },
        model=target.name,
        preprocessing=preprocessing_facts(target, net.origin),
        data=options.data,
        split=options.split,
        images=len(activity.indices),
        left_out_files=[row._asdict() for row in source.left_out],
        concepts=len(embeddings.concepts),
        left_out_classes=list(embeddings.left_out),
        warnings=warnings,
        similarity=options.similarity,
        permutations=options.permutations,
        seed=options.seed,
        seconds=round(time.perf_counter() - began, 1),
    )
    _tell(names, embeddings.left_out)
    say(f"words: {options.out / 'words.json'} ({time.perf_counter() - began:.0f} s)")


def _record(options: Dissect, session: Session, source: data.Source) -> discover.Activity:
    """The activations of all channels."""
    reading = data.Reading(skip_unreadable=options.skip_unreadable)
    return discover.record_activity(
        session,
        source_passes(session, source, title="activations", reading=reading),
        sites=options.sites or None,
        reduce=options.reduce,
        key=jax.random.key(options.seed) if options.sampled else None,
    )


def _load_embeddings(options: Dissect, count: int) -> discover.Embeddings | None:
    if options.embeddings is None:
        return None
    embeddings = discover.load_embeddings(options.embeddings)
    if len(embeddings.images) != count:
        raise InputError(
            f"{options.embeddings} has embeddings of {len(embeddings.images)} images and {options.data} "
            f"has {count}; expected one for each, in the order of the data"
        )
    return embeddings


def _find_embeddings(
    options: Dissect, source: data.Source, activity: discover.Activity, names: tuple[str, ...]
) -> discover.Embeddings:
    """By an encoder, or by the classes of the pictures."""
    if options.concepts is not None:
        concepts = discover.read_concepts(options.concepts)
        encoder = discover.load_encoder(options.encoder)
        say(f"embeddings of {len(source)} pictures and {len(concepts)} concepts by {options.encoder}")
        return discover.embed(encoder, source, concepts, skip_unreadable=options.skip_unreadable)
    if not names:
        raise InputError(
            "the classes have no names to name channels after; give --class-names, --concepts or --embeddings"
        )
    return discover.label_embeddings(activity.labels_by_place(len(source)), names)


def _save(names: Mapping[str, discover.UnitNames], concepts: tuple[str, ...], path: Path) -> None:
    """Scores and concepts of every unit, also of those without a name."""
    arrays = {
        f"{site}.{field}": getattr(units, field)
        for site, units in names.items()
        for field in ("index", "score", "valid", "others", "other_scores", "chance")
        if getattr(units, field) is not None
    }
    write_arrays(path, {"concepts": np.array(concepts, np.str_), **arrays})


def _tell(names: Mapping[str, discover.UnitNames], left_out: Sequence[str]) -> None:
    if left_out:
        say(report.left_out_sentence(left_out))
    for site, units in names.items():
        kept = units.valid & ~units.by_chance
        words = (word for word, keep in zip(units.words, kept, strict=True) if keep)
        said = ", ".join(f"{word} ({count})" for word, count in Counter(words).most_common(5))
        tied = f", {units.num_tied} would fit several equally well" if units.num_tied else ""
        chance = int(units.by_chance.sum())
        named = f"{int(kept.sum())} of {len(kept)} have a name"
        others = f", {chance} one that chance gives as well" if chance else ""
        say(f"{site}: {named}{others}{tied}: {said or 'none'}")
