"""``jaxpath channel``: what one channel of a classifier does, on a page."""

import time

from jaxpath import findings, report, runs
from jaxpath.caches import forget_unfinished, unfinished
from jaxpath.cli.closing import Given
from jaxpath.cli.commands import Channel
from jaxpath.cli.opening import (
    draw_pictures,
    fit_pictures,
    names_to_show,
    open_classifier,
    open_pictures,
    read_class_names,
)
from jaxpath.cli.workplace import Workplace, set_up
from jaxpath.files import write_text
from jaxpath.findings import Pictures, kept_survey, load_pictures, load_words
from jaxpath.findings.profiles import ChannelProfile, find_site, profile_channel
from jaxpath.metrics import Records
from jaxpath.naming import without_folders
from jaxpath.pathways import offsets
from jaxpath.runs import say
from jaxpath.runs.manifest import command_line, environment


def run(options: Channel) -> None:
    """Set-up, survey, profile, page."""
    began = time.perf_counter()
    source = open_pictures(options.data, options.classifier, split=options.split, data_dir=options.data_dir)
    net = open_classifier(options.classifier)
    target = net.target
    place = find_site(options.site, target.sites), options.channel
    words = None if options.words is None else load_words(options.words, target.sites)
    names = read_class_names(options.classifier.class_names, target.num_classes, net.class_names)
    source = fit_pictures(source, target.num_classes, names)
    names = names_to_show(names, target.num_classes, source)
    source = draw_pictures(source, min(options.images, len(source)), seed=options.method.seed)
    workplace = set_up(
        net,
        options.classifier,
        options.method,
        out=options.out,
        class_names=names,
        began=began,
        pictures=Given(source, options.data),
    )
    pictures = load_pictures(workplace.session, source, skip_unreadable=options.skip_unreadable)
    surveyed = kept_survey(
        workplace.session,
        workplace.method,
        pictures,
        identity=workplace.identity,
        folder=unfinished(options.out),
    )
    profile = profile_channel(pictures, surveyed, target.sites, place, words=words, seed=options.method.seed)
    html = report.channel_page(
        profile,
        workplace.setting(reference=f"{len(pictures.names)} pictures of {without_folders(options.data)}"),
    )
    report.write_page(html, options.out / "channel.html")
    _write_results(workplace, profile, pictures, surveyed.records)
    workplace.write_manifest(data=options.data, site=profile.site.name, channel=profile.channel)
    forget_unfinished(options.out)
    name = report.Names(workplace.class_names)
    excited = ", ".join(f"{name(share.label)} {share.response:.3g}" for share in profile.classes[:3])
    say(f"channel {profile.channel} of {profile.site.name}: excited most by {excited}")
    say(f"report: {options.out / 'channel.html'} ({workplace.seconds:.0f} s)")


def _write_results(
    workplace: Workplace, profile: ChannelProfile, pictures: Pictures, records: Records
) -> None:
    """Writes ``results.json`` and ``pictures.csv``, a row for each picture."""
    sites, name = workplace.target.sites, report.Names(workplace.class_names)
    column = offsets(sites)[sites.index(profile.site)] + profile.channel
    rows = [
        {
            "file": pictures.names[i],
            "predicted": int(records.predicted[i]),
            "predicted_name": name(int(records.predicted[i])),
            "response": float(profile.responses[i]),
            "kept": bool(records.masks[i, column]),
        }
        for i in range(len(pictures.names))
    ]
    results = {
        "schema_version": findings.SCHEMA_VERSION,
        "command": command_line(),
        "model": workplace.target.name,
        "weights_sha256": workplace.identity,
        "method": workplace.method.name,
        "channel": profile.as_row(),
        "pictures": rows,
        "seconds": round(workplace.seconds, 1),
        **environment(),
    }
    write_text(workplace.out / "results.json", runs.as_json(results))
    write_text(workplace.out / "pictures.csv", findings.as_csv(rows))
