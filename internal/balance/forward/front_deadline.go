package forward

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/polymath-run/polymath/internal/balance/http1"
)

// grpcTimeout is the field whose values have gRPC's form in place of seconds.
const grpcTimeout = "grpc-timeout"

// timeoutRoom is the most bytes that tellTimeout appends for a time, beside the
// field's name.
const timeoutRoom = 32

// tellTimeout has an upstream told how long is left at a time, if it is to know.
// dst is the memory for it.
func (x *Exchange) tellTimeout(o *http1.Outgoing, dst []byte, now time.Duration) {
	if x.TimeoutField == "" || x.Deadline == 0 || !http1.Replaceable(x.TimeoutField) {
		return
	}
	o.Replaced = x.TimeoutField
	dst = append(append(append(dst, o.Extra...), x.TimeoutField...), ": "...)
	left := x.Deadline - now
	if strings.EqualFold(x.TimeoutField, grpcTimeout) {
		dst = appendUnits(dst, left)
	} else {
		dst = appendSeconds(dst, left)
	}
	o.Extra = append(dst, "\r\n"...)
}

// appendSeconds writes a time in seconds, rounded down to microseconds, as
// guard.ParseTimeout reads it. It is never 0, which would be for ever.
func appendSeconds(dst []byte, d time.Duration) []byte {
	const digits, million = 6, 1_000_000
	n := max(d.Microseconds(), 1)
	dst = strconv.AppendInt(dst, n/million, 10)
	if n %= million; n == 0 {
		return dst
	}
	dst = append(dst, '.')
	dst = strconv.AppendInt(dst, n+million, 10) // the 1 before it keeps the zeros
	point := len(dst) - digits - 1
	dst = append(dst[:point], dst[point+1:]...)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// appendUnits writes a time in gRPC's form, up to eight digits and a unit,
// rounded down, and never 0.
func appendUnits(dst []byte, d time.Duration) []byte {
	const most = 99_999_999
	switch {
	case d.Microseconds() <= most:
		return append(strconv.AppendInt(dst, max(d.Microseconds(), 1), 10), 'u')
	case d.Milliseconds() <= most:
		return append(strconv.AppendInt(dst, d.Milliseconds(), 10), 'm')
	default:
		return append(strconv.AppendInt(dst, min(int64(d/time.Second), most), 10), 'S')
	}
}

// doubts reports whether Retry is asked before an answer with this status is
// passed on.
func (x *Exchange) doubts(status int) bool {
	return status >= 400 && slices.Contains(x.Doubted, status)
}
