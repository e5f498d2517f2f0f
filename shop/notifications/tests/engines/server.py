"""A real mail server for tests: aiosmtpd, with recipients that behave badly on purpose.

Prints one JSON object a line: first where it listens, then every envelope that it was offered.
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


def tell(**fields):
    print(json.dumps(fields), flush=True)


class Handler:
    def __init__(self):
        self.seen = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused"):
            tell(refused=address)
            return "550 5.1.1 nobody of that name lives here"
        if address.startswith("later") and address not in self.seen:
            self.seen.add(address)
            tell(postponed=address)
            return "451 4.3.0 not now"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        text = envelope.content.decode()
        names = [line for line in text.split("\r\n") if line.lower().startswith("message-id:")]
        to = envelope.rcpt_tos[0]
        # The letter is taken, and the answer never arrives.
        lost = to.startswith("lost") and to not in self.seen
        self.seen.add(to)
        tell(
            to=to,
            id=names[0].split(":", 1)[1].strip(),
            text=text,
            encrypted=session.ssl is not None,
            lost=lost,
        )
        if lost:
            server.transport.abort()
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b"shop", b"secret")
    return AuthResult(success=good, handled=False)


async def main():
    port, folder = int(sys.argv[1]), sys.argv[2]
    more = {}
    if folder != "-":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder + "/server.pem", folder + "/server.key")
        more = {
            "tls_context": context,
            "require_starttls": True,
            "auth_required": True,
            "authenticator": authenticate,
        }
    handler = Handler()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, **more), "127.0.0.1", port)
    tell(port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main())
