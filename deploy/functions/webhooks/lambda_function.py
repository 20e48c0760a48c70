"""AWS Lambda: `handler` takes what other platforms send; `upkeep` looks after what was left."""

from omnify_functions import aws

handler = aws.door("webhooks")
upkeep = aws.upkeep("webhooks")
