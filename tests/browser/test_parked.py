"""Workers, queues and parked messages of a real RabbitMQ. `tests/end_to_end/browser.rs` starts the fleet and parks messages."""

import os
import unittest

from world import Browser, World, violations, wait_for

SERVERS = ["LINKBEAT_DATABASE_URL", "LINKBEAT_BROKER_URL", "LINKBEAT_NAMESPACE"]
WORKER = '<b>North & "south"</b>'


def setUpModule():
    global WORLD, BROWSER, BASE
    WORLD, BROWSER = World({name: os.environ[name] for name in SERVERS}), Browser()
    _, BASE = WORLD.dashboard()
    BASE = BASE.rstrip("/")


def tearDownModule():
    BROWSER.end()
    WORLD.end()


class Looking(unittest.TestCase):
    def look(self, path, see):
        """Looks at a page on a phone in the dark, and on a desk in the light."""
        for width, lang, scheme in [(375, "zh-CN", "dark"), (1280, "en-GB", "light")]:
            page = BROWSER.page(viewport={"width": width, "height": 900}, locale=lang, color_scheme=scheme)
            self.addCleanup(page.context.close)
            with self.subTest(width=width, lang=lang, scheme=scheme):
                page.goto(BASE + path)
                see(page)
                too_wide = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
                self.assertLessEqual(too_wide, 0, "the page scrolls sideways")
                self.assertEqual(violations(page), [])
                self.assertEqual(page.said, [])

    def test_the_overview_tells_workers_and_queues(self):
        def see(page):
            fleet = page.locator("[data-part=fleet]")
            wait_for(lambda: "results.large" in fleet.inner_text())
            told = [line.inner_text() for line in fleet.locator("li strong").all()]
            self.assertEqual(told, ["1", "4"], "workers and parked messages")
            self.assertEqual(fleet.locator("time").count(), 1, "it says as of when")

        self.look("/", see)

    def test_workers_have_names_and_states_in_the_language_of_the_visitor(self):
        def see(page):
            self.assertEqual(page.locator("tbody th").all_inner_texts(), [WORKER])
            self.assertEqual(page.locator("bdi b").count(), 0)
            state = {"en": "working", "zh": "工作中"}[page.locator("html").get_attribute("lang")[:2]]
            self.assertEqual(page.locator("tbody td").first.inner_text(), state)

        self.look("/workers", see)

    def test_parked_messages_say_why_and_of_which_run_they_are(self):
        def see(page):
            self.assertIn("4", page.locator("h1").inner_text())
            self.assertEqual(page.locator("tbody tr").count(), 4)
            self.assertEqual(page.locator("main img").count(), 0)
            self.assertGreater(page.get_by_text("<img src=x onerror=alert(1)>").count(), 0)
            self.assertNotIn("\u202e", page.locator("tbody").inner_text(), "no cause is turned around")
            widest = page.evaluate("Math.max(...[...document.querySelectorAll('tbody th')].map((one) => one.clientWidth / innerWidth))")
            self.assertLess(widest, 0.9, "a long cause pushes nothing out of sight")
            runs = page.locator("tbody a")
            self.assertEqual(runs.count(), 1, "the results name theirs")
            self.assertEqual(page.request.get(BASE + runs.get_attribute("href")).status, 200)

        self.look("/parked/messages", see)

    def test_jobs_without_a_result_say_why(self):
        def see(page):
            self.assertGreater(page.locator("tbody tr").count(), 0)
            self.assertIn("no_teapots", page.locator("tbody").inner_text())

        self.look("/parked", see)


class Settling(unittest.TestCase):
    def row(self, text):
        return self.page.locator("tbody tr").filter(has_text=text)

    def choose(self, text):
        self.row(text).get_by_role("checkbox").check()

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def open(self, script, path="/parked/messages"):
        self.page = BROWSER.page(java_script_enabled=script, viewport={"width": 375, "height": 800}, locale="en-GB")
        self.addCleanup(self.page.context.close)
        self.page.goto(BASE + path)

    def test_1_nothing_is_chosen(self):
        for script in (True, False):
            self.open(script)
            self.press("Put back")
            self.assertIn("No message is chosen", self.page.locator("main").inner_text())
            self.page.go_back()
            self.assertEqual(self.page.locator("tbody tr").count(), 4)

    def test_2_nothing_is_dropped_before_somebody_says_yes(self):
        for script, text in [(True, "onerror"), (False, "www")]:
            self.open(script)
            before = self.page.locator("tbody tr").count()
            self.choose(text)
            self.press("Drop")
            self.assertIn("Drop: 1", self.page.locator("h1").inner_text())
            self.assertEqual(self.page.locator("main").get_by_role("button").count(), 1)
            if script:
                self.assertEqual(violations(self.page), [])
            self.page.get_by_role("link", name="No, go back").click()
            self.assertEqual(self.page.locator("tbody tr").count(), before)
            self.choose(text)
            self.press("Drop")
            self.press("Drop")
            self.assertIn("Dropped: 1.", self.page.get_by_role("status").inner_text())
            self.assertEqual(self.row(text).count(), 0)
            self.assertEqual(self.page.locator("tbody tr").count(), before - 1)

    def test_3_what_nobody_can_read_is_parked_again(self):
        self.open(script=False)
        self.choose("reversed")
        self.press("Put back")
        self.assertIn("Put back: 1.", self.page.get_by_role("status").inner_text())

        def is_parked_again():
            self.page.goto(BASE + "/parked/messages")
            return self.row("reversed").count() == 1

        wait_for(is_parked_again)

    def test_4_results_that_are_put_back_finish_their_run(self):
        self.open(True, "/parked/messages")
        other = BROWSER.page(locale="en-GB")
        self.addCleanup(other.context.close)
        other.goto(BASE + "/parked/messages")
        run = self.row("a run").get_by_role("link").get_attribute("href")
        for page in (self.page, other):
            page.locator("tbody tr").filter(has_text="a run").get_by_role("checkbox").check()
        self.press("Put back")
        self.assertIn("Put back: 1.", self.page.get_by_role("status").inner_text())

        def is_finished():
            self.page.goto(BASE.removesuffix("/") + run)
            return "finished" in self.page.locator("[data-part]").inner_text()

        wait_for(is_finished)
        # Somebody else has the page from before.
        other.get_by_role("button", name="Put back").click()
        self.assertIn("Put back: 0. The others are gone", other.get_by_role("status").inner_text())
        self.assertEqual(violations(other), [])
        self.page.goto(BASE + "/parked")
        self.assertIn("Nothing is parked.", self.page.locator("main").inner_text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
