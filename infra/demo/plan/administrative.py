"""The letters of ministries and agencies."""

from dabir.common.v1 import manifest_pb2 as pb
from infra.demo.plan.letter import CIRCULAR, NOTICE, Earlier, Letter, Outcome, Signer, To

FOLLOWED = (
    Letter(
        number="1",
        sender="interior",
        recipients=(To("central-bank", read_by="رئیس کل بانک مرکزی"),),
        subject="معرفی نماینده",
        paragraphs=(
            "خواهشمند است نمایندهٔ آن بانک برای شرکت در کارگروه تبادل الکترونیکی نامه‌ها معرفی شود.",
            "نشست نخست کارگروه در محل این وزارت برگزار می‌شود و دستور جلسه پس از معرفی نماینده ارسال خواهد شد.",
        ),
        acceptance_needed=True,
        answer_needed=True,
        closes=True,
    ),
    Letter(
        number="2",
        sender="central-bank",
        recipients=(To("interior", read_by="وزیر کشور"),),
        subject="پاسخ معرفی نماینده",
        paragraphs=("عطف به نامهٔ آن وزارت، مدیر ادارهٔ نظام‌های پرداخت این بانک به عنوان نماینده معرفی می‌شود.",),
        answers="1",
    ),
    Letter(
        number="3",
        sender="interior",
        recipients=(To("central-bank"),),
        subject="تغییر زمان جلسه",
        paragraphs=("پیرو نامهٔ پیشین، نشست کارگروه به هفتهٔ آینده موکول شد.",),
        priority=pb.PRIORITY_URGENT,
        acceptance_needed=True,
        earlier=(Earlier(pb.RELATION_KIND_FOLLOW_UP, "1"),),
    ),
)
CIRCULAR_LETTER = (
    Letter(
        number="4",
        sender="administration",
        recipients=(
            To("interior"),
            To("central-bank"),
            To("economy"),
            To("inspection"),
            To("sample-bank"),
            To("second-bank"),
            To("third-bank"),
            To("tax"),
            To("water"),
            To("roads"),
            To("energy"),
            To("planning"),
        ),
        subject="اتصال به پنجرهٔ ملی خدمات",
        paragraphs=(
            "در اجرای قانون، همهٔ دستگاه‌ها تا پایان ماه به پنجرهٔ ملی خدمات متصل شوند.",
            "گزارش هفتگی پیشرفت اتصال، با نام دستگاه‌هایی که دیر کرده‌اند، منتشر می‌شود.",
        ),
        definition=CIRCULAR,
        acceptance_needed=True,
    ),
)
COPIES = (
    Letter(
        number="5",
        sender="economy",
        recipients=(
            To("sample-bank", read_by="مدیرعامل بانک نمونه"),
            To("central-bank", is_copy=True, note="جهت نظارت بر اجرا."),
            To("inspection", is_copy=True, note="جهت اطلاع.", without_annex=True),
        ),
        subject="گزارش تسهیلات",
        paragraphs=("گزارش شش‌ماههٔ تسهیلات پرداختی آن بانک، در قالب جدول پیوست، ارسال شود.",),
        annex="جدول تسهیلات: ردیف، نوع عقد، مبلغ، وضعیت بازپرداخت.",
        priority=pb.PRIORITY_URGENT,
        acceptance_needed=True,
    ),
)
RETURNED = (
    Letter(
        number="15",
        sender="roads",
        recipients=(To("registry-office", Outcome.RETURNED),),
        subject="ارسال نقشه",
        paragraphs=("نقشهٔ مسیر پیوست جهت اقدام ارسال می‌شود.",),
        acceptance_needed=True,
        closes=True,
    ),
)
RECALLED = (
    Letter(
        number="16",
        sender="energy",
        recipients=(To("second-bank", Outcome.WITHDRAWN),),
        subject="شمارهٔ حساب",
        paragraphs=("شمارهٔ حساب جدید این وزارت جهت واریز وجوه اعلام می‌شود.",),
        priority=pb.PRIORITY_URGENT,
        acceptance_needed=True,
        closes=True,
    ),
    Letter(
        number="17",
        sender="energy",
        recipients=(To("sample-bank", Outcome.RECALL_REFUSED),),
        subject="اصلاحیه",
        paragraphs=("بند دو نامهٔ پیشین این وزارت، که پیش از پیوستن به دبیر بر کاغذ فرستاده شده است، اصلاح می‌شود.",),
        earlier=(Earlier(pb.RELATION_KIND_CORRECTS, "ک/۱۲۰", body="وزارت نیرو", date="2026-10-03"),),
    ),
)
LATE = (
    Letter(
        number="18",
        sender="province",
        recipients=(To("second-bank", Outcome.ACCEPTED_LATE),),
        subject="تعطیلی اضطراری",
        paragraphs=(
            "به اطلاع می‌رساند با توجه به شرایط جوی، ادارات استان فردا تعطیل است.",
            "خواهشمند است شعب آن بانک در سطح استان را از این تصمیم آگاه و ترتیب کشیک لازم را فراهم فرمایید.",
        ),
        definition=NOTICE,
        priority=pb.PRIORITY_URGENT,
        acceptance_needed=True,
        closes=True,
    ),
)
SIGNED_FOR = (
    Letter(
        number="19",
        sender="interior",
        recipients=(To("planning", read_by="رئیس سازمان برنامه و بودجه"),),
        subject="اصلاح آیین‌نامه",
        paragraphs=("متن پیشنهادی اصلاح آیین‌نامه جهت اظهارنظر ایفاد می‌شود.",),
        classification=pb.CLASSIFICATION_CONFIDENTIAL,
        acceptance_needed=True,
        signers=(Signer("قائم‌مقام وزیر کشور", pb.CAPACITY_DEPUTY, "وزیر کشور", "حکم شمارهٔ ۴۵ مورخ ۱۴۰۵/۰۲/۱۰"),),
    ),
)
