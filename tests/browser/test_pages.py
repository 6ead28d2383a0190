"""Every page, in both languages, light and dark, narrow and wide: no faults on the console, none that axe-core finds."""

import json
import unittest

from street import opened
from world import World, violations, wait_for

WIDTHS = {"narrow": 360, "wide": 1440}
LANGUAGES = {"en": "Overview", "zh": "概览"}
FOCUSABLE = "a[href], button, input:not([type=hidden]), select, textarea, summary"


def setUpModule():
    global WORLD, BROWSER, BASE
    WORLD, BROWSER, BASE = opened()


def link_named(name):
    return next(link["id"] for link in WORLD.links() if link["name"] == name)


def pages():
    run_id = json.loads(WORLD.run("runs", "list", "--format", "json"))[0]["run_id"]
    paths = ["/", "/links", "/links?verdict=down&sort=name", "/links/add", "/runs", f"/runs/{run_id}",
             f"/runs/{run_id}?list=all", "/changes", "/schedules", "/parked", "/settings", "/api/v1/"]
    names = ["Blue kettle", "Old tower", '<b>Bold & "quoted"</b>', "مدونة صديق"]
    paths += [f"/links/{link_named('Blue kettle')}/{form}" for form in ("edit", "explain")]
    return paths + [f"/links/{link_named(name)}?period={period}" for name, period in zip(names, ["day", "week", "month", "year"])]


class EveryPage(unittest.TestCase):
    def look(self, width, lang, scheme):
        page = BROWSER.page(viewport={"width": WIDTHS[width], "height": 900}, color_scheme=scheme,
                            locale={"en": "en-GB", "zh": "zh-CN"}[lang])
        for path in pages():
            with self.subTest(path=path, width=width, lang=lang, scheme=scheme):
                page.said.clear()
                answer = page.goto(BASE + path)
                self.assertEqual(answer.status, 200)
                self.assertEqual(page.locator(".places a").first.inner_text(), LANGUAGES[lang])
                self.assertEqual(page.locator("h1").count(), 1)
                too_wide = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
                self.assertLessEqual(too_wide, 0, "the page scrolls sideways")
                for details in page.locator("details").all():
                    details.evaluate("details => { details.open = true; }")
                self.assertEqual(violations(page), [])
                self.assertEqual(page.said, [])
        page.context.close()

    def test_narrow_and_light_in_english(self):
        self.look("narrow", "en", "light")

    def test_narrow_and_dark_in_chinese(self):
        self.look("narrow", "zh", "dark")

    def test_wide_and_dark_in_english(self):
        self.look("wide", "en", "dark")

    def test_wide_and_light_in_chinese(self):
        self.look("wide", "zh", "light")


class LongWords(unittest.TestCase):
    """Names, groups and addresses without a space in them, as long as they may be."""

    def setUp(self):
        WORLD.sites.state["/long" + "x" * 300] = (404, 0.0)
        WORLD.import_links([
            {"name": "N" * 200, "url": WORLD.sites.url("/long" + "x" * 300), "group": "G" * 200, "tags": ["t" * 50, "u" * 50],
             "descr": "d" * 900, "linkpage": WORLD.sites.url("/page" + "y" * 1000)},
        ])
        WORLD.run("check", "links.json")
        WORLD.run("schedule", "add", "s" * 60, "--every", "1h")
        self.addCleanup(WORLD.run, "schedule", "remove", "s" * 60)
        self.addCleanup(WORLD.run, "links", "remove", "N" * 200)

    def test_no_page_scrolls_sideways(self):
        link = f"/links/{link_named('N' * 200)}"
        WORLD.run("links", "set", "N" * 200, "--pin", "shown", "--note", "n" * 200)
        for width in (375, 1280):
            page = BROWSER.page(viewport={"width": width, "height": 900}, locale="en-GB")
            self.addCleanup(page.context.close)
            for path in ["/", "/links", link, f"{link}/edit", f"{link}/explain", "/changes", "/runs", "/schedules", "/settings"]:
                with self.subTest(path=path, width=width):
                    page.goto(BASE + path)
                    too_wide = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
                    self.assertLessEqual(too_wide, 0, "the page scrolls sideways")
                    self.assertEqual(violations(page), [])
            page.goto(BASE + "/links?text=" + "N" * 200)
            name, state = (page.locator(where).bounding_box() for where in ("tbody th", "tbody .state"))
            self.assertLess(name["height"], 900)
            self.assertLess(state["x"] + state["width"], width, "a long name pushes nothing out of sight")


