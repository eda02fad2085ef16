"""The one way into directory, for the RPCs and for the seed file alike: rules, then store; and certificates found again
with their revocation as it stands now.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.directory import domain, store
from services.directory.config import DirectoryConfig
from services.directory.domain import Body, Certificate, Office
from services.runtime.authentication import ListedCertificate, read_certificates
from services.runtime.config import StartRefused
from services.runtime.crls import CrlFolder
from services.runtime.database import Pool
from services.runtime.identity import Role
from services.runtime.ledger import Ledger


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
        stored = await store.create_body(self._pool, wanted)
        domain.require_same_body(stored, wanted)
        return stored

    async def create_office(self, wanted: Office) -> Office:
        """As stored. Raises BodyNotFound, OfficeAlreadyExists and what domain.check_office raises."""
        domain.check_office(wanted)
        stored = await store.create_office(self._pool, wanted)
        domain.require_same_office(stored, wanted)
        return stored

    async def add_certificate(
        self, owner: str, der: bytes, issuers: Sequence[bytes], roles: Collection[str]
    ) -> Certificate:
        """As stored. Raises BodyNotFound, CertificateAlreadyListed and what domain.examine raises."""
        # Asked again, it is answered as it was, also when the certificate has ended since.
        stored = await store.certificate(self._pool, domain.digest(der))
        if stored is None:
            trust = domain.Trust(self._roots, self._crls.lists(), self._development)
            wanted = domain.examine(owner, der, issuers, roles, trust, datetime.now(UTC))
            stored = await store.add_certificate(self._pool, self._ledger, wanted)
        domain.require_same_certificate(stored, owner, roles, issuers)
        return self._as_of_now(stored).certificate

    async def revoke_certificate(self, sha256: bytes, reason: str) -> Certificate:
        """As stored. Raises CertificateUnknown."""
        return await store.revoke_certificate(self._pool, self._ledger, sha256, reason)

    async def find(self, sha256: bytes) -> Found:
        """Raises CertificateUnknown."""
        stored = await store.certificate(self._pool, sha256)
        if stored is None:
            raise domain.CertificateUnknown(sha256=sha256.hex())
        return self._as_of_now(stored)

    async def certificates(self, owner: str) -> list[Certificate]:
        """Those of a body or service, in the order they were added. Raises BodyNotFound, ServiceNotFound."""
        kind, _, name = owner.partition("/")
        if kind == "services":
            domain.require_service(name)
        return [self._as_of_now(one).certificate for one in await store.certificates(self._pool, owner)]

    async def resolve(self, sha256: bytes) -> ListedCertificate | None:
        """For directory's own gate."""
        stored = await store.certificate(self._pool, sha256)
        if stored is None:
            return None
        now = self._as_of_now(stored).certificate
        roles = frozenset(Role(role) for role in now.roles)
        return ListedCertificate(now.owner, now.purpose, roles, revoked=now.revoked_at is not None)

    def _as_of_now(self, stored: Certificate) -> Found:
        path, at = stored.path, datetime.now(UTC)
        in_force: list[x509.CertificateRevocationList] = domain.lists_in_force(path, self._crls.lists(), at)
        certificate = domain.with_revocation(stored, path, in_force, at)
        return Found(certificate, tuple(crl.public_bytes(Encoding.DER) for crl in in_force))
