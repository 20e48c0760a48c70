"""What the clouds deliver, in the shapes that they document: API Gateway v2, SQS, SNS over SQS, Kafka, Pub/Sub."""

import base64
import json
from collections.abc import Mapping
from typing import Any

JSON = dict[str, Any]


def api_gateway(
    method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, *, raw: bytes | None = None
) -> JSON:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html"""
    content = raw if raw is not None else json.dumps(body).encode() if body is not None else b""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "content-type": "application/json",
            "content-length": str(len(content)),
            "host": "api.example.com",
            "x-forwarded-for": "203.0.113.9",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
            **(headers or {}),
        },
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "api",
            "domainName": "api.example.com",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.9",
                "userAgent": "a browser",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "10/Mar/2026:05:16:23 +0000",
            "timeEpoch": 1773119783000,
        },
        "body": base64.b64encode(content).decode(),
        "isBase64Encoded": True,
    }


def sqs(*bodies: Any, sns: bool = False) -> JSON:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html; message ids are `m0`, `m1`, …"""
    return {"Records": [_sqs_record(number, _text(body), sns) for number, body in enumerate(bodies)]}


def _sqs_record(number: int, body: str, sns: bool) -> JSON:
    if sns:
        envelope = {
            "Type": "Notification",
            "MessageId": f"n{number}",
            "TopicArn": "arn:aws:sns:eu-central-1:000000000000:auth-events",
            "Message": body,
            "Timestamp": "2026-03-10T05:16:23.000Z",
            "SignatureVersion": "1",
        }
        body = json.dumps(envelope)
    return {
        "messageId": f"m{number}",
        "receiptHandle": f"r{number}",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1773119783000",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1773119783001",
        },
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:000000000000:omnify-mail",
        "awsRegion": "eu-central-1",
    }


def kafka(*values: Any, managed: bool = True) -> JSON:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-msk.html, and with-kafka.html when it is not managed."""
    source = {"eventSource": "aws:kafka", "eventSourceArn": "arn:aws:kafka:eu-central-1:000000000000:cluster/omnify/1"}
    records = [
        {
            "topic": "auth-events",
            "partition": 0,
            "offset": number,
            "timestamp": 1773119783000,
            "timestampType": "CREATE_TIME",
            "key": base64.b64encode(b"a-key").decode(),
            "value": base64.b64encode(_text(value).encode()).decode(),
            "headers": [{"headerKey": [104, 101, 97, 100]}],
        }
        for number, value in enumerate(values)
    ]
    return {
        **(source if managed else {"eventSource": "SelfManagedKafka"}),
        "bootstrapServers": "b-1.example.com:9092,b-2.example.com:9092",
        "records": {"auth-events-0": records},
    }


def pubsub(value: Any) -> tuple[dict[str, str], JSON]:
    """Headers and body of a Pub/Sub message as Eventarc posts it (CloudEvents, binary mode)."""
    topic = "//pubsub.googleapis.com/projects/a-project/topics/auth-events"
    headers = {
        "ce-id": "9292925871112345",
        "ce-source": topic,
        "ce-specversion": "1.0",
        "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
        "ce-time": "2026-03-10T05:16:23.000Z",
        "content-type": "application/json",
    }
    message = {
        "data": base64.b64encode(_text(value).encode()).decode(),
        "attributes": {},
        "messageId": "9292925871112345",
        "publishTime": "2026-03-10T05:16:23.000Z",
    }
    return headers, {"message": message, "subscription": "projects/a-project/subscriptions/omnify-mail"}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
