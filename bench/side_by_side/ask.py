"""Asks linkbeat for a run of one link, so many times one after the other, as an app does; prints seconds as JSON.

    ask.py json   BROKER_URL NAMESPACE URL TIMES PATTERN
    ask.py celery BROKER_URL QUEUE     URL TIMES PATTERN

    ask.py many   BROKER_URL NAMESPACE URL TIMES PATTERN   all at once; URL has {} for the number of a host
"""

import json
import sys
import time
import uuid


class Asker:
    """Asks by JSON requests over one connection."""

    def __init__(self, broker, namespace, pattern):
        import pika

        self.namespace, self.pattern, self.properties = namespace, pattern, pika.BasicProperties
        self.connection = pika.BlockingConnection(pika.URLParameters(broker))
        self.channel = self.connection.channel()
        self.answers = []
        # The queue of direct reply-to must have its consumer before anything is asked.
        take = lambda _channel, _method, properties, body: self.answers.append((properties.correlation_id, body))  # noqa: E731
        self.channel.basic_consume("amq.rabbitmq.reply-to", take, auto_ack=True)

    def publish(self, url, correlation_id="1"):
        request = {"schema": "linkbeat.request/1", "request_id": str(uuid.uuid4()), "links": [{"url": url}], "backlink": self.pattern}
        properties = self.properties(
            content_type="application/json", delivery_mode=2, reply_to="amq.rabbitmq.reply-to", correlation_id=correlation_id
        )
        self.channel.basic_publish("", f"{self.namespace}.requests", json.dumps(request), properties)

    def wait(self, count, seconds):
        begin = time.monotonic()
        while len(self.answers) < count and time.monotonic() - begin < seconds:
            self.connection.process_data_events(time_limit=1)


def by_json(broker, namespace, url, pattern):
    asker = Asker(broker, namespace, pattern)
    asker.channel.confirm_delivery()

    def ask():
        asker.publish(url)
        asker.wait(1, 30)
        return json.loads(asker.answers.pop()[1])

    return ask


def many(broker, namespace, url, times, pattern):
    """Asks all at once. Prints how long it took, and how many were answered, twice, or not well."""
    asker = Asker(broker, namespace, pattern)
    begin = time.monotonic()
    for number in range(times):
        asker.publish(url.replace("{}", f"127.9.{number // 250}.{number % 250 + 1}"), str(number))
    asker.wait(times, 600)
    wall = time.monotonic() - begin
    # A second answer would come by now.
    asker.wait(times + 1, 3)
    answered = {correlation_id for correlation_id, _ in asker.answers}
    bad = sum(json.loads(body)["code"] != 0 for _, body in asker.answers)
    print(json.dumps({"wall": wall, "answered": len(answered), "twice": len(asker.answers) - len(answered), "bad": bad}))


def by_celery(broker, queue, url, pattern):
    from celery import Celery

    app = Celery("blog", broker=broker, backend="rpc://")

    def ask():
        arguments = {"site_link": pattern, "links": [url]}
        return app.send_task("linkbeat.check", kwargs=arguments, queue=queue).get(timeout=30)

    return ask


how, broker, where, url, times, pattern = sys.argv[1:]
if how == "many":
    many(broker, where, url, int(times), pattern)
    sys.exit()
ask = (by_json if how == "json" else by_celery)(broker, where, url, pattern)
taken = []
for _ in range(int(times)):
    begin = time.monotonic()
    report = ask()
    taken.append(time.monotonic() - begin)
    assert report["code"] == 0 and report["data"]["up"] == 1, report
print(json.dumps({"taken": taken}))
