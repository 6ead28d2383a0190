"""What goes on, seen in an open page. Also without script, under a path of a proxy, and when the dashboard stops."""

import json
import signal
import time
import unittest

from street import opened
from world import Proxy, wait_for


def setUpModule():
    global WORLD, BROWSER, BASE
    WORLD, BROWSER, BASE = opened(["up"])


class Live(unittest.TestCase):
    def setUp(self):
        self.page = BROWSER.page(viewport={"width": 1440, "height": 900}, locale="en-GB")

    def tearDown(self):
        self.page.context.close()

    def test_a_run_progresses_and_a_link_goes_hidden_in_an_open_page(self):
        slow = ["/amber", "/xiaoming", "/river", "/cafe", "/bold", "/sadiq"]
        WORLD.sites.state = {path: (200, 0.6 * place) for place, path in enumerate(slow)}
        WORLD.sites.state["/kettle"] = (410, 0.0)
        self.page.goto(BASE + "/")
        self.page.evaluate("window.sameDocument = true")
        other = self.page.context.new_page()
        other.goto(BASE + "/runs")
        other.get_by_role("button", name="Check all now").click()
        self.assertIn("/runs/", other.url)
        seen = set()
        progress = self.page.locator("[data-part=running] progress")

        def watched():
            # The part may be replaced at this moment.
            seen.update(progress.evaluate_all("all => all.map((one) => one.getAttribute('value'))"))
            return len(seen) > 0 and progress.count() == 0

        wait_for(watched)
        self.assertGreaterEqual(len(seen), 2, "it progressed")
        down = self.page.locator("[data-part=down]")
        wait_for(lambda: "Blue kettle" in down.inner_text())
        latest = self.page.locator("[data-part=changes] li").filter(has_text="Blue kettle").first
        wait_for(lambda: "hidden" in latest.inner_text() and "410" in latest.inner_text())
        self.assertTrue(self.page.evaluate("window.sameDocument"), "the page was loaded anew")
        # The page of the run shows its end, and its links.
        wait_for(lambda: "finished" in other.locator("[data-part]").inner_text())
        wait_for(lambda: other.locator("tbody tr").count() > 0)
        self.assertEqual(self.page.said, [])

    def test_a_run_is_repeated_and_a_button_pressed_twice_files_one_run(self):
        WORLD.sites.state = {}
        count = lambda: len(json.loads(WORLD.run("runs", "list", "--limit", "1000", "--format", "json")))
        self.page.goto(BASE + "/runs")
        before = count()
        self.page.get_by_role("button", name="Check all now").dblclick()
        self.page.wait_for_url("**/runs/*")
        first = self.page.url.split("?")[0]
        wait_for(lambda: "finished" in self.page.locator("[data-part]").inner_text())
        self.assertEqual(count(), before + 1)
        self.page.get_by_role("button", name="Repeat").dblclick()
        self.page.wait_for_url(lambda url: url.split("?")[0] != first)
        wait_for(lambda: "finished" in self.page.locator("[data-part]").inner_text())
        self.assertEqual(count(), before + 2)
        # Somebody goes back and asks again: that is meant.
        self.page.goto(first)
        self.page.get_by_role("button", name="Repeat").click()
        self.page.wait_for_url(lambda url: url.split("?")[0] != first)
        self.assertEqual(count(), before + 3)

    def test_live_updates_pause_by_button_and_in_hidden_tabs(self):
        self.page.goto(BASE + "/")
        live = lambda: self.page.evaluate("document.body.classList.contains('live-on')")
        wait_for(live)
        self.page.get_by_role("button", name="Pause live updates").click()
        self.assertFalse(live())
        self.page.reload()
        self.assertFalse(live(), "a pause is kept")
        self.page.get_by_role("button", name="Resume live updates").click()
        wait_for(live)
        hide = "Object.defineProperty(document, 'hidden', { value: %s, configurable: true }); document.dispatchEvent(new Event('visibilitychange'))"
        self.page.evaluate(hide % "true")
        self.assertFalse(live())
        self.page.evaluate(hide % "false")
        wait_for(live)


class WithoutScript(unittest.TestCase):
    def setUp(self):
        self.page = BROWSER.page(java_script_enabled=False, locale="en-GB")

    def tearDown(self):
        self.page.context.close()

    def test_links_are_found_hidden_and_left_to_checks(self):
        page = self.page
        page.goto(BASE + "/links")
        page.get_by_label("Name or URL contains").fill("amber")
        page.get_by_role("button", name="Filter").click()
        self.assertEqual(page.locator("tbody tr").count(), 1)
        page.locator("input[name=id]").check()
        page.get_by_role("button", name="Keep hidden").click()
        self.assertIn("stay hidden", page.locator(".notice").inner_text())
        page.get_by_role("button", name="Keep hidden").click()
        self.assertIn("kept hidden", page.get_by_role("status").inner_text())
        page.get_by_role("combobox", name="With").select_option("all")
        page.get_by_role("button", name="Leave to checks").click()
        page.get_by_role("button", name="Leave to checks").click()
        self.assertIn("left to checks: 1", page.get_by_role("status").inner_text())

    def test_nothing_is_removed_before_somebody_says_yes(self):
        page = self.page
        before = len(WORLD.links())
        page.goto(BASE + "/links")
        page.get_by_role("combobox", name="With").select_option("all")
        page.get_by_role("button", name="Remove").click()
        self.assertIn(str(before), page.locator("h1").inner_text())
        page.get_by_role("link", name="No, go back").click()
        self.assertEqual(len(WORLD.links()), before)

    def test_a_schedule_is_paused_and_resumed(self):
        page = self.page
        page.goto(BASE + "/schedules")
        daily = page.get_by_role("region", name="daily")
        daily.get_by_role("button", name="Pause").click()
        self.assertIn("paused", daily.inner_text())
        daily.get_by_role("button", name="Resume").click()
        self.assertIn("active", daily.inner_text())


class BehindAProxy(unittest.TestCase):
    def test_every_address_is_below_the_path(self):
        _, address = WORLD.dashboard("--base-path", "/x/y")
        proxy = Proxy(int(address.split(":")[2].split("/")[0]), "/x/y")
        page = BROWSER.page(viewport={"width": 1440, "height": 900}, locale="en-GB")
        for place in ["", "/", "/links", "/runs", "/changes", "/schedules", "/parked", "/settings"]:
            self.assertEqual(page.goto(proxy.url + place).status, 200)
            ours = page.evaluate("""[...document.querySelectorAll("a[href^='/'], form[action], link[href], script[src]")]
                .map((one) => one.getAttribute("href") || one.getAttribute("action") || one.getAttribute("src"))""")
            self.assertEqual([one for one in ours if not one.startswith("/x/y/")], [])
        page.goto(proxy.url + "/links")
        page.get_by_role("button", name="中文").click()
        self.assertEqual(page.locator("html").get_attribute("lang"), "zh-CN")
        page.goto(proxy.url + "/")
        wait_for(lambda: page.evaluate("document.body.classList.contains('live-on')"))
        self.assertEqual(page.said, [])
        page.context.close()


class Stopping(unittest.TestCase):
    def test_open_pages_do_not_hold_up_the_end(self):
        process, address = WORLD.dashboard()
        page = BROWSER.page()
        page.goto(address)
        wait_for(lambda: page.evaluate("document.body.classList.contains('live-on')"))
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(10), 0)
        self.assertLess(time.monotonic() - begun, 4.0)
        page.context.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
