"""What people do on pages: explain, take lists in and out, change many links, log in. With a keyboard alone, and without script."""

import csv
import io
import subprocess
import unittest

from street import opened
from world import BINARY, Proxy, violations, wait_for

PASSWORD = "a long password"


def setUpModule():
    global WORLD, BROWSER, BASE
    WORLD, BROWSER, BASE = opened(["up", "--no-dashboard"])


def link_named(name):
    return next(link for link in WORLD.links() if link["name"] == name)


class Visit(unittest.TestCase):
    script = True

    def setUp(self):
        self.page = BROWSER.page(java_script_enabled=self.script, viewport={"width": 1440, "height": 900}, locale="en-GB")

    def tearDown(self):
        self.page.context.close()

    def goto(self, path):
        return self.page.goto(BASE + path)

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()


class Explaining(Visit):
    def test_each_step_is_shown_in_the_language_of_the_visitor(self):
        WORLD.sites.state["/river"] = (200, 0.2)
        river = link_named("Slow river")["id"]
        self.goto(f"/links/{river}")
        self.press("Explain")
        steps = self.page.get_by_role("region", name="Explain")
        wait_for(lambda: "200" in steps.inner_text())
        for told in ["127.0.0.", "content-type", "59 "]:
            self.assertIn(told, steps.inner_text())
        self.assertEqual(violations(self.page), [])
        self.assertEqual(self.page.said, [])
        self.goto("/links")
        self.press("中文")
        self.goto(f"/links/{river}/explain")
        self.press("立即检查")
        wait_for(lambda: "规则" in self.page.locator("pre").inner_text())


class Lists(Visit):
    def test_a_file_is_taken_in_and_what_is_filtered_is_given_out(self):
        self.goto("/links/add")
        rows = b"name,url,group\nFrom a file,https://file.example/,Files\n\"Comma, and more\",https://comma.example/,Files\n"
        self.page.locator("input[type=file]").set_input_files({"name": "mine.csv", "mimeType": "text/csv", "buffer": rows})
        self.press("Add links")
        self.assertIn("2", self.page.get_by_role("status").inner_text())
        self.goto("/links?group=Files")
        with self.page.expect_download() as download:
            self.page.get_by_role("link", name="Export").click()
        given = list(csv.DictReader(io.StringIO(open(download.value.path(), encoding="utf-8-sig").read())))
        self.assertEqual(sorted(row["name"] for row in given), ["Comma, and more", "From a file"])
        self.page.get_by_role("combobox", name="With").select_option("all")
        self.press("Remove")
        self.assertEqual(violations(self.page), [])
        self.press("Remove")
        self.assertNotIn("From a file", [link["name"] for link in WORLD.links()])

    def test_all_that_match_are_put_into_a_group_and_paused(self):
        self.goto("/links?text=amber")
        self.page.get_by_role("combobox", name="With").select_option("all")
        self.page.get_by_label("New group").fill("Colours")
        self.press("Set group")
        # It asks first, as it concerns all that match.
        if self.page.get_by_role("button", name="Set group").count():
            self.press("Set group")
        wait_for(lambda: link_named("Amber's notebook")["group"] == "Colours")
        self.assertEqual(link_named("Slow river")["group"], "Readers", "others stay where they are")
        amber = link_named("Amber's notebook")["id"]
        self.goto(f"/links/{amber}")
        self.page.get_by_label("Until: 2d").fill("2d")
        self.press("Pause")
        self.assertFalse(link_named("Amber's notebook")["active"])
        self.press("Resume")
        self.assertTrue(link_named("Amber's notebook")["active"])


class ByKeyboard(Visit):
    def tab_to(self, locator):
        for _ in range(200):
            self.page.keyboard.press("Tab")
            if locator.evaluate("one => one === document.activeElement"):
                return
        self.fail("the keyboard does not reach it")

    def test_a_link_is_filtered_chosen_and_hidden(self):
        page = self.page
        self.goto("/links")
        self.tab_to(page.get_by_label("Name or URL contains"))
        page.keyboard.type("tower")
        page.keyboard.press("Enter")
        page.wait_for_url("**text=tower*")
        self.tab_to(page.locator("input[name=id]").first)
        page.keyboard.press("Space")
        self.tab_to(page.get_by_role("button", name="Keep hidden"))
        page.keyboard.press("Enter")
        # Whoever is asked answers by keyboard as well.
        page.get_by_role("link", name="No, go back").wait_for()
        self.tab_to(page.get_by_role("button", name="Keep hidden"))
        page.keyboard.press("Enter")
        self.assertIn("kept hidden", page.get_by_role("status").inner_text())
        WORLD.run("links", "set", "Old tower", "--pin", "none", statuses=(0, 1, 2))

    def test_the_first_stop_leads_past_the_navigation(self):
        self.goto("/changes")
        self.page.keyboard.press("Tab")
        self.page.keyboard.press("Enter")
        self.assertEqual(self.page.evaluate("document.activeElement.id"), "main")


