"""Letters that the hub must refuse. The recipient of 23 has not joined; 22-again takes the id of 15."""

from dabir.common.v1 import manifest_pb2 as pb
from infra.demo.plan.letter import BANKING, Fault, Letter, Signer, To

_BALANCE = ("ماندهٔ حساب‌های دولتی نزد این بانک در پایان ماه اعلام می‌شود.",)
_MANAGER, _CO_SIGNER = Signer("مدیرعامل بانک نمونه"), Signer("عضو هیئت‌مدیرهٔ بانک نمونه")

FAULTY = (
    Letter(
        number="21",
        sender="sample-bank",
        recipients=(To("economy"),),
        subject="اعلام مانده",
        paragraphs=_BALANCE,
        definition=BANKING,
        signers=(_MANAGER, _CO_SIGNER),
        fault=Fault.SIGNATURE,
    ),
    Letter(
        number="21-alone",
        sender="sample-bank",
        recipients=(To("economy"),),
        subject="اعلام مانده",
        paragraphs=_BALANCE,
        definition=BANKING,
        signers=(_MANAGER,),
        fault=Fault.CO_SIGNER,
    ),
    Letter(
        number="22",
        sender="roads",
        recipients=(To("central-bank"),),
        subject="ارسال قرارداد",
        paragraphs=("تصویر قرارداد پیوست برای آگاهی ارسال می‌شود.",),
        fault=Fault.DIGEST,
    ),
    Letter(
        number="22-again",
        sender="roads",
        recipients=(To("central-bank"),),
        subject="ارسال قرارداد",
        paragraphs=("تصویر قرارداد پیوست برای آگاهی ارسال می‌شود.",),
        fault=Fault.LETTER_ID,
        reuses="15",
    ),
    Letter(
        number="23",
        sender="energy",
        recipients=(To("meteorology"),),
        subject="دعوت به جلسه",
        paragraphs=("حضور نمایندهٔ آن سازمان در جلسهٔ هماهنگی ضروری است.",),
        fault=Fault.RECIPIENT,
    ),
    Letter(
        number="24",
        sender="registry-office",
        recipients=(To("interior"),),
        subject="ارسال سند",
        paragraphs=("سند اسکن‌شده پیوست است.",),
        priority=pb.PRIORITY_URGENT,
        fault=Fault.DOCUMENT,
    ),
)
