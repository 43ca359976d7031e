# needs native review
# The adherence report: words that only it has. States, reasons, kinds and months stand in verdicts.ftl and console.ftl.

report-title = پابندی کی رپورٹ
report-draft = یہ الفاظ مشین نے تیار کیے ہیں اور اہلِ زبان کی نظرِ ثانی کے محتاج ہیں۔
report-period = { $from } سے { $to } تک
report-from-to = مدت
report-judged = فیصلہ بمطابق
report-known-by = جو اس وقت تک معلوم تھا
report-record-until = اندراج یہاں تک پہنچتا ہے
report-record-short = اندراج مدت سے پہلے ختم ہوتا ہے۔ جو بعد میں آیا، اس پر یہاں فیصلہ نہیں کیا گیا۔
report-marking = نشانِ رازداری
report-agreement = معاہدہ
report-judgment = فیصلہ
report-logs = دفاترِ اندراج
report-instants = اوقات { $utc } میں ہیں ({ $z })۔

fate-kept = پورا ہوا
fate-breached = خلاف ورزی
fate-pending = مہلت باقی
fate-disputed = متنازع
fate-discharged = اب واجب نہیں
fate-before = مدت سے پہلے کی خلاف ورزی
report-owed = واجب

report-summary = مختصراً
report-summary-lead = اس مدت میں { $owed } ذمہ داریاں واجب تھیں: { $kept } پوری ہوئیں، { $breached } کی خلاف ورزی ہوئی، { $pending } کی مہلت باقی ہے، { $disputed } متنازع ہیں۔
report-summary-nothing = اس مدت میں کچھ واجب نہ تھا۔
report-summary-score = عمل درآمد { $most } میں سے { $score }: نیچے دیے گئے درجوں کا مجموعہ۔
report-of-entries = ہر عدد ان معاملات تک لے جاتا ہے جو اس کے پیچھے ہیں، اور ہر معاملہ اپنے اندراجات تک۔

report-commitments = ہر ذمہ داری کا حال
report-commitments-score = درجہ، امن معاہدوں کے میٹرکس کے طرز پر: مدت میں جو طے ہوا اس میں سے 0 کچھ پورا نہیں ہوا، 1 آدھے سے کم، 2 سب سے کم، 3 سب۔ جس کی مہلت باقی ہے یا جو متنازع ہے، اس کے بارے میں یہ کچھ نہیں کہتا۔
report-idle = ان کے تحت کچھ واجب نہ تھا: { $commitments }۔
col-commitment = ذمہ داری
col-share = پورے ہونے کا تناسب
col-margin = کم سے کم باقی وقت
col-overdue = سب سے زیادہ تاخیر
col-score = درجہ
percent = { $n }%

report-observed = کہاں کسی نے دیکھا
report-observed-lead = خاموشی رپورٹ نہیں ہوتی۔ دن تبھی دیکھا ہوا شمار ہوتا ہے جب اس کے سیکٹر نے رپورٹ دی ہو، یا کہا ہو کہ اس نے دیکھا، کیسے دیکھا، اور کچھ نظر نہ آیا۔
report-observed-none = مدت کا کوئی پورا دن ابھی ختم نہیں ہوا۔
col-sector = سیکٹر
col-reported = رپورٹ والے دن
col-nothing-seen = دیکھے گئے دن، کچھ نظر نہ آیا
col-not-looked = نہ دیکھے گئے دن
col-not-looked-on = ان تاریخوں کو نہیں دیکھا گیا

report-revised = پچھلے دنوں کے فیصلے جو بدل گئے
report-revised-lead = مدت کے آغاز پر جو فیصلہ تھا، اور اب اسی لمحے کے بارے میں جو فیصلہ ہے۔
report-revised-none = کوئی نہیں بدلا۔
col-instance = معاملہ
col-was = پہلے
col-is = اب
col-because = وجہ
fell-away = کوئی نہیں

report-instances = ہر معاملہ
col-when = کب
col-why = کیوں
col-entries = اندراجات

report-entries = اندراجات
report-entries-lead = ہر ایک پر اس کے مصنف کے دستخط ہیں، وہ نامزد دفتر میں موجود ہے، اور گواہوں نے دیے گئے وقفے کے اندر اس پر دستخط کیے۔
col-entry = اندراج
col-party = فریق
col-kind = قسم
col-logged = درج ہوا
col-statement = بیان

report-check = اسے کیسے جانچا جائے
report-check-judge = اسی اندراج پر اسی معاہدے سے فیصلہ کریں؛ خلاصۂ عددی وہی ہونا چاہیے جو اوپر ہے:
report-check-entry = کسی بھی اندراج کا ثبوت لیں، اس نوڈ پر بھروسا کیے بغیر جو اسے دیتا ہے:
