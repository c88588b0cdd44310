"""The page in a real browser: what is shown equals what Python says, and nothing leaves the machine."""

import contextlib
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import pytest
from PIL import Image

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytest.importorskip("nicegui", reason="the page needs NiceGUI: pip install '.[app]'")
sync_api = pytest.importorskip("playwright.sync_api", reason="the browser is driven by Playwright")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

WAIT = 60_000


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def server(weights, tmp_path_factory):
    """``jaxpath app`` on its own; ends without a traceback on Ctrl-C."""
    port = free_port()
    words = ["app", "--weights", str(weights), "--reference", "digits", "--port", str(port)]
    # NiceGUI behaves otherwise inside pytest.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    process = subprocess.Popen(
        [sys.executable, "-m", "jaxpath", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        cwd=tmp_path_factory.mktemp("app"),
    )
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("http://"):
            break
    assert process.poll() is None, "".join(said)
    yield process, f"http://127.0.0.1:{port}/"
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == 0 and "Traceback" not in rest, rest


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


class Watched:
    """A tab of which every message of the console and every request is kept."""

    def __init__(self, browser, url, **size):
        self.page = browser.new_page(**size)
        self.page.set_default_timeout(WAIT)
        self.messages, self.requests = [], []
        self.page.on("console", lambda message: self.messages.append((message.type, message.text)))
        self.page.on("pageerror", lambda error: self.messages.append(("error", str(error))))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(url)
        self.settle()

    def settle(self, after=0):
        """Waits until the verdict is that of a change after this one."""
        self.page.wait_for_function(
            """(after) => {
                const verdict = document.querySelector('[data-change]');
                return verdict && verdict.dataset.change > after
                    && verdict.dataset.settled === verdict.dataset.change;
            }""",
            arg=after,
        )

    @contextlib.contextmanager
    def changing(self):
        """What is done within changes what is shown; waits for its verdict."""
        before = int(self.page.locator("[data-change]").get_attribute("data-change"))
        yield
        self.settle(before)

    def figures(self):
        """The table of controls: [rows, ablations]."""
        cells = self.page.locator("table.controls tbody tr").all()
        return [[cell.inner_text() for cell in row.locator("td b").all()] for row in cells]

    def button(self, name):
        return self.page.get_by_role("button", name=name, exact=True)

    def said(self):
        return self.page.get_by_role("status").inner_text()

    def fine(self):
        wrong = [m for m in self.messages if m[0] in ("error", "warning")]
        assert not wrong, wrong
        hosts = {urlparse(url).hostname for url in self.requests if not url.startswith(("data:", "blob:"))}
        assert hosts == {"127.0.0.1"}


@pytest.fixture
def tab(server, browser):
    opened = Watched(browser, server[1])
    yield opened
    opened.fine()
    opened.page.close()


def in_words(assessment):
    """The same table from Python."""
    controls = assessment.measured.controls.values()
    names = next(iter(controls))._fields
    return [[f"{getattr(each, name).probability:.2f}" for each in controls] for name in names]


