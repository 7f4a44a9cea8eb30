package wire

import (
	"errors"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// The kinds of fields that the messages of a stream have. A field is known by
// its number and kind together: number<<3 | kind.
const (
	number = uint64(protowire.VarintType)
	data   = uint64(protowire.BytesType) // bytes, texts and messages
)

// errText is of a text that is none.
var errText = errors.New("a text is no UTF-8")

// fields goes through the fields of a message. Those of a kind that no message
// of ours has are passed over, like those of a newer program.
type fields struct {
	rest   []byte
	key    uint64 // number<<3 | kind of the field
	number uint64 // its value, of a number
	data   []byte // its value, of the others; part of the message
	err    error
}

// next goes to the next field; false at the end and when there is an error.
func (f *fields) next() bool {
	if len(f.rest) == 0 || f.err != nil {
		return false
	}
	field, kind, n := protowire.ConsumeTag(f.rest)
	if n >= 0 && field > protowire.MaxValidNumber {
		return f.fail(errors.New("a field has no valid number"))
	}
	if n < 0 {
		return f.fail(protowire.ParseError(n))
	}
	f.rest = f.rest[n:]
	switch kind {
	case protowire.VarintType:
		f.number, n = protowire.ConsumeVarint(f.rest)
	case protowire.BytesType:
		f.data, n = protowire.ConsumeBytes(f.rest)
		f.data = slices.Clip(f.data) // appending to it must not write into the next field
	default:
		n = protowire.ConsumeFieldValue(field, kind, f.rest)
	}
	if n < 0 {
		return f.fail(protowire.ParseError(n))
	}
	f.key = uint64(field)<<3 | uint64(kind)
	f.rest = f.rest[n:]
	return true
}

func (f *fields) fail(err error) bool {
	f.err = err
	return false
}

// into notes an error of the field's value.
func (f *fields) into(err error) {
	if err != nil {
		f.err = err
	}
}

// text is the value of a field that has to be a text.
func (f *fields) text() []byte {
	if !utf8.Valid(f.data) {
		f.err = errText
	}
	return f.data
}

// numbers adds the value of a list of numbers: one of them, or many packed.
func (f *fields) numbers(list []uint64) []uint64 {
	if f.key&7 == number {
		return append(list, f.number)
	}
	for packed := f.data; len(packed) > 0; {
		v, n := protowire.ConsumeVarint(packed)
		if n < 0 {
			f.err = protowire.ParseError(n)
			return list
		}
		list, packed = append(list, v), packed[n:]
	}
	return list
}
