package http1

import "encoding/binary"

// table tells for each byte whether it belongs to a set.
type table [256]bool

var (
	// tokens are the bytes of methods and of field names (RFC 9110, 5.6.2).
	tokens = among("!#$%&'*+-.^_`|~", true)

	// targets are the bytes of a path and a query. The strict grammar has fewer
	// (RFC 3986), but browsers send these; beyond ASCII every server reads the
	// same bytes. No '#': some servers end the target there, others do not.
	targets = visible('#')

	// hosts are the bytes of a host's name. The grammar has escapes and "!$&'()*+,;="
	// too (RFC 3986, 3.2.2), which no host has, and some take for two hosts.
	hosts = among("-._~", true)
)

// among is the set of some bytes, with or without letters and digits.
func among(some string, alphanumeric bool) table {
	var t table
	for i := range len(some) {
		t[some[i]] = true
	}
	for c := range 256 {
		b := byte(c)
		if alphanumeric && ('0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'z') {
			t[b] = true
		}
	}
	return t
}

// visible is the set of bytes that are neither blank nor control, but for one.
func visible(but byte) table {
	var t table
	for c := range 256 {
		t[c] = c > ' ' && c != 0x7f && byte(c) != but
	}
	return t
}

// all reports whether every byte of b is of the set.
func (t *table) all(b []byte) bool {
	for _, c := range b {
		if !t[c] {
			return false
		}
	}
	return true
}

// span counts the bytes of the set at the begin of b.
func (t *table) span(b []byte) int {
	for i, c := range b {
		if !t[c] {
			return i
		}
	}
	return len(b)
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// clean reports whether b has no control character but tabs: what a field's
// value is made of. Eight bytes at a time it asks for one below a space or for
// a DEL, and looks closer where the answer is yes.
func clean(b []byte) bool {
	for len(b) >= 8 {
		if controls(binary.LittleEndian.Uint64(b)) != 0 && !cleanBytes(b[:8]) {
			return false
		}
		b = b[8:]
	}
	return cleanBytes(b)
}

// controls marks the control characters among eight bytes, the first in the
// lowest bits: the lowest mark is right, and without one there is none.
func controls(x uint64) uint64 {
	low := (x - ones*' ') &^ x
	del := x ^ ones*0x7f
	del = (del - ones) &^ del
	return (low | del) & highs
}

func cleanBytes(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// same reports whether a name is the lower-case one, in whatever case: of
// tokens only letters share bits with others of the other case.
func same(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i := range len(lower) {
		if name[i]|0x20 != lower[i] {
			return false
		}
	}
	return true
}

// alike is same, but reads '_' as '-': so do gateways that hand fields on as
// variables, and what may not be forged may not be forged for them either.
func alike(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i := range len(lower) {
		if c := name[i]; c|0x20 != lower[i] && (c != '_' || lower[i] != '-') {
			return false
		}
	}
	return true
}

// equalFold compares texts of any bytes, letters of ASCII in either case.
func equalFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// trim takes blanks off both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// element takes the next element off a list with commas, blanks trimmed.
func element(list []byte) (first, rest []byte) {
	for i, c := range list {
		if c == ',' {
			return trim(list[:i]), list[i+1:]
		}
	}
	return trim(list), nil
}
