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
    report = ask(args.broker_url, args.namespace, request, args.wait)
    if report is None:
        print("no answer in time; are a producer, a recorder and workers running?", file=sys.stderr)
        return 3
    json.dump(report, sys.stdout, ensure_ascii=False, indent=2)
    print()
    return 0 if report["code"] == 0 else 1


def ask(broker_url: str, namespace: str, request: dict, seconds: float) -> dict | None:
    """Publishes the request with a confirm, and waits for the answer on a queue of its own."""
    connection = pika.BlockingConnection(pika.URLParameters(broker_url))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        replies = channel.queue_declare("", exclusive=True).method.queue
        correlation_id = str(uuid.uuid4())
        channel.basic_publish(
            exchange="",
            routing_key=f"{namespace}.requests",
            body=json.dumps(request),
            properties=pika.BasicProperties(
                content_type="application/json",
                delivery_mode=2,
                message_id=request["request_id"],
                reply_to=replies,
                correlation_id=correlation_id,
            ),
            mandatory=True,  # an error here means that no producer has ever run
        )
        for _, properties, body in channel.consume(replies, auto_ack=True, inactivity_timeout=seconds):
            if body is None:
                return None
            if properties.correlation_id == correlation_id:
                return json.loads(body)
    finally:
        connection.close()


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("broker_url")
    parser.add_argument("links", nargs="?", help="a JSON file; without it all stored active links are checked")
    parser.add_argument("--backlink", help="regular expression that each page must contain")
    parser.add_argument("--timeout-ms", type=int, help="absolute deadline of each link")
    parser.add_argument("--namespace", default="linkbeat")
    parser.add_argument("--request-id", default=str(uuid.uuid4()), help="the same id twice is one run")
    parser.add_argument("--wait", type=float, default=60, help="seconds to wait for the report")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
