package local

import (
	"encoding/binary"
	"fmt"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/journal"
	"github.com/polymath-run/polymath/internal/wal"
)

// The format of a record: the stamp, then the entry. DESIGN.md has the table.
const (
	formatVersion = 1
	stampBytes    = 24
)

// link is an entry as the next one continues it.
type link struct {
	index polymath.Index
	sum   journal.Checksum
}

// chain stamps entries with what they are in the sequence. The committing
// goroutine owns it.
type chain struct {
	epoch  uint32
	last   link // newest entry stamped
	before link // the one before the newest batch
}

// fill is the Fill of a wal.Stamp. The index of a record in the log is the
// position of the entry: a log holds one shard.
func (c *chain) fill(batch []wal.Record) {
	if batch[0].Index <= c.last.index.Position {
		c.last = c.before // the batch before this one was refused
	}
	c.before = c.last
	for _, r := range batch {
		stamp, entry := r.Payload[:stampBytes], r.Payload[stampBytes:]
		c.last = link{polymath.Index{Epoch: c.epoch, Position: r.Index}, c.last.sum.Next(entry)}
		stamp[0] = formatVersion
		binary.LittleEndian.PutUint32(stamp[4:], c.last.index.Epoch)
		binary.LittleEndian.PutUint64(stamp[8:], c.last.index.Position)
		binary.LittleEndian.PutUint64(stamp[16:], uint64(c.last.sum))
	}
}

// parse reads what fill wrote. The log has proven that the bytes are those that
// were written, so anything else was written by another program.
func parse(r wal.Record, shard uint32) (journal.Record, error) {
	p := r.Payload
	switch {
	case len(p) > 0 && p[0] != formatVersion:
		return journal.Record{}, fmt.Errorf("entry %d has format version %d, this program reads version %d: "+
			"start the newer version on this directory", r.Index, p[0], formatVersion)
	case r.Group != shard:
		return journal.Record{}, fmt.Errorf("entry %d is one of shard %d, this is the journal of shard %d: "+
			"each has a directory of its own", r.Index, r.Group, shard)
	case len(p) <= stampBytes || binary.LittleEndian.Uint64(p[8:]) != r.Index:
		return journal.Record{}, fmt.Errorf("record %d is no entry of a journal: this directory belongs to something else", r.Index)
	}
	return journal.Record{
		Index: polymath.Index{Epoch: binary.LittleEndian.Uint32(p[4:]), Position: r.Index},
		Sum:   journal.Checksum(binary.LittleEndian.Uint64(p[16:])),
		Entry: p[stampBytes:],
	}, nil
}
