"""TLS in front of a sidecar, as an ingress is: a certificate authority of the test, and a pump of bytes per port."""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from omnify_local.ports import LOOPBACK, free_port


class TlsFront:
    """Pumps between a TLS port of its own and each of `ports`. `cut` ends what is open; `close` also refuses more."""

    def __init__(self, folder: Path, ports: Mapping[str, int]) -> None:
        self.authority = folder / "authority.pem"
        self._context = _server_context(folder, self.authority)
        self.ports = {name: free_port() for name in ports}
        self._targets = dict(ports)
        self._servers: list[asyncio.Server] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.open()

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs: the endpoints by Dapr's names, and whom to trust."""
        return {
            "DAPR_HTTP_ENDPOINT": f"https://{LOOPBACK}:{self.ports['http']}",
            "DAPR_GRPC_ENDPOINT": f"https://{LOOPBACK}:{self.ports['grpc']}",
            "SSL_CERT_FILE": str(self.authority),
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(self.authority),
        }

    def open(self) -> None:
        """Takes connections."""
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)

    def cut(self) -> None:
        """Ends every connection, without a word."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(10)

    def close(self) -> None:
        """Refuses connections until `open`."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)

    def stop(self) -> None:
        """For good."""
        self.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _open(self) -> None:
        for name, port in self._targets.items():

            async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int = port) -> None:
                await self._pump(reader, writer, port)

            server = await asyncio.start_server(pump, LOOPBACK, self.ports[name], ssl=self._context)
            self._servers.append(server)

    async def _cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()
        await self._cut()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        try:
            back, on = await asyncio.open_connection(LOOPBACK, port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, on}
        await asyncio.gather(_copy(reader, on), _copy(back, writer))
        self._writers -= {writer, on}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, ssl.SSLError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    writer.transport.abort()


def _server_context(folder: Path, authority: Path) -> ssl.SSLContext:
    """A context with a fresh certificate for loopback, and its authority's written to `authority`."""
    folder.mkdir(parents=True, exist_ok=True)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])
    root = _certificate(root_name, root_name, root_key.public_key(), root_key, authority=True)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, LOOPBACK)])
    leaf = _certificate(name, root_name, key.public_key(), root_key, authority=False)
    pem = serialization.Encoding.PEM
    authority.write_bytes(root.public_bytes(pem))
    chain = folder / "chain.pem"
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain.write_bytes(key.private_bytes(pem, *plain) + leaf.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if not authority:
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signer, hashes.SHA256())
