"""Where settings come from, and what is said about wrong ones."""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import InvalidInput
from imagefactory.lib.secret import Secret
from imagefactory.settings import Settings, load, with_changes
from imagefactory.settings.client_secret import admins
from imagefactory.settings.loading import load_with_sources
from imagefactory.settings.option import OptionKind
from imagefactory.settings.option_list import OPTIONS, Declared

DEFAULT_FILE = Path("/etc/imagefactory/imagefactory.conf")
HOME = {"HOME": "/home/me"}
CWD = Path("/work/dir")


def no_file(path: Path) -> bytes:
    """A system without any configuration file."""
    raise FileNotFoundError(2, "No such file or directory", str(path))


def file_of(content: Mapping[str, Any] | bytes, at: Path = DEFAULT_FILE) -> Callable[[Path], bytes]:
    """A system with one configuration file."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return lambda path: data if path == at else no_file(path)


def loaded(*argv: str, read: Callable[[Path], bytes] = no_file, uid: int = 1000, **environ: str) -> Settings:
    """The settings of an ordinary user."""
    return load(argv, environ=environ or HOME, uid=uid, read=read, cwd=CWD)


class PrecedenceTests(SynchronousTestCase):
    """Command line over file over default."""

    def test_order(self) -> None:
        """What is nearer counts."""
        read = file_of({"port": 1111, "timeout": 5, "address": "::1"})
        found = loaded("--port", "2222", read=read)
        self.assertEqual((found.port, found.timeout, found.address, found.tmpdir), (2222, 5, "::1", Path("/tmp")))

    def test_lists_replace(self) -> None:
        """Version 1.0 extended the file's list by that of the command line."""
        read = file_of({"target": ["a", "b"], "provider": "one"})
        self.assertEqual(loaded(read=read).target, ("a", "b"))
        self.assertEqual(loaded(read=read).provider, ("one",))
        self.assertEqual(loaded("--target", "c", "--target=d", read=read).target, ("c", "d"))

    def test_flags_can_be_switched_off(self) -> None:
        """`--flag=false` wins over the file, also for flags that say no themselves."""
        read = file_of({"rest": True, "no_ssl": True, "debug": 1})
        found = loaded("--rest=false", "--no_ssl=off", read=read)
        self.assertEqual((found.rest, found.no_ssl, found.debug), (False, False, True))
        self.assertTrue(loaded("--rest", "-v").verbose)

    def test_what_cannot_be_a_value(self) -> None:
        """A port that no URL has, more than a word; a type's name may look like no bucket's."""
        for argv in (["--warehouse", "http://x:99999/"], ["--warehouse", "http://x:y/"], ["--ec2-64bit-util", "a b"]):
            self.assertRaises(InvalidInput, loaded, *argv)
        self.assertEqual(loaded("--ec2-64bit-util", "_m/1." + "x" * 80).ec2_64bit_util[:5], "_m/1.")

    def test_the_documented_defaults(self) -> None:
        """Those of version 1.0's manual; what deviates does so on purpose.

        The root device of ec2 images is ebs and their style upload, because the cloud offers nothing else any more;
        rhevm images are qcow2, as the shipped file of 1.0 had it; without a warehouse's URL one that answers at
        http://localhost:9090/ is used, else our own; no ssl_pem (once "*") means a made certificate.
        """
        documented = {
            **dict.fromkeys(("verbose", "debug", "foreground", "rest", "no_ssl", "no_oauth"), False),
            "config": Path("/etc/imagefactory/imagefactory.conf"),
            **dict.fromkeys(("imgdir", "tmpdir"), Path("/tmp")),
            "timeout": 3600,
            "port": 8075,
            "address": "0.0.0.0",
            **dict.fromkeys(("template", "image", "credentials", "target_image", "image_desc"), ""),
            **dict.fromkeys(("target", "provider"), ()),
            "ec2_32bit_util": "m1.small",
            "ec2_64bit_util": "m1.large",
            "image_bucket": "images",
            "build_bucket": "builds",
            "target_bucket": "target_images",
            "template_bucket": "templates",
            "icicle_bucket": "icicles",
            "provider_bucket": "provider_images",
            "max_concurrent_local_sessions": 2,
            "max_concurrent_ec2_sessions": 2,
            "clients": {},
            "warehouse_key": "",
            "warehouse_secret": Secret(""),
        }
        deviating = {
            "ec2_ami_type": "ebs",
            "ec2_build_style": "upload",
            "rhevm_image_format": "qcow2",
            "warehouse": "",
            "ssl_pem": "",
            "proxy_ami_id": "",
        }
        found = loaded()
        expected = documented | deviating
        self.assertEqual({name: getattr(found, name) for name in expected}, expected)

    def test_of_two_the_last_counts(self) -> None:
        """As everywhere."""
        self.assertEqual(loaded("--port=1", "--port=2").port, 2)

    def test_reads_need_oauth_in_a_network(self) -> None:
        """Unless the settings say otherwise; on loopback they may."""
        self.assertTrue(loaded().oauth_reads)
        self.assertTrue(loaded("--address", "192.0.2.1").oauth_reads)
        self.assertFalse(loaded("--oauth_reads=false").oauth_reads)
        self.assertFalse(loaded(read=file_of({"oauth_reads": False})).oauth_reads)
        for address in ("127.0.0.1", "::1", "localhost"):
            self.assertFalse(loaded("--address", address).oauth_reads)
            self.assertTrue(loaded("--address", address, "--oauth_reads").oauth_reads)

    def test_sources_are_known(self) -> None:
        """Each value says where it comes from."""
        found = load_with_sources(
            ["--port", "1", "--config", "my.conf"],
            environ=HOME,
            uid=1,
            read=file_of({"port": 2, "timeout": 3}, CWD / "my.conf"),
            cwd=CWD,
        )
        self.assertEqual(found.sources["port"], "command line")
        self.assertEqual(found.sources["timeout"], "/work/dir/my.conf")
        self.assertEqual(found.sources["address"], "default")

    def test_changes(self) -> None:
        """A copy; the original stays."""
        one = Settings()
        self.assertEqual((with_changes(one, port=1).port, one.port), (1, 8075))