class EmptyStore(unittest.TestCase):
    def test_every_page_says_that_there_is_nothing_and_the_first_one_what_to_do(self):
        world = World()
        self.addCleanup(world.end)
        _, base = world.dashboard()
        page = BROWSER.page(viewport={"width": 375, "height": 800}, locale="en-GB")
        self.addCleanup(page.context.close)
        for path in ["", "links", "runs", "changes", "schedules", "parked"]:
            with self.subTest(path=path):
                page.goto(base + path)
                self.assertGreater(page.locator("main .empty").count(), 0)
                self.assertEqual(violations(page), [])
                self.assertEqual(page.said, [])
        page.goto(base)
        page.locator("main").get_by_role("link", name="Add links").click()
        page.get_by_label("Paste a list").fill(world.sites.url("/first"))
        with page.expect_navigation():
            page.get_by_role("button", name="Add links").click()
        # Its numbers may be some seconds old.
        page.goto(base)
        page.locator("main").get_by_role("link", name="Add links").wait_for(state="detached")


class OnePage(unittest.TestCase):
    def setUp(self):
        self.page = BROWSER.page(viewport={"width": 1440, "height": 900}, locale="en-GB", timezone_id="Asia/Shanghai")

    def tearDown(self):
        self.page.context.close()

    def test_problems_are_pages_in_the_language_of_the_visitor(self):
        for path, status in [("/nowhere", 404), ("/links/nobody", 404), ("/runs?after=x", 400), ("/links/actions", 405)]:
            answer = self.page.goto(BASE + path)
            self.assertEqual(answer.status, status, path)
            self.assertEqual(self.page.locator(".places a").count(), 7)
            self.assertEqual(violations(self.page), [])

    def test_language_and_theme_are_chosen_and_kept(self):
        self.page.goto(BASE + "/links?verdict=down")
        self.page.get_by_role("button", name="中文").click()
        self.assertTrue(self.page.url.endswith("/links?verdict=down"), self.page.url)
        self.assertEqual(self.page.locator("html").get_attribute("lang"), "zh-CN")
        light = self.page.evaluate("getComputedStyle(document.body).backgroundColor")
        self.page.get_by_role("button", name="深色").click()
        self.assertNotEqual(self.page.evaluate("getComputedStyle(document.body).backgroundColor"), light)
        self.page.goto(BASE + "/runs")
        self.assertEqual(self.page.locator("html").get_attribute("data-theme"), "dark")

    def test_times_are_local_and_their_zone_is_named(self):
        self.page.goto(BASE + "/runs")
        time = self.page.locator("tbody time").first
        self.assertIn("UTC", time.get_attribute("title"))
        self.assertNotIn("UTC", time.inner_text())
        self.assertEqual(self.page.locator("#zone").inner_text(), "Asia/Shanghai")
        self.assertRegex(time.get_attribute("datetime"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_the_keyboard_reaches_everything(self):
        for path in ["/", "/links", f"/links/{link_named('Blue kettle')}", "/schedules"]:
            with self.subTest(path=path):
                self.page.add_init_script("sessionStorage.setItem('linkbeat-paused', '1')")
                self.page.goto(BASE + path)
                wanted = self.page.evaluate(f"""() => [...document.querySelectorAll("{FOCUSABLE}")]
                    .filter((one) => one.tabIndex >= 0 && one.checkVisibility()).map((one, n) => {{ one.dataset.n = n; return n; }})""")
                reached = set()
                for _ in range(len(wanted) + 30):
                    self.page.keyboard.press("Tab")
                    at = self.page.evaluate("document.activeElement.dataset.n")
                    if at is not None:
                        reached.add(int(at))
                self.assertEqual(set(wanted) - reached, set())

    def test_the_strip_is_one_tab_stop_with_arrow_keys(self):
        self.page.goto(f"{BASE}/links/{link_named('Blue kettle')}")
        bars = self.page.locator(".strip a")
        self.assertEqual(bars.count(), 3)
        self.assertEqual(self.page.locator(".strip a[tabindex='0']").count(), 1)
        bars.nth(2).focus()
        self.page.keyboard.press("ArrowLeft")
        self.assertIn("down", self.page.evaluate("document.activeElement.textContent"))
        self.assertIn("503", self.page.locator("#strip-told").text_content())
        self.page.keyboard.press("Home")
        self.assertIn("up", self.page.evaluate("document.activeElement.textContent"))
        self.assertEqual(self.page.locator(".strip a[tabindex='0']").count(), 1)

    def test_names_are_text_and_links_to_others_say_nothing_of_us(self):
        self.page.goto(BASE + "/links")
        self.assertEqual(self.page.locator("bdi b").count(), 0)
        self.assertGreater(self.page.get_by_text('<b>Bold & "quoted"</b>').count(), 0)
        for link in self.page.locator("main a[href^='http']").all():
            if not link.get_attribute("href").startswith(BASE):
                self.assertEqual(link.get_attribute("rel"), "noopener noreferrer nofollow")

    def test_a_filter_leaves_what_matches(self):
        self.page.goto(BASE + "/links")
        self.page.get_by_label("Name or URL contains").fill("KETTLE")
        self.page.get_by_role("button", name="Filter").click()
        self.assertEqual(self.page.locator("tbody tr").count(), 1)
        self.page.get_by_role("link", name="Clear").click()
        self.assertEqual(self.page.locator("tbody tr").count(), 8)

    def test_a_range_is_checked_with_shift(self):
        self.page.goto(BASE + "/links")
        boxes = self.page.locator("input[name=id]")
        boxes.nth(1).click()
        boxes.nth(4).click(modifiers=["Shift"])
        self.assertEqual(self.page.locator("input[name=id]:checked").count(), 4)
        self.page.get_by_label("All of this page").click()
        self.assertEqual(self.page.locator("input[name=id]:checked").count(), 8)

    def test_the_phases_of_the_last_check_are_drawn_and_listed(self):
        self.page.goto(f"{BASE}/links/{link_named('Slow river')}")
        drawing = self.page.locator("svg.waterfall")
        self.assertEqual(drawing.locator("rect").count(), 5)
        self.assertIn("First byte", drawing.get_attribute("aria-label"))
        self.page.locator("#phases summary").click()
        rows = self.page.locator("#phases tbody tr")
        self.assertEqual(rows.count(), 5)
        self.assertIn("ms", rows.nth(3).inner_text())
        self.assertEqual(violations(self.page), [])

    def test_a_link_is_edited_and_a_bad_field_says_so(self):
        link = link_named("Slow river")
        self.page.goto(f"{BASE}/links/{link}")
        self.page.get_by_role("link", name="Edit").click()
        self.page.get_by_label("URL", exact=True).fill("river")
        self.page.get_by_label("Description").fill("About boats")
        self.page.get_by_role("button", name="Save").click()
        field = self.page.get_by_label("URL", exact=True)
        self.assertEqual(field.get_attribute("aria-invalid"), "true")
        problem = self.page.locator("#" + field.get_attribute("aria-describedby"))
        self.assertIn("https://", problem.inner_text())
        self.assertEqual(self.page.get_by_label("Description").input_value(), "About boats", "what was written stays")
        self.assertEqual(violations(self.page), [])
        field.fill(WORLD.sites.url("/river"))
        self.page.get_by_label("Tags, with commas between").fill("boats, blog")
        self.page.get_by_role("button", name="Save").click()
        self.assertIn("Changed", self.page.get_by_role("status").inner_text())
        self.assertIn("About boats", self.page.locator("main").inner_text())
        stored = next(one for one in WORLD.links() if one["id"] == link)
        self.assertEqual((stored["description"], stored["tags"]), ("About boats", ["blog", "boats"]))

    def test_a_list_with_a_bad_row_is_not_taken_and_can_be_mended(self):
        self.page.goto(BASE + "/links/add")
        self.page.get_by_label("Paste a list").fill("name,url\nNew,https://new.example/\nBad,javascript:alert(1)\n")
        self.page.get_by_role("button", name="Add links").click()
        self.assertIn("list:3", self.page.get_by_role("alert").inner_text())
        self.assertEqual(violations(self.page), [])
        self.page.get_by_label("Paste a list").fill("name,url\nNew,https://new.example/\n")
        self.page.get_by_role("button", name="Add links").click()
        self.assertIn("1", self.page.get_by_role("status").inner_text())
        self.page.goto(f"{BASE}/links/{link_named('New')}")
        self.page.get_by_role("button", name="Remove").click()
        self.assertEqual(violations(self.page), [])
        self.page.get_by_role("button", name="Remove").click()
        wait_for(lambda: "New" not in [link["name"] for link in WORLD.links()])


if __name__ == "__main__":
    unittest.main(verbosity=2)
