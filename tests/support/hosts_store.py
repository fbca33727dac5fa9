"""The store's host: moto's S3 behind a relay that holds each piece back for some milliseconds.

python hosts_store.py PORT MILLISECONDS
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

import boto3
from moto.server import ThreadedMotoServer

BUCKET = "together"
#: Bytes in flight of one direction of one connection.
_PIECE, _PIECES = 1 << 16, 64


async def later(reader, writer, seconds):
    """Hand on what comes, each piece that much later."""
    loop = asyncio.get_running_loop()
    waiting = asyncio.Queue(_PIECES)

    async def hand_on():
        while True:
            due, piece = await waiting.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not piece:
                return
            writer.write(piece)
            await writer.drain()

    handing = asyncio.create_task(hand_on())
    with contextlib.suppress(OSError):
        piece = b"first"
        while piece:
            piece = await reader.read(_PIECE)
            await waiting.put((loop.time() + seconds, piece))
        await handing
    handing.cancel()
    with contextlib.suppress(OSError):
        writer.close()


async def serve(port, seconds, inner):
    async def relay(reader, writer):
        there, back = await asyncio.open_connection("127.0.0.1", inner)
        await asyncio.gather(later(reader, back, seconds), later(there, writer, seconds))

    # every line has an address of its own, and the host has no other line
    server = await asyncio.start_server(relay, "0.0.0.0", port)  # noqa: S104
    await server.serve_forever()


if __name__ == "__main__":
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, inner_port = moto.get_host_and_port()
    keys = {"aws_access_key_id": "one", "aws_secret_access_key": "two"}
    url = f"http://{host}:{inner_port}"
    boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys).create_bucket(
        Bucket=BUCKET
    )
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 1000, inner_port))
