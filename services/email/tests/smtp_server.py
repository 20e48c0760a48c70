"""A strict SMTP server (RFC 5321) as a process of its own: `python smtp_server.py <port> <file>`.

Mails that it took are lines of JSON in the file. The recipient's local part says what happens: `temp…` is refused for
now (451), `perm…` for good (550), `stall…` gets no answer to its first mail, which is not taken either.
"""

import asyncio
import json
import re
import sys
from pathlib import Path

PORT, FILE = int(sys.argv[1]), Path(sys.argv[2])
STALLED: set[str] = set()


async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    def say(line: str) -> None:
        writer.write(line.encode() + b"\r\n")

    say("220 strict.example ESMTP")
    sender, recipients = None, []
    while line := await reader.readline():
        if not line.endswith(b"\r\n"):
            say("500 lines end in CRLF")
            break
        command = line.decode().strip()
        verb = command.split(" ")[0].upper()
        if verb == "EHLO":
            say("250-strict.example\r\n250 8BITMIME")
        elif match := re.fullmatch(r"(?i)MAIL FROM:<([^<> ]+@[^<> ]+)>( SIZE=\d+)?( BODY=8BITMIME)?", command):
            sender = match[1]
            say("250 ok")
        elif match := re.fullmatch(r"(?i)RCPT TO:<([^<> ]+@[^<> ]+)>", command):
            say(answer := _judge(match[1]))
            if answer.startswith("250"):
                recipients.append(match[1])
        elif verb == "DATA" and sender and recipients:
            say("354 go on")
            message = await reader.readuntil(b"\r\n.\r\n")
            name = recipients[0]
            if name.startswith("stall") and name not in STALLED:
                STALLED.add(name)
                FILE.with_suffix(".stalled").touch()
                await asyncio.sleep(3600)
            _keep({"from": sender, "to": recipients, "data": message[:-5].decode()})
            say("250 taken")
        elif verb == "QUIT":
            say("221 bye")
            break
        else:
            say("503 bad sequence or syntax")
    writer.close()


def _keep(mail: dict[str, object]) -> None:
    with FILE.open("a") as taken:
        taken.write(json.dumps(mail) + "\n")


def _judge(address: str) -> str:
    if address.startswith("temp"):
        return "451 try again later"
    return "550 no such user" if address.startswith("perm") else "250 ok"


async def main() -> None:
    server = await asyncio.start_server(session, "127.0.0.1", PORT)
    await server.serve_forever()


asyncio.run(main())
