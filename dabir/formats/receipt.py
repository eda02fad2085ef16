"""Receipt (رسید دبیرخانه) and recall: what bodies sign with their seal (docs/formats.md, "Receipt", "Recall")."""

from dabir.common.v1 import receipt_pb2 as pb
from dabir.formats import names
from dabir.formats.fields import (
    check_ascending,
    check_count,
    check_date,
    check_length,
    check_nonce,
    check_sha256,
    check_type,
    refuse,
    require,
)
from dabir.formats.manifest import MAX_DOCUMENTS
from dabir.formats.strict_json import FormatError, Pairs, build, parse, read, write

RECEIPT_TYPE = "dabir.receipt.v1"
RECALL_TYPE = "dabir.recall.v1"
MAX_RECEIPT_BYTES = 64 * 1024

REFUSAL_REASONS = frozenset(
    {
        pb.RETURN_REASON_WRONG_ADDRESSEE,
        pb.RETURN_REASON_NOT_COMPETENT,
        pb.RETURN_REASON_DUPLICATE,
        pb.RETURN_REASON_CLASSIFICATION_NOT_ALLOWED,
    }
)
RETURN_REASONS = REFUSAL_REASONS | {
    pb.RETURN_REASON_ATTACHMENT_MISSING,
    pb.RETURN_REASON_UNREADABLE,
    pb.RETURN_REASON_SIGNATURE_DOUBTED,
}
_REASONS_BY_VERDICT = {
    pb.VERDICT_REFUSED: REFUSAL_REASONS,
    pb.VERDICT_RETURNED: RETURN_REASONS,
}
_RECALL_VERDICTS = (pb.VERDICT_RECALL_GRANTED, pb.VERDICT_RECALL_REFUSED)


def parse_receipt(data: bytes) -> pb.Receipt:
    """The receipt in `data`, at most 64 KiB of strict JSON. Raises FormatError."""
    tree = read(data, max_bytes=MAX_RECEIPT_BYTES)
    receipt = build(_without_empty_documents(tree), pb.Receipt)
    _check_receipt(receipt)
    return receipt


def _without_empty_documents(tree: Pairs) -> Pairs:
    """A return may say `"documents":[]`, nothing was downloaded: the one empty list of the form. It equals absence."""
    stated = [value for key, value in tree if key == "documents"]
    if ("verdict", "VERDICT_RETURNED") in tree and len(stated) == 1 and type(stated[0]) is list and not stated[0]:
        return Pairs(pair for pair in tree if pair[0] != "documents")
    return tree


def write_receipt(receipt: pb.Receipt) -> bytes:
    """The bytes to sign. Raises FormatError where `parse_receipt` would refuse them."""
    data = write(receipt)
    parse_receipt(data)
    return data


def _check_receipt(receipt: pb.Receipt) -> None:
    check_type(receipt.type, RECEIPT_TYPE)
    require(receipt, ("hub", "delivery", "in_number", "letter", "manifest_sha256", "submission_acceptance_sha256"))
    require(receipt, ("verdict", "signed_at", "nonce"))
    names.check_hub(receipt.hub, "hub")
    names.split_letter(receipt.letter, "letter")
    if names.split_delivery(receipt.delivery, "delivery")[0] != receipt.letter:
        raise FormatError("DELIVERY_OF_OTHER_LETTER", f"is not a delivery of {receipt.letter}", "delivery")
    require(receipt.in_number, ("book", "sequence"), "inNumber")
    if names.split_book(receipt.in_number.book, "inNumber.book")[1] != "in":
        raise FormatError("NOT_AN_IN_BOOK", "must be an incoming book", "inNumber.book")
    check_sha256(receipt.manifest_sha256, "manifestSha256")
    check_sha256(receipt.submission_acceptance_sha256, "submissionAcceptanceSha256")
    check_nonce(receipt.nonce)
    check_length(receipt.incoming_number, 64, "incomingNumber")
    if receipt.incoming_date:
        check_date(receipt.incoming_date, "incomingDate")
    check_length(receipt.acting_person.position, 200, "actingPerson.position")
    check_length(receipt.acting_person.name, 200, "actingPerson.name")
    _check_verdict(receipt)
    _check_documents(receipt)


def _check_verdict(receipt: pb.Receipt) -> None:
    verdict = pb.Verdict.Name(receipt.verdict)
    allowed = _REASONS_BY_VERDICT.get(receipt.verdict)
    if allowed is None:
        refuse(receipt, ("reason",), f"{verdict} has no reason")
    else:
        require(receipt, ("reason",))
        if receipt.reason not in allowed:
            listed = ", ".join(pb.ReturnReason.Name(reason) for reason in sorted(allowed))
            raise FormatError("REASON_NOT_ALLOWED", f"must, with {verdict}, be one of {listed}", "reason")
    if receipt.verdict in _RECALL_VERDICTS:
        require(receipt, ("recall_sha256",))
        check_sha256(receipt.recall_sha256, "recallSha256")
    else:
        refuse(receipt, ("recall_sha256",), f"{verdict} answers no recall")


def _check_documents(receipt: pb.Receipt) -> None:
    if receipt.verdict != pb.VERDICT_RETURNED:
        refuse(receipt, ("documents",), "only VERDICT_RETURNED says what was downloaded")
    check_count(receipt.documents, MAX_DOCUMENTS, "documents")
    for index, document in enumerate(receipt.documents):
        path = f"documents[{index}]"
        require(document, ("index", "sha256"), path)
        check_sha256(document.sha256, f"{path}.sha256")
        if document.index > MAX_DOCUMENTS:
            raise FormatError("NO_SUCH_DOCUMENT", f"no manifest has more than {MAX_DOCUMENTS} documents", path)
    check_ascending([document.index for document in receipt.documents], "documents")


def parse_recall(data: bytes) -> pb.Recall:
    """The recall in `data`, at most 64 KiB of strict JSON. Raises FormatError."""
    recall = parse(data, pb.Recall, max_bytes=MAX_RECEIPT_BYTES)
    _check_recall(recall)
    return recall


def write_recall(recall: pb.Recall) -> bytes:
    """The bytes to sign. Raises FormatError where `parse_recall` would refuse them."""
    data = write(recall)
    parse_recall(data)
    return data


def _check_recall(recall: pb.Recall) -> None:
    check_type(recall.type, RECALL_TYPE)
    require(recall, ("hub", "letter", "manifest_sha256", "reason", "written_at", "nonce"))
    names.check_hub(recall.hub, "hub")
    names.split_letter(recall.letter, "letter")
    check_sha256(recall.manifest_sha256, "manifestSha256")
    check_length(recall.reason, 2_000, "reason")
    check_nonce(recall.nonce)
    check_count(recall.deliveries, names.MAX_RECIPIENTS, "deliveries")
    places = []
    for index, delivery in enumerate(recall.deliveries):
        letter, place = names.split_delivery(delivery, f"deliveries[{index}]")
        if letter != recall.letter:
            raise FormatError(
                "DELIVERY_OF_OTHER_LETTER", f"is not a delivery of {recall.letter}", f"deliveries[{index}]"
            )
        places.append(place)
    check_ascending(places, "deliveries")
