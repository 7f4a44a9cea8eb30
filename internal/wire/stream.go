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
	"github.com/polymath-run/polymath/api/polymathv1"
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
	keptBytes   = 256 << 10 // of the buffer of sending, which is used again; more if it is well used
	keptMessage = 64 << 10  // of the buffer of receiving, the same
)

// Stream carries messages over a connection of its own. One goroutine at a
// time may send and one receive.
type Stream struct {
	conn    net.Conn
	in      *bufio.Reader
	silence time.Duration
	message []byte // being received
	decoder decoder
	out     []byte
	sent    Lately             // bytes of out
	taken   Lately             // bytes of message
	calls   polymathv1.Calls   // received last
	replies polymathv1.Replies // received last
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
	out, err := encode(append(s.out[:0], 0, 0, 0, 0), m) // lengthBytes
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint32(out, uint32(len(out)-lengthBytes))
	if s.out = out; !s.sent.Keep(cap(out), len(out), keptBytes) {
		s.out = nil
	}
	_, err = s.conn.Write(out)
	return err
}

// ReceiveCalls reads the next message, for a server. It is valid until the next
// call, whose message takes its memory: who keeps some of it for longer copies
// that. The error is io.EOF when the other side closed the connection between
// two messages, and TooLarge when a message has more than MaxMessageBytes.
func (s *Stream) ReceiveCalls() (*polymathv1.Calls, error) {
	return &s.calls, s.receive(&s.calls)
}

// ReceiveReplies is ReceiveCalls for a client. The inputs of what is granted stay
// valid.
func (s *Stream) ReceiveReplies() (*polymathv1.Replies, error) {
	err := s.receive(&s.replies)
	if len(s.replies.GetGrants()) > 0 {
		s.message = nil
	}
	return &s.replies, err
}

// receive reads the next message into m.
func (s *Stream) receive(m proto.Message) error {
	if err := s.next(); err != nil {
		return err
	}
	err := s.decoder.decode(s.message, m)
	if !s.taken.Keep(cap(s.message), len(s.message), keptMessage) {
		s.message = nil // too large to be kept
	}
	if err != nil {
		return polymath.Errorf(polymath.InvalidArgument, "a message cannot be read: %w", err)
	}
	return nil
}

// next reads the bytes of the next message.
func (s *Stream) next() error {
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
	err := s.read(n)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// read reads n bytes of a message. Memory is taken as they come: a length
// alone is cheap to claim.
func (s *Stream) read(n int) error {
	s.message = s.message[:0]
	for len(s.message) < n {
		have := len(s.message)
		step := min(n-have, max(bufferBytes, 3*have))
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
