"""Whether an acceptance shown is intake's: its seal, as directory lists it now."""

import time
from dataclasses import dataclass

import grpc.aio
from cryptography import x509

from dabir.directory.v1 import directory_pb2 as directory
from dabir.directory.v1.directory_pb2_grpc import DirectoryServiceStub
from dabir.formats.statement import read_statement, verify_statement
from dabir.formats.strict_json import FormatError
from services.documents.config import DocumentsConfig
from services.documents.domain import errors
from services.documents.domain.download import Acceptance, read_acceptance
from services.runtime import ledger
from services.runtime.database import Pool

_INTAKE = "services/intake"
# An unknown seal may be a new one: directory is asked at once, but hostile input cannot make us ask without end.
_ASK_AGAIN_SECONDS = 1.0


@dataclass(frozen=True)
class _Seals:
    by_sha256: dict[bytes, directory.Certificate]
    asked_at: float


class Seals:
    """Verifies acceptances. Directory's answer is used for `identity_cache_seconds` and never longer."""

    def __init__(self, config: DocumentsConfig, pool: Pool, directory: grpc.aio.Channel) -> None:
        self._hub = config.hub
        self._cache_seconds = config.identity_cache_seconds
        self._pool = pool
        self._stub = DirectoryServiceStub(directory)
        self._seals = _Seals({}, float("-inf"))

    async def verify(self, jws: str, caller_body: str) -> Acceptance:
        """What a ConsignmentAcceptance grants to `caller_body`.

        Raises AcceptanceInvalid, AcceptanceNotYours; grpc.aio.AioRpcError (UNAVAILABLE) while directory is down.
        """
        try:
            statement = read_statement(jws)
            seal = await self._seal(statement.certificate_sha256)
            payload = verify_statement(jws, x509.load_der_x509_certificate(seal.der))
        except FormatError as error:
            raise errors.AcceptanceInvalid(detail=str(error)) from error
        if not seal.not_before.seconds <= payload.iat <= seal.not_after.seconds:
            raise errors.AcceptanceInvalid(detail="intake's seal was not valid when it was stated")
        acceptance = read_acceptance(payload, hub=self._hub, caller_body=caller_body)
        if seal.HasField("revoked_at"):
            await self._check_stated(acceptance.jti, jws)
        return acceptance

    async def _check_stated(self, jti: str, jws: str) -> None:
        """What a revoked seal signed before stays valid; who stole its key can backdate, so the ledger decides.

        Raises AcceptanceInvalid.
        """
        async with self._pool.connection() as connection:
            stated = await ledger.read(connection, jti)
        if stated is None or stated.jws != jws:
            raise errors.AcceptanceInvalid(detail="its seal is revoked and the ledger does not hold it")

    async def _seal(self, sha256: bytes) -> directory.Certificate:
        """The certificate of intake's seal with this digest. Raises AcceptanceInvalid and what `_ask` raises."""
        age = time.monotonic() - self._seals.asked_at
        if age > self._cache_seconds or (sha256 not in self._seals.by_sha256 and age > _ASK_AGAIN_SECONDS):
            self._seals = await self._ask()
        try:
            return self._seals.by_sha256[sha256]
        except KeyError:
            raise errors.AcceptanceInvalid(detail="it is not sealed by this hub's intake") from None

    async def _ask(self) -> _Seals:
        """Raises grpc.aio.AioRpcError."""
        asked_at = time.monotonic()
        answer = await self._stub.GetCertificates(directory.GetCertificatesRequest(parent=_INTAKE))
        seals = {c.sha256: c for c in answer.certificates if c.purpose == directory.CERTIFICATE_PURPOSE_SEAL}
        return _Seals(seals, asked_at)
