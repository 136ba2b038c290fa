"""The protocol without its I/O: what `lomond.protocol` asks of a loop, on a bare socket."""

import socket
from select import select
from time import monotonic, time

from local_server import chosen_url

from lomond.events import Event, Ready, Text
from lomond.protocol.client import ClientProtocol
from lomond.protocol.handshake import UpgradeRequest, make_handshake_key
from lomond.protocol.settings import Settings
from lomond.url import parse_url


def read(stream: socket.socket, protocol: ClientProtocol) -> list[Event]:
    if protocol.has_more:
        return protocol.receive_more(monotonic())
    if not select([stream], [], [], max(0.0, protocol.next_due - monotonic()))[0]:
        return protocol.tick(monotonic())
    data = stream.recv(65536)
    return protocol.receive(data, time(), monotonic()) if data else protocol.end_of_stream()


with chosen_url(__doc__, "/echo") as url:
    server = parse_url(url)
    request = UpgradeRequest(server.host_header, server.resource, make_handshake_key())
    protocol = ClientProtocol(request, Settings())
    with socket.create_connection((server.host, server.port)) as stream:
        protocol.open(deadline=monotonic() + 30)
        while not protocol.is_finished:
            stream.sendall(protocol.outgoing.take())
            for event in read(stream, protocol):
                print(event)
                if isinstance(event, Ready):
                    protocol.send_text("Hello, loch!")
                elif isinstance(event, Text):
                    protocol.close(1000, b"goodbye", monotonic())
            protocol.acknowledge_close(monotonic())
        print(protocol.ending.tell(time()))
