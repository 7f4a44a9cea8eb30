package guard

import (
	"strconv"
	"strings"
	"time"
)

// MaxTimeout is the longest time a client may ask for: longer is this.
const MaxTimeout = 24 * time.Hour

// maxTimeoutText is the longest text of a time that is read, in bytes.
const maxTimeoutText = 20

// ParseTimeout reads how long a client waits for its answer: seconds, as "30" or
// "0.25", or gRPC's form of up to eight digits with a unit, as "250m". It
// reports false for anything else, and for a negative time.
func ParseTimeout(text string) (time.Duration, bool) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxTimeoutText {
		return 0, false
	}
	if unit := unitOf(text[len(text)-1]); unit > 0 {
		const digits = 8 // gRPC's limit
		n, err := strconv.ParseUint(text[:len(text)-1], 10, 64)
		if err != nil || len(text) > digits+1 {
			return 0, false
		}
		if n > uint64(MaxTimeout/unit) {
			return MaxTimeout, true
		}
		return time.Duration(n) * unit, true
	}
	return parseSeconds(text)
}

// unitOf is the unit of a letter of gRPC's, 0 for another.
func unitOf(c byte) time.Duration {
	switch c {
	case 'H':
		return time.Hour
	case 'M':
		return time.Minute
	case 'S':
		return time.Second
	case 'm':
		return time.Millisecond
	case 'u':
		return time.Microsecond
	case 'n':
		return time.Nanosecond
	default:
		return 0
	}
}

func parseSeconds(text string) (time.Duration, bool) {
	for i := range len(text) {
		if c := text[i]; c != '.' && (c < '0' || c > '9') {
			return 0, false // no exponent, sign, infinity or underscore
		}
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, false
	}
	if seconds >= MaxTimeout.Seconds() {
		return MaxTimeout, true
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// Until is when an answer is of no use any more: the sooner of what the client
// asked for and what the balancer waits at most, where 0 is for ever, as it is
// in the answer.
func Until(begun, asked, most time.Duration) time.Duration {
	if asked > 0 && (most <= 0 || asked < most) {
		most = asked
	}
	if most <= 0 {
		return 0
	}
	return begun + most
}
