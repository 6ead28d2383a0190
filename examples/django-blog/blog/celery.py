"""The blog's Celery. Its own tasks run in its own worker; `linkbeat.check` is carried out by linkbeat."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "blog.settings")
app = Celery("blog")
app.config_from_object("django.conf:settings", namespace="CELERY")