class WithoutScript(Visit):
    script = False

    def test_a_link_is_checked_explained_and_removed(self):
        page = self.page
        WORLD.import_links([{"name": "Short stay", "url": WORLD.sites.url("/stay")}])
        self.goto(f"/links/{link_named('Short stay')['id']}")
        self.press("Explain")
        wait_for(lambda: "rule" in page.locator("pre").inner_text())
        page.go_back()
        self.press("Check now")
        self.assertIn("/runs/", page.url)
        # The page of a run that goes on loads itself anew.
        page.locator("main").get_by_text("finished").first.wait_for()
        self.goto(f"/links/{link_named('Short stay')['id']}")
        self.assertIn("UTC", page.locator("main time").first.text_content())
        self.press("Remove")
        self.press("Remove")
        self.assertNotIn("Short stay", [link["name"] for link in WORLD.links()])

    def test_keys_that_take_a_script_are_not_named(self):
        self.goto(f"/links/{link_named('Slow river')['id']}")
        self.assertFalse(self.page.get_by_text("Arrow keys").is_visible())

    def test_what_is_bad_about_a_list_is_said_in_the_language_of_the_visitor_and_nothing_is_lost(self):
        page = BROWSER.page(java_script_enabled=False, locale="zh-CN")
        self.addCleanup(page.context.close)
        page.goto(BASE + "/links/add")
        pasted = "name,url\nNew,https://new.example/\n"
        page.locator("#list").fill(pasted)
        page.locator("#file").set_input_files({"name": "bad.csv", "mimeType": "text/csv", "buffer": b"name,url\nA,\n"})
        page.locator("main form button").click()
        self.assertIn("bad.csv:2：url：网址为空", page.get_by_role("alert").inner_text())
        self.assertEqual(page.locator("#list").input_value(), pasted)

    def test_a_schedule_is_run_and_removed_after_a_question(self):
        WORLD.run("schedule", "add", "weekly", "--every", "168h", statuses=(0, 2))
        self.goto("/schedules")
        weekly = self.page.get_by_role("region", name="weekly")
        weekly.get_by_role("button", name="Run now").click()
        self.assertIn("/runs/", self.page.url)
        self.goto("/schedules")
        weekly.get_by_role("button", name="Remove").click()
        self.assertEqual(weekly.count(), 0)
        self.page.get_by_role("link", name="No, go back").click()
        self.assertEqual(weekly.count(), 1)
        weekly.get_by_role("button", name="Remove").click()
        self.press("Remove")
        self.assertEqual(weekly.count(), 0)


class LoggingIn(unittest.TestCase):
    def test_behind_a_proxy_people_log_in_and_out(self):
        asked = subprocess.run([BINARY, "dashboard", "password"], input=PASSWORD + "\n", text=True, capture_output=True)
        WORLD.env["LINKBEAT_DASHBOARD_PASSWORD_HASH"] = asked.stdout.strip()
        try:
            _, address = WORLD.dashboard("--base-path", "/x/y")
        finally:
            del WORLD.env["LINKBEAT_DASHBOARD_PASSWORD_HASH"]
        proxy = Proxy(int(address.split(":")[2].split("/")[0]), "/x/y")
        for width, lang, scheme in [(360, "zh-CN", "dark"), (1440, "en-GB", "light")]:
            page = BROWSER.page(viewport={"width": width, "height": 900}, locale=lang, color_scheme=scheme)
            page.goto(proxy.url + "/links?shown=true")
            self.assertTrue(page.url.startswith(proxy.url + "/login"), page.url)
            self.assertEqual(violations(page), [])
            field = page.locator("#password")
            field.fill("another password")
            field.press("Enter")
            page.get_by_role("alert").wait_for()
            page.locator("#password").fill(PASSWORD)
            page.locator("#password").press("Enter")
            page.wait_for_url(proxy.url + "/links?shown=true")
            page.locator("form[action='/x/y/logout'] button").click()
            page.goto(proxy.url + "/")
            self.assertTrue(page.url.startswith(proxy.url + "/login"), page.url)
            page.context.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
