package forward

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath/internal/balance/guard"
	"github.com/polymath-run/polymath/internal/balance/http1"
)

// TestTimeLeftIsReadAsWritten: in both forms what is told is never more than
// what is left, but for a microsecond where nothing is, nor noticeably less, and
// never 0, which would be for ever.
func TestTimeLeftIsReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const top = int64(guard.MaxTimeout) - 1
		left := time.Duration(rapid.OneOf(
			rapid.Int64Range(-int64(time.Second), int64(time.Second)),
			rapid.Int64Range(0, top),
			rapid.Map(rapid.Int64Range(0, top/int64(time.Second)), func(n int64) int64 { return n * int64(time.Second) }),
		).Draw(t, "left"))
		name := rapid.SampledFrom([]string{"X-Request-Timeout", "grpc-timeout"}).Draw(t, "field")
		exact := time.Microsecond + 1 // a nanosecond is lost in decimals
		if name == grpcTimeout && left > 99*time.Second {
			exact = time.Millisecond
		}
		x := Exchange{TimeoutField: name, Deadline: time.Hour + left}
		o := http1.Outgoing{Extra: []byte("TE: trailers\r\n")}
		x.tellTimeout(&o, nil, time.Hour)
		begin, text := "TE: trailers\r\n"+name+": ", string(o.Extra)
		if o.Replaced != name || len(text) < len(begin)+2 || text[:len(begin)] != begin || text[len(text)-2:] != "\r\n" {
			t.Fatalf("%q, in place of %q", text, o.Replaced)
		}
		text = text[len(begin) : len(text)-2]
		got, ok := guard.ParseTimeout(text)
		if !ok || got <= 0 || got > max(left, time.Microsecond) || left-got > exact {
			t.Fatalf("%v is told as %q, which is read as %v, %v", left, text, got, ok)
		}
	})
}

// TestTimeIsToldWhereItIsWanted: to nobody else.
func TestTimeIsToldWhereItIsWanted(t *testing.T) {
	for _, x := range []Exchange{
		{Deadline: time.Second}, {TimeoutField: "X-Request-Timeout"}, {Deadline: time.Second, TimeoutField: "Content-Length"},
		{Deadline: time.Second, TimeoutField: "a: b\r\nc"},
	} {
		var o http1.Outgoing
		if x.tellTimeout(&o, nil, 0); o.Extra != nil || o.Replaced != "" {
			t.Errorf("%q is told in place of %q", o.Extra, o.Replaced)
		}
	}
}
