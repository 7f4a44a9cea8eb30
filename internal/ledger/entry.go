package ledger

import (
	"fmt"
	"slices"

	"github.com/polymath-run/polymath"
)

// Version is the format this code writes, and the newest it can read.
const Version = 1

// VersionError says that bytes were written by a newer Polymath.
type VersionError struct {
	What string // "entry" or "image"
	Got  uint8
}

// Error says what to do: only a newer binary can read on.
func (e *VersionError) Error() string {
	return fmt.Sprintf("this %s has format version %d and this Polymath reads up to %d: use the newer Polymath that wrote it",
		e.What, e.Got, Version)
}

// checkVersion looks at the first byte of an entry or an image. 0 is no
// version: it is how bytes say that they must not be read.
func checkVersion(what string, data []byte) error {
	switch {
	case len(data) == 0 || data[0] == 0:
		return errMalformed
	case data[0] > Version:
		return &VersionError{What: what, Got: data[0]}
	default:
		return nil
	}
}

// Entry is what is appended to the journal: a batch of commands of one
// session, numbered from 1 without gaps.
type Entry struct {
	// Session is the session the entry belongs to. Zero: none yet, and the
	// commands may only be Opens.
	Session polymath.Ref
	Number  uint64
	// At is the proposer's wall clock in Unix milliseconds. It is for people
	// to read; the only decision that hangs on it is whether the deadline of
	// a new job has passed already.
	At int64
	// Principal and Signature say who vouches for the entry, for journals
	// whose nodes do not trust each other. Other journals leave them empty.
	Principal, Signature []byte
	Commands             []Command
}

// Encode appends the entry to b: one version byte, then the fields in order.
// A field beyond its bound gives bytes that no ledger reads; the node checks
// bounds before it proposes.
func (e *Entry) Encode(b []byte) []byte {
	var commands Commands
	for _, cmd := range e.Commands {
		if commands.Add(cmd) != nil {
			return append(b, 0)
		}
	}
	return e.EncodeAround(b, len(e.Commands), commands.Bytes())
}

// EncodeAround is Encode with n commands that are encoded already, instead of
// those in the entry.
func (e *Entry) EncodeAround(b []byte, n int, commands []byte) []byte {
	c := coder{b: append(b, Version)}
	e.head(&c)
	count := uint64(n)
	c.uint(&count)
	if c.err != nil {
		return append(b, 0)
	}
	return append(c.b, commands...)
}

// Commands are commands that are encoded, one after the other, as they stand
// within an entry. The zero value has none.
type Commands struct{ coder coder }

// Add encodes another command. A field beyond its bound is an InvalidArgument
// error, and nothing was added.
func (s *Commands) Add(cmd Command) error {
	c := &s.coder
	before := c.b
	c.b = append(c.b, byte(cmd.kind()))
	if cmd.code(c); c.err != nil {
		err := c.err
		c.b, c.err = before, nil
		return polymath.Errorf(polymath.InvalidArgument, "a name, a text, an output or a list is longer than the journal takes: %w", err)
	}
	return nil
}

// Bytes are the commands, until the next Add or Cut.
func (s *Commands) Bytes() []byte { return s.coder.b }

// Cut leaves those that the first n bytes are.
func (s *Commands) Cut(n int) { s.coder.b = s.coder.b[:n] }

// Decode reads an entry. The error is a *VersionError when it was written by
// a newer Polymath, and otherwise says that the bytes are no entry. Byte
// fields alias data.
func (e *Entry) Decode(data []byte) error {
	e.Commands = nil
	return e.decode(data, nil)
}

// decode is Decode into what a pool has; its commands may go back there.
func (e *Entry) decode(data []byte, p *pool) error {
	if err := checkVersion("entry", data); err != nil {
		return err
	}
	c := coder{b: data[1:], reading: true, pool: p}
	e.head(&c)
	n := c.length(0, MaxCommands)
	if n > len(c.b) {
		return errMalformed
	}
	e.Commands = slices.Grow(e.Commands, n)
	for range n {
		var k commandKind
		small(&c, &k)
		cmd := p.command(k)
		if cmd == nil {
			return errMalformed
		}
		cmd.code(&c)
		e.Commands = append(e.Commands, cmd)
	}
	return c.done()
}

func (e *Entry) head(c *coder) {
	c.ref(&e.Session)
	c.uint(&e.Number)
	c.int(&e.At)
	c.bytes(&e.Principal, maxSigned)
	c.bytes(&e.Signature, maxSigned)
}
