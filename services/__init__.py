"""The hub: its services, and the runtime that each of them stands on."""

import os
import sys

_TLS_1_3_ALONE = "ECDHE-PSK-CHACHA20-POLY1305"

TLS_1_3_ONLY = "grpc" not in sys.modules or os.environ.get("GRPC_SSL_CIPHER_SUITES") == _TLS_1_3_ALONE
"""Whether grpc will refuse TLS 1.2; a server does not start otherwise."""

# grpc accepts TLS 1.2 unless told otherwise. A suite that only TLS 1.2 has, and that our certificates cannot serve,
# leaves TLS 1.3 alone, whose suites this does not touch. grpc reads it when it is imported, and `python -m services.x`
# imports this package before anything else.
os.environ["GRPC_SSL_CIPHER_SUITES"] = _TLS_1_3_ALONE
