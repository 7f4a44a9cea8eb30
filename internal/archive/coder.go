package archive

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/polymath-run/polymath"
)

// errMalformed is any reason why a record with a right checksum cannot be read.
var errMalformed = errors.New("archive: malformed record")

// coder writes the fields of a record, or reads them back: each format is
// described once, by one function that does both. Numbers are varints; what
// is of unknown length comes after its length. Writing leaves the fields alone:
// others may read them meanwhile.
type coder struct {
	b       []byte // written so far, or still to be read
	reading bool
	shared  bool  // bytes that are read are part of b, not copies
	err     error // the first failure; reads after it give zeros
}

func (c *coder) fail() {
	c.b, c.err = nil, errMalformed
}

func (c *coder) uint(v *uint64) {
	if !c.reading {
		if *v < 0x80 { // most are
			c.b = append(c.b, byte(*v))
		} else {
			c.b = binary.AppendUvarint(c.b, *v)
		}
		return
	}
	if len(c.b) > 0 && c.b[0] < 0x80 {
		*v, c.b = uint64(c.b[0]), c.b[1:]
		return
	}
	x, n := binary.Uvarint(c.b)
	if n <= 0 || (n > 1 && c.b[n-1] == 0) { // one spelling for each number
		c.fail()
		x, n = 0, 0
	}
	*v, c.b = x, c.b[n:]
}

// small codes an unsigned number of fewer than 64 bits.
func small[T ~uint8 | ~uint16 | ~uint32](c *coder, v *T) {
	x := uint64(*v)
	c.uint(&x)
	if !c.reading {
		return
	}
	*v = T(x)
	if uint64(*v) != x {
		c.fail()
		*v = 0
	}
}

// int codes a signed number, small magnitudes of either sign in few bytes.
func (c *coder) int(v *int64) {
	x := uint64(*v<<1) ^ uint64(*v>>63)
	if c.uint(&x); c.reading {
		*v = int64(x>>1) ^ -int64(x&1)
	}
}

func (c *coder) bool(v *bool) {
	var x uint8
	if *v {
		x = 1
	}
	small(c, &x)
	if x > 1 {
		c.fail()
	}
	if c.reading {
		*v = x == 1
	}
}

// fixed codes exactly len(v) bytes.
func (c *coder) fixed(v []byte) {
	if !c.reading {
		c.b = append(c.b, v...)
		return
	}
	if len(c.b) < len(v) {
		c.fail()
		return
	}
	c.b = c.b[copy(v, c.b):]
}

// bytes codes a slice; what is read is a copy, nil when it is empty.
func (c *coder) bytes(v *[]byte) {
	n := uint64(len(*v))
	c.uint(&n)
	if !c.reading {
		c.b = append(c.b, *v...)
		return
	}
	if n > uint64(len(c.b)) {
		c.fail()
		n = 0
	}
	switch {
	case n == 0:
		*v = nil
	case c.shared:
		*v = c.b[:n:n]
	default:
		*v = bytes.Clone(c.b[:n])
	}
	c.b = c.b[n:]
}

func (c *coder) text(v *string) {
	if c.reading {
		var b []byte
		c.bytes(&b)
		*v = string(b)
		return
	}
	n := uint64(len(*v))
	c.uint(&n)
	c.b = append(c.b, *v...)
}

func (c *coder) index(v *polymath.Index) {
	small(c, &v.Epoch)
	c.uint(&v.Position)
}

func (c *coder) ref(v *polymath.Ref) {
	c.index(&v.Index)
	small(c, &v.Ordinal)
}

// How a ref follows another.
const (
	stepNext    = iota // the next ordinal
	stepOrdinal        // another ordinal of the same index
	stepWhole
)

// after codes a ref in as many bytes as it differs from the one before it.
func (c *coder) after(v *polymath.Ref, last polymath.Ref) {
	var own bool
	if c.afterWith(v, last, &own); own {
		c.fail()
	}
}

// afterWith is after, and one bit beside it.
func (c *coder) afterWith(v *polymath.Ref, last polymath.Ref, flag *bool) {
	x := step(*v, last) << 1
	if *flag {
		x |= 1
	}
	if small(c, &x); c.reading {
		*flag = x&1 != 0
	}
	switch x >> 1 {
	case stepNext:
		if c.reading {
			*v = last
			v.Ordinal++
		}
	case stepOrdinal:
		if c.reading {
			v.Index = last.Index
		}
		small(c, &v.Ordinal)
	default:
		c.ref(v)
	}
	if c.reading && x>>1 != step(*v, last) { // one spelling
		c.fail()
	}
}

func step(v, last polymath.Ref) uint8 {
	switch {
	case v.Index != last.Index:
		return stepWhole
	case v.Ordinal != last.Ordinal+1:
		return stepOrdinal
	default:
		return stepNext
	}
}

// list codes a slice. A length that the bytes left over cannot hold, at one
// byte an element, is refused before anything is allocated for it.
func list[T any](c *coder, s *[]T, each func(*T)) {
	n := uint64(len(*s))
	c.uint(&n)
	if c.reading {
		if n > uint64(len(c.b)) {
			c.fail()
			n = 0
		}
		*s = make([]T, n)
	}
	for i := range *s {
		each(&(*s)[i])
	}
}

// done is the error of a whole reading: also bytes left over are one.
func (c *coder) done() error {
	if c.reading && c.err == nil && len(c.b) > 0 {
		c.fail()
	}
	return c.err
}
