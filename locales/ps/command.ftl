# needs native review
# What the command says to people.

table-instance = مورد
table-state = حالت
table-when = وخت
table-why = لامل
judged = پرېکړه په { $as_of }، تر { $known_by } معلومات
digest = لنډیز { $hex }
no-verdicts = هېڅ ژمنه نه ده پیل شوې
