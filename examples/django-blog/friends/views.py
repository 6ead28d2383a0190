from celery import current_app, states
from celery.result import AsyncResult
from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from .models import Link


def friends(request):
    """The page with the friends that are shown."""
    return render(request, "friends/friends.html", {"links": Link.objects.filter(shown=True)})


@staff_member_required
@require_POST
def check(request):
    """Has all friends checked by linkbeat, as a Celery task."""
    kwargs = {"site_link": settings.SITE_LINK}
    task = current_app.send_task("linkbeat.check", kwargs=kwargs, queue=settings.LINKBEAT_CELERY_QUEUE)
    return redirect("report", task_id=task.id)


@staff_member_required
def report(request, task_id):
    """How the task stands. django-celery-results keeps it, so any process of the blog may ask."""
    task = AsyncResult(task_id)
    # Read once: the task may end while this page is made.
    status = task.status
    context = {"task": task, "status": status, "ready": status in states.READY_STATES}
    if status == states.SUCCESS:
        context["report"] = task.result
    elif status == states.FAILURE:
        context["failure"] = task.result
    return render(request, "friends/report.html", context)
