package wal

import (
	"fmt"

	"github.com/polymath-run/polymath/internal/disk"
)

// slack is how much room a new buffer of blocks has at least, in bytes: what a
// batch takes under load.
const slack = 128 << 10

// blocks lays records out in whole blocks of the disk: those of a batch behind
// what the block that they begin in holds already, and zeros behind them. What
// was there before is written over by the same bytes.
type blocks struct {
	buffer []byte // begins at a multiple of disk.BlockBytes in memory and in the file
	// The buffer begins with the last block of what was written so far in this
	// life of a segment, up to this offset.
	generation uint64
	end        int64
}

// begin returns what the block of the end of a segment holds before the end,
// with capacity for so many bytes more, and for the rest of their last block.
func (b *blocks) begin(s *segment, size int) ([]byte, error) {
	head := int(s.end % disk.BlockBytes)
	kept := b.generation == s.generation && b.end == s.end
	if room := head + size + disk.BlockBytes; len(b.buffer) < room {
		old := b.buffer
		b.buffer = disk.Blocks(max(slack, room+room/4))
		if kept {
			copy(b.buffer, old[:head])
		}
	}
	if !kept {
		if n, err := s.file.ReadAt(b.buffer[:head], s.end-int64(head)); n < head {
			return nil, fmt.Errorf("the block before offset %d: %w", s.end, err)
		}
	}
	return b.buffer[:head], nil
}

// write puts what begin returned, with more behind it, where it belongs.
func (b *blocks) write(s *segment, content []byte) error {
	head, n := s.end%disk.BlockBytes, len(content)
	full := (n + disk.BlockBytes - 1) / disk.BlockBytes * disk.BlockBytes
	var err error
	if from := s.end - head; from+int64(full) <= s.size {
		clear(content[n:full])
		_, err = s.file.WriteAt(content[:full], from)
	} else { // the file ends within the block
		_, err = s.file.WriteAt(content[head:], s.end)
	}
	copy(b.buffer, content[n/disk.BlockBytes*disk.BlockBytes:])
	b.generation, b.end = s.generation, s.end-head+int64(n)
	return err
}
