// Package http1 reads and writes what HTTP/1 puts around bodies: heads, chunks,
// and the fields that end at each hop. It is for a proxy, and strict: a message
// that two servers could read in two ways is refused (RFC 9112, section 11.2).
//
//	bytes ──► Request.Parse ──► More | Bad, Why | OK: Size, Body, ...
//	                                              │
//	      upstream ◄── Request.Append ◄───────────┘   less hop-by-hop fields,
//	                                                  plus forwarding fields
//
// Nothing here does I/O, keeps what it is given, or allocates per message: a
// parsed head is a set of places in the caller's bytes, and whoever asks for
// their text hands the same bytes in again. DESIGN.md says what is promised.
package http1

// Verdict is what the bytes so far amount to.
type Verdict uint8

const (
	// More says that what is there is right so far, and not whole.
	More Verdict = iota

	// OK says that the head, or the body, is whole and right.
	OK

	// Bad says that no further bytes can make it right; Why says what is wrong.
	Bad
)

const (
	// MaxHead is the most bytes of a head, from its first line to the empty one.
	// Servers take 8 KiB (nginx, Apache) to 1 MiB (net/http).
	MaxHead = 32 << 10

	// MinHead is the smallest limit that may be configured, in bytes.
	MinHead = 256

	// MaxOptions is the most options of all Connection fields of one head: each
	// is looked for among all fields.
	MaxOptions = 32

	// MaxChunkLine is the most bytes of the line before a chunk's data: its size
	// and its extensions.
	MaxChunkLine = 4 << 10

	// MaxTrailer is the most bytes of all fields after the last chunk.
	MaxTrailer = MaxHead

	// maxLengthDigits is the most digits of a Content-Length: 10^18 - 1 bytes.
	maxLengthDigits = 18

	// maxSizeDigits is the most hexadecimal digits of a chunk's size: 60 bits.
	maxSizeDigits = 15
)

// Body is how the end of a body is known.
type Body uint8

// The ways a body ends.
const (
	None       Body = iota // there is none
	Length                 // after as many bytes as Content-Length says; 0 of them is None
	Chunked                // with the last chunk and its trailer
	UntilClose             // with the connection: answers only
)

// Span is a place in the bytes of a head: from From up to, without, To.
type Span struct{ From, To int32 }

// Of gives the bytes at the place.
func (s Span) Of(b []byte) []byte { return b[s.From:s.To] }

// Empty reports whether no byte is in it.
func (s Span) Empty() bool { return s.From >= s.To }

// headLimit is the limit to hold a head to, for what a caller asks for: 0 is
// MaxHead.
func headLimit(asked int) int {
	if asked <= 0 {
		return MaxHead
	}
	return min(max(asked, MinHead), MaxHead)
}
