module lessor/tests/boskos

go 1.24.0

require sigs.k8s.io/boskos v0.0.0-20250908171729-5e4ab7284e90
