from django.contrib import admin, messages

from . import linkbeat
from .models import Link, Run


class ReadOnlyAdmin(admin.ModelAdmin):
    """What linkbeat stores is looked at. Actions change it."""

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


@admin.register(Link)
class LinkAdmin(ReadOnlyAdmin):
    list_display = ["name", "url", "shown", "active", "verdict", "reason_text", "last_checked_at"]
    list_filter = ["shown", "active", "verdict", "reason_type", "group_name"]
    search_fields = ["name", "url"]
    actions = ["check_now", "hide", "show", "pause", "resume"]

    def has_steer_permission(self, request):
        """Who may use the actions."""
        return request.user.has_perm("friends.change_link")

    @admin.action(description="Check now", permissions=["steer"])
    def check_now(self, request, queryset):
        links = [{"url": link.url} for link in queryset if link.active]
        if not links:
            self.message_user(request, "Paused links are not checked.", messages.WARNING)
            return
        request_id = linkbeat.send(links=links)
        self.message_user(request, f"{len(links)} links are being checked (request {request_id}).")

    @admin.action(description="Hide", permissions=["steer"])
    def hide(self, request, queryset):
        self.set(request, queryset, "hidden", shown=False)

    @admin.action(description="Show", permissions=["steer"])
    def show(self, request, queryset):
        self.set(request, queryset, "shown", shown=True)

    @admin.action(description="Pause: check no more", permissions=["steer"])
    def pause(self, request, queryset):
        self.set(request, queryset, "paused", active=False)

    @admin.action(description="Resume: check again", permissions=["steer"])
    def resume(self, request, queryset):
        self.set(request, queryset, "resumed", active=True)

    def set(self, request, queryset, done, **changes):
        links = list(queryset)
        for link in links:
            link.set(**changes)
        self.message_user(request, f"{len(links)} links were {done}.")


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "state", "done", "links", "up", "to_not_show", "to_show", "request_id"]
    list_filter = ["state"]
