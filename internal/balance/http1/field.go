package http1

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
)

// kind sorts fields by what a proxy does with them.
type kind uint8

const (
	plain kind = iota // goes on as it is

	hop              // ends here
	listed           // ends here: the Connection field lists it
	connection       // ends here, and is read
	upgrade          // ends here, but for an upgrade that goes through
	host             // goes on, or is replaced
	contentLength    // frames the body
	transferEncoding // frames the body
	expect           // goes on, and is told of
	trailer          // goes on, and is told of
	idempotencyKey   // goes on, and is told of
	te               // ends here, and is told of

	// What proxies say of those before them. See Forwarding.
	forwardedFor
	forwardedProto
	forwardedHost
	forwardedOther
	realIP
	forwarded
)

// line is one field line that is not plain.
type line struct {
	kind  kind
	at    Span // the whole line, with its CRLF
	value Span // without blanks around
}

// Head is what requests and answers have in common. Its slice is used again by
// the next head.
type Head struct {
	// Size is how many bytes the head has, with the empty line that ends it.
	Size int

	// Body is how the end of the body is known, and Length how many bytes it
	// has where that is Length; 0 else.
	Body   Body
	Length int64

	// Close says that the connection ends with this exchange, as far as this
	// side is concerned.
	Close bool

	// Upgrade says that the message has an Upgrade field and Connection lists
	// it: another protocol is asked for, or begins.
	Upgrade bool

	// Why says what is wrong with a head that is Bad.
	Why Reason

	fields int // where the first field line begins
	lines  []line

	options int  // of all Connection fields
	others  bool // Connection lists a field that is not known to end here anyway
	closes  bool // Connection: close
	keeps   bool // Connection: keep-alive
	wants   bool // Connection: upgrade
	upgrade bool // there is an Upgrade field, and not to HTTP/2
	length  int64
	chunked bool
}

// next is a head that nothing is known of yet.
func (h *Head) next() Head { return Head{lines: h.lines[:0], length: -1} }

func (h *Head) bad(why Reason) Verdict {
	h.Why = why
	return Bad
}

// firstLine finds the first line, without its CRLF.
func (h *Head) firstLine(b []byte, limit int) ([]byte, Verdict) {
	end := bytes.IndexByte(b[:min(len(b), limit)], '\n')
	switch {
	case end < 0 && len(b) >= limit:
		return nil, h.bad(LongLine)
	case end < 0:
		return nil, More
	case end == 0 || b[end-1] != '\r':
		return nil, h.bad(BareLF)
	}
	h.fields = end + 1
	return b[:end-1], OK
}

// scan reads the field lines, calls read for each that is not plain, and ends
// with OK at the empty line.
func (h *Head) scan(b []byte, limit int, classify func([]byte) kind) Verdict {
	whole := len(b) >= limit
	b = b[:min(len(b), limit)]
	for i := h.fields; ; {
		if len(b)-i >= 2 && b[i] == '\r' && b[i+1] == '\n' {
			h.Size = i + 2
			return OK
		}
		colon, end := usual(b[i:])
		if end < 0 {
			var v Verdict
			if colon, end, v = h.unusual(b[i:], whole); v != OK {
				return v
			}
		}
		if k := classify(b[i : i+colon]); k != plain {
			l := line{k, Span{int32(i), int32(i + end + 2)}, within(b[i:i+end], i, colon+1)}
			h.lines = append(h.lines, l)
			if why := h.read(l.kind, l.value.Of(b)); why != Fine {
				return h.bad(why)
			}
		}
		i += end + 2
	}
}

// usual reads the first line of b as nearly all are, in one pass: a name, a colon,
// bytes that are no control characters, CRLF. It gives where the colon is and
// where the CRLF; -1 says no more than that a closer look is needed.
func usual(b []byte) (colon, end int) {
	colon = tokens.span(b)
	if colon == 0 || colon == len(b) || b[colon] != ':' {
		return -1, -1
	}
	for i := colon + 1; i < len(b); i += 8 {
		var eight uint64
		switch left := len(b) - i; {
		case left >= 8:
			eight = binary.LittleEndian.Uint64(b[i:])
		case len(b) >= 8: // less are left: the last eight, without those before
			eight = binary.LittleEndian.Uint64(b[len(b)-8:]) >> (8 * (8 - left))
		default:
			return -1, -1
		}
		if found := controls(eight); found != 0 {
			end = i + bits.TrailingZeros64(found)/8
			if end+1 < len(b) && b[end] == '\r' && b[end+1] == '\n' {
				return colon, end
			}
			return -1, -1
		}
	}
	return -1, -1
}

// unusual reads the first line of b, or says what stands against it.
func (h *Head) unusual(b []byte, whole bool) (colon, end int, v Verdict) {
	end = bytes.IndexByte(b, '\n')
	switch {
	case end < 0 && whole:
		return 0, 0, h.bad(LargeHead)
	case end < 0:
		return 0, 0, More
	case end == 0 || b[end-1] != '\r':
		return 0, 0, h.bad(BareLF)
	}
	colon, why := name(b[:end-1])
	if why != Fine {
		return 0, 0, h.bad(why)
	}
	return colon, end - 1, OK
}

// name checks a field line and finds its colon.
func name(text []byte) (colon int, why Reason) {
	k := tokens.span(text)
	switch {
	case k < len(text) && text[k] == ':' && k > 0:
		if clean(text[k+1:]) {
			return k, Fine
		}
		if bytes.IndexByte(text, '\r') >= 0 {
			return 0, BareCR
		}
		return 0, Control
	case k == len(text) || text[k] == ':':
		return 0, BadName
	case k == 0 && (text[0] == ' ' || text[0] == '\t'):
		return 0, Folded
	case text[k] == ' ' || text[k] == '\t':
		return 0, SpacedName
	case text[k] == '\r':
		return 0, BareCR
	case text[k] < ' ' || text[k] == 0x7f:
		return 0, Control
	default:
		return 0, BadName
	}
}