def as_png(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_reader_moves_the_slider_closes_a_site_and_asks_for_another_class(tab, studio):
    look = studio.look(studio.from_reference(0))
    assert tab.figures() == in_words(studio.assess(look, studio.cut(look, 0.2)))

    slider = tab.page.get_by_role("slider")
    handle = slider.locator("[tabindex='0']")
    handle.focus()
    with tab.changing():
        for _ in range(20):
            handle.press("ArrowRight")
    density = float(slider.get_attribute("aria-valuenow"))
    assert density == pytest.approx(0.3)
    mask = studio.cut(look, density)
    assert tab.figures() == in_words(studio.assess(look, mask))

    last = len(studio.target.sites) - 1
    tab.page.locator(f"[data-site='{last}']").click()
    with tab.changing():
        tab.button("Close the site").click()
    mask[-studio.target.sites[last].channels :] = False
    assert tab.figures() == in_words(studio.assess(look, mask))
    tab.button("Close as many random ones").click()
    tab.page.wait_for_selector("text=without as many random ones")
    with tab.changing():
        tab.button("Undo").click()
    assert tab.figures() == in_words(studio.assess(look, studio.cut(look, density)))

    tab.page.get_by_label("Class", exact=True).click()
    with tab.changing():
        tab.page.get_by_role("option", name="7", exact=True).click()
    asked = studio.look(studio.from_reference(0), label=7)
    assert tab.figures() == in_words(studio.assess(asked, studio.cut(asked, density)))


def test_a_dropped_picture_its_report_and_its_results(tab, studio, digits):
    image = digits.images[7, ..., 0]
    name = "<img src=x onerror=alert(1)>.png"
    with tab.changing():
        tab.page.set_input_files(
            "input[type=file]", [{"name": name, "mimeType": "image/png", "buffer": as_png(image)}]
        )
    look = studio.look(studio.read(as_png(image), name))
    assessment = studio.assess(look, studio.cut(look, 0.2))
    assert tab.figures() == in_words(assessment)
    with tab.page.expect_download() as download:
        tab.button("results.json").click()
    (row,) = json.loads(Path(download.value.path()).read_text())["pictures"]
    assert row["verdict"] == assessment.judgement.verdict and row["file"] == name
    for ablation, controls in assessment.measured.controls.items():
        for field, control in controls._asdict().items():
            assert row[ablation][field] == pytest.approx(control.probability, abs=1e-6)
    with tab.page.expect_download() as download:
        tab.button("Report").click()
    page = Path(download.value.path()).read_text()
    assert "&lt;img src=x" in page and "<img src=x" not in page


def test_a_link_shows_the_same_and_readers_do_not_see_each_other(tab, server, browser, studio):
    with tab.changing():
        tab.page.locator("[data-picture='5']").click()
    with tab.changing():
        tab.page.locator("[data-channel='2']").click()
    figures = tab.figures()
    other = Watched(browser, server[1] + link_of(tab))
    assert other.figures() == figures
    with other.changing():
        other.page.locator("[data-picture='9']").click()
    assert tab.figures() == figures != other.figures()
    other.fine()
    other.page.close()
    wrong = Watched(browser, server[1])
    for address in ("?picture=99999&open=<script>", "?picture=" + 5000 * "9", "?class=3&against=3"):
        wrong.page.goto(server[1] + address)
        wrong.settle()
        assert wrong.said().startswith("the address")
    wrong.fine()
    wrong.page.close()


def link_of(tab):
    return tab.page.get_by_role("link", name="This view as a link").get_attribute("href").removeprefix("/")


def test_links_of_what_was_held_turned_and_taken_show_the_same(tab, server, browser, studio):
    def opens_alike():
        other = Watched(browser, server[1] + link_of(tab))
        assert other.figures() == tab.figures()
        shown = f"text=/of {sum(site.channels for site in studio.target.sites)} channels open/"
        assert other.page.locator(shown).all_inner_texts() == tab.page.locator(shown).all_inner_texts()
        other.fine()
        other.page.close()

    with tab.changing():
        tab.button("Only this class's pathway").click()
    opens_alike()
    with tab.changing():
        tab.page.locator("[data-site='3']").click()
        tab.page.locator("[data-channel='4']").click()
    opens_alike()
    tab.page.get_by_text("Keep this pathway").click()
    with tab.changing():
        tab.page.locator("[data-picture='6']").click()
    opens_alike()
    with tab.changing():
        tab.button("Undo").click()
    opens_alike()


def test_fast_hands_change_nothing(tab, studio):
    handle = tab.page.get_by_role("slider").locator("[tabindex='0']")
    handle.focus()
    with tab.changing():
        for _ in range(60):
            handle.press("ArrowRight", no_wait_after=True)
    density = float(tab.page.get_by_role("slider").get_attribute("aria-valuenow"))
    assert density == pytest.approx(0.5)
    look = studio.look(studio.from_reference(0))
    assert tab.figures() == in_words(studio.assess(look, studio.cut(look, density)))
    with tab.changing():
        for place in (9, 2, 7, 1, 8, 4):
            tab.page.evaluate(f"document.querySelector(\"[data-picture='{place}']\").click()")
    assert tab.page.locator("[data-picture='4']").get_attribute("aria-pressed") == "true"
    look = studio.look(studio.from_reference(4))
    assert tab.figures() == in_words(studio.assess(look, studio.cut(look, density)))


def test_another_machine_and_another_page_are_refused(server):
    for headers in ({"Host": "example.org"}, {"Origin": "http://example.org"}):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(urllib.request.Request(server[1], headers=headers))
    with urllib.request.urlopen(server[1]) as answer:
        assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"


def test_a_digit_that_is_drawn(tab):
    box = tab.page.locator("#drawing").bounding_box()
    before = tab.page.locator(".app-picture img").get_attribute("src")
    tab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 20, steps=8)
    tab.page.mouse.up()
    with tab.changing():
        tab.button("Use the drawing").click()
    assert tab.page.locator(".app-picture img").get_attribute("src") != before


