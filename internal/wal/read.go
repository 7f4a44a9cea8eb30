package wal

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
)

// Read returns records from an index on, durable or not: at least one if there
// is any, and no more after their payloads reach limit bytes together. Their
// payloads are the caller's. ErrTrimmed below First; nothing at Next.
func (l *Log) Read(from uint64, limit int) ([]Record, error) {
	if l.err != nil {
		return nil, l.err
	}
	live := l.live()
	switch {
	case from < live[0].base:
		return nil, fmt.Errorf("%w: index %d, the log begins at %d", ErrTrimmed, from, live[0].base)
	case from > l.Next():
		return nil, fmt.Errorf("wal: read from index %d: the log ends before %d", from, l.Next())
	case from == l.Next():
		return nil, nil
	}
	at := sort.Search(len(live), func(i int) bool { return live[i].next > from })
	return live[at].read(from, max(limit, 1))
}

// read returns records of one segment, which holds from.
func (s *segment) read(from uint64, limit int) ([]Record, error) {
	i, found := slices.BinarySearchFunc(s.way, from, func(p waypoint, index uint64) int { return cmp.Compare(p.index, index) })
	if !found {
		i--
	}
	// A copy of the segment walks: record and advance belong to its end.
	walk := segment{header: s.header, number: s.number, file: s.file, key: s.key, end: s.way[i].offset, next: s.way[i].index}
	w := window{file: s.file, buffer: make([]byte, min(s.data-walk.end, int64(limit)+wayDistance))}
	var records []Record
	for limit > 0 && walk.next < s.next {
		f, payload, err := walk.record(&w)
		if err != nil {
			return nil, err
		}
		if payload == nil {
			return nil, walk.damage(walk.end, "the record is not as it was written")
		}
		if f.kind == kindData && f.index >= from {
			records = append(records, Record{Index: f.index, Group: f.group, Payload: slices.Clone(payload)})
			limit -= len(payload)
		}
		walk.advance(f)
	}
	return records, nil
}
