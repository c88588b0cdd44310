"""Pages about the channels that a report shows, over the pictures of its reference."""

from collections.abc import Sequence
from pathlib import Path

from jaxpath import report
from jaxpath.cli.leaving import clear
from jaxpath.findings import ImageFinding, Reference, Words
from jaxpath.findings.profiles import profile_channel
from jaxpath.types import Site


def write_channel_pages(
    out: Path,
    shown: Sequence[ImageFinding],
    setting: report.Setting,
    reference: Reference | None,
    words: Words | None,
    *,
    seed: int,
) -> dict[tuple[str, int], str]:
    """Writes a page for each of the strongest channels of the pictures that are shown.

    Args:
        out: The folder of the report.
        shown: The pictures.
        setting: That of the report.
        reference: The pictures that the pages are about; None: no page is written.
        words: What channels stand for.
        seed: Of random samples.

    Returns:
        Name of the site and number of the channel -> its file, as seen from the report.
    """
    clear(out, "channels/[0-9]*-*.html")
    if reference is None:
        return {}
    sites: Sequence[Site] = setting.sites
    channels = {(c.site.name, c.channel): c.site for finding in shown for c in finding.channels}
    files = {
        (name, channel): report.channel_file(sites, site, channel)
        for (name, channel), site in channels.items()
    }
    from_a_page = {key: f"../{file}" for key, file in files.items()}
    positions = {site.name: position for position, site in enumerate(sites)}
    for (name, channel), file in files.items():
        profile = profile_channel(
            reference.pictures, reference.survey, sites, (positions[name], channel), words=words, seed=seed
        )
        page = report.channel_page(profile, setting, back="../report.html", pages=from_a_page)
        report.write_page(page, out / file)
    return files
