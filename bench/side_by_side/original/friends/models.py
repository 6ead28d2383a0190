from django.db import models


class Friend(models.Model):
    url = models.TextField()
    show = models.BooleanField(default=True)
    reason = models.TextField(default="", blank=True)
    checked = models.DateTimeField(null=True)
