"""asn1crypto, which ships no types, under names that are openly `Any`; CMS structures are checked at run time."""

from typing import Any

import asn1crypto.algos
import asn1crypto.cms
import asn1crypto.core
import asn1crypto.tsp
import asn1crypto.x509

algos: Any = asn1crypto.algos
cms: Any = asn1crypto.cms
core: Any = asn1crypto.core
tsp: Any = asn1crypto.tsp
certificates: Any = asn1crypto.x509

# What asn1crypto raises, lazily, on input that is DER but not the structure it should be; on some Persian names, too
# (`malformed bidirectional sequence`).
ERRORS = (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError)
