"""TLS to the provider: verified, by name, and streamed; and what the client hears when it is not.

Method: a certificate authority made here with the openssl command, `SSL_CERT_FILE` for the
gateway, and raw TLS servers: the right name, a wrong one, an unknown authority, one that speaks no
TLS, one that says nothing.
"""

import socket
import ssl
import threading
import time

import pytest

from tests.authority import authority, certificate
from tests.journey.harness import Gateway, chat, configuration, post, wait_until
from tests.journey.peers import (
    Upstream,
    answer,
    ask,
    attempts_of,
    chunked,
    event_stream,
    hear,
    leave_rudely,
    settled,
)

EVENT = b'data: {"id":"a","choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
FINISH = b'data: {"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = (b'data: {"choices":[],"usage":'
         b'{"prompt_tokens":3,"completion_tokens":9,"total_tokens":12}}\n\n')


class SecureUpstream(Upstream):
    """An Upstream behind TLS; ``names`` has the SNI of each handshake."""

    def __init__(self, script, folder, name):
        self.names = []
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        self.tls.sni_callback = lambda sock, asked, _: self.names.append(asked)
        super().__init__(script)

    def _serve(self, sock, connection):
        try:
            wrapped = self.tls.wrap_socket(sock, server_side=True)
        except (OSError, ssl.SSLError):
            self.gone += 1
            return
        super()._serve(wrapped, connection)


class House:
    def __init__(self, folder):
        authority(folder, "ours")
        authority(folder, "theirs")
        certificate(folder, "right", "ours", "DNS:localhost,IP:127.0.0.1")
        certificate(folder, "other", "ours", "DNS:api.example.com")
        certificate(folder, "foreign", "theirs", "DNS:localhost")
        self.script = lambda call: call.sock.sendall(answer(b"{}")) or True
        play = lambda call: self.script(call)  # noqa: E731
        self.upstreams = {name: SecureUpstream(play, folder, name)
                          for name in ("right", "other", "foreign")}
        self.plain = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.answer_plainly, daemon=True).start()
        self.mute = socket.create_server(("127.0.0.1", 0))
        ports = {name: upstream.port for name, upstream in self.upstreams.items()}
        ports |= {"plain": self.plain.getsockname()[1], "mute": self.mute.getsockname()[1]}
        config = configuration(1)
        config["providers"] = [
            {"id": name, "dialect": "openai", "base_url": f"https://localhost:{port}/v1",
             "keys": [{"value": "sk"}], "retries": {"max": 0}, "timeouts": {"connect": "1s"}}
            for name, port in ports.items()]
        config["providers"].append(
            {"id": "by-address", "dialect": "openai", "keys": [{"value": "sk"}],
             "base_url": f"https://127.0.0.1:{ports['right']}/v1"})
        config["policy"] = {"on_http_request": [{
            "expressions": ["'x-drain' in req.headers"],
            "actions": [{"type": "on-abort", "config": {"then": "drain"}}]}]}
        self.gateway = Gateway(config, env={"SSL_CERT_FILE": str(folder / "ours.pem")})

    def answer_plainly(self):
        while True:
            sock, _ = self.plain.accept()
            self.plain_got = sock.recv(65536)
            sock.sendall(answer(b"this port speaks no TLS", status="400 Bad Request"))
            sock.close()

    def ask(self, provider, **more):
        return ask(self.gateway, model=f"{provider}/gpt", **more)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    instance = House(tmp_path_factory.mktemp("tls"))
    yield instance
    instance.gateway.remove()


def test_speaks_to_a_provider_whose_certificate_and_name_are_right(house):
    for _ in range(10):
        heard = house.ask("right")
        assert (heard.status, heard.body) == (200, b"{}")
    assert house.upstreams["right"].names == ["localhost"]  # one handshake: the rest is reuse
    assert house.ask("by-address").status == 200


@pytest.mark.parametrize("provider,code", [
    ("other", "FGW-902"), ("foreign", "FGW-902"), ("plain", "FGW-902"), ("mute", "FGW-904"),
])
def test_sends_nothing_to_who_is_not_the_provider(house, provider, code):
    heard = house.ask(provider)
    assert heard.status == (504 if provider == "mute" else 502)
    assert heard.fields["x-fastgw-code"] == code
    if provider in house.upstreams:
        assert house.upstreams[provider].calls == []
    if provider == "plain":
        assert b"POST" not in house.plain_got


