"""Settings of the example. All that depends on the machine comes from the environment."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ.get("SECRET_KEY", "for development alone")
DEBUG = os.environ.get("DEBUG", "1") == "1"
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "localhost,127.0.0.1,testserver").split(",")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_celery_results",
    "friends",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "blog.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


def postgres(url: str) -> dict:
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": parts.port or "",
    }


DATABASES = {
    # The blog's own tables, with the results of its Celery tasks.
    "default": postgres(os.environ.get("DATABASE_URL", "postgres://localhost/blog")),
    # linkbeat's database. The blog reads its views.
    "linkbeat": postgres(os.environ.get("LINKBEAT_DATABASE_URL", "postgres://localhost/linkbeat")),
}
DATABASE_ROUTERS = ["friends.router.LinkbeatRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

USE_TZ = True
STATIC_URL = "static/"
LOGIN_URL = "admin:login"

BROKER_URL = os.environ.get("BROKER_URL", "amqp://guest:guest@localhost:5672/")
CELERY_BROKER_URL = BROKER_URL
CELERY_RESULT_BACKEND = "django-db"
CELERY_RESULT_EXTENDED = True

# What names linkbeat's queues, the queue that its producer takes Celery tasks from, and what each friend must link to.
LINKBEAT_NAMESPACE = os.environ.get("LINKBEAT_NAMESPACE", "linkbeat")
LINKBEAT_CELERY_QUEUE = os.environ.get("LINKBEAT_CELERY_QUEUE", "linkbeat.celery")
SITE_LINK = os.environ.get("SITE_LINK", r"https?://my\.blog")
