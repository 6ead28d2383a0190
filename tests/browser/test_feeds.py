"""Feeds of hostile links, taken in by pages of another site as themes do it. Nothing of them is run there."""

import http.client
import http.server
import json
import re
import threading
import unittest

from world import Browser, Threaded, World

# Each would call `run` where it is not escaped for its place.
NAMES = [
    '"><script>run("a script")</script>',
    "</script></title></textarea><script>run('after an end')</script>",
    "'\"><img src=x onerror=run('a picture')>",
    "<svg/onload=run('a drawing')>",
    "x\" autofocus tabindex=1 onfocus=run('an attribute') y=\"",
    "x' onmouseover='run(\"an attribute in single quotes\")",
    "&lt;script&gt;run('escaped before')&lt;/script&gt; &amp;amp; &quot;",
    "javascript:run('an address')",
    "`${run('a template')}` {{run('another')}} <%= run('one more') %>",
    "]]>--><![CDATA[<script>run('XML')</script>",
    "\u202ereversed\u2028next line\u2066",
    "😀👩‍👩‍👧‍👦 \u0627\u0644\u0639 中文",
    "W" * 200,
]
PLACES = [
    "javascript:run('a picture')",
    "x\" onerror=\"run('a broken picture')",
    "/img/a.png' onerror='run(\"a broken picture\")",
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='parent.run(1)'/>",
    "//pictures.invalid/<script>run('in a path')</script>.png",
]
# A path of the site that is down, and so hidden.
DOWN = "/down"
BLOG = "<!doctype html><meta charset=utf-8><title>A blog</title><script>window.ran = []; function run(what) { ran.push(what); }</script><main></main>"

# What pages do with each feed. `put` is the element that takes it in.
BUTTERFLY = """async (url) => {
  let html = "";
  for (const group of await (await fetch(url)).json()) {
    const id = group.class_name.replace(/[\\p{P}\\p{S}]/gu, "-");
    html += `<h2 id="${id}"><a href="#${id}" title="${group.class_name}"></a>${group.class_name}</h2><div>${group.class_desc}</div>`;
    for (const link of group.link_list) {
      html += `<div class="item"><a href="${link.link}" title="${link.name}"><img src="${link.avatar}" alt="${link.name}">
        <b>${link.name}</b><i title="${link.descr}">${link.descr}</i><img src="${link.siteshot}" alt=""></a></div>`;
    }
  }
  document.querySelector("main").insertAdjacentHTML("afterbegin", html);
}"""
CHECK_FLINK = """async (url) => {
  const feed = await (await fetch(url)).json();
  document.querySelector("main").innerHTML = feed.link_status.map((link) =>
    `<div class="item"><a href="${link.link}"><b>${link.name}</b></a><a href="${link.linkpage}">${link.hidden_reason || ""}</a></div>`).join("");
}"""
CIRCLE = """async (url) => {
  const feed = await (await fetch(url)).json();
  document.querySelector("main").innerHTML = feed.link_data.map((link) =>
    `<div class="item"><a href="${link.link}"><img src="${link.avatar}" alt="${link.name}"><b>${link.name}</b></a><a href="${link.link_page}"></a></div>`).join("");
}"""
PIECE = """async (url) => { document.querySelector("main").innerHTML = await (await fetch(url)).text(); }"""
# Our own shape has values as they are: whoever takes it in makes texts of them.
PLAIN = """async (url) => {
  const feed = await (await fetch(url)).json();
  for (const link of feed.groups.flatMap((group) => group.links)) {
    const item = document.createElement("div");
    item.className = "item";
    item.innerHTML = "<a><b></b></a>";
    item.querySelector("a").href = link.url;
    item.querySelector("b").textContent = link.name;
    document.querySelector("main").append(item);
  }
}"""
TAKEN = """() => ({
  names: [...document.querySelectorAll("main .item b, main li a bdi")].map((one) => one.textContent),
  addresses: [...document.querySelectorAll("main .item a:first-child, main li a")].map((one) => one.href),
  handlers: [...document.querySelectorAll("main *")].flatMap((one) => one.getAttributeNames()).filter((name) => name.startsWith("on")),
  strange: [...document.querySelectorAll("main script, main svg, main iframe, main style")].map((one) => one.outerHTML),
  schemes: [...document.querySelectorAll("main [href], main [src]")].map((one) => new URL(one.getAttribute("href") ?? one.getAttribute("src"), location).protocol),
  ran: window.ran,
})"""


