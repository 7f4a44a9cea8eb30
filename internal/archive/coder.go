package archive

import (
	"encoding/binary"
	"errors"

	"github.com/polymath-run/polymath"
)

// errMalformed is any reason why a record with a right checksum cannot be read.
var errMalformed = errors.New("archive: malformed record")

// coder writes the fields of a record, or reads them back: each format is
// described once, by one function that does both. Numbers are varints; what
// is of unknown length comes after its length.
type coder struct {
	b       []byte // written so far, or still to be read
	reading bool
	err     error // the first failure; reads after it give zeros
}

func (c *coder) fail() {
	c.b, c.err = nil, errMalformed
}

func (c *coder) uint(v *uint64) {
	if !c.reading {
		c.b = binary.AppendUvarint(c.b, *v)
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
	*v = T(x)
	if uint64(*v) != x {
		c.fail()
		*v = 0
	}
}

// int codes a signed number, small magnitudes of either sign in few bytes.
func (c *coder) int(v *int64) {
	x := uint64(*v<<1) ^ uint64(*v>>63)
	c.uint(&x)
	*v = int64(x>>1) ^ -int64(x&1)
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
	*v = x == 1
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
	*v = append([]byte(nil), c.b[:n]...)
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