class FileTests(SynchronousTestCase):
    """The configuration file."""

    def said(self, content: bytes, *argv: str) -> str:
        """What is said about a file."""
        with self.assertRaises(InvalidInput) as caught:
            loaded(*argv, read=file_of(content))
        return str(caught.exception)

    def test_the_default_may_be_absent(self) -> None:
        """A file named on the command line may not."""
        loaded()
        with self.assertRaises(InvalidInput) as caught:
            loaded("--config", "/no/such.conf")
        self.assertIn("/no/such.conf: there is no such file", str(caught.exception))

    def test_unreadable(self) -> None:
        """Also the default one: what it says must not be ignored."""

        def read(path: Path) -> bytes:
            raise PermissionError(13, "Permission denied", str(path))

        with self.assertRaises(InvalidInput) as caught:
            loaded(read=read)
        self.assertIn(f"{DEFAULT_FILE}: cannot be read: Permission denied", str(caught.exception))

    def test_broken(self) -> None:
        """The place is named, or what is wrong with the whole."""
        self.assertIn(f"{DEFAULT_FILE}, line 2, column 1: is not JSON", self.said(b"{\n3"))
        self.assertIn("is not UTF-8 text: byte 3 does not fit", self.said(b'{"\xff": 1}'))
        self.assertIn("has to be one JSON object", self.said(b"[]"))
        self.assertIn("these keys stand in it twice: port", self.said(b'{"port": 1, "port": 2}'))
        self.assertIn("cannot be used", self.said(b"[" * 100_000))

    def test_utf8(self) -> None:
        """Any language, with or without byte order mark."""
        for mark in (b"", b"\xef\xbb\xbf"):
            found = loaded(read=file_of(mark + '{"imgdir": "/bilder/grün"}'.encode()))
            self.assertEqual(found.imgdir, Path("/bilder/grün"))

    def test_null_is_absent(self) -> None:
        """It leaves the default."""
        self.assertEqual(loaded(read=file_of({"port": None})).port, 8075)

    def test_old_spellings(self) -> None:
        """A made certificate was a star, numbers could be texts, dashes and underscores are the same."""
        found = loaded(read=file_of({"ssl_pem": "*", "port": "80", "ec2-32bit-util": "x", "ec2_64bit_util": "y"}))
        self.assertEqual((found.ssl_pem, found.port), ("", 80))
        self.assertEqual((found.ec2_32bit_util, found.ec2_64bit_util), ("x", "y"))

    def test_secrets_that_others_may_read(self) -> None:
        """The file is refused, as that of the warehouse's users is; one without secrets may be read by all."""
        for content in (
            {"clients": {"k": "s3cret"}},
            {"warehouse_secret": "s3cret"},
            {"credentials": "<provider_credentials>s3cret</provider_credentials>"},
            {"provider": ['{"name": "p", "password": "s3cret"}']},
        ):
            for mode in (0o644, 0o640, 0o604, 0o620):
                with self.assertRaises(InvalidInput) as caught:
                    self.loaded_from(content, mode)
                self.assertIn(f"chmod 600 {DEFAULT_FILE}", str(caught.exception))
                self.assertNotIn("s3cret", str(caught.exception))
            self.loaded_from(content, 0o600)
        harmless = {"port": 1, "clients": {}, "warehouse_secret": "", "credentials": "file.xml", "provider": ["mock"]}
        self.assertEqual(self.loaded_from(harmless, 0o644).port, 1)

    def test_clients_with_a_role(self) -> None:
        """Beside those with a text alone."""
        found = loaded(
            read=file_of({"clients": {"a": "s1", "b": {"secret": "s2", "role": "admin"}, "c": {"secret": "s3"}}})
        )
        self.assertEqual(
            {key: secret.reveal() for key, secret in found.clients.items()}, {"a": "s1", "b": "s2", "c": "s3"}
        )
        self.assertEqual(list(admins(found.clients)), ["b"])
        self.assertNotIn("s2", repr(found) + repr(found.clients))
        for wrong in (
            {"secret": "s3cret", "role": "king"},
            {"role": "admin"},
            {"secret": 3},
            {"secret": "s3cret", "x": 1},
        ):
            said = self.said(json.dumps({"clients": {"k": wrong}}).encode())
            self.assertIn("clients: the value of 'k' has to be a text, or {", said)
            self.assertNotIn("s3cret", said)
        self.assertIn("the secret of 'k' is empty", self.said(b'{"clients": {"k": {"secret": ""}}}'))

    def loaded_from(self, content: Mapping[str, Any], mode: int) -> Settings:
        """The settings from the default file with this mode."""
        return load([], environ=HOME, uid=1000, read=file_of(content), mode=lambda path: mode, cwd=CWD)

    def test_everything_wrong_is_said_together(self) -> None:
        """Key, place and reason for each, of the command line and of the file."""
        said = self.said(
            b"""{"port": "x", "timeot": 3, "clients": {"k": 3}, "cache_size": "10 parsecs", "imgdir": 5, "timeout": 0,
            "accel": "xen", "trusted_proxies": ["x"], "no_ssl": "false", "mirrors": [], "target": [1], "umask": "8",
            "warehouse": "localhost", "image_bucket": "a/b", "port_": 1, "warehouse_address": "10.0.0.0/8"}""",
            "--prot=3",
            "--warehouse_port=65536",
            "--address=foo",
            "stray",
        )
        for expected in (
            "--prot: there is no such option; did you mean --port?",
            "command line: 'stray' stands alone",
            "--warehouse_port: '65536' is not a whole number of at least 0 and at most 65535",
            "conf: port: 'x' is not a whole number",
            "conf: timeot: there is no such key; did you mean timeout?",
            "conf: clients: the value of 'k' has to be a text",
            "conf: cache_size: '10 parsecs' is not a size",
            "conf: imgdir: is a number, but has to be a text",
            "conf: timeout: '0' is not a whole number of at least 1",
            "conf: accel: 'xen' is none of auto, kvm, tcg",
            "conf: trusted_proxies: 'x' is no address or network",
            "conf: no_ssl: is a text, but has to be true or false",
            "conf: mirrors: is a list, but has to be an object with texts",
            "conf: target: has a number in it",
            "conf: umask: '8' is no umask",
            "conf: warehouse: 'localhost' is no URL",
            "conf: image_bucket: 'a/b' is no name of a bucket",
            "conf: port_: there is no such key",
            "--address: 'foo' is no address of this host like 0.0.0.0, 127.0.0.1, :: or localhost",
            "conf: warehouse_address: '10.0.0.0/8' is no address of this host",
        ):
            self.assertIn(expected, said)
        self.assertEqual(len(said.splitlines()), 1 + 20)

    def test_addresses_to_listen_on(self) -> None:
        """IP of both versions, a link's own with its interface, and the one name that every host has."""
        for address in ("0.0.0.0", "::", "192.0.2.1", "fe80::1%eth0", "localhost"):
            self.assertEqual(loaded(f"--address={address}").address, address)
        for wrong in ("", "300.1.1.1", "localhost:80", "[::1]"):
            self.assertIn("is no address of this host", self.said(b"{}", f"--address={wrong}"))

    def test_a_broken_command_line_does_not_hide_a_broken_file(self) -> None:
        """An option without its value ends the reading of the command line, not that of the file."""
        said = self.said(b'{"port": -1}', "--target")
        self.assertIn("command line: argument --target: expected one argument", said)
        self.assertIn("conf: port", said)

    def test_empty_secrets(self) -> None:
        """Everybody knows them, so they are refused."""
        said = self.said(b'{"clients": {"k": "", "other": "s3cret"}}')
        self.assertIn("clients: the secret of 'k' is empty", said)
        self.assertNotIn("other", said)

    def test_secrets_are_not_shown(self) -> None:
        """Not in settings, not in errors."""
        document = {"clients": {"k": "s3cret"}, "warehouse_secret": "s3cret", "credentials": "s3cret"}
        found = loaded("--provider", '{"password": "s3cret"}', read=file_of(document))
        self.assertNotIn("s3cret", repr(found))
        self.assertEqual(found.clients["k"].reveal() + found.warehouse_secret.reveal(), "s3crets3cret")
        said = self.said(b'{"clients": "s3cret", "warehouse_secret": ["s3cret"], "credentials": {"a": "s3cret"}}')
        self.assertNotIn("s3cret", said)


