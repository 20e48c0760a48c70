"""Programs that a service starts while it talks to its sidecar."""

import os
import subprocess
import sys

STARTS = 150  # of which one in twenty died where gRPC's fork handlers were at work
PROGRAM = f"""
import asyncio
import omnify_shared
import grpc.aio
import uvloop

class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(self.answer)

    async def answer(self, request, context):
        return request

async def main():
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    call = grpc.aio.insecure_channel(f"127.0.0.1:{{port}}").unary_unary("/echo/it")

    async def talk():
        while True:
            await call(b"x" * 1000)

    talking = [asyncio.create_task(talk()) for _ in range(8)]
    codes = []
    for _ in range({STARTS}):
        child = await asyncio.create_subprocess_exec(
            "true", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, start_new_session=True
        )
        await child.communicate()
        codes.append(child.returncode)
    assert not any(one.done() for one in talking)
    print(len(codes), sum(map(bool, codes)), flush=True)

uvloop.run(main())
"""


def test_no_child_dies_of_what_its_parent_was_about() -> None:
    fresh = {name: value for name, value in os.environ.items() if name != "GRPC_ENABLE_FORK_SUPPORT"}
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, env=fresh)
    assert run.stdout.split() == [str(STARTS), "0"], run.stderr[-2000:]
