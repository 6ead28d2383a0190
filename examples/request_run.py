"""Ask linkbeat for a run and wait for its report, from any app that speaks AMQP.

    pip install pika
    python request_run.py amqp://guest:guest@localhost:5672/ links.json --backlink 'https?://my\\.blog'

links.json is an array of {"name": ..., "url": ...}; without it all stored active links are checked.
Prints the report as JSON. Exit status: 0 a report came, 1 linkbeat refused the request, 3 no answer.
"""

import argparse
import json
import sys
import uuid

import pika
import pika.exceptions


def main() -> int:
    args = parse_arguments()
    request = {"schema": "linkbeat.request/1", "request_id": args.request_id}
    if args.links:
        with open(args.links, encoding="utf-8") as file:
            request["links"] = json.load(file)
    if args.backlink:
        request["backlink"] = args.backlink
    if args.timeout_ms is not None:
        request["timeout_ms"] = args.timeout_ms
    if args.lang:
        request["lang"] = args.lang
    if args.cancel:
        request["cancel"] = True
    try:
        report = ask(args.broker_url, args.namespace, request, args.wait)
    except NoAnswer as error:
        print(f"no answer: {error}", file=sys.stderr)
        return 3
    json.dump(report, sys.stdout, ensure_ascii=False, indent=2)
    print()
    return 0 if report["code"] == 0 else 1


class NoAnswer(Exception):
    """Says in words why there is none."""


def ask(broker_url: str, namespace: str, request: dict, seconds: float) -> dict:
    """Publishes the request with a confirm, and waits for the answer on a queue of its own."""
    parameters = pika.URLParameters(broker_url)
    # An app may declare and read queues that begin with its own name: docs/operations.md.
    replies = f"{parameters.credentials.username}.answers.{uuid.uuid4()}"
    try:
        connection = pika.BlockingConnection(parameters)
    except pika.exceptions.AMQPConnectionError as error:
        raise NoAnswer(f"RabbitMQ cannot be reached: {error!r}") from error
    try:
        return ask_over(connection, replies, namespace, request, seconds)
    except pika.exceptions.ChannelClosedByBroker as error:
        raise NoAnswer(f"RabbitMQ refuses: {error.reply_text}") from error
    except (pika.exceptions.UnroutableError, pika.exceptions.NackError) as error:
        raise NoAnswer("nothing takes requests: run `linkbeat migrate` or a producer first") from error
    except pika.exceptions.AMQPConnectionError as error:
        raise NoAnswer(f"the connection to RabbitMQ was lost: {error!r}") from error
    finally:
        if connection.is_open:
            connection.close()


def ask_over(connection, replies: str, namespace: str, request: dict, seconds: float) -> dict:
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare(replies, exclusive=True)
    correlation_id = str(uuid.uuid4())
    channel.basic_publish(
        exchange=f"{namespace}.requests",
        routing_key="",
        body=json.dumps(request),
        properties=pika.BasicProperties(
            content_type="application/json",
            delivery_mode=2,
            message_id=str(uuid.uuid4()),
            reply_to=replies,
            correlation_id=correlation_id,
        ),
        mandatory=True,
    )
    for _, properties, body in channel.consume(replies, auto_ack=True, inactivity_timeout=seconds):
        if body is None:
            break
        if properties.correlation_id == correlation_id:
            return json.loads(body)
    raise NoAnswer(f"none came within {seconds:g} s; do a producer, a recorder and workers run?")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("broker_url")
    parser.add_argument("links", nargs="?", help="a JSON file; without it all stored active links are checked")
    parser.add_argument("--backlink", help="regular expression that each page must contain")
    parser.add_argument("--timeout-ms", type=int, help="absolute deadline of each link")
    parser.add_argument("--lang", choices=["en", "zh"], help="the language of the report's texts")
    parser.add_argument("--cancel", action="store_true", help="stop the run of --request-id instead")
    parser.add_argument("--namespace", default="linkbeat")
    parser.add_argument("--request-id", default=str(uuid.uuid4()), help="the same id twice is one run")
    parser.add_argument("--wait", type=float, default=60, help="seconds to wait for the report")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
