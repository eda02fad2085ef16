"""The one way into directory, for the RPCs and for the seed file alike: rules, then store; what changes a certificate
of a body states it in the same transaction. And certificates found again with their revocation as it stands now.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from dabir.formats.events import Event
from services.directory import domain, store
from services.directory.config import DirectoryConfig
from services.directory.domain import Body, Certificate, Office
from services.runtime.authentication import ListedCertificate, read_certificates
from services.runtime.config import StartRefused
from services.runtime.crls import CrlFolder
from services.runtime.database import Connection, Pool
from services.runtime.identity import Role
from services.runtime.ledger import Ledger, OpenChains


@dataclass(frozen=True)
class Found:
    """A certificate with what it takes to rely on it: `crls` DER, leaf's issuer first, the root's last."""

    certificate: Certificate
    crls: tuple[bytes, ...]


class Registry:
    """Directory's content. Also the `Resolver` of directory's own gate, which it answers from its own store."""

    def __init__(self, config: DirectoryConfig, pool: Pool, ledger: Ledger) -> None:
        """Raises StartRefused when roots or revocation lists cannot be read."""
        self._pool, self._ledger = pool, ledger
        self._development = config.environment == "development"
        self._crls = CrlFolder(config.crl_folder)
        try:
            self._roots = read_certificates(config.certificate_roots)
            self._crls.lists()
        except OSError as error:
            raise StartRefused(f"{error.filename} cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise StartRefused(f"{config.certificate_roots} holds no certificates in PEM: {error}.") from error

    async def create_body(self, wanted: Body) -> Body:
        """As stored. Raises BodyAlreadyExists and what domain.check_body raises."""
        domain.check_body(wanted)
        async with self._pool.connection() as connection:
            stored = await store.insert_body(connection, wanted)
        domain.require_same_body(stored, wanted)
        return stored

    async def create_office(self, wanted: Office) -> Office:
        """As stored. Raises BodyNotFound, OfficeAlreadyExists and what domain.check_office raises."""
        domain.check_office(wanted)
        async with self._pool.connection() as connection:
            await store.body(connection, wanted.body)
            stored = await store.insert_office(connection, wanted)
        domain.require_same_office(stored, wanted)
        return stored

    async def add_certificate(
        self, owner: str, der: bytes, issuers: Sequence[bytes], roles: Collection[str]
    ) -> Certificate:
        """As stored. Raises BodyNotFound, CertificateAlreadyListed and what domain.examine raises."""
        # Asked again, it is answered as it was, also when the certificate has ended since.
        stored = await self._stored(domain.digest(der))
        if stored is None:
            trust = domain.Trust(self._roots, self._crls.lists(), self._development)
            wanted = domain.examine(owner, der, issuers, roles, trust, datetime.now(UTC))
            async with self._pool.connection() as connection, connection.transaction():
                stored = await self._add(connection, wanted)
        domain.require_same_certificate(stored, owner, roles, issuers)
        return self._as_of_now(stored).certificate

    async def revoke_certificate(self, sha256: bytes, reason: str) -> Certificate:
        """As stored. Raises CertificateUnknown."""
        async with self._pool.connection() as connection, connection.transaction():
            found = await store.lock_certificate(connection, sha256)
            if found is not None and found.revoked_at is None:
                chains = await self._open(connection, found)
                await store.revoke_certificate(connection, sha256, reason, chains.now if chains else None)
                await _state(chains, Event.CERTIFICATE_REVOKED, found, reason)
                found = await store.certificate(connection, sha256)
        if found is None:
            raise domain.CertificateUnknown(sha256=sha256.hex())
        return found

    async def find(self, sha256: bytes) -> Found:
        """Raises CertificateUnknown."""
        stored = await self._stored(sha256)
        if stored is None:
            raise domain.CertificateUnknown(sha256=sha256.hex())
        return self._as_of_now(stored)

    async def certificates(self, owner: str) -> list[Certificate]:
        """Those of a body or service, in the order they were added. Raises BodyNotFound, ServiceNotFound."""
        kind, _, name = owner.partition("/")
        if kind == "services":
            domain.require_service(name)
        async with self._pool.connection() as connection:
            found = await store.certificates(connection, owner)
            if not found and kind == "bodies":
                await store.body(connection, owner)
        return [self._as_of_now(one).certificate for one in found]

    async def resolve(self, sha256: bytes) -> ListedCertificate | None:
        """For directory's own gate."""
        stored = await self._stored(sha256)
        if stored is None:
            return None
        now = self._as_of_now(stored).certificate
        roles = frozenset(Role(role) for role in now.roles)
        return ListedCertificate(now.owner, now.purpose, roles, revoked=now.revoked_at is not None)

    async def _stored(self, sha256: bytes) -> Certificate | None:
        async with self._pool.connection() as connection:
            return await store.certificate(connection, sha256)

    async def _add(self, connection: Connection, wanted: Certificate) -> Certificate:
        """As stored: `wanted`, or what was listed before. Raises BodyNotFound."""
        if wanted.body is not None:
            await store.body(connection, wanted.body)
        # Whoever adds to the same body waits here; what it added is then seen below.
        chains = await self._open(connection, wanted)
        if await store.insert_certificate(connection, wanted, chains.now if chains else None):
            await _state(chains, Event.CERTIFICATE_ADDED, wanted)
        stored = await store.certificate(connection, wanted.sha256)
        assert stored is not None  # noqa: S101 - it is there now, ours or another's, and none is ever deleted
        return stored

    async def _open(self, connection: Connection, certificate: Certificate) -> OpenChains | None:
        """Its body's chain; None for a service's certificate, of which nothing is stated."""
        return None if certificate.body is None else await self._ledger.open(connection, [certificate.body])

    def _as_of_now(self, stored: Certificate) -> Found:
        path, at = stored.path, datetime.now(UTC)
        in_force: list[x509.CertificateRevocationList] = domain.lists_in_force(path, self._crls.lists(), at)
        certificate = domain.with_revocation(stored, path, in_force, at)
        return Found(certificate, tuple(crl.public_bytes(Encoding.DER) for crl in in_force))


async def _state(chains: OpenChains | None, event: Event, about: Certificate, reason: str = "") -> None:
    """In the chain that `Registry._open` gave, if it gave one."""
    if chains is None:
        return
    await chains.append(
        event=event,
        subject=about.owner,
        txn=about.owner,
        chains=[about.owner],
        fields=domain.stated(about, reason),
        sender_body=about.owner,
        recipient_body=None,
    )
