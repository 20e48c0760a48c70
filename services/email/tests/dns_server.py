"""A strict authoritative DNS server on UDP as a process of its own: `python dns_server.py <port> <file>`.

The file is JSON, `{"<type> <name>": ["value", …]}`, read for each question; a name that has nothing does not exist.
`broken.…` gets SERVFAIL, `silent.…` no answer.
"""

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

PORT, FILE = int(sys.argv[1]), Path(sys.argv[2])


def answered(question: bytes) -> bytes | None:
    query = dns.message.from_wire(question)
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.AA
    [asked] = query.question
    name, kind = asked.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(asked.rdtype)
    if "silent." in name:
        return None
    if "broken." in name:
        reply.set_rcode(dns.rcode.SERVFAIL)
        return reply.to_wire()
    zone = json.loads(FILE.read_text()) if FILE.exists() else {}
    values = zone.get(f"{kind} {name}", [])
    if values:
        reply.answer.append(dns.rrset.from_text(asked.name, 60, "IN", kind, *map(_written(kind), values)))
    elif not any(key.endswith(f" {name}") for key in zone):
        reply.set_rcode(dns.rcode.NXDOMAIN)
    return reply.to_wire()


def _written(kind: str) -> Callable[[str], str]:
    def written(value: str) -> str:
        if kind == "CNAME":
            return f"{value}."
        pieces = [value[start : start + 255] for start in range(0, len(value), 255)]
        return " ".join(f'"{piece}"' for piece in pieces)

    return written


def main() -> None:
    # TCP besides, for whoever waits until the process is up.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, socket.create_server(("127.0.0.1", PORT)):
        server.bind(("127.0.0.1", PORT))
        while True:
            question, asker = server.recvfrom(4096)
            if (answer := answered(question)) is not None:
                server.sendto(answer, asker)


main()
