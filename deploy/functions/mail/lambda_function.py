"""AWS Lambda: `handler` sends the mails that events ask for; `upkeep` those that wait for another try."""

from omnify_functions import aws

handler = aws.consumer("mail")
upkeep = aws.upkeep("mail")