class DerivedTests(SynchronousTestCase):
    """Defaults that depend on who runs the program."""

    def test_root(self) -> None:
        """The directories of the system."""
        found = loaded(uid=0)
        self.assertEqual(found.state_dir, Path("/var/lib/imagefactory"))
        self.assertEqual(found.warehouse_path, "/var/lib/imagefactory/warehouse")
        self.assertEqual((found.pid_file, found.log_file), ("/run/imagefactory.pid", "/var/log/imagefactory.log"))

    def test_a_user(self) -> None:
        """The XDG state directory, which does not count if it is relative."""
        self.assertEqual(loaded(XDG_STATE_HOME="/state", HOME="/h").state_dir, Path("/state/imagefactory"))
        self.assertEqual(loaded(XDG_STATE_HOME="s", HOME="/h").state_dir, Path("/h/.local/state/imagefactory"))
        self.assertEqual(loaded().log_file, "/home/me/.local/state/imagefactory/imagefactory.log")

    def test_without_a_home(self) -> None:
        """Without a home the directory has to be named; a named one counts."""
        with self.assertRaises(InvalidInput):
            loaded(X="y")
        self.assertEqual(loaded("--state_dir=/s", X="y").warehouse_path, "/s/warehouse")
        self.assertEqual(loaded("--state_dir=/s", "--warehouse_path=/w", X="y").warehouse_path, "/w")

    def test_relative_paths(self) -> None:
        """They count from the current directory, since a daemon leaves it."""
        found = loaded("--imgdir=i", "--ssl_pem", "p.pem", "--file_sources=a", "--file_sources=/b", "--state_dir", ".")
        self.assertEqual((found.imgdir, found.ssl_pem), (CWD / "i", "/work/dir/p.pem"))
        self.assertEqual((found.file_sources, found.state_dir), (("/work/dir/a", "/b"), CWD))

    def test_a_path_has_to_be_there(self) -> None:
        """An empty one is a mistake, where empty does not mean none."""
        for argv in (["--imgdir="], ["--imgdir", "a\0b"], ["--ssl_pem", "a\0b"]):
            self.assertRaises(InvalidInput, loaded, *argv)
        self.assertEqual(loaded("--ssl_pem=").ssl_pem, "")


