"""What every command on pictures leaves for programs: ``results.json`` and ``pictures.csv``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxpath import data, findings, report, runs
from jaxpath.cli.workplace import Workplace
from jaxpath.files import write_text
from jaxpath.findings import Assessment
from jaxpath.metrics import Records
from jaxpath.runs.manifest import command_line, environment


def clear(out: Path, *patterns: str) -> None:
    """Removes files that an earlier run of the command left and this one will not write."""
    for pattern in patterns:
        for path in out.glob(pattern):
            path.unlink(missing_ok=True)


def write_results(
    workplace: Workplace,
    assessments: Sequence[Assessment],
    summary: dict[str, Any],
    *,
    rows: Sequence[dict[str, Any]] = (),
    **facts: Any,
) -> dict[str, Any]:
    """Writes ``results.json`` and ``pictures.csv``, and returns the former; see docs/results.md.

    Args:
        workplace: What it was made with.
        assessments: What may be concluded about each picture.
        summary: Figures over all of them, in addition to those of :func:`jaxpath.findings.summarise`.
        rows: Rows of ``pictures.csv`` for further pictures, and for those of the assessments as well.
        **facts: Further entries.
    """
    results = results_of(workplace, assessments, summary, **facts)
    write_text(workplace.out / "results.json", runs.as_json(results))
    write_text(workplace.out / "pictures.csv", findings.as_csv(_joined(results["pictures"], rows)))
    return results


def results_of(
    workplace: Workplace, assessments: Sequence[Assessment], summary: dict[str, Any], **facts: Any
) -> dict[str, Any]:
    """What :func:`write_results` writes as ``results.json``."""
    name, question = report.Names(workplace.class_names), workplace.question
    assessed = findings.picture_rows(assessments, name)
    for row, assessment in zip(assessed, assessments, strict=True):
        row["sentence"] = report.verdict(assessment, name)
    return {
        "schema_version": findings.SCHEMA_VERSION,
        "command": command_line(),
        "model": workplace.target.name,
        "weights_sha256": workplace.identity,
        "preprocessing": runs.preprocessing_facts(workplace.target, workplace.origin),
        "method": workplace.method.name,
        "seed": workplace.method.seed,
        "ablations": list(workplace.fills),
        "mean_of": workplace.mean_of or None,
        "class": None if question.label is None else name(question.label),
        "against": None if question.against is None else name(question.against),
        **facts,
        "summary": merged(findings.summarise(assessments), summary),
        "pictures": assessed,
        "seconds": round(workplace.seconds, 1),
        **environment(),
    }


def merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Two summaries as one; figures of one ablation stand together."""
    both = {**first, **second}
    for name in first.keys() & second.keys():
        if isinstance(first[name], dict):
            both[name] = {**first[name], **second[name]}
    return both


def rows_of(workplace: Workplace, records: Records, source: data.Source) -> list[dict[str, Any]]:
    """A row for every image, with what is known of all of them."""
    name, first = report.Names(workplace.class_names), next(iter(workplace.fills))
    return [
        {
            "file": source.name(int(records.indices[i])),
            "predicted": int(records.predicted[i]),
            "predicted_name": name(int(records.predicted[i])),
            "probability": float(records.clean_confidence[i]),
            "label": int(records.labels[i]),
            "density": float(records.unit_density[i]),
            first: {"alone": float(records.masked_confidence[i])},
        }
        for i in range(len(records.labels))
    ]


def _joined(assessed: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for every picture: all that was assessed, and what is known of the others."""
    known = {row["file"]: row for row in assessed}
    others = [known.pop(row["file"], row) for row in rows]
    return [*known.values(), *others]
