"""What schemathesis has to be told: a component is bytes like any others."""

import schemathesis

schemathesis.serializer.alias("application/wasm", "application/octet-stream")
