package number

import (
	"bytes"
	"encoding/json"
	"math/big"

	"github.com/polymath-run/polymath"
)

// Integer is an exact whole number. The zero value is 0. It is a value: it is
// never changed once it has been read.
type Integer struct {
	v *big.Int // nil is 0
}

// ParseInteger reads a whole number. 2.5e1 is one, 2.5 is not.
func ParseInteger(text string) (Integer, error) {
	r, err := parse(text)
	if err != nil {
		return Integer{}, err
	}
	if !r.IsInt() {
		return Integer{}, polymath.Errorf(polymath.InvalidArgument, "%s is no whole number", quote(text))
	}
	return Integer{r.Num()}, nil
}

// FromUint64 is n as an Integer.
func FromUint64(n uint64) Integer { return Integer{new(big.Int).SetUint64(n)} }

// FromBig is a copy of n as an Integer.
func FromBig(n *big.Int) Integer { return Integer{new(big.Int).Set(n)} }

// Big is a copy of the number.
func (n Integer) Big() *big.Int {
	if n.v == nil {
		return new(big.Int)
	}
	return new(big.Int).Set(n.v)
}

// Uint64 is the number if it lies in 0..2^64-1.
func (n Integer) Uint64() (v uint64, ok bool) {
	if n.v == nil {
		return 0, true
	}
	return n.v.Uint64(), n.v.IsUint64()
}

// Sign is -1, 0 or +1.
func (n Integer) Sign() int {
	if n.v == nil {
		return 0
	}
	return n.v.Sign()
}

// String writes the number out in decimal.
func (n Integer) String() string {
	if n.v == nil {
		return "0"
	}
	return n.v.String()
}

// Clip is String shortened for an error text.
func (n Integer) Clip() string {
	const most = 40 // bytes
	s := n.String()
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

// MarshalJSON writes a JSON number, or a string when the number lies beyond
// 2^53 on either side.
func (n Integer) MarshalJSON() ([]byte, error) {
	if n.v != nil && !exactAsDouble(n.v) {
		return []byte(`"` + n.String() + `"`), nil
	}
	return []byte(n.String()), nil
}

// UnmarshalJSON reads a JSON number, or a string as ParseInteger does.
func (n *Integer) UnmarshalJSON(data []byte) error {
	text, err := jsonText(data)
	if err != nil {
		return err
	}
	*n, err = ParseInteger(text)
	return err
}

// exactAsDouble reports whether v lies in -2^53..2^53, where doubles miss no
// whole number.
func exactAsDouble(v *big.Int) bool {
	const most = 1 << 53
	return v.IsInt64() && -most <= v.Int64() && v.Int64() <= most
}

// jsonText is the text of a number in JSON: a number as it stands, or what a
// string holds.
func jsonText(data []byte) (string, error) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || data[0] != '"' {
		return string(data), nil
	}
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return "", polymath.Errorf(polymath.InvalidArgument, "%s is no JSON string", quote(string(data)))
	}
	return s, nil
}
