package forward_test

import (
	"bufio"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/forward/forwardtest"
)

// Of WebSocket (RFC 6455).
const (
	socketKey  = "dGhlIHNhbXBsZSBub25jZQ=="
	socketGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	textFrame  = 0x81 // the last of a message, a text
	maskBit    = 0x80
)

// socketAccept is what proves that a WebSocket was meant.
func socketAccept() string {
	sum := sha1.Sum([]byte(socketKey + socketGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// echoSocket says back what is said to it over WebSocket; anything else is
// answered with how it was asked.
func echoSocket(w http.ResponseWriter, q *http.Request) {
	if q.Header.Get("Upgrade") != "websocket" {
		_, _ = io.WriteString(w, q.Method)
		return
	}
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = c.Close() }()
	_, _ = fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", socketAccept())
	for {
		head := make([]byte, 6) // a short frame, with its mask
		if rw.Flush() != nil {
			return
		}
		if _, err := io.ReadFull(rw, head); err != nil {
			return
		}
		text := make([]byte, head[1]&^maskBit)
		if _, err := io.ReadFull(rw, text); err != nil {
			return
		}
		for i := range text {
			text[i] ^= head[2+i%4]
		}
		_, _ = rw.Write(append([]byte{textFrame, byte(len(text))}, text...)) // Flush tells
	}
}

// speakSocket opens a WebSocket on a connection and says something twice.
func speakSocket(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(wait)); err != nil {
		t.Fatal(err)
	}
	tell(t, c, "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "+socketKey+"\r\n\r\n")
	r := bufio.NewReader(c)
	a, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = a.Body.Close()
	if a.StatusCode != http.StatusSwitchingProtocols || a.Header.Get("Sec-WebSocket-Accept") != socketAccept() {
		t.Fatalf("%d %v", a.StatusCode, a.Header)
	}
	for _, word := range []string{"hello", "again"} {
		frame := []byte{textFrame, maskBit | byte(len(word)), 1, 2, 3, 4}
		for i := range len(word) {
			frame = append(frame, word[i]^frame[2+i%4])
		}
		tell(t, c, string(frame))
		back := make([]byte, 2+len(word))
		if _, err := io.ReadFull(r, back); err != nil || string(back[2:]) != word || back[0] != textFrame {
			t.Fatalf("%q comes back for %q: %v", back, word, err)
		}
	}
}

// Of HTTP/2 (RFC 9113, RFC 8441).
const (
	headersFrame, resetFrame, settingsFrame = 1, 3, 4
	endBoth                                 = 0x1 | 0x4 // of the stream and of its head
	connectSetting                          = 8         // SETTINGS_ENABLE_CONNECT_PROTOCOL
)

// frame is one frame of HTTP/2.
type frame struct {
	kind, flags byte
	stream      uint32
	payload     []byte
}

func (f *frame) append(b []byte) []byte {
	b = append(b, byte(len(f.payload)>>16), byte(len(f.payload)>>8), byte(len(f.payload)), f.kind, f.flags)
	return append(binary.BigEndian.AppendUint32(b, f.stream), f.payload...)
}

// readFrame reads frames until one of a kind on a stream comes.
func readFrame(t *testing.T, r io.Reader, kind byte, stream uint32) frame {
	t.Helper()
	for {
		head := make([]byte, 9)
		if _, err := io.ReadFull(r, head); err != nil {
			t.Fatalf("waiting for a frame of kind %d: %v", kind, err)
		}
		f := frame{head[3], head[4], binary.BigEndian.Uint32(head[5:]), make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))}
		if _, err := io.ReadFull(r, f.payload); err != nil {
			t.Fatal(err)
		}
		if f.kind == kind && f.stream == stream {
			return f
		}
	}
}

// literals writes fields for HPACK as they are (RFC 7541, section 6.2.2).
func literals(fields ...string) (b []byte) {
	for i := 0; i < len(fields); i += 2 {
		b = append(append(append(b, 0, byte(len(fields[i]))), fields[i]...), byte(len(fields[i+1])))
		b = append(b, fields[i+1]...)
	}
	return b
}

// TestWebSocketsOfBrowsers: a browser that has HTTP/2 with the front is not told
// that WebSockets could come through it (RFC 8441), so it makes a connection of
// HTTP/1.1 for each, which works over TLS and without. One that tries all the same
// loses that stream alone (W12).
func TestWebSocketsOfBrowsers(t *testing.T) {
	identity := forwardtest.NewIdentity(t)
	up := handled(t, echoSocket)
	_, secure := newFront(t, forward.Options{Director: forwardtest.NewDirector(t, up), TLS: identity.Server()})
	plain := startLoop(t, forward.Options{Director: forwardtest.NewDirector(t, up)}, forward.LoopOptions{Threads: 1}).Address()
	dial := func(address netip.AddrPort, protocols ...string) *tls.Conn {
		t.Helper()
		c, err := tls.Dial("tcp", address.String(), identity.Client(protocols...))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}

	c := dial(secure, "h2", "http/1.1")
	if got := c.ConnectionState().NegotiatedProtocol; got != "h2" {
		t.Fatalf("the front chooses %q", got)
	}
	if err := c.SetDeadline(time.Now().Add(wait)); err != nil {
		t.Fatal(err)
	}
	tell(t, c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+string((&frame{kind: settingsFrame}).append(nil)))
	for settings := readFrame(t, c, settingsFrame, 0).payload; len(settings) >= 6; settings = settings[6:] {
		if binary.BigEndian.Uint16(settings) == connectSetting && binary.BigEndian.Uint32(settings[2:]) == 1 {
			t.Error("WebSockets are offered over HTTP/2, where they do not work")
		}
	}
	ask := frame{headersFrame, endBoth &^ 1, 1, literals(":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":path", "/chat", ":authority", "a")}
	tell(t, c, string(ask.append(nil)))
	readFrame(t, c, resetFrame, 1)
	ask = frame{headersFrame, endBoth, 3, literals(":method", "GET", ":scheme", "https", ":path", "/", ":authority", "a")}
	tell(t, c, string(ask.append(nil)))
	readFrame(t, c, headersFrame, 3)

	speakSocket(t, dial(secure, "http/1.1"))
	speakSocket(t, dial(secure)) // who offers nothing
	ws, err := net.Dial("tcp", plain.String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ws.Close() }()
	speakSocket(t, ws)
}

// TestWebSocketLastsThroughRetiring: a reload does not end a WebSocket.
func TestWebSocketLastsThroughRetiring(t *testing.T) {
	up := handled(t, func(w http.ResponseWriter, q *http.Request) {
		if !strings.HasPrefix(q.URL.Path, "/chat") {
			http.NotFound(w, q)
			return
		}
		echoSocket(w, q)
	})
	f, address := newFront(t, forward.Options{Director: forwardtest.NewDirector(t, up)})
	c, r := dialFront(t, address)
	tell(t, c, "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "+socketKey+"\r\n\r\n")
	a, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = a.Body.Close()
	f.Retire()
	tell(t, c, string([]byte{textFrame, maskBit | 1, 0, 0, 0, 0, 'x'}))
	back := make([]byte, 3)
	if _, err := io.ReadFull(r, back); err != nil || back[2] != 'x' {
		t.Errorf("%q comes back: %v", back, err)
	}
	_ = c.Close()
}
