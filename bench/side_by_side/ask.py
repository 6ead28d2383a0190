"""Asks linkbeat for a run of one link, so many times one after the other, as an app does; prints seconds as JSON.

    ask.py json   BROKER_URL NAMESPACE URL TIMES PATTERN
    ask.py celery BROKER_URL QUEUE     URL TIMES PATTERN
"""

import json
import sys
import time
import uuid


def by_json(broker, namespace, url, pattern):
    import pika

    connection = pika.BlockingConnection(pika.URLParameters(broker))
    channel = connection.channel()
    channel.confirm_delivery()
    answers = []
    # The queue of direct reply-to must have its consumer before anything is asked.
    channel.basic_consume("amq.rabbitmq.reply-to", lambda *answer: answers.append(answer[3]), auto_ack=True)

    def ask():
        request = {"schema": "linkbeat.request/1", "request_id": str(uuid.uuid4()), "links": [{"url": url}], "backlink": pattern}
        properties = pika.BasicProperties(
            content_type="application/json", delivery_mode=2, reply_to="amq.rabbitmq.reply-to", correlation_id="1"
        )
        channel.basic_publish("", f"{namespace}.requests", json.dumps(request), properties)
        begin = time.monotonic()
        while not answers and time.monotonic() - begin < 30:
            connection.process_data_events(time_limit=1)
        return json.loads(answers.pop())

    return ask


def by_celery(broker, queue, url, pattern):
    from celery import Celery

    app = Celery("blog", broker=broker, backend="rpc://")

    def ask():
        arguments = {"site_link": pattern, "links": [url]}
        return app.send_task("linkbeat.check", kwargs=arguments, queue=queue).get(timeout=30)

    return ask


how, broker, where, url, times, pattern = sys.argv[1:]
ask = (by_json if how == "json" else by_celery)(broker, where, url, pattern)
taken = []
for _ in range(int(times)):
    begin = time.monotonic()
    report = ask()
    taken.append(time.monotonic() - begin)
    assert report["code"] == 0 and report["data"]["up"] == 1, report
print(json.dumps({"taken": taken}))
