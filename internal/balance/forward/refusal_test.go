package forward_test

import (
	"testing"

	"github.com/polymath-run/polymath/internal/balance/forward"
)

// BenchmarkRefusal tells what an answer of the balancer's own costs when it was
// given before.
func BenchmarkRefusal(b *testing.B) {
	r := forward.Nobody()
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out = r.Append(out[:0], false, false)
	}
	b.SetBytes(int64(len(out)))
}
