# needs native review
# The adherence report: words that only it has. States, reasons, kinds and months stand in verdicts.ftl and console.ftl.

report-title = گزارش پابندی
report-draft = این واژه‌ها را ماشین نوشته است و به بازبینی اهل زبان نیاز دارد.
report-period = { $from } تا { $to }
report-from-to = دوره
report-judged = داوری تا این لحظه
report-known-by = از آنچه تا این لحظه دانسته بود
report-record-until = ثبت تا این لحظه می‌رسد
report-record-short = ثبت پیش از پایان دوره تمام می‌شود. آنچه پس از آن آمده، در اینجا داوری نشده است.
report-marking = نشان محرمیت
report-agreement = توافقنامه
report-judgment = داوری
report-logs = دفترهای ثبت
report-instants = زمان‌ها به وقت { $utc } است ({ $z }).

fate-kept = رعایت‌شده
fate-breached = نقض‌شده
fate-pending = در جریان
fate-disputed = مورد اختلاف
fate-discharged = دیگر لازم نیست
fate-before = پیش از دوره نقض‌شده
report-owed = لازم

report-summary = خلاصه
report-summary-lead = در این دوره { $owed } تعهد لازم بود: { $kept } رعایت شد، { $breached } نقض شد، { $pending } در جریان است، { $disputed } مورد اختلاف است.
report-summary-nothing = در این دوره چیزی لازم نبود.
report-summary-score = عملی‌سازی { $score } از { $most }: مجموع نمره‌های زیر.
report-of-entries = هر عدد به مواردی می‌رسد که پشت آن است، و هر مورد به ثبت‌هایش.

report-commitments = به تفکیک تعهد
report-commitments-score = نمره، به شیوهٔ ماتریس توافق‌های صلح: از آنچه در دوره روشن شد، ۰ هیچ رعایت نشد، ۱ کمتر از نیم، ۲ کمتر از همه، ۳ همه. دربارهٔ آنچه در جریان یا مورد اختلاف است چیزی نمی‌گوید.
report-idle = زیر این‌ها چیزی لازم نبود: { $commitments }.
col-commitment = تعهد
col-share = سهم رعایت‌شده
col-margin = کمترین وقت باقی
col-overdue = بیشترین تأخیر
col-score = نمره
percent = { $n }٪

report-observed = در کجا کسی نگاه کرد
report-observed-lead = خاموشی گزارش نیست. روزی نگاه‌شده به شمار می‌آید که سکتور آن گزارش داده باشد، یا گفته باشد که نگاه کرده، چگونه، و چیزی ندیده است.
report-observed-none = هنوز هیچ روز کاملی از دوره نگذشته است.
col-sector = سکتور
col-reported = روزهای گزارش‌شده
col-nothing-seen = روزهای نگاه‌شده، چیزی دیده نشد
col-not-looked = روزهای نگاه‌نشده
col-not-looked-on = نگاه‌نشده در

report-revised = داوری‌های روزهای پیشین که دگرگون شد
report-revised-lead = آنچه در آغاز دوره داوری شده بود، و آنچه اکنون دربارهٔ همان لحظه داوری می‌شود.
report-revised-none = هیچ یک دگرگون نشد.
col-instance = مورد
col-was = بود
col-is = است
col-because = به سبب
fell-away = هیچ

report-instances = همهٔ موارد
col-when = چه وقت
col-why = چرا
col-entries = ثبت‌ها

report-entries = ثبت‌ها
report-entries-lead = هر یک را نویسنده‌اش امضا کرده، در دفتر نام‌برده ایستاده، و شاهدان در همان فاصله آن را همراه امضا کرده‌اند.
col-entry = ثبت
col-party = جانب
col-kind = نوع
col-logged = ثبت‌شده
col-statement = بیان

report-check = چگونه این را بیازمایید
report-check-judge = همین ثبت را با همین توافقنامه داوری کنید؛ خلاصهٔ عددی باید همان بالا باشد:
report-check-entry = هر ثبت را اثبات بخواهید، بی‌آنکه به گرهی که آن را می‌دهد اعتماد کنید:
