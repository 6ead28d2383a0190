"""Requests to linkbeat over RabbitMQ: docs/TRIGGERS.md and docs/messages/linkbeat.request-1.json."""

import json
import uuid

import pika
from django.conf import settings


class NoAnswer(Exception):
    """Says in words why there is none."""


def send(**fields) -> str:
    """Asks for a run and does not wait for it. Returns the id of the request."""
    connection = pika.BlockingConnection(pika.URLParameters(settings.BROKER_URL))
    try:
        return publish(connection.channel(), fields)
    finally:
        connection.close()


def ask(seconds: float, **fields) -> dict:
    """Asks for a run and waits for its report."""
    parameters = pika.URLParameters(settings.BROKER_URL)
    # RabbitMQ lets the blog have queues that begin with its own name.
    replies = f"{parameters.credentials.username}.answers.{uuid.uuid4()}"
    connection = pika.BlockingConnection(parameters)
    try:
        channel = connection.channel()
        channel.queue_declare(replies, exclusive=True)
        request_id = publish(channel, fields, reply_to=replies)
        for _, properties, body in channel.consume(replies, auto_ack=True, inactivity_timeout=seconds):
            if body is None:
                break
            if properties.correlation_id == request_id:
                return json.loads(body)
    finally:
        connection.close()
    raise NoAnswer(f"no answer within {seconds:g} s; do linkbeat's producer, recorder and workers run?")


def publish(channel, fields: dict, **properties) -> str:
    request_id = str(uuid.uuid4())
    request = {"schema": "linkbeat.request/1", "request_id": request_id, "backlink": settings.SITE_LINK, **fields}
    channel.confirm_delivery()
    channel.basic_publish(
        exchange=f"{settings.LINKBEAT_NAMESPACE}.requests",
        routing_key="",
        body=json.dumps(request),
        properties=pika.BasicProperties(delivery_mode=2, message_id=request_id, correlation_id=request_id, **properties),
        mandatory=True,
    )
    return request_id
