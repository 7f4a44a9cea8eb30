package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/polymath-run/polymath"
)

// Protocol is what a stream upgrades to: its request is that of the Connect
// stream with "Upgrade: polymath-stream/1" and no body, its answer 101, and
// from then on the connection carries messages both ways, each after its
// length: four bytes, big endian.
const Protocol = "polymath-stream/1"

// Bounds of a Stream's memory, in bytes.
const (
	lengthBytes = 4
	bufferBytes = 64 << 10  // of reading; and what is believed of a length before it comes
	keptBytes   = 256 << 10 // of a buffer that is used again
)

// Stream carries messages over a connection of its own. One goroutine at a
// time may send and one receive.
type Stream struct {
	conn    net.Conn
	in      *bufio.Reader
	silence time.Duration
	message []byte // received
	out     []byte
}

// NewStream makes a stream of a connection. in reads from it, and may have
// read something already; nil: nothing has. Silence is how long nothing may
// come before Receive fails.
func NewStream(conn net.Conn, in *bufio.Reader, silence time.Duration) *Stream {
	if in == nil || in.Size() < bufferBytes {
		var from io.Reader = conn
		if in != nil && in.Buffered() > 0 {
			from = in
		}
		in = bufio.NewReaderSize(from, bufferBytes)
	}
	return &Stream{conn: conn, in: in, silence: silence}
}

// Send sends a message.
func (s *Stream) Send(m proto.Message) error {
	out, err := proto.MarshalOptions{}.MarshalAppend(append(s.out[:0], make([]byte, lengthBytes)...), m)
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint32(out, uint32(len(out)-lengthBytes))
	if s.out = out; cap(out) > keptBytes {
		s.out = nil
	}
	_, err = s.conn.Write(out)
	return err
}

// Receive reads the next message into m. The error is io.EOF when the other
// side closed the connection between two messages, and TooLarge when a message
// has more than MaxMessageBytes.
func (s *Stream) Receive(m proto.Message) error {
	if err := s.conn.SetReadDeadline(time.Now().Add(s.silence)); err != nil {
		return err
	}
	var length [lengthBytes]byte
	if _, err := io.ReadFull(s.in, length[:]); err != nil {
		return err
	}
	n := int(binary.BigEndian.Uint32(length[:]))
	if n > MaxMessageBytes {
		return polymath.Errorf(polymath.TooLarge, "a message of %d bytes is larger than %d", n, MaxMessageBytes)
	}
	if err := s.read(n); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	if err := proto.Unmarshal(s.message, m); err != nil {
		return polymath.Errorf(polymath.InvalidArgument, "a message cannot be read: %w", err)
	}
	if cap(s.message) > keptBytes {
		s.message = nil
	}
	return nil
}

// read reads n bytes of a message. Memory is taken as they come: a length
// alone is cheap to claim.
func (s *Stream) read(n int) error {
	s.message = s.message[:0]
	for len(s.message) < n {
		have := len(s.message)
		step := min(n-have, max(bufferBytes, have))
		if cap(s.message) < have+step {
			s.message = append(make([]byte, 0, have+step), s.message...)
		}
		s.message = s.message[:have+step]
		if _, err := io.ReadFull(s.in, s.message[have:]); err != nil {
			return err
		}
	}
	return nil
}

// CloseSending tells the other side that nothing more will be sent.
func (s *Stream) CloseSending() error {
	if c, ok := s.conn.(interface{ CloseWrite() error }); ok { // TCP and TLS
		return c.CloseWrite()
	}
	return s.conn.Close()
}

// LimitSending lets Send fail that is not through within d.
func (s *Stream) LimitSending(d time.Duration) { _ = s.conn.SetWriteDeadline(time.Now().Add(d)) }

// Close closes the connection.
func (s *Stream) Close() error { return s.conn.Close() }
