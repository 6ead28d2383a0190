from django.core.management.base import BaseCommand, CommandError

from friends import linkbeat
from friends.models import Link


class Command(BaseCommand):
    help = "Has linkbeat check all friends, or those named, and prints the report."

    def add_arguments(self, parser):
        parser.add_argument("names", nargs="*", help="names of friends; none: all")
        parser.add_argument("--wait", type=float, default=300, help="seconds to wait for the report")
        parser.add_argument("--lang", choices=["en", "zh"], default="en")

    def handle(self, *args, names, wait, lang, **options):
        fields = {"lang": lang}
        if names:
            fields["links"] = [{"url": link.url} for link in Link.objects.filter(name__in=names)]
        try:
            report = linkbeat.ask(wait, **fields)
        except linkbeat.NoAnswer as error:
            raise CommandError(str(error)) from error
        if report["data"] is None:
            raise CommandError(report["message"])
        data = report["data"]
        self.stdout.write(
            f"{data['active_num']} checked, {data['to_not_show']} hidden, {data['to_show']} shown again"
        )
        for link in data["links"]:
            change = link["changed"] or "as before"
            self.stdout.write(f"  {link['name']}: {link['reason_text'] or link['verdict']} ({change})")
        if report["message"]:
            self.stderr.write(report["message"])
