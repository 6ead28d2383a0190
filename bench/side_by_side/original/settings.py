"""The original's design: a Django model of links, and Celery tasks that check them with aiohttp."""

import os
from urllib.parse import urlsplit

_database = urlsplit(os.environ["ORIGINAL_DATABASE_URL"])
SECRET_KEY = "a benchmark"
INSTALLED_APPS = ["friends"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _database.path[1:],
        "USER": _database.username,
        "PASSWORD": _database.password,
        "HOST": _database.hostname,
        "PORT": _database.port,
        "CONN_MAX_AGE": None,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