def test_what_a_channel_does_and_the_pathway_of_a_class(tab):
    tab.page.get_by_text("a click shows what it does").click()
    tab.page.locator("[data-channel='1']").click()
    frame = tab.page.frame_locator("iframe")
    assert re.search("Channel 1 ", frame.locator("h1").inner_text())
    tab.button("Close").click()
    with tab.changing():
        tab.button("Only this class's pathway").click()


def test_all_explainers_at_one_density(tab, studio):
    tab.button("All explainers at this density").click()
    rows = tab.page.locator("table.wide tbody tr")
    rows.first.wait_for()
    assert [row.locator("th").inner_text() for row in rows.all()] == list(studio.explainers)
    look = studio.look(studio.from_reference(0))
    alone = studio.measure(look, studio.cut(look, 0.2)).controls["zero"].alone.probability
    assert rows.first.locator("td").all_inner_texts()[:2] == ["1.00", f"{alone:.2f}"]


def hostile():
    """Fifty files that are no picture that can be read."""
    rng = np.random.default_rng(0)
    good = as_png(rng.integers(0, 255, (64, 64, 3), np.uint8))
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", b"\0" * 10**7)
    huge = bytearray(as_png(np.zeros((1, 1), np.uint8)))
    huge[16:24] = (60_000).to_bytes(4, "big") * 2
    files = [
        ("empty.png", b""),
        ("bomb.png", bomb.getvalue()),
        ("huge.png", bytes(huge)),
        ("text.png", b"hello" * 100),
        ("page.png", b"<html><script>alert(1)</script></html>"),
        ("vector.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("<script>alert(1)</script>.png", b"x"),
        ("a" * 200 + ".png", b"\xff\xd8\xff"),
        ("../../etc/passwd.png", b"GIF89a"),
        ("zeros.png", b"\0" * 5000),
    ]
    files += [(f"cut{i}.png", good[: 8 + i * len(good) // 45]) for i in range(20)]
    files += [(f"noise{i}.jpg", rng.bytes(1000)) for i in range(20)]
    return files


def test_fifty_hostile_files_are_a_sentence_each_and_the_page_lives(tab, server):
    files = hostile()
    assert len(files) == 50
    figures = tab.figures()
    for name, content in files:
        tab.page.set_input_files(
            "input[type=file]", [{"name": name, "mimeType": "image/png", "buffer": content}]
        )
        # Browsers pass on the last part of a name.
        tab.page.get_by_role("status").get_by_text(name.split("/")[-1]).wait_for()
        assert tab.said().endswith("."), name
    assert server[0].poll() is None and tab.figures() == figures
    with tab.changing():
        tab.page.locator("[data-picture='2']").click()
