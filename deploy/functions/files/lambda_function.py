"""AWS Lambda: `handler` judges files whose bytes are all there; `upkeep` those that were left."""

from omnify_functions import aws

handler = aws.consumer("files")
upkeep = aws.upkeep("files")
