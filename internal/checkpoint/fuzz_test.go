package checkpoint

import (
	"errors"
	"io"
	"testing"

	"github.com/polymath-run/polymath/internal/disk/disktest"
)

// FuzzLoad reads any bytes as a checkpoint, with checksums that are right and
// wrong: they are refused, or every part lies within the file.
func FuzzLoad(f *testing.F) {
	fs := disktest.New(1)
	s, err := Open(fs)
	if err != nil {
		f.Fatal(err)
	}
	if err := write(s, 10); err != nil {
		f.Fatal(err)
	}
	whole := fs.Content("checkpoint-00000001")
	f.Add(whole[sectorSize:], uint32(2), int64(100), true)
	f.Add(whole, uint32(0), int64(0), false)
	f.Add(whole[:100], uint32(0), int64(0), false)
	f.Fuzz(func(t *testing.T, content []byte, parts uint32, size int64, sealed bool) {
		if sealed { // a header that is right about itself
			content = append(header{version: formatVersion, parts: parts, size: size}.encode(), content...)
		}
		fs := disktest.New(1)
		file, err := fs.Open("checkpoint-00000001", true)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt(content, 0); err != nil {
			t.Fatal(err)
		}
		s, err := Open(fs)
		if err != nil {
			return
		}
		read := 0
		loaded, err := s.Load(func(_ Meta, next func() ([]byte, error)) error {
			for {
				part, err := next()
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err != nil {
					return err
				}
				read += len(part) + frameSize
			}
		})
		if err == nil && loaded.Found && read > max(0, len(content)-sectorSize) {
			t.Fatalf("%d bytes were read from a body of %d", read, len(content)-sectorSize)
		}
	})
}
