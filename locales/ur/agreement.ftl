# needs native review
# The agreement on a page: words that only it has. Kinds and roles stand in console.ftl, units in verdicts.ftl.

reading-draft = جو متن ٹوٹی لکیر کے ساتھ ہیں وہ مشین نے تیار کیے ہیں اور اہلِ زبان کی نظرِ ثانی کے محتاج ہیں۔
reading-in-force = لازم از
reading-members = ارکان
reading-digest = خلاصہ
reading-folder = خلاصہ اُس فولڈر کا نام ہے جس سے یہ صفحہ بنا۔ ہر متن کے نیچے وہ ہے جو اُس کا قاعدہ مانگتا ہے، اور خود قاعدہ، جسے نوڈ چلاتے ہیں۔
reading-missing = اس زبان میں متن نہیں ہے۔
reading-severity = شدت { $severity }
reading-begins = آغاز
reading-binds = پابند
reading-jointly = مشترکہ
reading-toward = کس کے لیے
reading-owed = لازم
reading-barred = ممنوع
reading-clock = مہلت
reading-exception = استثنا
reading-lapses = ساقط ہوتا ہے
reading-remedy = اگر پورا نہ ہو
reading-nothing = کچھ لازم نہیں
reading-audited = لوگ اسے دیکھتے ہیں

nature-conduct = طرزِ عمل
nature-result = نتیجہ
nature-prohibition = ممانعت
nature-power = اختیار
nature-permission = اجازت

clock-at-once = فوراً
clock-within = { $duration } کے اندر
clock-for = { $duration } تک
clock-ever = کسی بھی وقت
clock-until = جب تک قاعدہ اسے ختم نہ کرے

tick-day = ہر دن
tick-week = ہر ہفتہ
tick-month = ہر مہینہ
tick-quarter = ہر سہ ماہی
tick-year = ہر سال
