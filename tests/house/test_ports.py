"""Ports for servers that keep their address."""

import socket

from tools.ports import free_ports, is_free


def test_ports_are_apart_free_and_not_the_systems_to_give_away() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert all(is_free(port) for port in ports)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        given = taken.getsockname()[1]
        assert max(ports) < given
        assert not is_free(given)


def test_a_port_is_given_once_though_nobody_listens_on_it_yet() -> None:
    ports = [port for _ in range(500) for port in free_ports(5)]
    assert len(set(ports)) == len(ports)
