package wal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// Sizes of the format, in bytes. DESIGN.md has the tables.
const (
	formatVersion = 1

	headerSize = 512 // of a segment: one sector, so that it is torn alone
	frameSize  = 32  // before every payload
	alignment  = 8   // of every frame: where recovery looks for one

	// MaxPayload is the largest payload of a record: twice the largest entry
	// of a journal, so that no framing of one can exceed it.
	MaxPayload = 1 << 20

	sealSize = frameSize + 8

	// reserve is what batches leave free at the end of a segment: a seal, a
	// mark that records a trim when the disk is too full to begin another
	// segment, and a mark of Close.
	reserve = sealSize + 2*frameSize
)

// magic begins every segment file, in every version of the format.
const magic = "PolyWAL\n"

// kind is what a record is for.
type kind byte

const (
	kindData kind = 1 // a payload of a caller; takes an index
	kindMark kind = 2 // no payload: carries the synced and live fields alone
	kindSeal kind = 3 // the last of a segment: names the file that goes on
)

// castagnoli is the polynomial that processors have an instruction for.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// identity names a log: a segment file of another log is never taken for one
// of this log, however it came into the directory.
type identity [16]byte

// header is the first sector of a segment file.
type header struct {
	id         identity
	generation uint64 // 1 for the first segment of the log, one more for each begun
	base       uint64 // index of the segment's first data record
	first      uint64 // oldest generation that belonged to the log at the time
	size       int64  // of the file, in bytes
}

func (h header) encode() []byte {
	b := make([]byte, headerSize)
	copy(b, magic)
	b[8] = formatVersion
	copy(b[16:], h.id[:])
	binary.LittleEndian.PutUint64(b[32:], h.generation)
	binary.LittleEndian.PutUint64(b[40:], h.base)
	binary.LittleEndian.PutUint64(b[48:], h.first)
	binary.LittleEndian.PutUint64(b[56:], uint64(h.size))
	binary.LittleEndian.PutUint32(b[headerSize-4:], crc32.Checksum(b[:headerSize-4], castagnoli))
	return b
}

// decodeHeader returns the header and its version. The version is 0 when b is
// no intact header; when it is one that we do not know, so is the header.
func decodeHeader(b []byte) (h header, version byte) {
	if len(b) < headerSize || string(b[:len(magic)]) != magic ||
		crc32.Checksum(b[:headerSize-4], castagnoli) != binary.LittleEndian.Uint32(b[headerSize-4:]) {
		return header{}, 0
	}
	if b[8] != formatVersion {
		return header{}, b[8]
	}
	copy(h.id[:], b[16:])
	h.generation = binary.LittleEndian.Uint64(b[32:])
	h.base = binary.LittleEndian.Uint64(b[40:])
	h.first = binary.LittleEndian.Uint64(b[48:])
	h.size = int64(binary.LittleEndian.Uint64(b[56:]))
	sane := h.base >= 1 && h.first >= 1 && h.first <= h.generation &&
		h.generation-h.first <= maxLive && h.size >= MinSegmentBytes && h.size <= MaxSegmentBytes
	if !sane {
		return header{}, 0
	}
	return h, formatVersion
}

// key starts the checksum of every frame of the segment, so that no record of
// another log or of a former life of the file can pass for one of this life.
func (h header) key() uint32 {
	b := append(h.id[:], 0, 0, 0, 0, 0, 0, 0, 0)
	binary.LittleEndian.PutUint64(b[len(h.id):], h.generation)
	return crc32.Checksum(b, castagnoli)
}

// frame is what stands before each payload.
type frame struct {
	version byte
	kind    kind
	live    uint16 // older generations that still belong to the log
	length  uint32 // of the payload, in bytes
	index   uint64 // of this data record, or of the next one
	synced  uint32 // offset in the file before which all was durable when this was written
	group   uint32
	payload uint32 // checksum of the payload
}

// appendRecord appends frame, payload and padding to b.
func appendRecord(b []byte, key uint32, f frame, payload []byte) []byte {
	start := len(b)
	b = append(b, formatVersion, byte(f.kind))
	b = binary.LittleEndian.AppendUint16(b, f.live)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.LittleEndian.AppendUint64(b, f.index)
	b = binary.LittleEndian.AppendUint32(b, f.synced)
	b = binary.LittleEndian.AppendUint32(b, f.group)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(payload, castagnoli))
	b = binary.LittleEndian.AppendUint32(b, crc32.Update(key, castagnoli, b[start:]))
	b = append(b, payload...)
	var padding [alignment - 1]byte
	return append(b, padding[:Span(len(payload))-frameSize-len(payload)]...)
}

// decodeFrame returns the frame at the start of b and whether it is one of the
// segment with this key. Of an unknown version only the version means anything.
func decodeFrame(b []byte, key uint32) (frame, bool) {
	if !frameLike(b) ||
		crc32.Update(key, castagnoli, b[:frameSize-4]) != binary.LittleEndian.Uint32(b[frameSize-4:]) {
		return frame{}, false
	}
	return frame{
		version: b[0],
		kind:    kind(b[1]),
		live:    binary.LittleEndian.Uint16(b[2:]),
		length:  binary.LittleEndian.Uint32(b[4:]),
		index:   binary.LittleEndian.Uint64(b[8:]),
		synced:  binary.LittleEndian.Uint32(b[16:]),
		group:   binary.LittleEndian.Uint32(b[20:]),
		payload: binary.LittleEndian.Uint32(b[24:]),
	}, true
}

// frameLike is a cheap look at whether b may begin with a frame: it spares the
// search through a whole segment most of the checksums.
func frameLike(b []byte) bool {
	return len(b) >= frameSize && b[0] != 0 && kind(b[1])-kindData <= kindSeal-kindData &&
		binary.LittleEndian.Uint32(b[4:]) <= MaxPayload
}

// Span is the room that a payload of so many bytes takes in a segment, frame
// and padding included.
func Span(payload int) int {
	return (frameSize + payload + alignment - 1) &^ (alignment - 1)
}

// fileName is the name of a segment file. The number says nothing about the
// order: files are recycled under their names.
func fileName(number uint64) string { return fmt.Sprintf("wal-%08d", number) }

// fileNumber is the inverse of fileName.
func fileNumber(name string) (uint64, bool) {
	digits, found := strings.CutPrefix(name, "wal-")
	if !found {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || fileName(n) != name {
		return 0, false
	}
	return n, true
}
