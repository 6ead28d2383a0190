"""linkbeat's views as models that Django does not manage. docs/sql-views.md tells all columns."""

from django.db import connections, models


class Link(models.Model):
    """A stored link with its latest state."""

    id = models.UUIDField(primary_key=True)
    name = models.TextField()
    url = models.URLField()
    group_name = models.TextField(null=True)
    avatar = models.TextField(null=True)
    description = models.TextField(null=True)
    active = models.BooleanField(help_text="whether runs check it")
    shown = models.BooleanField()
    shown_since = models.DateTimeField()
    hidden_reason_type = models.TextField(null=True)
    verdict = models.TextField(null=True)
    reason_type = models.TextField(null=True)
    reason_text = models.TextField(null=True)
    status = models.IntegerField(null=True)
    last_checked_at = models.DateTimeField(null=True)
    failed_in_a_row = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "linkbeat_links"
        ordering = ["name"]
        default_permissions = ["view", "change"]

    def __str__(self):
        return self.name

    def set(self, *, shown: bool | None = None, active: bool | None = None) -> None:
        """Hides or shows the link, or takes it out of the runs. The database lets the blog do this and no more."""
        with connections["linkbeat"].cursor() as cursor:
            cursor.execute("SELECT linkbeat_set_link(%s, shown => %s, active => %s)", [self.pk, shown, active])


class Run(models.Model):
    """A run in numbers."""

    id = models.UUIDField(primary_key=True)
    seq = models.BigIntegerField()
    request_id = models.UUIDField()
    state = models.TextField()
    links = models.BigIntegerField()
    done = models.BigIntegerField()
    up = models.BigIntegerField()
    to_not_show = models.BigIntegerField("hidden")
    to_show = models.BigIntegerField("shown again")
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "linkbeat_runs"
        ordering = ["-seq"]
        default_permissions = ["view"]

    def __str__(self):
        return f"run {self.id}"
