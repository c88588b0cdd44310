"""How long a slider waits for its figures, and whether memory grows; run by hand, as timings are no tests.

jaxpath app --weights W --reference DATA --port 8080 &
python tests/app/measure_page.py http://127.0.0.1:8080/ --process PID
"""

import argparse
import shutil
import statistics
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

NEW_FIGURES = """(before) => {
    const cell = document.querySelector('[data-figures]');
    return cell && Number(cell.dataset.figures) > before;
}"""

SETTLED = """() => {
    const verdict = document.querySelector('[data-change]');
    return verdict && verdict.dataset.settled === verdict.dataset.change;
}"""


def resident(process):
    """Resident memory in MiB."""
    text = Path(f"/proc/{process}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--process", type=int)
    parser.add_argument("--moves", type=int, default=20)
    parser.add_argument("--pictures", type=int, default=200)
    options = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(300_000)
        began = time.perf_counter()
        page.goto(options.url)
        page.wait_for_function(SETTLED)
        print(f"first answer {time.perf_counter() - began:.2f} s")
        handle = page.get_by_role("slider").locator("[tabindex='0']")
        handle.focus()
        times = []
        for _ in range(options.moves):
            page.wait_for_function(SETTLED)
            before = int(page.locator("[data-figures]").get_attribute("data-figures"))
            began = time.perf_counter()
            handle.press("ArrowRight")
            page.wait_for_function(NEW_FIGURES, arg=before)
            times.append(time.perf_counter() - began)
        print(f"slider to figures: median {1000 * statistics.median(times):.0f} ms, worst {max(times):.2f} s")
        count = page.locator("[data-picture]").count()
        for number in range(options.pictures if options.process else 0):
            page.locator(f"[data-picture='{(number + 1) % count}']").click()
            page.wait_for_function(SETTLED)
            if number in (20, options.pictures - 1):
                print(f"after {number + 1} pictures: {resident(options.process):.0f} MiB")
        browser.close()


if __name__ == "__main__":
    main()
