package http1

import (
	"testing"

	"pgregory.net/rapid"
)

// TestUsualLinesAreRead: what one pass takes for a field line the closer look
// reads alike, and what most servers send it does take.
func TestUsualLinesAreRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
			"a", "Content-Length", ":", ": ", " ", "\t", "\r", "\n", "\r\n", "0", "some longer text", "\x00", "\x1f", "\x7f", "\x80", "\xff", "~", "!",
		}), 0, 12).Draw(t, "pieces")
		var b []byte
		for _, p := range pieces {
			b = append(b, p...)
		}
		colon, end := usual(b)
		if end < 0 {
			return
		}
		var h Head
		if c, e, v := h.unusual(b, false); c != colon || e != end || v != OK {
			t.Fatalf("%q has its colon at %d and ends at %d, by the closer look %d, %d, %v", b, colon, end, c, e, v)
		}
	})
	for _, line := range []string{"a:\r\n", "Host: a\r\n", "Date: Sat, 21 Nov 2026 08:00:00 GMT\r\n", "Server: \xfcber 1.0\r\n", "Accept: */*\r\n\r\n"} {
		for _, rest := range []string{"", "\r\n", "Next: line\r\n\r\n"} {
			if _, end := usual([]byte(line + rest)); end < 0 && len(line+rest) >= 8 {
				t.Errorf("%q is not taken", line+rest)
			}
		}
	}
}