def test_streams_and_meters_over_tls(house):
    def script(call):
        call.sock.sendall(event_stream(end=False))
        for _ in range(9):
            call.sock.sendall(b"%x\r\n%b\r\n" % (len(EVENT), EVENT))
            time.sleep(0.005)
        call.sock.sendall(chunked(FINISH, USAGE))
        return True

    house.script = script
    heard = house.ask("right", stream=True)
    assert heard.whole and heard.body == EVENT * 9 + FINISH
    [attempt] = attempts_of(house.gateway, house.upstreams["right"].calls[-1])
    assert attempt["usage"]["output_tokens"] == 9
    assert attempt["usage"]["provenance"] == "provider"


@pytest.mark.parametrize("begun", [0, 4])
def test_reads_on_over_tls_when_the_client_has_gone(house, begun):
    """Also where it took nothing, so that the provider had not been read for a while."""
    left, pad = threading.Event(), b": " + b"x" * 60000 + b"\n\n"

    def script(call):
        call.sock.sendall(event_stream(*[EVENT, pad] * begun, end=False))
        assert left.wait(10)
        call.sock.sendall(chunked(*[EVENT, pad] * (40 - begun), FINISH, USAGE))
        return True

    house.script = script
    upstream = house.upstreams["right"]
    before = len(upstream.calls)
    with house.gateway.connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        body = chat(model="right/gpt", stream=True)
        sock.sendall(post("/v1/chat/completions", body, "x-drain: yes"))
        wait_until(lambda: len(upstream.calls) > before)
        if begun:
            sock.recv(100)
        leave_rudely(sock)
    left.set()
    [attempt] = attempts_of(house.gateway, upstream.calls[-1])
    assert (attempt["fate"], attempt["code"]) == ("cut by client", "FGW-956")
    assert attempt["usage"]["output_tokens"] == 9 and attempt["usage"]["provenance"] == "provider"


@pytest.mark.parametrize("clean", [True, False])
def test_shows_a_cut_over_tls(house, clean):
    def script(call):
        call.sock.sendall(event_stream(EVENT, end=False))
        if clean:
            call.sock.unwrap()
        else:
            call.sock.shutdown(socket.SHUT_RDWR)
        return False

    house.script = script
    heard = house.ask("right", stream=True)
    assert not heard.whole and b"FGW-909" in heard.body


@pytest.mark.parametrize("clean", [True, False])
def test_takes_the_end_of_tls_alone_for_the_end_of_a_body_without_length(house, clean):
    """A FIN below TLS can be anybody's; only the provider can say close_notify."""
    def script(call):
        call.sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n{}")
        time.sleep(0.02)
        if clean:
            call.sock.unwrap()
        else:
            call.sock.shutdown(socket.SHUT_RDWR)
        return False

    house.script = script
    heard = house.ask("right")
    assert heard.body == b"{}" and heard.whole == clean


def test_retries_unseen_when_an_idle_tls_connection_was_closed(house):
    house.script = lambda call: call.sock.sendall(answer(b"{}")) and False
    with house.gateway.connect() as sock:
        for _ in range(40):
            sock.sendall(post("/v1/chat/completions", chat("right/gpt")))
            assert hear(sock).status == 200


# 40 MB: more than the kernel's four buffers on the way may grow to (14 MB on Debian).
BLOCKS = 1200


def stands_still(sent):
    while True:
        before = len(sent)
        time.sleep(0.5)
        if before and before == len(sent):
            return before


def test_stops_a_tls_upstream_whose_client_does_not_read(house):
    sent = []

    def script(call):
        call.sock.sendall(event_stream(end=False))
        block = EVENT * 500
        for _ in range(BLOCKS):
            call.sock.sendall(b"%x\r\n%b\r\n" % (len(block), block))
            sent.append(len(block))
        call.sock.sendall(b"0\r\n\r\n")
        return True

    house.script = script
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.connect(("127.0.0.1", house.gateway.port))
        sock.sendall(post("/v1/chat/completions", chat(
            "right/gpt", stream=True, stream_options={"include_usage": True})))
        assert 0 < stands_still(sent) < BLOCKS
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        heard = hear(sock)
    assert heard.whole and heard.body == EVENT * 500 * BLOCKS


def test_cancels_over_tls_when_the_client_leaves(house):
    gone = threading.Event()

    def script(call):
        call.sock.sendall(event_stream(EVENT, end=False))
        call.sock.settimeout(5)
        try:
            while call.sock.recv(100):
                pass
        except OSError:
            pass
        gone.set()

    house.script = script
    for phase in ("handshake", "stream"):
        sock = house.gateway.connect()
        sock.sendall(post("/v1/chat/completions", chat("right/gpt", stream=True)))
        if phase == "stream":
            sock.recv(100)
        sock.close()
    assert gone.wait(10)
    settled(house.gateway)
    house.script = lambda call: call.sock.sendall(answer(b"{}")) or True
    assert house.ask("right").status == 200
    assert "exchange failed" not in house.gateway.log()
