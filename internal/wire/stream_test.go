package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
)

// pipe is a stream and the other end of its connection.
func pipe(t testing.TB, silence time.Duration) (*Stream, net.Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	return NewStream(ours, nil, silence), theirs
}

// TestStreamCarries: what is sent is received, small, empty and large, and what
// was read before the stream began counts.
func TestStreamCarries(t *testing.T) {
	var sizes = []int{0, 1, bufferBytes - 1, bufferBytes, keptBytes + 1, 1 << 20}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	sender := NewStream(a, nil, time.Minute)
	early := &polymathv1.Calls{Forgotten: []uint64{7}}
	first, err := proto.Marshal(early)
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(io.MultiReader(bytes.NewReader(binary.BigEndian.AppendUint32(nil, uint32(len(first)))), bytes.NewReader(first), b))
	if _, err := in.Peek(2); err != nil {
		t.Fatal(err)
	}
	receiver := NewStream(b, in, time.Minute)
	sent := make(chan error, len(sizes))
	go func() {
		for _, n := range sizes {
			sent <- sender.Send(&polymathv1.Calls{Beats: [][]byte{bytes.Repeat([]byte("x"), n)}})
		}
		sent <- sender.CloseSending()
	}()
	got, err := receiver.ReceiveCalls()
	if err != nil || !slices.Equal(got.GetForgotten(), []uint64{7}) {
		t.Fatal(got, err)
	}
	for _, n := range sizes {
		if got, err := receiver.ReceiveCalls(); err != nil || len(got.GetBeats()[0]) != n {
			t.Errorf("%d bytes: %v", n, err)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}
	if _, err := receiver.ReceiveCalls(); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("after the end: %v", err)
	}
}

// TestStreamRefuses: a length that is too large, a message that is none, one
// that is cut short, and silence.
func TestStreamRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		bytes string
		wrong func(error) bool
	}{
		"too large":   {"\xff\xff\xff\xff", func(err error) bool { return polymath.CodeOf(err) == polymath.TooLarge }},
		"no message":  {"\x00\x00\x00\x02\xff\xff", func(err error) bool { return polymath.CodeOf(err) == polymath.InvalidArgument }},
		"half a size": {"\x00\x00", func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
		"cut short":   {"\x00\x00\x00\x09abc", func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
	} {
		s, theirs := pipe(t, time.Minute)
		go func() {
			_, _ = io.WriteString(theirs, c.bytes)
			_ = theirs.Close()
		}()
		if _, err := s.ReceiveCalls(); !c.wrong(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, _ := pipe(t, time.Millisecond)
	if _, err := s.ReceiveCalls(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("silence: %v", err)
	}
}

// TestStreamBelievesNoLength: memory is taken as bytes come, not as they are
// announced.
func TestStreamBelievesNoLength(t *testing.T) {
	s, theirs := pipe(t, time.Minute)
	go func() {
		_, _ = theirs.Write(binary.BigEndian.AppendUint32(nil, MaxMessageBytes))
		_, _ = io.WriteString(theirs, strings.Repeat("x", 100))
		_ = theirs.Close()
	}()
	if _, err := s.ReceiveCalls(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if cap(s.message) > bufferBytes {
		t.Errorf("%d bytes for a message of 100", cap(s.message))
	}
}

// FuzzReceive: no bytes make Receive panic, and a message that is read is
// written as it was meant.
func FuzzReceive(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x04\x2a\x02\x01\x02\x00\x00"))
	f.Add([]byte("\x00\x3f\xff\xff\x2a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := NewStream(discard{}, bufio.NewReaderSize(bytes.NewReader(data), bufferBytes), time.Minute)
		for {
			m, err := s.ReceiveCalls()
			if err != nil {
				return
			}
			if err := s.Send(m); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// discard is a connection to nowhere.
type discard struct{ net.Conn }

func (discard) Write(p []byte) (int, error)     { return len(p), nil }
func (discard) SetReadDeadline(time.Time) error { return nil }
