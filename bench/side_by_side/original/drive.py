"""Asks the original's worker, as an app does, and prints what it took as JSON.

    drive.py fill               stores the links of standard input, one URL a line
    drive.py all CHUNK PATTERN  checks all of them, so many a task
    drive.py one TIMES PATTERN  checks the first, one task after the other
"""

import json
import sys
import time

from app import app
from celery import group
from django.db import connection
from friends.models import Friend
from tasks import check_friends


def fill():
    with connection.schema_editor() as schema:
        if Friend._meta.db_table in connection.introspection.table_names():
            schema.delete_model(Friend)
        schema.create_model(Friend)
    Friend.objects.bulk_create([Friend(url=line.strip()) for line in sys.stdin], batch_size=1000)


def check_all(chunk, pattern):
    begin = time.monotonic()
    ids = list(Friend.objects.order_by("id").values_list("id", flat=True))
    chunks = [check_friends.s(ids[i : i + chunk], pattern) for i in range(0, len(ids), chunk)]
    counts = group(chunks).apply_async().get(timeout=900)
    return {"wall": time.monotonic() - begin, "shown": sum(c[0] for c in counts), "hidden": sum(c[1] for c in counts)}


def check_one(times, pattern):
    first = Friend.objects.order_by("id").first().id
    taken = []
    for _ in range(times):
        begin = time.monotonic()
        shown, _ = check_friends.delay([first], pattern).get(timeout=30)
        assert shown == 1
        taken.append(time.monotonic() - begin)
    return {"taken": taken}


if sys.argv[1] == "fill":
    fill()
else:
    asked, count, pattern = sys.argv[1:]
    print(json.dumps(check_all(int(count), pattern) if asked == "all" else check_one(int(count), pattern)))
app.close()
