package wal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/polymath-run/polymath/internal/disk"
)

// recovery finds the log among the files of a directory. It changes nothing
// until all of it is proven: chain reads, settle writes.
type recovery struct {
	fs     disk.FS
	window window
	files  map[uint64]*segment // with an intact header, by generation
	broken []*segment          // without one
	number uint64              // highest number of any file
	top    *segment            // of the highest generation; nil: there is no log yet
	chain  []*segment          // the log, oldest first
	first  uint64              // oldest generation of the log
	orphan *segment            // begun as the next segment, never joined by a seal
}

// windowBytes is the read buffer of recovery: room for a largest record, and
// few enough system calls for a 64 MiB segment.
const windowBytes = 2 << 20

// load opens all segment files and reads their headers.
func (r *recovery) load() error {
	names, err := r.fs.List()
	if err != nil {
		return fmt.Errorf("wal: list: %w", err)
	}
	r.files = map[uint64]*segment{}
	for _, name := range names {
		number, ok := fileNumber(name)
		if !ok {
			continue
		}
		r.number = max(r.number, number)
		file, err := r.fs.Open(name, false)
		if err != nil {
			return fmt.Errorf("wal: open: %w", err)
		}
		if err := r.place(&segment{number: number, file: file}); err != nil {
			return err
		}
	}
	return nil
}

// place sorts a file by its header.
func (r *recovery) place(s *segment) error {
	r.window.file, r.window.data = s.file, nil
	b, err := r.window.at(0, headerSize)
	if err != nil {
		return fmt.Errorf("wal: read %s: %w", s.name(), err)
	}
	h, version := decodeHeader(b)
	switch {
	case version == 0:
		r.broken = append(r.broken, s)
		return nil
	case version != formatVersion:
		return &VersionError{File: s.name(), Version: version}
	case r.top != nil && r.top.id != h.id:
		return &ForeignError{File: s.name(), Other: r.top.name(), Reason: "they carry different log ids"}
	case r.files[h.generation] != nil:
		return &ForeignError{File: s.name(), Other: r.files[h.generation].name(),
			Reason: fmt.Sprintf("both claim to be generation %d", h.generation)}
	}
	s.adopt(h)
	r.files[h.generation] = s
	if r.top == nil || h.generation > r.top.generation {
		r.top = s
	}
	return nil
}

// unused proves that a directory without a single intact header never held a
// log: an interrupted creation leaves nothing that looks like a record.
func (r *recovery) unused() error {
	for _, s := range r.broken {
		r.window.file, r.window.data = s.file, nil
		for offset := int64(headerSize); ; offset += alignment {
			b, err := r.window.at(offset, frameSize)
			if err != nil {
				return fmt.Errorf("wal: read %s: %w", s.name(), err)
			}
			if len(b) < frameSize {
				break
			}
			if recordLike(b) {
				return &DamageError{File: s.name(), Reason: fmt.Sprintf(
					"the header of the segment is not readable, and at offset %d is what looks like a record", offset)}
			}
		}
	}
	return nil
}

// recordLike reports whether b is a frame of this format by the look of it,
// when the key of its checksum is not known: random bytes pass once in 2^50.
func recordLike(b []byte) bool {
	return frameLike(b) && b[0] == formatVersion &&
		binary.LittleEndian.Uint64(b[8:])-1 < 1<<48 && binary.LittleEndian.Uint32(b[16:])-headerSize < MaxSegmentBytes
}

// link finds the chain of segments that is the log, and proves it whole.
func (r *recovery) link() error {
	if err := r.ends(); err != nil {
		return err
	}
	newest := r.chain[0]
	if newest.sealed {
		return r.lost(newest)
	}
	for next := newest; next.generation > r.first; next = r.chain[0] {
		s := r.files[next.generation-1]
		if s == nil {
			return &DamageError{File: r.suspect(), Reason: fmt.Sprintf(
				"generation %d of the log, the one before %s, has no readable header or is missing", next.generation-1, next.name())}
		}
		if err := s.scan(&r.window); err != nil {
			return err
		}
		if !s.sealed || s.successor != next.number || s.next != next.base {
			return s.damage(s.end, "no intact record or seal, although %s goes on at index %d", next.name(), next.base)
		}
		r.chain = slices.Insert(r.chain, 0, s)
	}
	return r.strays()
}

// ends finds the newest segment of the log and the oldest generation. The
// topmost segment may have been begun without being joined: then it holds
// nothing, and the one before it is not sealed.
func (r *recovery) ends() error {
	newest := r.top
	if err := newest.scan(&r.window); err != nil {
		return err
	}
	r.first = newest.noted
	if before := r.files[newest.generation-1]; before != nil && newest.generation > 1 && !newest.begun {
		if err := before.scan(&r.window); err != nil {
			return err
		}
		if !before.sealed {
			r.orphan, newest, r.first = newest, before, before.noted
		}
	}
	r.chain = []*segment{newest}
	return nil
}

// lost is the error for the segment that a seal names and nobody has.
func (r *recovery) lost(sealed *segment) error {
	name := fileName(sealed.successor)
	for _, s := range r.broken {
		if s.number == sealed.successor {
			return &DamageError{File: name, Index: sealed.next, Reason: "the header of the segment is not readable"}
		}
	}
	return &DamageError{Index: sealed.next, Reason: fmt.Sprintf("the log goes on in %s, which is not there", name)}
}

// suspect is the file without a readable header, if any, that may have had one:
// one of zeros was being made, or waited to be used.
func (r *recovery) suspect() string {
	if len(r.broken) == 0 {
		return ""
	}
	unused := make([]byte, headerSize)
	for _, s := range r.broken {
		head := make([]byte, headerSize)
		if _, err := s.file.ReadAt(head, 0); err != nil || !bytes.Equal(head, unused) {
			return s.name()
		}
	}
	return r.broken[0].name()
}

// strays proves that no file without a readable header goes on after the
// newest segment: both it and the seal that joined it would have been damaged.
func (r *recovery) strays() error {
	newest := r.chain[len(r.chain)-1]
	for _, s := range r.broken {
		next := segment{number: s.number, file: s.file}
		next.adopt(header{id: newest.id, generation: newest.generation + 1, base: newest.next, first: 1, size: MaxSegmentBytes})
		err := next.frames(&r.window, headerSize, func(int64, frame) error {
			return newest.damage(newest.end, "the seal of this segment and the header of %s are not readable", s.name())
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// settle makes the chain the durable state. What follows its end is wiped
// before anything is appended there, for a torn record that was followed by
// intact ones would otherwise be joined to them by the next append.
func (r *recovery) settle() error {
	newest := r.chain[len(r.chain)-1]
	if err := zero(newest.file, newest.end, newest.torn); err != nil {
		return fmt.Errorf("wal: wipe the torn end of %s: %w", newest.name(), err)
	}
	newest.torn = newest.end
	if err := newest.file.Sync(); err != nil { // a process may have died before its sync
		return fmt.Errorf("wal: sync %s: %w", newest.name(), err)
	}
	if len(r.chain) > 1 && !newest.begun {
		before := r.chain[len(r.chain)-2]
		if err := before.file.Sync(); err != nil { // likewise, with the seal written
			return fmt.Errorf("wal: sync %s: %w", before.name(), err)
		}
	}
	return nil
}

// zero writes zeros over part of a file.
func zero(file disk.File, from, to int64) error {
	zeros := make([]byte, min(max(0, to-from), 1<<20))
	for from < to {
		n, err := file.WriteAt(zeros[:min(to-from, int64(len(zeros)))], from)
		if err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}
