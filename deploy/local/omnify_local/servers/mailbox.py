"""The local mailbox: MailDev takes every mail over SMTP and shows it on a page and over HTTP."""

from pathlib import Path

from omnify_local import nodejs
from omnify_local.ports import LOOPBACK, answers
from omnify_local.servers.base import Server

_PACKAGE = Path(__file__).parents[1] / "mailbox"


class Mailbox(Server):
    """`port` is SMTP, `web_port` the page and the API; mails lie in `folder/mail` and survive a restart."""

    name = "Mailbox"
    start_timeout = 30

    def __init__(self, folder: Path, port: int, web_port: int) -> None:
        super().__init__(folder, port)
        self.web_port = web_port

    @property
    def url(self) -> str:
        """Where a person opens it."""
        return f"http://{LOOPBACK}:{self.web_port}"

    @property
    def smtp_url(self) -> str:
        """Value for OMNIFY_SMTP_URL."""
        return f"smtp://{LOOPBACK}:{self.port}"

    def command(self) -> list[str]:
        """See Server."""
        options = {
            "smtp": str(self.port),
            "ip": LOOPBACK,
            "web": str(self.web_port),
            "web-ip": LOOPBACK,
            "mail-directory": str(self.folder / "mail"),
            "max-emails": "1000",
        }
        program = nodejs.modules("mailbox", _PACKAGE) / "maildev" / "dist" / "bin" / "maildev.js"
        return [
            str(nodejs.program()),
            str(program),
            *(word for key, value in options.items() for word in (f"--{key}", value)),
        ]

    def ready(self) -> bool:
        """See Server."""
        return answers(self.port) and answers(self.web_port)
