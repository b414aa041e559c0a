"""check_report.py PAGE.html [RESULTS.json]: the page of `unseen report` is whole and says what it
should. RESULTS.json is what `unseen eval MODEL... --json` wrote of the same models: every accuracy
in the tables of models and of classes must be that. Standard library only."""
import base64
import hashlib
import json
import re
import sys
from html.parser import HTMLParser

VOID = {"meta", "br", "wbr", "img", "path", "circle", "line", "rect"}


class Page(HTMLParser):
    """Elements in order: (tag, attributes, text within)."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {[e[0] for e in self.open]}"

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), f"an attribute twice: {tag} {names}"
        handlers = [name for name in names if name.startswith("on")]
        assert not handlers, f"a handler in markup: {tag} {handlers}"
        element = [tag, dict(attributes), "", [e[0] for e in self.open]]
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1][0] == tag, f"</{tag}> in {[e[0] for e in self.open]}"
        self.open.pop()

    def handle_data(self, data):
        for element in self.open:
            element[2] += data

    def of(self, tag):
        return [e for e in self.elements if e[0] == tag]


def tables(page):
    """[(attributes, caption, rows of cell texts)]"""
    out = []
    for tag, attributes, text, _ in page.elements:
        if tag == "table":
            out.append([attributes, None, []])
        elif tag == "caption":
            out[-1][1] = text.strip()
        elif tag == "tr":
            out[-1][2].append([])
        elif tag in ("th", "td"):
            out[-1][2][-1].append(" ".join(text.split()))
    return out


def percent(value):
    return "–" if value is None else f"{100 * value:.1f}"


def same_number(cell, value, where):
    shown = cell.replace(" best", "")
    if value is not None and shown != "–":
        # The digit may fall either way where the value is a tie.
        assert abs(float(shown) - 100 * value) < 0.0500001, (where, cell, value)
    else:
        assert shown == percent(value), (where, cell, value)


def check_structure(page, text):
    ids = [e[1]["id"] for e in page.elements if "id" in e[1]]
    assert len(ids) == len(set(ids)), "an id twice"
    links = [e[1]["href"] for e in page.of("a")]
    assert links and all(link.startswith("#") and link[1:] in ids for link in links), links
    assert len([e for e in page.of("nav")]) == 1 and len(page.of("h1")) == 1
    for e in page.of("th"):
        assert e[1].get("scope") in ("col", "row"), f"a head without scope: {e}"
    for attributes, caption, rows in tables(page):
        assert caption, f"a table without a caption: {rows[:1]}"
        for row in rows:
            assert len(row) == len(rows[0]), f"ragged: {rows[0]} {row}"
    for e in page.of("img"):
        assert e[1].get("alt") and e[1]["src"].startswith("data:image/jpeg;base64,"), e[1]
    for e in page.of("svg"):
        assert e[1].get("aria-label") or e[1].get("aria-hidden"), e[1]
    for e in page.of("summary"):
        assert e[3][-1] == "details" and e[2].strip(), e


def check_script(page):
    scripts = [e[2] for e in page.of("script")]
    assert len(scripts) == 1, f"{len(scripts)} scripts"
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    policy = [e[1]["content"] for e in page.of("meta")
              if e[1].get("http-equiv") == "Content-Security-Policy"]
    assert len(policy) == 1 and f"script-src 'sha256-{digest}'" in policy[0], policy
    assert "default-src 'none'" in policy[0]
    assert "aria-sort" in scripts[0]
    assert [a for a, _, _ in tables(page) if "sort" in a["class"].split()], "nothing to sort"


def check_order(text):
    """What came out, then pictures, then contents; hashes last."""
    body = text[text.index("<body"):]
    numbers, contents = body.index('class="numbers"'), body.index("<nav")
    assert body.index("<h1") < numbers < contents
    if "<img" in body:
        assert numbers < body.index("<img") < contents
    if match := re.search(r"\b[0-9a-f]{64}\b", body):
        assert match.start() > body.index('id="data"') or match.start() > body.index("<pre>")
    manifest = body.find("<pre>")
    assert manifest < 0 or manifest > body.index('id="classes"')


def check_numbers(page, results):
    names = [r["model"].split("/")[-1].removesuffix(".model") for r in results]
    by_name = dict(zip(names, results))
    checked = 0
    for attributes, _, rows in tables(page):
        kind = attributes["class"].split()[0]
        if kind == "figures":
            for row in rows[1:]:
                for key, cell in zip(rows[0][1:], row[1:]):
                    if row[0] in by_name and key != "fold":
                        same_number(cell, by_name[row[0]][key], (row[0], key))
                        checked += 1
        if "sort" in attributes["class"].split():
            assert sorted(rows[0][1:]) == sorted(names), rows[0]
            assert len(rows) - 1 == len(results[0]["classes"])
            for row in rows[1:]:
                label, seen, pictures = re.fullmatch(r"(.*) (seen|unseen), (\d+)", row[0]).groups()
                for name, cell in zip(rows[0][1:], row[1:]):
                    c, = [c for c in by_name[name]["classes"] if c["name"].split() == label.split()]
                    assert (seen == "seen") == c["seen"] and int(pictures) == c["images"], row
                    same_number(cell, c["accuracy"], (name, label))
                    checked += 1
            seen = [" seen, " in row[0] for row in rows[1:]]
            assert seen == sorted(seen), "unseen classes do not come first"
        if kind == "gammas" and len(results) == 1:
            where = {"native": "native", "selected on validation": "validation",
                     "best H, chosen on test": "best_curve", "mean over pictures": "per_image"}
            for row in rows[1:]:
                for key, cell in zip(rows[0][2:], row[2:]):
                    same_number(cell, (results[0][where[row[0]]] or {}).get(key), row)
                    checked += 1
    assert checked > 5, f"{checked} numbers only"


def main():
    text = open(sys.argv[1], encoding="utf-8").read()
    page = Page(text)
    check_structure(page, text)
    check_script(page)
    check_order(text)
    if len(sys.argv) > 2:
        results = json.load(open(sys.argv[2], encoding="utf-8"))
        if isinstance(results, dict):
            results = results.get("models") or results.get("results") or [results]
        check_numbers(page, results)


main()
