package wal

import (
	"bytes"
	"errors"
	"hash/crc32"
	"testing"

	"github.com/polymath-run/polymath/internal/disk/disktest"
)

// FuzzOpen opens a directory with any content of one segment file beside an
// intact log, or alone. It never panics, refuses only with an error that has a
// type, and a log that it opens works and opens again.
func FuzzOpen(f *testing.F) {
	fs := disktest.New(1)
	l := mustOpen(f, small(fs))
	mustAppend(f, l, 9)
	if err := l.Close(); err != nil {
		f.Fatal(err)
	}
	whole := fs.Content("wal-00000001")
	h, _ := decodeHeader(whole)
	h.generation, h.base = 2, 10
	orphan := append(h.encode(), make([]byte, MinSegmentBytes-headerSize)...)
	for _, content := range [][]byte{nil, whole, whole[:headerSize], whole[:3000], orphan, make([]byte, MinSegmentBytes)} {
		f.Add(content, uint64(1))
		f.Add(content, uint64(9))
	}
	f.Fuzz(func(t *testing.T, content []byte, number uint64) {
		fs := fs.Clone(1)
		if err := overwrite(fs, fileName(number), 0, content); err != nil {
			t.Skip(err)
		}
		l, err := Open(small(fs))
		var damaged *DamageError
		var foreign *ForeignError
		var version *VersionError
		switch {
		case errors.As(err, &damaged), errors.As(err, &foreign), errors.As(err, &version):
			return
		case err != nil:
			t.Fatalf("refused without a reason: %v", err)
		}
		next := l.Next()
		if _, err := l.Append([]Record{{Group: 7, Payload: []byte("after")}}); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = mustOpen(t, small(fs.Restart()))
		records, err := l.Read(next, 1)
		if err != nil || len(records) != 1 || records[0].Group != 7 || string(records[0].Payload) != "after" {
			t.Fatalf("what was appended reads as %v, %v", records, err)
		}
	})
}

// FuzzRecord: a frame is read as it was written, under its own key alone, and
// no bytes make reading panic.
func FuzzRecord(f *testing.F) {
	f.Add([]byte("payload"), uint64(1), uint32(512), uint32(2), uint16(3), uint32(4))
	f.Add([]byte{}, uint64(1<<63), uint32(0), uint32(1<<31), uint16(65535), uint32(0))
	f.Add(bytes.Repeat([]byte{1}, 100), uint64(0), uint32(0), uint32(0), uint16(0), uint32(1))
	f.Fuzz(func(t *testing.T, payload []byte, index uint64, synced, group uint32, live uint16, key uint32) {
		want := frame{version: formatVersion, kind: kindData, live: live, length: uint32(len(payload)),
			index: index, synced: synced, group: group, payload: crc32.Checksum(payload, castagnoli)}
		b := appendRecord([]byte("before"), key, want, payload)[len("before"):]
		if len(b) != Span(len(payload)) || len(b)%alignment != 0 {
			t.Fatalf("a payload of %d bytes spans %d, want %d", len(payload), len(b), Span(len(payload)))
		}
		got, ok := decodeFrame(b, key)
		if !ok || got != want || !bytes.Equal(b[frameSize:][:got.length], payload) {
			t.Fatalf("got %+v, %t, want %+v", got, ok, want)
		}
		if _, ok := decodeFrame(b, key+1); ok {
			t.Fatal("read under another key")
		}
		for i := range frameSize {
			b[i] ^= 1 << (i % 8)
			if _, ok := decodeFrame(b, key); ok {
				t.Fatalf("read with byte %d changed", i)
			}
			b[i] ^= 1 << (i % 8)
		}
		decodeFrame(payload, key)
		decodeHeader(payload)
		recordLike(payload)
	})
}

// TestFormat pins the bytes: a log written today opens in every later version.
func TestFormat(t *testing.T) {
	h := header{id: identity{'t', 'e', 's', 't'}, generation: 3, base: 100, first: 2, size: MinSegmentBytes}
	if got, want := crc32.ChecksumIEEE(h.encode()), uint32(0x6bf5b215); got != want {
		t.Errorf("the header has changed: %08x, want %08x", got, want)
	}
	f := frame{kind: kindData, live: 1, index: 100, synced: 512, group: 7}
	if got, want := crc32.ChecksumIEEE(appendRecord(nil, h.key(), f, []byte("payload"))), uint32(0xe6374a67); got != want {
		t.Errorf("the record has changed: %08x, want %08x", got, want)
	}
	if got, version := decodeHeader(h.encode()); got != h || version != formatVersion {
		t.Errorf("header reads as %+v, version %d", got, version)
	}
}

func TestFileNames(t *testing.T) {
	for name, want := range map[string]uint64{
		"wal-00000001": 1, "wal-99999999": 99999999, "wal-100000000": 100000000,
		"wal-1": 0, "wal-000000001": 0, "wal-0000000a": 0, "wal-": 0, "WAL-00000001": 0, "wal-00000001~": 0, "wal-+0000001": 0,
	} {
		if got, ok := fileNumber(name); got != want || ok != (want != 0) {
			t.Errorf("fileNumber(%q) = %d, %t", name, got, ok)
		}
	}
}
