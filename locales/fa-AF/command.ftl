# needs native review
# What the command says to people.

table-instance = مورد
table-state = حالت
table-when = زمان
table-why = دلیل
judged = حکم در { $as_of }، با دانستهٔ { $known_by }
digest = چکیده { $hex }
no-verdicts = هیچ تعهدی آغاز نشده است
