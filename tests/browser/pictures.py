"""Takes the pictures of docs/pictures: the main pages, small."""

import glob
import json
import os
import pathlib
import sys

from PIL import Image

from street import FRIENDS, settle
from world import Browser, World

# So long ago the links were checked, in days. The newest is last.
AGES = [29, 27, 25, 24, 22, 20, 18, 17, 15, 13, 12, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
# What did not go well then: at which check, and with which status.
TROUBLE = {"/kettle": {5: 503, 6: 503, 14: 500}, "/tower": {17: 404, 18: 404, 19: 404, 20: 404}, "/cafe": {9: 403}}


def main(folder):
    world, browser = World(), Browser()
    try:
        fill(world)
        _, base = world.dashboard()
        links = {link["name"]: link["id"] for link in world.links()}
        runs = json.loads(world.run("runs", "list", "--format", "json"))
        # The run that hid the kettle.
        run = runs[-6]["run_id"]
        take = lambda name, path, **options: picture(browser, f"{folder}/{name}.png", base + path, **options)
        take("overview", "", color_scheme="light")
        take("links", "links", color_scheme="dark")
        take("link", f"links/{links['Blue kettle']}?period=month", color_scheme="light", height=900)
        take("run", f"runs/{run}", color_scheme="dark", height=520)
        take("overview-narrow-zh", "", color_scheme="dark", locale="zh-CN", width=360)
    finally:
        browser.end()
        world.end()


def fill(world):
    """A month of checks. linkbeat is told that it is another day."""
    [library] = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    now = dict(world.env)
    for number, age in enumerate(AGES):
        world.env = {**now, "LD_PRELOAD": library, "FAKETIME": f"-{age}d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        for place, (_, path, _) in enumerate(FRIENDS):
            status = TROUBLE.get(path, {}).get(number, 200)
            world.sites.state[path] = (status, 0.02 * place + 0.03 * ((number * 7 + place * 3) % 6))
        if number == 0:
            world.import_links(friends(world))
        world.run("check")
    world.env = now
    world.sites.state["/tower"] = (404, 0.0)
    settle(world)


def friends(world):
    return [{"name": name, "url": world.sites.url(path), "group": group} for name, path, group in FRIENDS]


def picture(browser, path, address, width=1180, height=720, locale="en-GB", **options):
    page = browser.page(viewport={"width": width, "height": height}, locale=locale, timezone_id="UTC", **options)
    page.goto(address)
    page.screenshot(path=path, animations="disabled")
    page.context.close()
    # Pages have few colours. With a palette the file is half as large.
    Image.open(path).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    size = os.path.getsize(path)
    assert size < 100_000, f"{path} has {size} bytes"
    print(f"{pathlib.Path(path).name}: {size // 1024} KiB")


if __name__ == "__main__":
    main(sys.argv[1])
