package access

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/polymath-run/polymath/internal/balance/forward"
)

// appendJSON appends a line as one JSON object. Durations are in milliseconds,
// sizes in bytes of body.
func appendJSON(b []byte, x *forward.Exchange, at time.Time, took time.Duration) []byte {
	b = append(b, `{"time":"`...)
	b = at.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
	b = append(b, `","client":"`...)
	b = x.Client.AppendTo(b)
	b = append(b, '"')
	b = appendText(b, "method", x.Method)
	b = appendText(b, "scheme", x.Scheme)
	b = appendText(b, "host", x.Facts.Header("Host"))
	b = appendText(b, "target", x.Facts.Target())
	b = append(b, `,"version":"`...)
	b = appendVersion(b, x.Version)
	b = append(b, `","status":`...)
	b = strconv.AppendInt(b, int64(x.Status), 10)
	b = append(b, `,"received":`...)
	b = strconv.AppendInt(b, x.Received, 10)
	b = append(b, `,"sent":`...)
	b = strconv.AppendInt(b, x.Sent, 10)
	b = append(b, `,"took":`...)
	b = appendMillis(b, took)
	if x.Answered > 0 {
		b = append(b, `,"answered":`...)
		b = appendMillis(b, x.Answered-x.Begun)
	}
	if n := min(x.Attempts, len(x.Tried)); n > 0 && x.Tried[n-1] != nil {
		b = appendText(b, "upstream", x.Tried[n-1].Name)
		b = append(b, `,"attempts":`...)
		b = strconv.AppendInt(b, int64(n), 10)
	}
	b = appendSome(b, "referer", x.Facts.Header("Referer"))
	b = appendSome(b, "agent", x.Facts.Header("User-Agent"))
	return append(b, "}\n"...)
}

// appendCombined appends a line in the combined format: it has neither the host
// nor how long it took.
func appendCombined(b []byte, x *forward.Exchange, at time.Time) []byte {
	b = x.Client.AppendTo(b)
	b = append(b, " - - ["...)
	b = at.AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(b, `] "`...)
	b = appendEscaped(b, x.Method)
	b = append(b, ' ')
	b = appendEscaped(b, x.Facts.Target())
	b = append(b, " HTTP/"...)
	b = appendVersion(b, x.Version)
	b = append(b, `" `...)
	b = strconv.AppendInt(b, int64(x.Status), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, x.Sent, 10)
	for _, name := range [...]string{"Referer", "User-Agent"} {
		b = append(b, ` "`...)
		if text := x.Facts.Header(name); text != "" {
			b = appendEscaped(b, text)
		} else {
			b = append(b, '-')
		}
		b = append(b, '"')
	}
	return append(b, '\n')
}

// appendVersion writes 11 as 1.1.
func appendVersion(b []byte, v uint8) []byte {
	const ten = 10
	return append(b, '0'+v/ten%ten, '.', '0'+v%ten)
}

// appendMillis writes milliseconds with three places.
func appendMillis(b []byte, d time.Duration) []byte {
	return strconv.AppendFloat(b, float64(max(d, 0).Microseconds())/1000, 'f', 3, 64)
}

// appendSome appends a member of an object if it is not empty.
func appendSome(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	return appendText(b, name, text)
}

const hexadecimal = "0123456789abcdef"

// appendText appends a member of an object. What is no UTF-8 is replaced: the
// object is always valid.
func appendText(b []byte, name, text string) []byte {
	b = append(append(append(b, ',', '"'), name...), '"', ':', '"')
	text = text[:min(len(text), MaxText)]
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
			i++
		case c < ' ' || c == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hexadecimal[c>>4], hexadecimal[c&15])
			i++
		case c < utf8.RuneSelf:
			b = append(b, c)
			i++
		default:
			r, size := utf8.DecodeRuneInString(text[i:])
			b = utf8.AppendRune(b, r) // RuneError for what is none
			i += size
		}
	}
	return append(b, '"')
}

// appendEscaped writes a text between quotes as Apache does: a reader of the
// line never sees a quote or a line's end that a client has sent.
func appendEscaped(b []byte, text string) []byte {
	for _, c := range []byte(text[:min(len(text), MaxText)]) {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c >= 0x7f:
			b = append(b, '\\', 'x', hexadecimal[c>>4], hexadecimal[c&15])
		default:
			b = append(b, c)
		}
	}
	return b
}
