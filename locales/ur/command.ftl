# needs native review
# What the command says to people.

table-instance = معاملہ
table-state = حالت
table-when = وقت
table-why = وجہ
judged = فیصلہ بوقت { $as_of }، معلومات بوقت { $known_by }
digest = خلاصہ { $hex }
no-verdicts = کوئی عہد شروع نہیں ہوا
