"""Checking signatures with directory's fresh answer about each certificate."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from dabir.common.v1.manifest_pb2 import Manifest
from dabir.directory.v1 import directory_pb2 as directory
from services.intake.domain import signature as rules
from services.intake.domain.signature import Checked, Expected
from services.intake.domain.signature_errors import CertificateNotListed
from services.intake.servicer.registry import Registry


async def check_manifest(
    registry: Registry, manifest: Manifest, data: bytes, files: Sequence[bytes], now: datetime
) -> list[Checked]:
    """`files[i]` is made over `data` by `signers[i]`, each with the position's `sign` certificate.

    Raises the errors of `signature_errors`.
    """
    expected = [
        Expected(
            place=f"signatures[{index}]",
            body=manifest.sender.body,
            purpose=directory.CERTIFICATE_PURPOSE_SIGN,
            position=signer.position,
            certificate_sha256=signer.certificate_sha256,
        )
        for index, signer in enumerate(manifest.signers)
    ]
    checks = (_check(registry, one, data, file, now) for one, file in zip(expected, files, strict=True))
    return list(await asyncio.gather(*checks))


async def check_seal(registry: Registry, body: str, data: bytes, file: bytes, now: datetime) -> Checked:
    """`file` is made over `data` by the seal of `body`. Raises the errors of `signature_errors`."""
    expected = Expected(place="signature", body=body, purpose=directory.CERTIFICATE_PURPOSE_SEAL)
    return await _check(registry, expected, data, file, now)


async def _check(registry: Registry, expected: Expected, data: bytes, file: bytes, now: datetime) -> Checked:
    signature = rules.read(expected.place, data, file)
    resolved = await registry.directory.certificate(rules.check_named(expected, signature))
    if resolved is None:
        raise CertificateNotListed(place=expected.place)
    return rules.check(expected, signature, resolved, registry.trust, now)
