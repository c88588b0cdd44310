"""From options to ``results.json``, tables and figures of a comparison."""

import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import jax
from tqdm import tqdm

from jaxpath import data, metrics, report
from jaxpath.caches import forget_unfinished
from jaxpath.files import write_text
from jaxpath.fills import References
from jaxpath.metrics import Session, Watch
from jaxpath.runs.comparison.averaging import merge
from jaxpath.runs.comparison.entries import Entry, make_entries
from jaxpath.runs.comparison.images import make_image_sets, open_images, open_others, open_references
from jaxpath.runs.comparison.keeping import Scores, keep_scores
from jaxpath.runs.comparison.options import Comparison
from jaxpath.runs.comparison.refutation import refutation_table
from jaxpath.runs.comparison.scoring import Row, score
from jaxpath.runs.comparison.tables import markdown, print_curves, write_csv
from jaxpath.runs.comparison.timing import measure_times
from jaxpath.runs.nets import Net, load_net
from jaxpath.runs.results import write_results
from jaxpath.runs.run import Run, begin, say
from jaxpath.runs.study import fit_data, known_by, open_session, target_options


def run_comparison(options: Comparison) -> dict[str, Row]:
    """Opens classifier and images, scores and times all explainers, and writes everything.

    Returns:
        Explainer -> its row of ``results.json``.

    Raises:
        InputError: Data, weights or an explainer cannot be opened, or do not fit each other.
    """
    run = begin(options)
    source = open_images(options)
    return compare_explainers(open_classifier(options, source), source, options, run=run)


def open_classifier(options: Comparison, source: data.Source) -> Net:
    """The target for these images, and its parameters.

    Raises:
        InputError: The model or the weights cannot be opened, or do not fit each other.
    """
    # One of the user's own has its classes, whatever the data list.
    shape = target_options(source) if options.loading.target is None else {}
    shape["image_size"] = options.image_size
    if options.num_classes is not None:
        shape["num_classes"] = options.num_classes
    return load_net(options.model, options.weights, options=options.loading, like=source, **shape)


def compare_explainers(net: Net, source: data.Source, options: Comparison, *, run: Run) -> dict[str, Row]:
    """Scores and times the explainers of ``options`` and writes everything into the run's folder.

    Left are ``results.json``, ``curves.csv``, ``table.md``, ``curves.png`` and, if times were measured,
    ``times.png``. What is scored is kept until then, so that a comparison that was stopped goes on.

    Args:
        net: The classifier.
        source: The images to score.
        options: Which explainers, at which densities.
        run: The run.

    Returns:
        Explainer -> its row of ``results.json``: runs of one name are one row.

    Raises:
        InputError: An explainer cannot be opened, or a label is no class of the target.
    """
    target, params = net.target, net.params
    run = run.knowing(**known_by(net))
    entries = make_entries(target, params, options)
    source = fit_data(net, source, labels_needed=False)
    batch_size = metrics.fitting_batch_size(target, budget=options.memory) * jax.device_count()
    session = open_session(target, params, batch_size=batch_size)
    say(f"{len(source)} images, {batch_size} at a time, {len(entries)} explainers")
    others = open_others(options, source)
    others = others if others is source else fit_data(net, others, labels_needed=False)
    references = open_references(session, others, options)
    entries = [entry.given(references) for entry in entries]
    keep = partial(keep_scores, session, source, options, references, identity=net.identity, run=run)
    scores = _score_all(session, entries, source, options, references, keep)
    if options.timed_batches:
        times = measure_times(session, entries, source, batch_sizes=options.timed_batches)
        scores = [
            {**row, "milliseconds_per_image": by_size} for row, by_size in zip(scores, times, strict=True)
        ]
    rows = merge(zip((entry.name for entry in entries), scores, strict=True))
    print_curves(rows)
    say(refutation_table(rows))
    # Of the explainer with the most images, which is said once for all.
    warnings = max(rows.values(), key=lambda row: row["num_images"])["warnings"]
    write_results({"explainers": rows, "num_images": len(source), "warnings": warnings}, run=run)
    if jax.process_index() == 0:
        write_tables(run.out, rows)
        forget_unfinished(run.out)
    return rows


def write_tables(out: Path, rows: dict[str, Row]) -> None:
    """Writes ``curves.csv``, ``table.md``, ``curves.png``, and ``times.png`` if times were measured."""
    write_csv(out / "curves.csv", rows)
    write_text(out / "table.md", f"{markdown(rows)}\n{refutation_table(rows)}")
    figure = report.plot_curves({name: row["curve"] for name, row in rows.items()})
    report.save_figure(figure, out / "curves.png")
    timed = "milliseconds_per_image"
    times = {name: row[timed] for name, row in rows.items() if timed in row}
    if times:
        report.save_figure(report.plot_times(times), out / "times.png")


def _score_all(
    session: Session,
    entries: list[Entry],
    source: data.Source,
    options: Comparison,
    references: References | None,
    keep: Callable[[], Scores],
) -> list[Row]:
    """One row per entry, under one progress bar."""
    with tqdm(unit="batch", disable=None) as bar:
        watched = session._replace(watch=_counting(bar))
        sets = make_image_sets(watched, source, options, references=references)
        kept = keep()  # after every file has been read and found to fit
        bar.reset(total=sum(sets.num_batches(entry, len(options.densities)) for entry in entries))
        rows, batches = [], 0
        for place, entry in enumerate(entries):
            bar.set_description(entry.name)
            rows.append(kept.of(place, partial(score, entry, sets, options)))
            batches += sets.num_batches(entry, len(options.densities))
            bar.update(batches - bar.n)  # of what was kept, none was seen
            if jax.process_index() == 0:
                bar.write(f"{entry.name}: scored on {rows[-1]['num_images']} images", file=sys.stderr)
    return rows


def _counting(bar: tqdm) -> Watch:
    """Tells ``bar`` about every batch."""

    def watch(title: str, total: int, batches: Iterable[Any]) -> Iterable[Any]:
        del title, total
        for batch in batches:
            yield batch
            bar.update()

    return watch
