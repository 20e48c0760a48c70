"""toxiproxy (https://github.com/Shopify/toxiproxy): TCP proxies on loopback that slow down, cut and stall."""

from pathlib import Path
from typing import Any

import httpx2 as httpx

from omnify_local import tools
from omnify_local.ports import LOOPBACK, answers
from omnify_local.servers.base import Server


class Proxy:
    """One proxied address: `port` leads to the port it was made for. Toxics act on every connection through it."""

    def __init__(self, client: httpx.Client, name: str, port: int) -> None:
        self._client, self.name, self.port = client, name, port

    def add(self, kind: str, *, toxicity: float = 1.0, stream: str = "downstream", **attributes: int) -> None:
        """Add a toxic (`latency`, `bandwidth`, `reset_peer`, `timeout`, `limit_data`, …) with toxiproxy's attributes.

        `downstream` is from the server to the client. `toxicity` is the share of connections it acts on.
        """
        body = {"type": kind, "stream": stream, "toxicity": toxicity, "attributes": attributes}
        self._client.post(f"/proxies/{self.name}/toxics", json=body).raise_for_status()

    def heal(self) -> None:
        """Take every toxic away and let connections through again."""
        toxics: list[dict[str, Any]] = self._client.get(f"/proxies/{self.name}/toxics").raise_for_status().json()
        for toxic in toxics:
            self._client.delete(f"/proxies/{self.name}/toxics/{toxic['name']}").raise_for_status()
        self._enable(True)

    def cut(self) -> None:
        """End every connection and refuse new ones, until `heal()`."""
        self._enable(False)

    def _enable(self, on: bool) -> None:
        self._client.post(f"/proxies/{self.name}", json={"enabled": on}).raise_for_status()


class Toxiproxy(Server):
    """The proxy's server; `port` is its HTTP API. `seed` decides which connections a toxic of some toxicity takes."""

    name = "Toxiproxy"
    start_timeout = 15

    def __init__(self, folder: Path, port: int, seed: int = 0) -> None:
        super().__init__(folder, port)
        self.seed = seed
        self._client = httpx.Client(base_url=f"http://{LOOPBACK}:{port}", timeout=10)

    def command(self) -> list[str]:
        """See Server."""
        return [str(tools.toxiproxy()), "-host", LOOPBACK, "-port", str(self.port), "-seed", str(self.seed)]

    def environment(self) -> dict[str, str]:
        """See Server."""
        return {"LOG_LEVEL": "warn"}

    def ready(self) -> bool:
        """See Server."""
        return answers(self.port)

    def proxy(self, name: str, *, listen: int, upstream: int) -> Proxy:
        """A new proxy from one loopback port to another."""
        body = {"name": name, "listen": f"{LOOPBACK}:{listen}", "upstream": f"{LOOPBACK}:{upstream}", "enabled": True}
        self._client.post("/proxies", json=body).raise_for_status()
        return Proxy(self._client, name, listen)

    def stop(self) -> None:
        """See Server."""
        self._client.close()
        super().stop()
