# needs native review
# How a commitment stands, and why: words that the command, the console and reports share.

state-kept = پورا ہوا
state-breached = خلاف ورزی
state-pending = مہلت باقی
state-disputed = متنازع

reason-performed = معاہدے کے مطابق ہوا
reason-discharged = اب واجب نہیں: اس کی بنیاد مقررہ وقت سے پہلے ختم ہو گئی
reason-not_performed = وقت پر نہیں کیا گیا
reason-contravened = منع ہونے کے باوجود کیا گیا
reason-open = ابھی وقت باقی ہے
reason-on_disputed_facts = صرف ایک فریق بیان کرتا ہے

when-due = مقررہ وقت { $instant } ({ $left } باقی)
when-until = { $instant } تک ({ $left } باقی)
when-open-ended = جب تک فیصلہ نہ ہو
when-since = { $instant } سے
when-kept = { $instant } کو
when-margin = مقررہ وقت سے { $margin } پہلے
when-discharged = ساقط { $instant }
when-disputed = { $entries } پر منحصر

unit-days = { $n } دن
unit-hours = { $n } گھنٹے
unit-minutes = { $n } منٹ
unit-seconds = { $n } سیکنڈ

counts = { $kept } پورے ہوئے، { $breached } خلاف ورزی، { $pending } مہلت باقی، { $disputed } متنازع

because-clock = وقت گزرنا
because-entries = { $entries }
because-late = دیر سے آئے شواہد: { $entries }
because-withdrawn = واپس لیے گئے شواہد: { $entries }
change = { $label } { $before } -> { $after } ({ $because })
change-opened = { $label } شروع: { $after } ({ $because })
change-gone = { $label } ختم ({ $because })

explain-owes = ذمہ دار { $bearer } ہے؛ افعال { $instant } سے شمار ہوتے ہیں
explain-opened-by = { $entry } سے شروع ہوا
explain-because = { $entry } کی وجہ سے
explain-missing = موجود نہیں: { $kind }، { $from } اور { $to } کے درمیان
explain-missing-open = موجود نہیں: { $kind }، { $from } کے بعد
explain-missing-until = موجود نہیں: { $kind }، { $to } تک
explain-missing-ever = موجود نہیں: { $kind }
explain-disputed = صرف ایک فریق بیان کرتا ہے: { $entry }
explain-flip = { $entry } کے بغیر فیصلہ مختلف ہوتا
explain-proof = ثبوت
entry-cited = { $party } { $kind } ({ $origin } #{ $index }، اندراج { $instant })
