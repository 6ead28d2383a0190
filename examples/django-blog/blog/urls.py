from django.contrib import admin
from django.urls import path

from friends import views

urlpatterns = [
    path("", views.friends, name="friends"),
    path("friends/check/", views.check, name="check"),
    path("friends/report/<str:task_id>/", views.report, name="report"),
    path("admin/", admin.site.urls),
]
