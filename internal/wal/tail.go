package wal

import "slices"

// Limits of the tail that a Committer keeps in memory.
const (
	// tailBytes is how much of the newest records is kept, so that followers
	// who keep up never read the disk: some 30,000 records of 100 bytes.
	tailBytes = 4 << 20
	// recordBytes is what a record costs in memory beside its payload.
	recordBytes = 48
)

// tail is the newest durable records. Elements are never overwritten, only
// left behind, so that readers may share the array.
type tail struct {
	next    uint64 // index after the last record
	bytes   int
	records []Record // the last of them has index next-1
}

// push adds records, the first of which has index next, and drops the oldest
// beyond tailBytes.
func (t *tail) push(records []Record) {
	t.records = append(t.records, records...)
	t.next += uint64(len(records))
	for _, r := range records {
		t.bytes += len(r.Payload) + recordBytes
	}
	drop := 0
	for ; t.bytes > tailBytes && drop < len(t.records)-1; drop++ {
		t.bytes -= len(t.records[drop].Payload) + recordBytes
	}
	t.records = t.records[drop:]
}

// read returns records from an index below next on, nil if it is not there any
// more: at least one, and no more after limit bytes of payload.
func (t *tail) read(from uint64, limit int) []Record {
	age := t.next - from
	if age > uint64(len(t.records)) {
		return nil
	}
	records := t.records[uint64(len(t.records))-age:]
	for i, r := range records {
		if limit -= len(r.Payload); limit <= 0 {
			return records[: i+1 : i+1]
		}
	}
	return slices.Clip(records)
}