def examples(declared: Declared) -> st.SearchStrategy[Any]:
    """JSON values that an option takes."""
    option = declared.option
    if option.entry is not None:
        return st.just({"http://mirror.example": "apt:"})
    if option.check is not None:
        value = declared.default
        return st.just(list(value) if isinstance(value, tuple) else value)
    texts = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1)
    kinds: dict[OptionKind, st.SearchStrategy[Any]] = {
        OptionKind.FLAG: st.booleans(),
        OptionKind.NUMBER: st.integers(option.low, option.high or 10**9),
        OptionKind.SIZE: st.integers(0, 1 << 62),
        OptionKind.LIST: st.lists(texts),
        OptionKind.MAP: st.dictionaries(texts, texts),
        OptionKind.CHOICE: st.sampled_from(option.choices or ("x",)),
    }
    return kinds.get(option.kind, texts)


class PropertyTests(SynchronousTestCase):
    """For any input."""

    @settings(deadline=None)
    @given(st.fixed_dictionaries({}, optional={d.option.key: examples(d) for d in OPTIONS if d.option.key}))
    def test_every_key_reaches_its_field(self, document: dict[str, Any]) -> None:
        """What stands in a file of the right types is what is set."""
        found = load([], environ=HOME, uid=5, read=file_of(document), cwd=Path("/"))
        for declared in OPTIONS:
            key = declared.option.key
            if key in document and not declared.option.file and key not in {"ssl_pem"}:
                self.assertEqual(plain(getattr(found, declared.name)), document[key], key)

    @settings(deadline=None)
    @given(st.lists(st.one_of(st.text(), st.sampled_from([d.option.flag for d in OPTIONS]))), st.binary())
    def test_nothing_but_invalid_input(self, argv: list[str], content: bytes) -> None:
        """Whatever is given."""
        try:
            load(argv, environ=HOME, uid=5, read=lambda _: content, cwd=CWD)
        except InvalidInput as error:
            self.assertTrue(error.problems)

    def test_every_field_is_declared(self) -> None:
        """The table and the settings are the same thing."""
        self.assertEqual([declared.name for declared in OPTIONS], [field.name for field in fields(Settings)])


def plain(value: Any) -> Any:
    """A setting as JSON has it."""
    match value:
        case tuple():
            return list(value)
        case Secret():
            return value.reveal()
        case dict():
            return {key: plain(text) for key, text in value.items()}
    return value
