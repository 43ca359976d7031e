# needs native review
# How a commitment stands, and why: words that the command, the console and reports share.

state-kept = رعایت‌شده
state-breached = نقض‌شده
state-pending = در جریان
state-disputed = مورد اختلاف

reason-performed = مطابق توافق انجام شد
reason-discharged = دیگر لازم نیست: زمینهٔ آن پیش از موعد از میان رفت
reason-not_performed = به وقت انجام نشد
reason-contravened = با آنکه منع بود انجام شد
reason-open = هنوز وقت باقی است
reason-on_disputed_facts = تنها یک طرف اظهار کرده است

when-due = موعد { $instant } ({ $left } باقی)
when-until = تا { $instant } ({ $left } باقی)
when-open-ended = تا زمانی که فیصله شود
when-since = از { $instant }
when-kept = در { $instant }
when-margin = { $margin } پیش از موعد
when-discharged = ساقط { $instant }
when-disputed = وابسته به { $entries }

unit-days = { $n } روز
unit-hours = { $n } ساعت
unit-minutes = { $n } دقیقه
unit-seconds = { $n } ثانیه

counts = { $kept } رعایت‌شده، { $breached } نقض‌شده، { $pending } در جریان، { $disputed } مورد اختلاف

because-clock = گذشت زمان
because-entries = { $entries }
because-late = شواهد دیررس: { $entries }
because-withdrawn = شواهد پس‌گرفته: { $entries }
change = { $label } { $before } -> { $after } ({ $because })
change-opened = { $label } آغاز می‌شود: { $after } ({ $because })
change-gone = { $label } از میان می‌رود ({ $because })

explain-owes = متعهد { $bearer } است؛ کارها از { $instant } به حساب می‌آید
explain-opened-by = آغاز با { $entry }
explain-because = به سبب { $entry }
explain-missing = موجود نیست: { $kind } میان { $from } و { $to }
explain-missing-open = موجود نیست: { $kind } از { $from } به بعد
explain-missing-until = موجود نیست: { $kind } تا { $to }
explain-missing-ever = موجود نیست: { $kind }
explain-disputed = تنها یک طرف اظهار می‌کند: { $entry }
explain-flip = بدون { $entry } حکم دیگری می‌بود
explain-proof = سند
entry-cited = { $party } { $kind } ({ $origin } #{ $index }، ثبت { $instant })
