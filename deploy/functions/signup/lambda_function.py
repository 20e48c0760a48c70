"""AWS Lambda: `handler` takes registrations; `upkeep`, for a schedule alone, looks after what they left."""

from omnify_functions import aws

handler = aws.door("signup")
upkeep = aws.upkeep("signup")
