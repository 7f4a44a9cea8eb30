package polymath

import (
	"cmp"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// Index is a place in a journal. Positions count entries from 1; the epoch is
// raised when a recovery cannot prove that the tail of the journal survived,
// so that an Index of a lost tail never names another entry.
// The zero Index lies before the first entry.
type Index struct {
	Epoch    uint32
	Position uint64
}

// Compare orders indexes by epoch, then position: -1, 0 or +1.
func (x Index) Compare(y Index) int {
	if c := cmp.Compare(x.Epoch, y.Epoch); c != 0 {
		return c
	}
	return cmp.Compare(x.Position, y.Position)
}

// IsZero reports whether x lies before the first entry.
func (x Index) IsZero() bool { return x == Index{} }

// String prints epoch.position.
func (x Index) String() string { return fmt.Sprintf("%d.%d", x.Epoch, x.Position) }

// Ref names one thing an entry made: the Ordinal-th of the entry at Index.
// It is unique within a shard for ever and grows with every later thing.
type Ref struct {
	Index   Index
	Ordinal uint32
}

// Compare orders refs by index, then ordinal: -1, 0 or +1.
func (r Ref) Compare(o Ref) int {
	if c := r.Index.Compare(o.Index); c != 0 {
		return c
	}
	return cmp.Compare(r.Ordinal, o.Ordinal)
}

// IsZero reports whether r names nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// JobID names a job and the shard that keeps it, for ever.
type JobID struct {
	Shard uint8
	Ref   Ref
}

// IsZero reports whether the id names no job.
func (id JobID) IsZero() bool { return id.Ref.IsZero() }

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// maxIDBytes is three varints of 5, 10 and 5 bytes: the longest id there is.
const maxIDBytes = binary.MaxVarintLen32 + binary.MaxVarintLen64 + binary.MaxVarintLen32

// String prints the id as users see it: "j", two hex digits of the shard, and
// epoch, position and ordinal as varints in Crockford's base32. Opaque to them.
func (id JobID) String() string {
	var text [3 + (maxIDBytes*8+4)/5]byte
	return string(id.append(text[:0]))
}

func (id JobID) append(text []byte) []byte {
	const hex = "0123456789abcdef"
	var bytes [maxIDBytes]byte
	b := binary.AppendUvarint(bytes[:0], uint64(id.Ref.Index.Epoch))
	b = binary.AppendUvarint(b, id.Ref.Index.Position)
	b = binary.AppendUvarint(b, uint64(id.Ref.Ordinal))
	text = append(text, 'j', hex[id.Shard>>4], hex[id.Shard&15])
	return idEncoding.AppendEncode(text, b)
}

// ParseJobID reads what String printed. Any other text, also another spelling
// of the same numbers or the zero id, is an InvalidArgument error.
func ParseJobID(s string) (JobID, error) {
	id, ok := parseJobID(s)
	if !ok {
		return JobID{}, Errorf(InvalidArgument, "%q is no job id: an id looks like %q", clip(s), JobID{Ref: Ref{Index: Index{1, 42}}})
	}
	return id, nil
}

func parseJobID(s string) (id JobID, ok bool) {
	const longest = 3 + (maxIDBytes*8+4)/5
	if len(s) < 4 || len(s) > longest || s[0] != 'j' {
		return id, false
	}
	shard, err := strconv.ParseUint(s[1:3], 16, 8)
	if err != nil {
		return id, false
	}
	var bytes [longest]byte
	b, err := idEncoding.AppendDecode(bytes[:0], []byte(s[3:]))
	if err != nil {
		return id, false
	}
	var v [3]uint64
	for i := range v {
		x, n := binary.Uvarint(b)
		if n <= 0 {
			return id, false
		}
		v[i], b = x, b[n:]
	}
	id = JobID{Shard: uint8(shard), Ref: Ref{Index{uint32(v[0]), v[1]}, uint32(v[2])}}
	var again [longest]byte
	return id, !id.IsZero() && string(id.append(again[:0])) == s
}

// Token fences one lease: it is the place in the journal where the lease was
// granted, so a later grant of the same units always has a greater token.
type Token struct {
	Shard uint8
	Ref   Ref
}

// IsZero reports whether the token names no lease.
func (t Token) IsZero() bool { return t.Ref.IsZero() }

// String prints shard-epoch-index-ordinal.
func (t Token) String() string {
	return fmt.Sprintf("%d-%d-%d-%d", t.Shard, t.Ref.Index.Epoch, t.Ref.Index.Position, t.Ref.Ordinal)
}

// ParseToken reads what String printed; anything else is InvalidArgument.
func ParseToken(s string) (Token, error) {
	bad := func() error {
		return Errorf(InvalidArgument, "%q is no lease token: a token looks like 0-1-42-0", clip(s))
	}
	parts := strings.Split(s, "-")
	if len(parts) != 4 {
		return Token{}, bad()
	}
	var v [4]uint64
	for i, bits := range [4]int{8, 32, 64, 32} {
		x, err := strconv.ParseUint(parts[i], 10, bits)
		if err != nil {
			return Token{}, bad()
		}
		v[i] = x
	}
	t := Token{Shard: uint8(v[0]), Ref: Ref{Index{uint32(v[1]), v[2]}, uint32(v[3])}}
	if t.String() != s {
		return Token{}, bad()
	}
	return t, nil
}

// clip shortens what somebody sent before an error repeats it.
func clip(s string) string {
	const most = 80 // bytes
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
