"""Uses the example blog as its visitors and its owner do, with Django's own client. Fails with what is not so."""

import io
import os
import time

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "blog.settings"
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402

from friends.models import Link, Run  # noqa: E402

# So that a page tells with what it was made.
setup_test_environment()
visitor, owner = Client(), Client()


def until(what, found, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.1)
    raise SystemExit(f"waited in vain: {what}")


def shown():
    page = visitor.get("/").content.decode()
    return {name for name in ("alive", "dead", "recovered") if f">{name}</a>" in page}


def act(action, *names):
    chosen = [str(link.pk) for link in Link.objects.filter(name__in=names)]
    data = {"action": action, "_selected_action": chosen}
    answer = owner.post("/admin/friends/link/", data, follow=True)
    assert answer.status_code == 200, answer
    return answer.content.decode()


def listed(query):
    answer = owner.get("/admin/friends/link/", query)
    assert answer.status_code == 200, (query, answer)
    return {link.name for link in answer.context["cl"].queryset}


def link(name):
    return Link.objects.get(name=name)


def told(names=(), **options):
    out = io.StringIO()
    call_command("check_friends", *names, stdout=out, wait=60, **options)
    return out.getvalue()


call_command("migrate", verbosity=0)
User.objects.create_superuser("owner", password="secret")
User.objects.create_user("writer", password="secret", is_staff=True)

# The page hides the dead friend and shows the recovered one.
assert shown() == {"alive", "dead"}, shown()
report = told()
assert "3 checked, 1 hidden, 1 shown again" in report, report
assert "dead: the page answered 404 (hidden)" in report, report
assert shown() == {"alive", "recovered"}, shown()
assert "dead: 网页请求返回404 (as before)" in told(["dead"], lang="zh")

# The admin's list, with its filters and its search.
assert owner.login(username="owner", password="secret")
assert listed({}) == {"alive", "dead", "recovered"}
assert listed({"shown__exact": "0"}) == {"dead"}
assert listed({"verdict": "up"}) == {"alive", "recovered"}
assert listed({"reason_type": "status"}) == {"dead"}
assert listed({"q": "recov"}) == {"recovered"}
page = owner.get("/admin/friends/link/").content.decode()
assert "the page answered 404" in page, page
assert owner.get(f"/admin/friends/link/{link('dead').pk}/change/").status_code == 200
assert owner.get("/admin/friends/link/add/").status_code == 403
assert owner.get("/admin/friends/run/").status_code == 200

# Its actions.
assert "1 links were hidden" in act("hide", "alive")
assert shown() == {"recovered"}, shown()
assert link("alive").hidden_reason_type is None
assert "2 links were shown" in act("show", "alive", "dead")
assert shown() == {"alive", "dead", "recovered"}, shown()
assert link("dead").failed_in_a_row == 0
assert "1 links were paused" in act("pause", "dead")
assert not link("dead").active
assert "Paused links are not checked" in act("check_now", "dead")
assert "2 checked, 0 hidden" in told(), "the paused link is left alone"
assert link("dead").shown
assert "1 links were resumed" in act("resume", "dead")
before = link("dead").last_checked_at
runs = Run.objects.count()
assert "1 links are being checked" in act("check_now", "dead")
until("the check", lambda: link("dead").last_checked_at != before)
assert Run.objects.count() == runs + 1
until("the end of the run", lambda: Run.objects.first().state == "finished")
assert shown() == {"alive", "recovered"}, shown()

# Somebody who may only look has no actions.
writer = Client()
assert writer.login(username="writer", password="secret")
assert writer.get("/admin/friends/link/").status_code == 403
User.objects.get(username="writer").user_permissions.add(
    django.apps.apps.get_model("auth", "Permission").objects.get(codename="view_link")
)
page = writer.get("/admin/friends/link/").content.decode()
assert "recovered" in page and "check_now" not in page, page

# The view sends a Celery task and shows its report, which django-celery-results keeps.
assert visitor.post("/friends/check/").status_code == 302, "visitors may not"
assert "/admin/login/" in visitor.post("/friends/check/").url
answer = owner.post("/friends/check/")
assert answer.status_code == 302 and answer.url.startswith("/friends/report/"), answer
page = until("the report", lambda: (page := owner.get(answer.url).content.decode()) and "SUCCESS" in page and page)
assert "3 checked, 0 hidden, 0 shown again" in page, page
assert "the page answered 404" in page, page
from django_celery_results.models import TaskResult  # noqa: E402

result = TaskResult.objects.get()
assert (result.status, result.task_name) == ("SUCCESS", "linkbeat.check"), result.__dict__
print("the blog works")
