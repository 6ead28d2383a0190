"""Has calls that are made up name what is there: an id that is made up, too, is nearly always unknown.

Notes what was answered, one line a call: the operation and the status.
"""

import itertools
import json
import os

import requests
import schemathesis

API = os.environ["SEEDED_API"]
ANSWERS = open(os.environ["SEEDED_ANSWERS"], "a", buffering=1)
client = requests.Session()
client.headers["Authorization"] = f"Bearer {os.environ['SEEDED_TOKEN']}"
numbers = itertools.count()
# A decision can be made once, so those who apply and those who discard take other runs.
held = json.loads(os.environ["SEEDED_HELD"])
to_apply, to_discard = itertools.cycle(held[::2]), itertools.cycle(held[1::2])


def added(path, body):
    answer = client.post(API + path, json=body, timeout=30)
    answer.raise_for_status()
    return answer.json()


def new_run():
    return added("/runs", {"links": [{"url": f"https://run-{next(numbers)}.example/"}]})["id"]


def named(path):
    """What a call of this path names. Each call has its own, because the call before may have removed it."""
    if path.endswith("/apply"):
        return {"id": next(to_apply)}
    if path.endswith("/discard"):
        return {"id": next(to_discard)}
    if path.startswith("/runs/"):
        return {"id": new_run()}
    if path.startswith("/links/"):
        return {"id": added("/links", {"url": f"https://link-{next(numbers)}.example/"})["id"]}
    if path.startswith("/schedules/"):
        return {"name": added("/schedules", {"name": f"n {next(numbers)}", "cron": "0 3 * * *"})["name"]}
    raise ValueError(f"nothing is known of {path}")


@schemathesis.hook
def before_call(context, case, kwargs):
    # What is wrong on purpose stays so, and what follows from a call before names what that made.
    is_good = case.meta is not None and case.meta.generation.mode.value == "positive"
    if is_good and case.meta.phase.name.value != "stateful" and "{" in case.operation.path:
        case.path_parameters = named(case.operation.path)


@schemathesis.hook
def after_call(context, case, response):
    ANSWERS.write(f"{case.operation.label} {response.status_code}\n")