class Blog:
    """A site on another address, whose only page is empty."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = BLOG.encode()
                self.send_response(200 if self.path == "/" else 404)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = Threaded(("127.0.0.99", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.99:{server.server_port}/"


def setUpModule():
    global WORLD, BROWSER, BLOG_URL, BASE, LINKS
    WORLD, BROWSER, BLOG_URL = World(), Browser(), Blog().url
    WORLD.sites.state = {DOWN: (404, 0.0)}
    paths = [f"/{place}/it's?a=1&copy=%22%3E&b='x'" for place in range(len(NAMES))]
    LINKS = [
        {"name": name, "url": WORLD.sites.url(path), "group": NAMES[place % 3], "avatar": PLACES[place % len(PLACES)],
         "siteshot": PLACES[(place + 1) % len(PLACES)], "descr": NAMES[-1 - place]}
        for place, (name, path) in enumerate(zip(NAMES, paths))
    ]
    hidden = {"name": "<script>run('hidden')</script>", "url": WORLD.sites.url(DOWN), "group": NAMES[0]}
    WORLD.import_links([*LINKS, hidden])
    WORLD.run("check", "--backlink", "me[.]example")
    _, BASE = WORLD.dashboard()


def tearDownModule():
    BROWSER.end()
    WORLD.end()


def ask(path, method="GET", **headers):
    connection = http.client.HTTPConnection(*re.match(r"http://([\d.]+):(\d+)/", BASE).groups())
    connection.request(method, "/" + path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    answer.text = answer.read().decode()
    connection.close()
    return answer


class TakenIn(unittest.TestCase):
    def setUp(self):
        self.page = BROWSER.page(locale="en-GB")
        self.page.goto(BLOG_URL)

    def tearDown(self):
        self.page.context.close()

    def take_in(self, how, feed):
        """Takes a feed in, and gives what is in the page then."""
        self.page.evaluate(how, BASE + feed)
        self.page.evaluate("Promise.all([...document.images].map((one) => one.decode().catch(() => {})))")
        for element in self.page.locator("main a").all():
            element.dispatch_event("mouseover")
            element.dispatch_event("focus")
        return self.page.evaluate(TAKEN)

    def assert_harmless(self, taken):
        self.assertEqual(taken["ran"], [])
        self.assertEqual((taken["handlers"], taken["strange"]), ([], []))
        self.assertLessEqual(set(taken["schemes"]), {"http:", "https:"})

    def test_each_shape_says_what_it_should_and_runs_nothing(self):
        addresses = [self.page.evaluate("(url) => new URL(url).href", link["url"]) for link in LINKS]
        for feed, how in [("butterfly.json", BUTTERFLY), ("result.json", CHECK_FLINK), ("link.json", CIRCLE),
                          ("links.html", PIECE), ("links.json", PLAIN)]:
            with self.subTest(feed=feed):
                self.page.goto(BLOG_URL)
                taken = self.take_in(how, "feed/" + feed)
                self.assert_harmless(taken)
                self.assertEqual(sorted(taken["names"]), sorted(NAMES), "every link that is shown, and no other")
                found = [address for address in taken["addresses"] if address in addresses]
                self.assertEqual(sorted(found), sorted(addresses))

    def test_what_is_hidden_is_for_pages_only_where_feeds_are_public(self):
        for feed, how in [("butterfly.json", BUTTERFLY), ("result.json", CHECK_FLINK), ("link.json", CIRCLE), ("links.html", PIECE)]:
            with self.subTest(feed=feed):
                with self.assertRaisesRegex(Exception, "Failed to fetch"):
                    self.page.evaluate(how, f"{BASE}feed/{feed}?hidden=1")
        _, public = WORLD.dashboard("--public-feeds")
        for feed, how in [("butterfly.json", BUTTERFLY), ("result.json", CHECK_FLINK), ("link.json", CIRCLE), ("links.html", PIECE)]:
            with self.subTest(feed=feed):
                self.page.goto(BLOG_URL)
                self.page.evaluate(how, f"{public}feed/{feed}?hidden=1&lang=zh")
                taken = self.page.evaluate(TAKEN)
                self.assert_harmless(taken)
                self.assertEqual(len(taken["names"]), len(NAMES) + 1)
                self.assertIn("<script>run('hidden')</script>", taken["names"])

    def test_badges_are_pictures_and_run_nothing_when_they_are_opened(self):
        ids = {link["name"]: link["id"] for link in WORLD.links()}
        badges = ["feed/badge.svg", "feed/badge.svg?label=%3C/text%3E%3Cscript%3Erun(1)%3C/script%3E"]
        for badge in badges + [f"feed/links/{ids[name]}/badge.svg" for name in NAMES]:
            with self.subTest(badge=badge):
                self.page.goto(BLOG_URL)
                wide = self.page.evaluate("""async (url) => {
                    const badge = new Image();
                    badge.src = url;
                    await badge.decode();
                    return badge.naturalWidth;
                }""", BASE + badge)
                self.assertGreater(wide, 40)
                self.page.goto(BASE + badge)
                self.assertEqual(self.page.evaluate("document.documentElement.localName"), "svg", "it is well-formed")
                elements = set(self.page.evaluate("[...document.querySelectorAll('*')].map((one) => one.localName)"))
                self.assertEqual(elements, {"svg", "title", "rect", "g", "text"})
                # A name turns no other word around.
                self.assertNotRegex(self.page.evaluate("document.querySelector('title').textContent"), "[\u202a-\u202e\u2066-\u2069]")
        self.assertEqual(json.loads(ask("feed/badge.json").text)["message"], f"{len(NAMES)}/{len(NAMES) + 1} up")

    def test_changes_are_xml_with_a_text_for_each(self):
        titles = self.page.evaluate("""async (url) => {
            const feed = new DOMParser().parseFromString(await (await fetch(url)).text(), "application/xml");
            return feed.querySelector("parsererror") ? feed.documentElement.textContent
                : [...feed.querySelectorAll("entry > title")].map((one) => one.textContent);
        }""", BASE + "feed/changes.atom")
        self.assertEqual(len(titles), len(NAMES) + 1, titles)
        self.assertTrue(any(title.startswith(NAMES[0] + ": ") for title in titles), titles)
        self.assertTrue(all(not re.search("[\u202a-\u202e\u2066-\u2069]", title) for title in titles), titles)

    def test_a_page_reads_a_feed_again_without_its_content_being_sent(self):
        script = "async (url) => { const answer = await fetch(url, { cache: 'no-cache' }); return [answer.status, answer.headers.get('etag'), await answer.text()]; }"
        first, second = (self.page.evaluate(script, BASE + "feed/butterfly.json") for _ in range(2))
        self.assertEqual(first, second)
        tag = ask("feed/butterfly.json").getheader("etag")
        self.assertEqual(first[1], tag, "the page may read it")
        again = ask("feed/butterfly.json", if_none_match=tag, origin=BLOG_URL.rstrip("/"))
        self.assertEqual((again.status, again.text, again.getheader("access-control-allow-origin")), (304, "", "*"))
        head = ask("feed/butterfly.json", "HEAD")
        self.assertEqual((head.status, head.text, head.getheader("etag")), (200, "", tag))

    def test_names_that_no_text_can_hold_are_refused_at_the_door(self):
        before = len(WORLD.links())
        for name in ["a\u0000b", "a\u001b[2Jb", "a\u0085b", "N" * 10_240]:
            with self.assertRaises(AssertionError):
                WORLD.import_links([{"name": name, "url": "https://named.example/"}])
        self.assertEqual(len(WORLD.links()), before)


if __name__ == "__main__":
    unittest.main(verbosity=2)
