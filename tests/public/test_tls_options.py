"""How TLS is set up: verified by default, one shared context, never a silent weakness.

RFC 2818 §3.1: "If the hostname is available, the client MUST check it against the server's
identity". RFC 8996 §4, §5: TLS 1.0 and 1.1 "MUST NOT be used".
"""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import textwrap
import threading
import warnings
from pathlib import Path

import certifi
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from lomond import tls
from lomond.errors import ConnectFail
from lomond.tls import (
    InsecureTLSWarning,
    TLSOptions,
    TLSStream,
    context_for,
    is_verified,
)
from tests.helpers.certificates import Certificates


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the contexts and the warning of other tests."""
    monkeypatch.setattr(tls, "_contexts", {})
    monkeypatch.setattr(tls, "_has_warned", False)


# -- options


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"keyfile": "k"}, "ssl_keyfile needs the certificate that it is for: add ssl_certfile"),
        ({"cafile": "c", "verify": False}, "ssl_cafile has no use with ssl_verify=False"),
        ({"server_hostname": ""}, "server_hostname must be a host name"),
        ({"server_hostname": ".example.org"}, "server_hostname must be a host name"),
        ({"server_hostname": "a\0b"}, "server_hostname must be a host name"),
        ({"server_hostname": "a" * 64}, "server_hostname must be a host name"),
    ],
)
def test_contradictions_and_bad_names_are_value_errors(
    options: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        TLSOptions(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"verify": "ca.pem"}, "ssl_verify must be True or False"),
        ({"verify": None}, "ssl_verify must be True or False"),
        ({"cafile": b"ca.pem"}, "ssl_cafile must be a path, not bytes"),
        ({"certfile": 1}, "ssl_certfile must be a path, not int"),
        ({"keyfile": ["k"]}, "ssl_keyfile must be a path, not list"),
        ({"server_hostname": b"h"}, "server_hostname must be str, not bytes"),
        ({"context": "ca.pem"}, "ssl_context must be an ssl.SSLContext, not str"),
    ],
)
def test_values_of_a_wrong_type_are_type_errors(options: dict[str, str], complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        TLSOptions(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("option", ["cafile", "certfile", "keyfile"])
def test_a_context_is_not_combined_with_files(option: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ValueError, match=f"load ssl_{option} into that context"):
        TLSOptions(context=context, **{option: "x.pem"})  # type: ignore[arg-type]


def test_a_context_is_not_combined_with_verify_false() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ValueError, match="set verify_mode on that context"):
        TLSOptions(context=context, verify=False)


def test_a_context_for_servers_is_refused() -> None:
    with pytest.raises(ValueError, match="make it with PROTOCOL_TLS_CLIENT"):
        TLSOptions(context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


def test_equal_options_have_equal_hashes() -> None:
    assert hash(TLSOptions(cafile="a")) == hash(TLSOptions(cafile="a"))
    assert TLSOptions(cafile="a") != TLSOptions(cafile="b")


def test_a_valid_server_hostname_goes_with_a_context() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name in ("example.org", "bücher.example", "127.0.0.1", "::1"):
        assert TLSOptions(context=context, server_hostname=name).server_hostname == name


# -- contexts


def test_the_default_verifies_with_tls_1_2_and_certifi() -> None:
    context = context_for(TLSOptions())
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    expected = ssl.create_default_context(cafile=certifi.where())
    assert len(context.get_ca_certs()) == len(expected.get_ca_certs()) > 50


def test_a_cafile_takes_the_place_of_certifi(certificates: Certificates) -> None:
    context = context_for(TLSOptions(cafile=certificates.ca_file))
    assert len(context.get_ca_certs()) == 1


def test_equal_files_share_one_context(certificates: Certificates) -> None:
    path = certificates.ca_file
    context = context_for(TLSOptions(cafile=path, server_hostname="a"))
    assert context_for(TLSOptions(cafile=Path(path), server_hostname="b")) is context
    client = certificates.client_file
    assert context_for(TLSOptions(cafile=path, certfile=client)) is not context


def test_threads_that_start_together_make_one_context(certificates: Certificates) -> None:
    barrier = threading.Barrier(8)
    contexts: list[ssl.SSLContext] = []

    def connect() -> None:
        barrier.wait()
        contexts.append(context_for(TLSOptions(cafile=certificates.ca_file)))

    threads = [threading.Thread(target=connect) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(context) for context in contexts}) == 1


def test_a_users_context_is_used_and_not_changed() -> None:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    before = (context.options, context.verify_flags, context.get_ciphers())
    assert context_for(TLSOptions(context=context)) is context
    TLSStream(context, "example.org")
    assert context.minimum_version == ssl.TLSVersion.TLSv1_3
    assert (context.options, context.verify_flags, context.get_ciphers()) == before


def test_verify_false_accepts_any_certificate_and_warns_once_per_process() -> None:
    with pytest.warns(InsecureTLSWarning, match="trust your own with ssl_cafile"):
        context = context_for(TLSOptions(verify=False))
    assert context.verify_mode == ssl.CERT_NONE
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert context_for(TLSOptions(verify=False)) is context


def test_only_a_checked_chain_and_name_count_as_verified() -> None:
    assert is_verified(TLSOptions())
    assert not is_verified(TLSOptions(verify=False))
    context = ssl.create_default_context()
    assert is_verified(TLSOptions(context=context))
    context.check_hostname = False
    assert not is_verified(TLSOptions(context=context))
    context.verify_mode = ssl.CERT_NONE
    assert not is_verified(TLSOptions(context=context))


# -- files


@pytest.mark.parametrize("form", ["one file", "two files"])
def test_a_client_certificate_comes_from_one_file_or_two(
    certificates: Certificates, form: str
) -> None:
    if form == "one file":
        options = TLSOptions(verify=False, certfile=certificates.client_file)
    else:
        options = TLSOptions(
            verify=False,
            certfile=certificates.client_certfile,
            keyfile=certificates.client_keyfile,
        )
    with pytest.warns(InsecureTLSWarning):
        assert isinstance(context_for(options), ssl.SSLContext)


def test_a_missing_cafile_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "gone.pem")
    with pytest.raises(ConnectFail, match=r"ssl_cafile '.*gone.pem': No such file") as caught:
        context_for(TLSOptions(cafile=path))
    assert (caught.value.phase, caught.value.kind) == ("tls", "tls")
    assert isinstance(caught.value.error, FileNotFoundError)
    assert not caught.value.retryable


def test_a_cafile_without_certificates_is_named(tmp_path: Path) -> None:
    path = tmp_path / "{0}.pem"
    path.write_text("no certificate")
    with pytest.raises(ConnectFail, match=r"ssl_cafile '.*\{0\}.pem': .*no certificate"):
        context_for(TLSOptions(cafile=path))


def test_a_file_that_could_not_be_loaded_is_tried_again(certificates: Certificates) -> None:
    path = Path(certificates.ca_file).with_name("late.pem")
    with pytest.raises(ConnectFail):
        context_for(TLSOptions(cafile=path))
    path.write_bytes(Path(certificates.ca_file).read_bytes())
    assert context_for(TLSOptions(cafile=path)).get_ca_certs()


def test_a_key_for_another_certificate_is_refused_by_name(certificates: Certificates) -> None:
    options = TLSOptions(
        cafile=certificates.ca_file,
        certfile=certificates.client_certfile,
        keyfile=certificates.server_file(),
    )
    with pytest.raises(ConnectFail, match=r"ssl_certfile '.*client.crt' with ssl_keyfile"):
        context_for(options)


def test_an_encrypted_key_is_refused_without_a_question(
    certificates: Certificates, tmp_path: Path
) -> None:
    key = load_pem_private_key(Path(certificates.client_keyfile).read_bytes(), None)
    lock = BestAvailableEncryption(b"pass phrase")
    path = tmp_path / "locked.key"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
    options = TLSOptions(
        cafile=certificates.ca_file, certfile=certificates.client_certfile, keyfile=path
    )
    with pytest.raises(ConnectFail, match="the private key is encrypted"):
        context_for(options)


# -- processes


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # Python 3.12, with threads
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_child_forked_while_a_context_is_made_can_make_one(certificates: Certificates) -> None:
    with tls._lock:
        child = os.fork()
        if child == 0:
            made = context_for(TLSOptions(cafile=certificates.ca_file))
            os._exit(0 if made.get_ca_certs() else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.loopback
def test_contexts_from_before_and_after_monkey_patching_both_work() -> None:
    pytest.importorskip("gevent")
    program = """
        import ssl
        older = ssl.create_default_context()
        from lomond.tls import TLSOptions, TLSStream, context_for
        from gevent import monkey
        monkey.patch_all()
        for options in (TLSOptions(context=older), TLSOptions(), TLSOptions(verify=False)):
            stream = TLSStream(context_for(options), "localhost")
            assert not stream.handshake()
            assert stream.take_outgoing()
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
