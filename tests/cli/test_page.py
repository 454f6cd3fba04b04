"""test_page.py PROGRAM: the attention page in headless Chromium: what it shows, keys, pointing, hostile
tokens. Exits 77 without a browser. Standard library only.

The page itself holds nothing for tests: each step is a copy of it with a few lines of script at the end,
and what the browser then has as its document is compared.
"""

import html
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PROGRAM = sys.argv[1]
MODEL = pathlib.Path(__file__).resolve().parent.parent.parent / "weights" / "default"
HOSTILE = "</script><img src=x onerror=document.title='broken'> <!-- &amp; \u202e\u4e2d\U0001f600\t\n\"'\\"
failures = 0


def check(found, expected, what):
    global failures
    if found != expected:
        failures += 1
        print(f"FAIL {what}: found {found!r}, expected {expected!r}")


def program(*args):
    done = subprocess.run([PROGRAM, *map(str, args), "--model", str(MODEL)], stdout=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"gpt2c {args} exits {done.returncode}")
    return done.stdout


def browse(browser, page, script="", fragment=""):
    """The document after the page and the script ran, as text."""
    copy = page.with_name("copy.html")
    copy.write_bytes(page.read_bytes().replace(b"</body>", f"<script>{script}</script></body>".encode()))
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000"]
    command += [f"--user-data-dir={page.parent}/profile", "--dump-dom", f"{copy.as_uri()}{fragment}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
    return done.stdout.decode()


def element(document, name):
    """The text of the element with this id."""
    found = re.search(rf'id="{name}"[^>]*>(.*?)</(div|h1|p)>', document, re.S)
    return html.unescape(re.sub(r"<[^>]*>", "", found.group(1))) if found else None


def main():
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not browser:
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        page = pathlib.Path(folder) / "map.html"
        program("attn", "-o", page)
        text = page.read_text()
        check(re.findall(r'(?:src|href)\s*=|@import|url\(|https?://', text), [], "links out of the page")
        data = pathlib.Path(folder) / "maps.json"
        program("attn", "--layer", "3", "--head", "4", "-o", data)
        numbers = json.loads(data.read_text())

        document = browse(browser, page, fragment="#layer=3&head=4&q=6&k=2")
        check(element(document, "title"), "GPT-2 Attention Map (Layer 3, Head 4)", "title of a link")
        value = f"{numbers['attention'][6][2]:.4f}"
        check(element(document, "readout"), f"6 \u2423it looks at 2 \u2423chased: {value}", "value of a cell")

        press = "".join(
            f"document.dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}', bubbles: true}}));"
            for key in ("ArrowRight", "ArrowDown", "ArrowDown", "ArrowLeft", "ArrowLeft")
        )
        document = browse(browser, page, press)
        check(element(document, "title"), "GPT-2 Attention Map (Layer 1, Head 11)", "title after keys")

        point = (
            "const c = document.getElementById('map'), r = c.getBoundingClientRect();"
            "c.dispatchEvent(new MouseEvent('mousemove', {clientX: r.left + box.x + 0.5 * box.cell,"
            " clientY: r.top + box.y + 4.5 * box.cell}));"
        )
        document = browse(browser, page, point, "#layer=3&head=4")
        value = f"{numbers['attention'][4][0]:.4f}"
        check(element(document, "readout"), f"4 \u2423ball looks at 0 The: {value}", "value under the pointer")

        pick = (
            "const s = document.getElementById('layer'); s.selectedIndex = 7;"
            "s.dispatchEvent(new Event('change'));"
        )
        document = browse(browser, page, pick)
        check(element(document, "title"), "GPT-2 Attention Map (Layer 7, Head 0)", "title after the picker")

        program("attn", "--layer", "0", "--prompt", HOSTILE, "--title", HOSTILE, "-o", page)
        document = browse(browser, page)
        check(element(document, "title"), HOSTILE, "hostile title")
        check("<img" in re.sub(r"<script.*?</script>", "", document, flags=re.S), False, "element from a token")
        check("<title>broken" in document, False, "script from a token")

        program("attn", "--agg", "rollout", "-o", page)
        document = browse(browser, page, fragment="#q=0&k=0")
        check(element(document, "title"), "GPT-2 Attention Rollout (Layers 0\u201311, Heads 0\u201311)", "title of one map")
        check(element(document, "readout"), "0 The looks at 0 The: 1.0000", "one map")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
