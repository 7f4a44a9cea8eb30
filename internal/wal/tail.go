package wal

import "slices"

// Limits of the tail that a Committer keeps in memory.
const (
	// tailBytes is how much of the newest records is kept, so that followers
	// who keep up never read the disk: some 30,000 records of 100 bytes.
	tailBytes = 4 << 20
	// recordBytes is what a record costs in memory beside its payload.
	recordBytes = 48
	// chunkRecords and chunkBytes end a chunk. What is dropped lives on until
	// the last of its chunk is, so chunks are small beside the tail.
	chunkRecords = 256
	chunkBytes   = tailBytes / 8
)

// tail is the newest durable records, in chunks that are filled in turn.
// Elements are never overwritten, only left behind, so that readers may share
// them.
type tail struct {
	next   uint64     // index after the last record
	bytes  int        // of all records
	chunks [][]Record // oldest first, none of them empty
	newest int        // bytes put into the last chunk
}

// push adds records, the first of which has index next, and drops the oldest
// beyond tailBytes.
func (t *tail) push(records []Record) {
	for _, r := range records {
		last := len(t.chunks) - 1
		if last < 0 || len(t.chunks[last]) == cap(t.chunks[last]) || t.newest >= chunkBytes {
			t.chunks = append(t.chunks, make([]Record, 0, chunkRecords))
			t.newest = 0
			last++
		}
		t.chunks[last] = append(t.chunks[last], r)
		t.newest += len(r.Payload) + recordBytes
		t.bytes += len(r.Payload) + recordBytes
	}
	t.next += uint64(len(records))
	for t.bytes > tailBytes && (len(t.chunks) > 1 || len(t.chunks[0]) > 1) {
		t.bytes -= len(t.chunks[0][0].Payload) + recordBytes
		if t.chunks[0] = t.chunks[0][1:]; len(t.chunks[0]) == 0 {
			t.chunks[0] = nil // or the list would keep it alive
			t.chunks = t.chunks[1:]
		}
	}
}

// read returns records from an index below next on, nil if it is not there any
// more: at least one, no more after limit bytes of payload, and none of another
// chunk.
func (t *tail) read(from uint64, limit int) []Record {
	for _, chunk := range slices.Backward(t.chunks) { // who keeps up needs the last one
		first := chunk[0].Index
		if first > from {
			continue
		}
		records := chunk[from-first:]
		for i, r := range records {
			if limit -= len(r.Payload); limit <= 0 {
				return records[: i+1 : i+1]
			}
		}
		return slices.Clip(records)
	}
	return nil
}
