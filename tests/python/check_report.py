"""Opens reports in Chromium, at the width of a phone and of a desk, light and dark, and on paper. Prints,
as one JSON object by file: errors of the console, requests, whether anything is wider than the page, what
a reader of the accessibility tree finds, and the page's text. Screenshots go to the folder after --shots.
Usage: check_report.py [--shots FOLDER] PAGE...
"""

import json
import pathlib
import shutil
import sys

from playwright.sync_api import sync_playwright

# Everything that sticks out of the page, unless it lies in something that scrolls by itself.
WIDER = """() => {
  const wide = document.documentElement.clientWidth;
  const scrolls = e => { for (; e; e = e.parentElement)
    if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(e).overflowX)) return true; return false; };
  const out = [...document.body.querySelectorAll('*')].filter(e => {
    const box = e.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && (box.right > wide + 1 || box.left < -1)
      && !scrolls(e.parentElement) && !e.closest('.skip');
  });
  return {page: document.documentElement.scrollWidth > wide, elements: out.slice(0, 5).map(e => e.outerHTML.slice(0, 120))};
}"""

FACTS = """() => ({
  scripts: document.scripts.length,
  foreign: [...document.querySelectorAll('[src],[href]')].filter(e => !(e.getAttribute('href') || '').startsWith('#')).length,
  handlers: [...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => a.name.startsWith('on'))).length,
  images: document.querySelectorAll('img,iframe,object,embed,link').length,
  unnamed: [...document.querySelectorAll('svg')].filter(e => !e.getAttribute('aria-label')).length,
  scrollers: [...document.querySelectorAll('.scroll')].filter(e => e.tabIndex !== 0 || !e.getAttribute('aria-label')).length,
  uncaptioned: [...document.querySelectorAll('table')].filter(t => !t.caption || [...t.querySelectorAll('th')].some(h => !h.scope)).length,
  headings: [...document.querySelectorAll('h1,h2,h3,h4')].map(e => +e.tagName[1]),
  landmarks: ['header', 'main', 'footer'].map(n => document.querySelectorAll('body > ' + n).length),
  duplicates: [...document.querySelectorAll('[id]')].map(e => e.id).filter((id, i, all) => all.indexOf(id) !== i),
  sections: [...document.querySelectorAll('section')].filter(e => !document.getElementById(e.getAttribute('aria-labelledby'))).length,
  open: document.querySelectorAll('details[open]').length,
  details: document.querySelectorAll('details').length,
  findings: [...document.querySelectorAll('#findings > .finding .title')].map(e => e.textContent),
  background: getComputedStyle(document.body).backgroundColor,
  text: document.body.textContent,
})"""

# Text that stands out too little from what is behind it: WCAG 2.2, 1.4.3.
FAINT = """() => {
  const parts = c => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat([1]);
  const behind = e => {
    const layers = [];
    for (; e; e = e.parentElement) layers.unshift(parts(getComputedStyle(e).backgroundColor));
    return layers.reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
  };
  const light = c => { const [r, g, b] = c.slice(0, 3).map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, style = getComputedStyle(e), size = parseFloat(style.fontSize);
    if (!walk.currentNode.textContent.trim() || !e.getClientRects().length || e.closest('svg title')) continue;
    const below = behind(e), above = over(parts(e.closest('svg') ? style.fill : style.color), below);
    const [x, y] = [light(above), light(below)].sort((a, b) => b - a);
    const large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
    if ((x + .05) / (y + .05) < (large ? 3 : 4.5)) found.push(e.outerHTML.slice(0, 80));
  }
  return found.slice(0, 5);
}"""


# Sections and findings that a reader on paper would not see; statements may be folded.
HIDDEN = """() => [...document.querySelectorAll('section > *, .finding td .v:not(:empty)')]
  .filter(e => !e.closest('.sql') && e.getClientRects().length === 0).map(e => e.outerHTML.slice(0, 80)).slice(0, 5)"""


def open_all(page):
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")


def main():
    arguments = sys.argv[1:]
    shots = None
    if arguments[:1] == ["--shots"]:
        shots, arguments = pathlib.Path(arguments[1]), arguments[2:]
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("chromium is not installed")
    found = {}
    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        for argument in arguments:
            file = pathlib.Path(argument).resolve()
            seen = found[file.name] = {"console": [], "requests": []}
            for width, height, scheme in [(1280, 900, "light"), (1280, 900, "dark"), (375, 800, "light"), (375, 800, "dark")]:
                context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
                page = context.new_page()
                page.on("console", lambda message: seen["console"].append(message.text))
                page.on("pageerror", lambda error: seen["console"].append(str(error)))
                page.on("dialog", lambda dialog: seen["console"].append("dialog " + dialog.message))
                page.on("request", lambda request: seen["requests"].append(request.url))
                page.goto(file.as_uri())
                name = f"{width}-{scheme}"
                seen[name] = page.evaluate(FACTS)
                if shots:
                    page.screenshot(path=shots / f"{file.stem}-{name}.png", full_page=True)
                open_all(page)
                seen[name]["wider"] = page.evaluate(WIDER)
                seen[name]["faint"] = page.evaluate(FAINT)
                if width == 1280 and scheme == "light":
                    page.keyboard.press("Tab")
                    seen["first_stop"] = page.evaluate("document.activeElement.className")
                    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = false)")
                    page.emulate_media(media="print")
                    # A4 less the margins, at 96 dots an inch.
                    page.set_viewport_size({"width": 703, "height": 1000})
                    page.wait_for_timeout(50)
                    seen["paper"] = {"wider": page.evaluate(WIDER), "hidden": page.evaluate(HIDDEN)}
                    pdf = page.pdf(format="A4", print_background=True, prefer_css_page_size=True)
                    seen["pdf_bytes"] = len(pdf)
                    if shots:
                        (shots / f"{file.stem}.pdf").write_bytes(pdf)
                context.close()
        browser.close()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