// within is the place of a line's value, blanks around it left out. The line
// begins at i, the value after its colon.
func within(text []byte, i, after int) Span {
	from, to := after, len(text)
	for from < to && (text[from] == ' ' || text[from] == '\t') {
		from++
	}
	for from < to && (text[to-1] == ' ' || text[to-1] == '\t') {
		to--
	}
	return Span{int32(i + from), int32(i + to)}
}

// read takes up what a field says of the connection and of the body.
func (h *Head) read(k kind, value []byte) Reason {
	switch k {
	case connection:
		return h.connection(value)
	case upgrade:
		h.upgrade = !hasHTTP2(value)
	case contentLength:
		if h.length >= 0 {
			return ManyLengths
		}
		if h.length = number(value); h.length < 0 {
			return BadLength
		}
	case transferEncoding:
		if h.chunked {
			return ManyCodings
		}
		if !same(value, "chunked") {
			return BadCoding
		}
		h.chunked = true
	default:
	}
	return Fine
}

// connection reads a Connection field.
func (h *Head) connection(list []byte) Reason {
	for len(list) > 0 {
		var option []byte
		if option, list = element(list); len(option) == 0 {
			continue
		}
		if h.options++; h.options > MaxOptions {
			return ManyOptions
		}
		switch {
		case same(option, "close"):
			h.closes = true
		case same(option, "keep-alive"):
			h.keeps = true
		case same(option, "upgrade"):
			h.wants = true
		default:
			h.others = true
		}
	}
	return Fine
}

// settle turns what the fields said into what the head is.
func (h *Head) settle(b []byte, version uint8) Reason {
	switch {
	case h.chunked && h.length >= 0:
		return LengthAndCoding
	case h.chunked && version < 11:
		return OldCoding
	case h.chunked:
		h.Body = Chunked
	case h.length > 0:
		h.Body, h.Length = Length, h.length
	}
	h.Close = h.closes || version < 11 && !h.keeps
	h.Upgrade = h.wants && h.upgrade && version == 11
	if h.others {
		h.strike(b)
	}
	return Fine
}

// strike marks the fields that Connection lists. What frames the message, and
// whom it is for, cannot be listed away.
func (h *Head) strike(b []byte) {
	for i := h.fields; i < h.Size-2; {
		next := i + bytes.IndexByte(b[i:], '\n') + 1
		at := Span{int32(i), int32(next)}
		field := b[i : i+bytes.IndexByte(b[i:], ':')]
		i = next
		if !h.lists(b, field) {
			continue
		}
		place, known := slices.BinarySearchFunc(h.lines, at, func(l line, s Span) int { return int(l.at.From - s.From) })
		switch {
		case !known:
			h.lines = slices.Insert(h.lines, place, line{kind: listed, at: at})
		case h.lines[place].kind == expect, h.lines[place].kind == trailer, h.lines[place].kind == idempotencyKey:
			h.lines[place].kind = listed
		}
	}
}

// lists reports whether Connection names a field.
func (h *Head) lists(b, field []byte) bool {
	for _, l := range h.lines {
		if l.kind != connection {
			continue
		}
		for list := l.value.Of(b); len(list) > 0; {
			var option []byte
			if option, list = element(list); equalFold(option, field) {
				return true
			}
		}
	}
	return false
}

// hasHTTP2 reports whether an Upgrade field names HTTP/2 over plain TCP. It
// would go past everything that is decided per request, so it ends here.
func hasHTTP2(list []byte) bool {
	for len(list) > 0 {
		var protocol []byte
		if protocol, list = element(list); same(protocol, "h2c") || same(protocol, "h2") || same(protocol, "http/2.0") {
			return true
		}
	}
	return false
}

// number reads a Content-Length; -1 is malformed.
func number(digits []byte) int64 {
	if len(digits) == 0 || len(digits) > maxLengthDigits {
		return -1
	}
	var n int64
	for _, c := range digits {
		if !digit(c) {
			return -1
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

// Field gives the value of the fields of this name, in any case; nil without
// one. Of several it joins the values as HTTP does, with ", ", those of Cookie
// with "; ": behind what scratch holds then, which is given back longer. One
// value alone lies in b.
func (h *Head) Field(b []byte, name string, scratch []byte) (value, longer []byte) {
	begin, found := len(scratch), 0
	for i := h.fields; i < h.Size-2; {
		end := i + bytes.IndexByte(b[i:], '\n')
		text := b[i : end-1]
		if len(text) > len(name) && text[len(name)] == ':' && matches(text[:len(name)], name) {
			v := trim(text[len(name)+1:])
			switch found++; found {
			case 1:
				value = v
			case 2:
				scratch = append(scratch, value...)
				fallthrough
			default:
				scratch = append(append(scratch, separator(name)...), v...)
			}
		}
		i = end + 1
	}
	if found > 1 {
		value = scratch[begin:]
	}
	return value, scratch
}

func separator(name string) string {
	if len(name) == len("cookie") && (name[0]|0x20) == 'c' && (name[5]|0x20) == 'e' && matches([]byte("cookie"), name) {
		return "; "
	}
	return ", "
}

// matches compares a field's name with one in any case.
func matches(field []byte, name string) bool {
	for i := range len(name) {
		if lower(field[i]) != lower(name[i]) {
			return false
		}
	}
	return true
}
