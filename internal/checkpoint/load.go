package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/polymath-run/polymath/internal/disk"
)

// Loaded says what Load restored.
type Loaded struct {
	Found bool   // there was a checkpoint
	Meta  Meta   // of it
	File  string // its name
	// Warnings are one sentence for each damaged checkpoint that was passed
	// over, for the log and the person who reads it.
	Warnings []string
}

// Load restores the newest checkpoint that is whole. next hands out the parts
// in order and then io.EOF; each part is the caller's to keep. restore must
// make something new of them, because it is called again, for an older file,
// when the one before turned out damaged.
//
// Without any checkpoint Found is false. When all are damaged the error is a
// *DamageError. An error of restore itself, with every checksum right, ends
// Load: an older image would only hide it.
func (s *Store) Load(restore func(meta Meta, next func() ([]byte, error)) error) (Loaded, error) {
	var out Loaded
	for i := len(s.files) - 1; i >= 0; i-- {
		f := &s.files[i]
		if f.reason == "" {
			err := s.read(f, restore)
			if err != nil {
				return out, fmt.Errorf("checkpoint: restore %s: %w", f.name, err)
			}
		}
		if f.reason == "" {
			out.Found, out.Meta, out.File = true, f.header.meta, f.name
			return out, nil
		}
		out.Warnings = append(out.Warnings, s.warning(i))
	}
	if len(s.files) > 0 {
		return out, s.damage()
	}
	return out, nil
}

// read hands one file to restore. Damage is noted in the file and is no error.
func (s *Store) read(f *file, restore func(Meta, func() ([]byte, error)) error) error {
	opened, err := s.fs.Open(f.name, false)
	if err != nil {
		f.reason = err.Error()
		return nil //nolint:nilerr // noted: the older one is tried
	}
	r := reader{file: opened, header: f.header, offset: sectorSize}
	err = restore(f.header.meta, r.next)
	if r.reason == "" && err == nil && r.parts != f.header.parts {
		err = fmt.Errorf("%d of %d parts were read", r.parts, f.header.parts)
	}
	err = errors.Join(err, opened.Close())
	if r.reason != "" {
		f.reason = r.reason
		return nil
	}
	return err
}

// reader walks the parts of one file.
type reader struct {
	file   disk.File
	header header
	offset int64
	parts  uint32 // read so far
	sum    uint32 // of the last one read
	reason string // what is damaged, "" for nothing so far
}

var errDamaged = errors.New("the checkpoint is damaged")

// next reads and checks one part. It is never handed out before its checksum
// was compared.
func (r *reader) next() ([]byte, error) {
	if r.reason != "" {
		return nil, errDamaged
	}
	if r.parts == r.header.parts {
		return nil, io.EOF
	}
	var frame [frameSize]byte
	if _, err := r.file.ReadAt(frame[:], r.offset); err != nil {
		return nil, r.damaged(readFailure(err))
	}
	length := int64(binary.LittleEndian.Uint32(frame[:]))
	end := r.offset + frameSize + length
	if end > sectorSize+r.header.size {
		return nil, r.damaged("its length is beyond the end")
	}
	part := make([]byte, length)
	if _, err := r.file.ReadAt(part, r.offset+frameSize); length > 0 && err != nil {
		return nil, r.damaged(readFailure(err))
	}
	sum := binary.LittleEndian.Uint32(frame[4:])
	if chain(r.sum, frame[:4], part) != sum {
		return nil, r.damaged("its checksum is wrong")
	}
	r.parts++
	r.sum, r.offset = sum, end
	if r.parts == r.header.parts && (sum != r.header.sum || end != sectorSize+r.header.size) {
		return nil, r.damaged("the header says that it is another one")
	}
	return part, nil
}

func (r *reader) damaged(reason string) error {
	r.reason = fmt.Sprintf("part %d of %d, at offset %d: %s", r.parts+1, r.header.parts, r.offset, reason)
	return errDamaged
}

func readFailure(err error) string {
	if errors.Is(err, io.EOF) {
		return "the file is too short"
	}
	return err.Error()
}
