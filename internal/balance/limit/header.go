package limit

import (
	"fmt"
	"strconv"
	"time"
)

// The fields of an answer are those of the Internet-Draft
// draft-ietf-httpapi-ratelimit-headers-10, structured fields of RFC 9651:
//
//	RateLimit-Policy: "per-client";q=100;w=60
//	RateLimit: "per-client";r=42;t=35
//
// q requests may be made in w seconds; r are left, and in t seconds the whole
// quota is back, or where r is 0, the next request will be let in. Retry-After
// is in seconds, rounded up: who comes back then is let in if nobody else of
// the same key came first.

// policyItem is one rule in RateLimit-Policy.
func policyItem(r *Rule) string {
	quota, window := r.Limit, r.Window
	if r.Algorithm == TokenBucket {
		quota, window = r.burst(), r.capacity()
	}
	return fmt.Sprintf(`"%s";q=%d;w=%d`, r.Name, quota, seconds(window))
}

// appendState appends the field RateLimit with its CRLF.
func appendState(dst []byte, r *Rule, d *Decision) []byte {
	wait := d.Reset
	if d.Remaining == 0 {
		wait = d.Retry
	}
	dst = append(dst, `RateLimit: "`...)
	dst = append(dst, r.Name...)
	dst = append(dst, `";r=`...)
	dst = strconv.AppendInt(dst, d.Remaining, 10)
	dst = append(dst, ";t="...)
	dst = strconv.AppendInt(dst, seconds(wait), 10)
	return append(dst, "\r\n"...)
}

// seconds rounds up: nobody is sent back too early.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
