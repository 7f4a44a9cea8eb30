// Package wire is how the words of the platform look in the messages of
// package polymathv1: both ends of a stream share it.
package wire

import (
	"encoding/binary"
	"strings"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
)

// Sizes on the wire, in bytes.
const (
	refBytes = 4 + 8 + 4 // epoch, position, ordinal, little endian
	// TokenBytes is of a token.
	TokenBytes = 1 + refBytes
)

// MaxMessageBytes bounds one message of a stream.
const MaxMessageBytes = 4 << 20

// Session writes the ref of a session.
func Session(r polymath.Ref) []byte { return appendRef(make([]byte, 0, refBytes), r) }

// ParseSession reads what Session wrote.
func ParseSession(b []byte) (polymath.Ref, error) {
	if len(b) != refBytes {
		return polymath.Ref{}, polymath.Errorf(polymath.InvalidArgument, "a session has %d bytes, not %d", refBytes, len(b))
	}
	return ref(b), nil
}

// Token writes a token.
func Token(t polymath.Token) []byte { return AppendToken(make([]byte, 0, TokenBytes), t) }

// AppendToken appends a token as Token writes it.
func AppendToken(b []byte, t polymath.Token) []byte { return appendRef(append(b, t.Shard), t.Ref) }

// ParseToken reads what Token wrote.
func ParseToken(b []byte) (polymath.Token, error) {
	if len(b) != TokenBytes {
		return polymath.Token{}, polymath.Errorf(polymath.InvalidArgument, "a token has %d bytes, not %d", TokenBytes, len(b))
	}
	return polymath.Token{Shard: b[0], Ref: ref(b[1:])}, nil
}

func appendRef(b []byte, r polymath.Ref) []byte {
	b = binary.LittleEndian.AppendUint32(b, r.Index.Epoch)
	b = binary.LittleEndian.AppendUint64(b, r.Index.Position)
	return binary.LittleEndian.AppendUint32(b, r.Ordinal)
}

func ref(b []byte) polymath.Ref {
	return polymath.Ref{
		Index:   polymath.Index{Epoch: binary.LittleEndian.Uint32(b), Position: binary.LittleEndian.Uint64(b[4:])},
		Ordinal: binary.LittleEndian.Uint32(b[12:]),
	}
}

// Error writes an error; nil for none. The text of an Internal error stays
// private: who may read it finds it in the server's log.
func Error(err error) *polymathv1.Error {
	code := polymath.CodeOf(err)
	switch code {
	case 0:
		return nil
	case polymath.Internal:
		return &polymathv1.Error{Code: code.String(), Message: "something went wrong inside the server; its log says what"}
	default:
		return &polymathv1.Error{Code: code.String(), Message: strings.ToValidUTF8(err.Error(), "\uFFFD")}
	}
}

// ParseError reads what Error wrote. A code of a newer program is Internal.
func ParseError(e *polymathv1.Error) error {
	if e == nil {
		return nil
	}
	return polymath.Errorf(Code(e.GetCode()), "%s", e.GetMessage())
}

// Code finds a code by its name; Internal for an unknown one.
func Code(name string) polymath.Code {
	for _, c := range polymath.Codes() {
		if c.String() == name {
			return c
		}
	}
	return polymath.Internal
}

// ParseGrant reads what Slab.Grant wrote.
func ParseGrant(g *polymathv1.Grant) (polymath.Lease, error) {
	l := polymath.Lease{
		Function: g.GetFunction(), Input: g.GetInput(), Interval: polymath.Interval{From: g.GetFrom(), To: g.GetTo()},
		Attempt: g.GetAttempt(), Micros: g.GetMicros(), LongestRun: g.GetLongestRun(), Speculative: g.GetSpeculative(),
	}
	var err error
	if l.Token, err = ParseToken(g.GetToken()); err != nil {
		return l, err
	}
	l.Job, err = polymath.ParseJobID(g.GetJob())
	return l, err
}
