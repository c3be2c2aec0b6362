"""Host names: looked up apart from other work, and not for ever."""

import socket
import threading

from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IHostnameResolver, IHostResolution, IResolutionReceiver
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from imagefactory.lib.concurrency.taskset import TaskSet
from imagefactory.lib.concurrency.threads import ThreadPools
from imagefactory.lib.http import names
from imagefactory.lib.http.names import NameResolver, TwistedResolver

ANSWERS = {
    "two.example": ["2001:db8::1", "192.0.2.1", "192.0.2.1"],
    "one.example": ["192.0.2.7"],
}


class NameCase(TestCase):
    """A resolver whose look-ups are answered here."""

    def setUp(self) -> None:
        self.gate = threading.Event()
        self.families: list[int] = []
        self.resolver = self.started(NameResolver(reactor, getaddrinfo=self.getaddrinfo))
        self.addCleanup(self.gate.set)

    def started(self, resolver: NameResolver) -> NameResolver:
        resolver.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(resolver.stop()))
        return resolver

    def getaddrinfo(self, host: str, port: object, *, family: int, type: int) -> list[tuple[object, ...]]:
        """As getaddrinfo(3): `slow...` waits for the gate, what is not known is an error."""
        self.families.append(family)
        if host.startswith("slow"):
            self.gate.wait()
        if len(host) > 63:
            host.encode("idna")
        if host not in ANSWERS:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(family, type, 6, "", (address, 0)) for address in ANSWERS[host]]


class NameResolverTests(NameCase):
    """Addresses, in time."""

    async def test_addresses(self) -> None:
        """In the system's order, each once."""
        self.assertEqual(await self.resolver.resolve("two.example"), ["2001:db8::1", "192.0.2.1"])

    async def test_unknown(self) -> None:
        """An OSError that says why, also for what cannot be a name."""
        for name in ("unknown.example", "x" * 64):
            with self.assertRaises(OSError):
                await self.resolver.resolve(name)

    async def test_given_up_in_time(self) -> None:
        """A name server that does not answer costs a thread for a while, and its caller no more than the limit."""
        resolver = self.started(NameResolver(reactor, seconds=0.01, getaddrinfo=self.getaddrinfo))
        with self.assertRaises(OSError) as caught:
            await resolver.resolve("slow.example")
        self.assertIn("no answer in 0.01 seconds", str(caught.exception))

    async def test_slow_names_do_not_delay_the_database(self) -> None:
        """As many as can be looked up at once, and one more: a call of the database is made all the same."""
        pools = ThreadPools(reactor)
        pools.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(pools.stop()))
        slow = [Deferred.fromCoroutine(self.resolver.resolve(f"slow{number}")) for number in range(names.THREADS + 1)]
        self.assertEqual(await pools.database.run(max, 1, 2), 2)
        self.assertEqual(await pools.bulk.run(max, 1, 2), 2)
        for waiting in slow:
            self.assertNoResult(waiting)
            waiting.addErrback(lambda _: None)
        self.gate.set()

    async def test_stop_does_not_wait_for_ever(self) -> None:
        """Nothing can interrupt a look-up, so it is left behind."""
        self.patch(names, "STOPPING", 0.01)
        resolver = NameResolver(reactor, getaddrinfo=self.getaddrinfo)
        resolver.start()
        waiting = Deferred.fromCoroutine(resolver.resolve("slow.example"))
        await resolver.stop()
        self.failureResultOf(waiting, OSError)

    async def test_twisted_uses_it(self) -> None:
        """What connects to a name resolves it here, until the resolver stops."""
        endpoint = HostnameEndpoint(reactor, b"unknown.example", 80)
        with self.assertRaises(DNSLookupError):
            await endpoint.connect(Factory.forProtocol(Protocol))
        self.assertEqual(self.families, [socket.AF_UNSPEC])


@implementer(IResolutionReceiver)
class Receiver:
    """Collects addresses."""

    def __init__(self) -> None:
        self.began: list[IHostResolution] = []
        self.addresses: list[object] = []
        self.complete = 0
        self.ended: Deferred[None] = Deferred()

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:  # noqa: N802, N803
        self.began.append(resolutionInProgress)

    def addressResolved(self, address: object) -> None:  # noqa: N802
        self.addresses.append(address)

    def resolutionComplete(self) -> None:  # noqa: N802
        self.complete += 1
        self.ended.callback(None)


class TwistedResolverTests(NameCase):
    """The interface that Twisted asks for."""

    def setUp(self) -> None:
        super().setUp()
        self.tasks = TaskSet("the test")
        self.twisted = TwistedResolver(self.resolver.resolve, self.tasks)
        self.receiver = Receiver()

    async def test_interface(self) -> None:
        """It is one, and addresses come with their family, port and protocol."""
        verifyObject(IHostnameResolver, self.twisted)
        resolution = self.twisted.resolveHostName(self.receiver, "two.example", 80)
        await self.receiver.ended
        self.assertEqual((self.receiver.began, self.receiver.complete), ([resolution], 1))
        expected = [IPv6Address("TCP", "2001:db8::1", 80), IPv4Address("TCP", "192.0.2.1", 80)]
        self.assertEqual(self.receiver.addresses, expected)
        self.assertEqual(resolution.name, "two.example")
        self.assertRaises(NotImplementedError, resolution.cancel)

    async def test_one_family(self) -> None:
        """If only addresses of one family are wanted, the system is asked for these."""
        self.twisted.resolveHostName(self.receiver, "one.example", addressTypes=[IPv6Address])
        await self.receiver.ended
        self.assertEqual(self.families[0], socket.AF_INET6)

    async def test_unknown(self) -> None:
        """No address, and no more to wait for."""
        self.twisted.resolveHostName(self.receiver, "unknown.example")
        await self.receiver.ended
        self.assertEqual((self.receiver.addresses, self.receiver.complete), ([], 1))

    async def test_ended_by_its_owner(self) -> None:
        """A look-up that is cancelled is complete, too: what connects does not hang."""
        self.twisted.resolveHostName(self.receiver, "slow.example")
        await self.tasks.close()
        self.assertEqual((self.receiver.addresses, self.receiver.complete), ([], 1))
