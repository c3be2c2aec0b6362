"""The daemon as a process: what it leaves, what keeps it from starting, how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat

from tests.functional.daemon import ANSWERS, DaemonCase, gone


class BackgroundTests(DaemonCase):
    """`imagefactory --rest`."""

    def test_it_daemonises_and_ends_on_sigterm(self) -> None:
        """The command returns when it answers: pid file, log, TLS, fingerprint; after SIGTERM only the log is left."""
        before = self.directory / "daemon.log"
        self.command("--rest")
        self.assertIn(ANSWERS, before.read_text())
        (pid,) = (int(line) for line in (self.directory / "daemon.pid").read_text().split())
        self.assertEqual(stat.S_IMODE((self.directory / "daemon.pid").stat().st_mode), 0o644)
        self.assertEqual(os.getsid(pid) == os.getsid(0), False)
        self.assertRegex(self.log, r"https://127\.0\.0\.1:\d+/imagefactory, certificate SHA-256 ([0-9A-F]{2}:){31}")
        self.assertEqual(self.ask("GET", "").status_code, 200)
        self.assertEqual(self.ask("GET", "/builders").json()["builders"], [])
        self.stop()
        self.assertFalse((self.directory / "daemon.pid").exists())
        self.assertIn("stopped", self.log.splitlines()[-1] + self.log.splitlines()[-2])
        self.assertNotIn("Traceback", self.log)
        self.nothing_left()

    def test_a_umask_of_the_configuration(self) -> None:
        """Pid file and log are made under it."""
        self.configure(umask="077")
        self.rest()
        self.assertEqual(stat.S_IMODE((self.directory / "daemon.pid").stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE((self.directory / "daemon.log").stat().st_mode), 0o600)
        self.stop()

    def test_a_stale_pid_file(self) -> None:
        """After kill -9, or with a pid that another process has by now, the next daemon starts."""
        self.rest()
        self.stop(signal.SIGKILL)
        self.assertTrue((self.directory / "daemon.pid").exists())
        self.rest()
        self.stop()
        (self.directory / "daemon.pid").write_text(f"{os.getpid()}\n")
        self.rest()
        self.stop()

    def test_a_second_daemon(self) -> None:
        """On the same state directory it is refused, whatever its pid file and port are; the first goes on."""
        self.rest()
        first = self.pid
        said = self.command("--rest", status=2).err
        self.assertIn(f"a daemon with pid {first} is running", said)
        said = self.command("--rest", "--pid_file", str(self.directory / "other.pid"), status=2).err
        self.assertIn(f"another daemon (pid {first}) works on this state directory", said)
        self.assertIn("--state_dir", said)
        self.assertFalse((self.directory / "other.pid").exists())
        self.assertEqual(self.ask("GET", "").status_code, 200)
        self.stop()

    def test_a_port_in_use(self) -> None:
        """Said on the terminal, with status 1, before anything is started."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            said = self.command("--rest", "--port", port, status=1).err
            self.assertIn("cannot listen: Address already in use", said)
            self.assertIn("--port", said)
            self.assertIn(port, said)
            said = self.command("--rest", "--warehouse_port", port, status=1).err
            self.assertIn("--warehouse_port", said)
        self.assertFalse((self.directory / "daemon.pid").exists())
        self.rest()
        self.stop()

    def test_a_failure_on_request(self) -> None:
        """A client of 1.0 tests its failure path with this template: 202, then FAILED with the reason."""
        self.rest()
        id = self.build("<template>FAIL</template>")
        job = self.until(id, status="FAILED")
        self.assertIn("asks for a failed build", str(job))
        self.stop()

    def test_hang_up(self) -> None:
        """The log that was moved away stays as it is, a new one is begun; the daemon goes on."""
        self.rest("--verbose")
        url = self.url
        old = self.directory / "daemon.log.1"
        (self.directory / "daemon.log").rename(old)
        os.kill(self.pid, signal.SIGHUP)
        self.soon((self.directory / "daemon.log").exists, "no new log")
        said = old.read_text()
        pid = self.pid
        os.kill(pid, signal.SIGTERM)
        self.soon(lambda: gone(pid), "still there")
        self.assertEqual(old.read_text(), said)
        self.assertIn(url, said)
        self.assertIn("stopping", self.log)

    def test_a_log_that_cannot_be_reopened(self) -> None:
        """It goes on in the old one."""
        self.rest()
        old = self.directory / "daemon.log.1"
        (self.directory / "daemon.log").rename(old)
        (self.directory / "daemon.log").mkdir()
        os.kill(self.pid, signal.SIGHUP)
        self.soon(lambda: "goes on in the old file" in old.read_text(), "nothing said")
        pid = self.pid
        os.kill(pid, signal.SIGTERM)
        self.soon(lambda: gone(pid), "still there")


class ForegroundTests(DaemonCase):
    """`imagefactory --rest --foreground`."""

    def test_systemd_is_told(self) -> None:
        """READY once it answers, WATCHDOG twice as often as asked for, STOPPING at the end; no pid file."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.settimeout(30)
            manager.bind(str(self.directory / "notify"))
            running = self.foreground(NOTIFY_SOCKET=str(self.directory / "notify"), WATCHDOG_USEC="1000000")
            self.assertEqual(manager.recv(100), b"READY=1")
            self.assertEqual([manager.recv(100) for _ in range(2)], [b"WATCHDOG=1"] * 2)
            self.assertFalse((self.directory / "daemon.pid").exists())
            running.signal(signal.SIGINT)
            last = manager.recv(100)
            while last == b"WATCHDOG=1":
                last = manager.recv(100)
            self.assertEqual(last, b"STOPPING=1")
        self.assertEqual(running.wait().status, 0)

    def test_hang_up(self) -> None:
        """The systemd unit's reload sends it; without a log file there is nothing to do, and the daemon goes on."""
        running = self.foreground("--verbose")
        running.signal(signal.SIGHUP)
        running.until("no log file to reopen")
        running.signal(signal.SIGTERM)
        running.signal(signal.SIGTERM)
        done = running.wait()
        self.assertEqual(done.status, 0)
        self.assertIn("stopped", done.err)
        self.assertNotIn("Traceback", done.err)

    def test_without_tls(self) -> None:
        """Everybody's address: a warning. Loopback: none."""
        loopback = self.foreground("--no_ssl")
        loopback.signal(signal.SIGTERM)
        self.assertNotIn("without TLS", loopback.wait().err)
        everybody = self.foreground("--no_ssl", "--address", "0.0.0.0")
        everybody.signal(signal.SIGTERM)
        said = everybody.wait().err
        self.assertIn("without TLS", said)
        self.assertTrue(re.search(r"answers on http://0\.0\.0\.0:\d+", said))
