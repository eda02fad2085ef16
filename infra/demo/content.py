"""Whether what a recipient opened is the letter of the plan: relations, signers, notes and documents. Pure."""

from collections.abc import Iterator

from dabir.client.opening import Opened
from dabir.common.v1 import manifest_pb2 as pb
from dabir.formats import names
from infra.demo.plan import Letter, To


def differences(planned: Letter, to: To, delivery: str, opened: Opened) -> Iterator[str]:
    """What is other than planned, as this recipient sees it."""
    manifest, place = opened.manifest.manifest, names.split_delivery(delivery)[1]
    if manifest.subject != planned.subject:
        yield "subject"
    if [(one.kind, one.number) for one in manifest.relations if one.body] != [
        (one.kind, one.number) for one in planned.earlier if one.body
    ]:
        yield "relation outside Dabir"
    wanted = [one.kind for one in planned.earlier if not one.body]
    wanted += [pb.RELATION_KIND_REPLY_TO] if planned.answers else []
    if [one.kind for one in manifest.relations if one.letter] != wanted:
        yield "relation"
    signed = [(one.position, one.capacity, one.on_behalf_of, one.decree) for one in manifest.signers]
    if planned.signers and signed != [
        (one.position, one.capacity, one.on_behalf_of, one.decree) for one in planned.signers
    ]:
        yield "signer"
    if len(opened.manifest.signatures) != max(1, len(planned.signers)):
        yield "number of signatures"
    own = manifest.recipients[place - 1]
    if (own.kind == pb.RECIPIENT_KIND_COPY, own.note) != (to.is_copy, to.note):
        yield "note or kind of recipient"
    granted = [document.index for document in opened.documents]
    if granted != ([1] if to.without_annex else list(range(1, len(manifest.documents) + 1))):
        yield "set of documents"
