package checkpoint

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"

	"github.com/polymath-run/polymath"
)

// Sizes of the format, in bytes. DESIGN.md has the tables.
const (
	formatVersion = 1

	sectorSize  = 512            // the header: a disk writes a sector alone
	copySize    = sectorSize / 2 // the header stands in it twice
	frameSize   = 8              // before every part: length and checksum
	maxPartSize = 1 << 31        // a part: a bucket of a ledger is far smaller
)

// magic begins every header, in every version of the format.
const magic = "PolyCkpt"

// castagnoli is the polynomial that processors have an instruction for.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is the first sector of a finished checkpoint, written last.
type header struct {
	version byte
	meta    Meta
	parts   uint32
	size    int64  // of the body, in bytes
	sum     uint32 // checksum of the last part, which continues all before it
}

// encode returns the sector: the header twice, each with a checksum of its
// own, so that one bad byte never makes a finished checkpoint look unfinished.
func (h header) encode() []byte {
	b := make([]byte, copySize)
	copy(b, magic)
	b[8] = h.version
	b[9] = h.meta.Shard
	binary.LittleEndian.PutUint32(b[12:], h.meta.Index.Epoch)
	binary.LittleEndian.PutUint64(b[16:], h.meta.Index.Position)
	binary.LittleEndian.PutUint64(b[24:], h.meta.Sum)
	binary.LittleEndian.PutUint32(b[32:], h.parts)
	binary.LittleEndian.PutUint32(b[36:], h.sum)
	binary.LittleEndian.PutUint64(b[40:], uint64(h.size))
	binary.LittleEndian.PutUint32(b[copySize-4:], crc32.Checksum(b[:copySize-4], castagnoli))
	return slices.Concat(b, b)
}

// headerState is what the first sector of a file tells.
type headerState int

const (
	headerUnfinished headerState = iota // not written, or torn while it was
	headerWritten
	headerDamaged
)

// decodeHeader tells a header that was written from one that was not, by the
// first sector of a file and a byte of what follows, if there is so much. Of
// an unknown version only the version means anything.
//
// The sector was durable zeros before anything was written behind it and
// before the header was written over it. So without a body it may hold
// anything, and with one, a header that power loss has torn holds zeros and
// right bytes only: Commit had not returned. Any other byte in the magic is
// damage.
func decodeHeader(start []byte) (header, headerState) {
	if len(start) < sectorSize {
		return header{}, headerUnfinished
	}
	for b := range twice(start) {
		if h, ok := decodeCopy(b); ok {
			return h, headerWritten
		}
	}
	if len(start) == sectorSize {
		return header{}, headerUnfinished
	}
	for b := range twice(start) {
		for i := range len(magic) {
			if b[i] != 0 && b[i] != magic[i] {
				return header{}, headerDamaged
			}
		}
	}
	return header{}, headerUnfinished
}

// twice yields the two copies of the header in the first sector.
func twice(start []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		_ = yield(start[:copySize]) && yield(start[copySize:sectorSize])
	}
}

func decodeCopy(b []byte) (header, bool) {
	if string(b[:len(magic)]) != magic ||
		crc32.Checksum(b[:copySize-4], castagnoli) != binary.LittleEndian.Uint32(b[copySize-4:]) {
		return header{}, false
	}
	return header{
		version: b[8],
		meta: Meta{
			Shard: b[9],
			Index: polymath.Index{
				Epoch:    binary.LittleEndian.Uint32(b[12:]),
				Position: binary.LittleEndian.Uint64(b[16:]),
			},
			Sum: binary.LittleEndian.Uint64(b[24:]),
		},
		parts: binary.LittleEndian.Uint32(b[32:]),
		sum:   binary.LittleEndian.Uint32(b[36:]),
		size:  int64(binary.LittleEndian.Uint64(b[40:])),
	}, true
}

// appendPart appends the frame of a part and the part to b. Its checksum
// continues that of the part before, so that none can be missing or swapped.
func appendPart(b []byte, before uint32, part []byte) (_ []byte, sum uint32) {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(part)))
	sum = chain(before, b[len(b)-4:], part)
	b = binary.LittleEndian.AppendUint32(b, sum)
	return append(b, part...), sum
}

// chain is the checksum of a part after one with a given checksum.
func chain(before uint32, length, part []byte) uint32 {
	return crc32.Update(crc32.Update(before, castagnoli, length), castagnoli, part)
}

// fileName is the name of a checkpoint file. Numbers rise with the index.
func fileName(number uint64) string { return fmt.Sprintf("checkpoint-%08d", number) }

// fileNumber is the inverse of fileName.
func fileNumber(name string) (uint64, bool) {
	digits, found := strings.CutPrefix(name, "checkpoint-")
	if !found {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil && fileName(n) == name
}
