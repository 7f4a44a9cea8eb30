package ledger

import (
	"encoding/binary"
	"errors"

	"github.com/polymath-run/polymath"
)

// errMalformed is any reason why bytes are not what a coder expected. Which
// reason does not matter: an entry that cannot be read is skipped whole, and
// an image that cannot be read is damaged.
var errMalformed = errors.New("ledger: malformed bytes")

// coder writes values to bytes, or reads them back: a format is described
// once, by one method that does both, so that the two can never differ.
// Numbers are varints; everything of unknown length comes after its length.
type coder struct {
	b       []byte // written so far, or still to be read
	reading bool
	pool    *pool // for what is read, or nil
	err     error // the first failure; reads after it give zeros
}

func (c *coder) fail() {
	if c.err == nil {
		c.err = errMalformed
	}
	c.b = nil
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

// length codes a length, most at most, and returns it.
func (c *coder) length(n, most int) int {
	x := uint64(n)
	c.uint(&x)
	if x > uint64(most) {
		c.fail()
		return 0
	}
	return int(x)
}

// bytes codes bytes, most at most. What is read aliases the input: whoever
// keeps it makes a copy.
func (c *coder) bytes(v *[]byte, most int) {
	n := c.length(len(*v), most)
	if !c.reading {
		c.b = append(c.b, *v...)
		return
	}
	if n > len(c.b) {
		c.fail()
		n = 0
	}
	*v = nil
	if n > 0 {
		*v = c.b[:n:n]
	}
	c.b = c.b[n:]
}

func (c *coder) text(v *string, most int) {
	if c.reading {
		var b []byte
		c.bytes(&b, most)
		*v = c.pool.word(b)
		return
	}
	c.length(len(*v), most)
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

func (c *coder) job(v *polymath.JobID) {
	small(c, &v.Shard)
	c.ref(&v.Ref)
}

func (c *coder) token(v *polymath.Token) {
	small(c, &v.Shard)
	c.ref(&v.Ref)
}

func (c *coder) interval(v *polymath.Interval) {
	c.uint(&v.From)
	n := v.Len()
	c.uint(&n)
	v.To = v.From + n
	if v.To < v.From {
		c.fail()
		*v = polymath.Interval{}
	}
}

// list codes a slice, most elements at most. A length that the bytes left
// over cannot hold (an element takes at least one) is refused before anything
// is allocated for it.
func list[T any](c *coder, s *[]T, most int, each func(*T)) {
	n := c.length(len(*s), most)
	if c.reading {
		if n > len(c.b) {
			c.fail()
			n = 0
		}
		*s = nil
		if n > 0 {
			*s = make([]T, n)
		}
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

// written is what was written from a state, in which every value keeps its
// bound.
func (c *coder) written() []byte {
	if c.err != nil {
		panic("ledger: a value in the state is beyond the bound of its format")
	}
	return c.b
}
