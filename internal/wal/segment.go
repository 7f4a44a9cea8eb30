package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/polymath-run/polymath/internal/disk"
)

// segment is one file of the log and what is known of its content.
type segment struct {
	header
	number uint64
	file   disk.File
	key    uint32 // of the frames of this life

	end       int64  // offset after the last good record
	next      uint64 // index of the next data record
	noted     uint64 // oldest generation of the log, as the last good record has it
	proven    int64  // offset that the last good record says was synced
	data      int64  // offset after the last data record
	sealed    bool
	successor uint64 // number of the file that goes on; when sealed
	begun     bool   // there is a frame of this life, good or torn
	torn      int64  // offset after the last frame of this life beyond end, or end
	way       []waypoint
}

// waypoint is where a record begins, so that Read finds any other near it.
type waypoint struct {
	index  uint64
	offset int64
}

// wayDistance is the shortest distance between waypoints, in bytes: Read skips
// at most so much, and 64 MiB cost 16 KiB of memory.
const wayDistance = 64 << 10

func (s *segment) name() string { return fileName(s.number) }

// adopt makes h the header of the segment, with nothing after it.
func (s *segment) adopt(h header) {
	s.header, s.key = h, h.key()
	s.end, s.torn, s.next, s.noted = headerSize, headerSize, h.base, h.first
	s.proven, s.data = headerSize, headerSize
	s.sealed, s.begun, s.successor, s.way = false, false, 0, nil
}

// advance takes note of a good record at s.end.
func (s *segment) advance(f frame) {
	if n := len(s.way); f.kind == kindData && (n == 0 || s.end-s.way[n-1].offset >= wayDistance) {
		s.way = append(s.way, waypoint{f.index, s.end})
	}
	s.begun = true
	s.sealed = f.kind == kindSeal
	s.noted = s.generation - uint64(f.live)
	s.proven = int64(f.synced)
	s.end += int64(Span(int(f.length)))
	s.torn = s.end
	if f.kind == kindData {
		s.next++
		s.data = s.end
	}
}

// damage is the error for what lies at an offset.
func (s *segment) damage(offset int64, format string, args ...any) error {
	return &DamageError{File: s.name(), Offset: offset, Index: s.next, Reason: fmt.Sprintf(format, args...)}
}

// window reads a file mostly forwards through one buffer.
type window struct {
	file   disk.File
	offset int64
	data   []byte // content from offset
	buffer []byte
}

// at returns n bytes at an offset, fewer only at the end of the file. They are
// good until the next call.
func (w *window) at(offset int64, n int) ([]byte, error) {
	from := offset - w.offset
	if from < 0 || from+int64(n) > int64(len(w.data)) {
		if n > len(w.buffer) {
			w.buffer = make([]byte, n)
		}
		got, err := w.file.ReadAt(w.buffer, offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		w.offset, w.data, from = offset, w.buffer[:got], 0
	}
	rest := w.data[from:]
	return rest[:min(n, len(rest))], nil
}

// scan reads the segment from its header to the first bad record, then looks
// at all that follows: a frame that says that the bad place was durable makes
// it damage, any other frame only shows how far the torn writes went.
func (s *segment) scan(w *window) error {
	w.file, w.data = s.file, nil
	if last, err := w.at(s.size-1, 1); err != nil {
		return fmt.Errorf("wal: read %s: %w", s.name(), err)
	} else if len(last) == 0 {
		return s.damage(s.size-1, "the file is shorter than the %d bytes it was made with", s.size)
	}
	s.adopt(s.header)
	for !s.sealed {
		f, payload, err := s.record(w)
		if err != nil {
			return err
		}
		if payload == nil {
			return s.search(w)
		}
		if f.kind == kindSeal {
			s.successor = binary.LittleEndian.Uint64(payload)
		}
		s.advance(f)
	}
	return nil
}

// record returns the record at s.end, and a nil payload if there is no good one.
func (s *segment) record(w *window) (frame, []byte, error) {
	b, err := w.at(s.end, frameSize)
	if err != nil {
		return frame{}, nil, fmt.Errorf("wal: read %s: %w", s.name(), err)
	}
	f, ok := decodeFrame(b, s.key)
	if !ok {
		return frame{}, nil, nil
	}
	if f.version != formatVersion {
		return frame{}, nil, &VersionError{File: s.name(), Offset: s.end, Version: f.version}
	}
	b, err = w.at(s.end, frameSize+int(f.length))
	if err != nil {
		return frame{}, nil, fmt.Errorf("wal: read %s: %w", s.name(), err)
	}
	payload := b[frameSize:]
	if !s.fits(f) || len(payload) != int(f.length) || crc32.Checksum(payload, castagnoli) != f.payload {
		return frame{}, nil, nil
	}
	return f, payload, nil
}

// fits reports whether an intact frame can stand at s.end.
func (s *segment) fits(f frame) bool {
	return f.index == s.next && int64(f.synced) <= s.end && uint64(f.live) < s.generation &&
		s.end+int64(Span(int(f.length))) <= s.size &&
		(f.kind == kindData || f.kind == kindMark && f.length == 0 || f.kind == kindSeal && f.length == sealSize-frameSize)
}

// search looks for frames of this life beyond the end of the good records.
func (s *segment) search(w *window) error {
	return s.frames(w, s.end, func(offset int64, f frame) error {
		if int64(f.synced) > s.end {
			return s.damage(s.end, "no intact record, but the one at offset %d says that this place was synced", offset)
		}
		s.begun = true
		s.torn = min(s.size, offset+int64(Span(int(f.length))))
		return nil
	})
}

// frames calls fn for every frame of this life from an offset on, whether or
// not its payload is intact.
func (s *segment) frames(w *window, from int64, fn func(int64, frame) error) error {
	w.file, w.data = s.file, nil
	const step = 64 << 10
	for ; from < s.size; from += step {
		b, err := w.at(from, step+frameSize-alignment)
		if err != nil {
			return fmt.Errorf("wal: read %s: %w", s.name(), err)
		}
		if len(b) < frameSize {
			return nil
		}
		for i := 0; i < step && i+frameSize <= len(b); i += alignment {
			if f, ok := decodeFrame(b[i:], s.key); ok {
				if err := fn(from+int64(i), f); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
