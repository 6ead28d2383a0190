"""Friends of a blog, and some days of their history: what the pages are tested with and pictured by."""

import unittest

from world import Browser, World

FRIENDS = [
    ("Amber's notebook", "/amber", "Friends"),
    ("小明的博客", "/xiaoming", "Friends"),
    ("Blue kettle", "/kettle", "Friends"),
    ("Café à côté", "/cafe", "Readers"),
    ("Slow river", "/river", "Readers"),
    ("Old tower", "/tower", "Readers"),
    ("<b>Bold & \"quoted\"</b>", "/bold", "Readers"),
    ("مدونة صديق", "/sadiq", "Friends"),
]


def settle(world):
    """Some links with a few runs, some of which hid and showed one."""
    sites = world.sites
    sites.state = {"/river": (200, 0.3), "/tower": (404, 0.0)}
    world.import_links([
        {"name": name, "url": sites.url(path), "group": group, "tags": ["blog"]} for name, path, group in FRIENDS
    ])
    world.run("check")
    sites.state["/kettle"] = (503, 0.0)
    world.run("check")
    sites.state["/kettle"] = (200, 0.05)
    world.run("check")
    world.run("links", "set", "Café à côté", "--pin", "shown", "--note", "an old friend")
    world.run("schedule", "add", "daily", "--cron", "0 3 * * *", "--time-zone", "Asia/Shanghai")
    world.run("schedule", "add", "hourly", "--every", "1h")


def opened(*roles):
    """For `setUpModule`: the street with its history, a browser, and the address of a dashboard. `roles` run beside it."""
    world = World()
    unittest.addModuleCleanup(world.end)
    browser = Browser()
    unittest.addModuleCleanup(browser.end)
    settle(world)
    for role in roles:
        world.start(*role)
    _, base = world.dashboard()
    return world, browser, base.rstrip("/")
