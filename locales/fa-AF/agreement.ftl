# needs native review
# The agreement on a page: words that only it has. Kinds and roles stand in console.ftl, units in verdicts.ftl.

reading-draft = متن‌هایی که کنار خط بریده آمده‌اند نوشتهٔ ماشین‌اند و به بازبینی اهل زبان نیاز دارند.
reading-in-force = الزام‌آور از
reading-members = اعضا
reading-digest = چکیده
reading-folder = چکیده پوشه‌ای را نام می‌برد که این صفحه از آن ساخته شده است. زیر هر متن آنچه قاعدهٔ آن می‌خواهد و خود قاعده آمده است که گره‌ها آن را اجرا می‌کنند.
reading-missing = در این زبان متنی نیست.
reading-severity = شدت { $severity }
reading-begins = آغاز
reading-binds = متعهد
reading-jointly = باهم
reading-toward = در برابر
reading-owed = مکلفیت
reading-barred = ممنوع
reading-clock = مهلت
reading-exception = استثنا
reading-lapses = ساقط با
reading-remedy = اگر رعایت نشود
reading-nothing = چیزی لازم نیست
reading-audited = مردم آن را می‌نگرند

nature-conduct = رفتار
nature-result = نتیجه
nature-prohibition = منع
nature-power = صلاحیت
nature-permission = اجازه

clock-at-once = بی‌درنگ
clock-within = در ظرف { $duration }
clock-for = تا { $duration }
clock-ever = در هر زمان
clock-until = تا آنگاه که قاعده آن را پایان دهد

tick-day = هر روز
tick-week = هر هفته
tick-month = هر ماه
tick-quarter = هر ربع سال
tick-year = هر سال
