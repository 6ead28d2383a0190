import os

import django
from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

app = Celery("original", broker=os.environ["ORIGINAL_BROKER_URL"], backend="rpc://", include=["tasks"])
app.conf.task_default_queue = "original"
app.conf.worker_prefetch_multiplier = 4
